package matrix

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"tidings.internal/pkg/event"
	"tidings.internal/services/publish/internal/compose/composetest"
)

func TestConform(t *testing.T) {
	t.Parallel()
	composetest.Conform(t, Network)
}

// The HTML, parsed, holds the text and no element but those that were made, whatever stands in the text.
func TestMarkupHoldsTheText(t *testing.T) {
	t.Parallel()
	channel, rng := composetest.Channel(t, Network, nil), rand.New(rand.NewPCG(7, 8))
	pieces := []string{"<b>", "&amp;", "<script>", "\"", "'", "]]>", "👩‍🚀", "Wort ", "<!--", "</p>", "\u202e", "@room "}
	for range 2000 {
		a := composetest.Articles()["german"]
		a.Title, a.Summary = "", ""
		for range 1 + rng.IntN(100) {
			a.Title += pieces[rng.IntN(len(pieces))]
			a.Summary += pieces[rng.IntN(len(pieces))]
		}
		p := composetest.Post(t, channel, a, event.ActionCreate)
		var m message
		if err := json.Unmarshal(p.Request.Body, &m); err != nil {
			t.Fatal(err)
		}
		nodes, err := html.Parse(strings.NewReader(m.Formatted))
		if err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		links := 0
		for n := range nodes.Descendants() {
			switch {
			case n.Type == html.TextNode:
				text.WriteString(n.Data)
			case n.Type != html.ElementNode:
			case n.Data == "a":
				links++
			case !strings.Contains(" html head body p br ", " "+n.Data+" "):
				t.Fatalf("an element %s is in %s", n.Data, m.Formatted)
			}
		}
		bare := func(s string) string { return strings.Join(strings.Fields(strings.ReplaceAll(s, "\n", "")), "") }
		if bare(text.String()) != bare(p.Text) || links != 1 || len(p.Request.Body) > 65_536 {
			t.Fatalf("the HTML says %q, the text %q; %d links, %d bytes", text.String(), p.Text, links, len(p.Request.Body))
		}
	}
}

func TestAnEditReplaces(t *testing.T) {
	t.Parallel()
	p := composetest.Post(t, composetest.Channel(t, Network, nil), composetest.Articles()["english"], event.ActionEdit)
	var m message
	if err := json.Unmarshal(p.Request.Body, &m); err != nil {
		t.Fatal(err)
	}
	if m.New == nil || m.RelatesTo == nil || m.RelatesTo.Type != "m.replace" || m.Body != "* "+m.New.Body || m.New.New != nil {
		t.Errorf("edit %+v", m)
	}
	if !strings.Contains(string(p.Request.Body), `"m.mentions":{}`) {
		t.Error("somebody may be called")
	}
}
