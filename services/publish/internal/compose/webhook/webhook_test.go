package webhook

import (
	"encoding/json"
	"strings"
	"testing"

	"tidings.internal/pkg/event"
	"tidings.internal/services/publish/internal/compose/composetest"
)

func TestConform(t *testing.T) {
	t.Parallel()
	composetest.Conform(t, Network)
}

func TestEventIDNamesTheEvent(t *testing.T) {
	t.Parallel()
	c := composetest.Channel(t, Network, nil)
	a := composetest.Articles()["german"]
	id := func(action string) string {
		var e struct{ ID, Type, Subject string }
		if err := json.Unmarshal(composetest.Post(t, c, a, action).Request.Body, &e); err != nil {
			t.Fatal(err)
		}
		if want := map[string]string{event.ActionCreate: "article.published", event.ActionEdit: "article.updated"}[action]; e.Type != want {
			t.Errorf("%s has type %s", action, e.Type)
		}
		if strings.Contains(e.ID, ".") || !strings.HasPrefix(e.ID, "msg_") {
			t.Errorf("id %s", e.ID)
		}
		return e.ID
	}
	created, edited := id(event.ActionCreate), id(event.ActionEdit)
	a.Revision = 2
	if id(event.ActionCreate) != created {
		t.Error("a later revision of what is created for the first time has another id: a crash could send both")
	}
	if id(event.ActionEdit) == edited || edited == created {
		t.Error("two changes share an id")
	}
}

func TestHugeBodyIsLeftOut(t *testing.T) {
	t.Parallel()
	a := composetest.Articles()["german"]
	a.HTML = "<p>" + strings.Repeat("\"", 200<<10) + "</p>" // doubles when it is quoted
	p := composetest.Post(t, composetest.Channel(t, Network, nil), a, event.ActionCreate)
	if len(p.Request.Body) > maxBytes || strings.Contains(string(p.Request.Body), "content_html") {
		t.Errorf("the event has %d bytes", len(p.Request.Body))
	}
}
