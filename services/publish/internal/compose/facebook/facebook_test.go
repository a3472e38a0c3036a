package facebook

import (
	"encoding/json"
	"testing"

	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/services/publish/internal/compose/composetest"
)

func TestConform(t *testing.T) {
	t.Parallel()
	composetest.Conform(t, Network)
}

func TestTheLinkIsACardAndTheLimitIsKept(t *testing.T) {
	t.Parallel()
	channel := composetest.Channel(t, Network, func(c *config.Channel) { c.Settings = &Settings{Limit: 200} })
	for name, a := range composetest.Articles() {
		if name == "long" || name == "hostile" {
			p := composetest.Post(t, channel, a, event.ActionCreate)
			var body post
			if err := json.Unmarshal(p.Request.Body, &body); err != nil {
				t.Fatal(err)
			}
			if body.Link != p.URL || body.Message != p.Text || !body.Published || p.Count.Used > 200 {
				t.Errorf("%s: %+v, count %+v", name, body, p.Count)
			}
		}
	}
	if p := composetest.Post(t, channel, composetest.Articles()["german"], event.ActionEdit); p.Request.Path != "/{remote_id}" {
		t.Errorf("an edit goes to %s", p.Request.Path)
	}
	for _, limit := range []int{99, 63_207} {
		doc := config.New("x.yaml", []byte("limit: 1"), nil)
		(&Settings{Limit: limit}).Check(doc.At())
		if doc.Err() == nil {
			t.Errorf("a limit of %d is taken", limit)
		}
	}
}
