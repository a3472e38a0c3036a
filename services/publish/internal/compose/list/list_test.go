package list

import (
	"encoding/json"
	"strings"
	"testing"

	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/services/publish/internal/clean"
	"tidings.internal/services/publish/internal/compose/composetest"
)

func TestConform(t *testing.T) {
	t.Parallel()
	composetest.Conform(t, Network)
}

func read(t *testing.T, p event.Post) (e entry) {
	t.Helper()
	if err := json.Unmarshal(p.Request.Body, &e); err != nil {
		t.Fatal(err)
	}
	return e
}

func TestSummaryFitsAMail(t *testing.T) {
	t.Parallel()
	for name, a := range composetest.Articles() {
		e := read(t, composetest.Post(t, composetest.Channel(t, Network, nil), a, event.ActionCreate))
		if n := clean.Length(e.Summary); n > maxSummary {
			t.Errorf("%s: a summary of %d", name, n)
		}
		if e.Image != nil && e.Image.Alt == "" {
			t.Errorf("%s: a picture without a text", name)
		}
	}
}

func TestAnEntryTellsNoMoreThanTheChannelMay(t *testing.T) {
	t.Parallel()
	for content, want := range map[string][2]bool{"full": {true, true}, "summary": {true, false}, "title": {false, false}} {
		c := composetest.Channel(t, Network, func(c *config.Channel) { c.Content = content })
		e := read(t, composetest.Post(t, c, composetest.Articles()["german"], event.ActionCreate))
		if got := [2]bool{e.Summary != "", e.HTML != ""}; got != want || e.Title == "" || e.Source.Title == "" {
			t.Errorf("%s: summary and body %v, want %v: %+v", content, got, want, e)
		}
	}
}

func TestAHugeBodyIsLeftOut(t *testing.T) {
	t.Parallel()
	a := composetest.Articles()["german"]
	a.HTML = "<p>" + strings.Repeat("\"", 200<<10) + "</p>" // doubles when it is quoted
	p := composetest.Post(t, composetest.Channel(t, Network, nil), a, event.ActionCreate)
	if e := read(t, p); len(p.Request.Body) > maxBytes || e.HTML != "" || e.Summary == "" {
		t.Errorf("the entry has %d bytes", len(p.Request.Body))
	}
}
