package slack

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"tidings.internal/pkg/event"
	"tidings.internal/services/publish/internal/compose/composetest"
)

func TestConform(t *testing.T) {
	t.Parallel()
	composetest.Conform(t, Network)
}

var unescape = strings.NewReplacer("&amp;", "&", "&lt;", "<", "&gt;", ">")

// What Slack shows is the text that was fitted, whatever it is made of, and no part of it controls Slack.
func TestWordsAreWhatTheyAre(t *testing.T) {
	t.Parallel()
	channel, rng := composetest.Channel(t, Network, nil), rand.New(rand.NewPCG(5, 6))
	pieces := []string{"*fett*", "_x_", "~y~", "`z`", "<!channel>", "<@U1>", "&amp;", "&", "<", ">", "|", ":smile:", "Wort ", "👩‍🚀", "\n"}
	for range 1000 {
		a := composetest.Articles()["german"]
		a.URL = "https://blog.example.org/a?x=1&y=<2>|3"
		a.Title, a.Summary = "", ""
		for range 1 + rng.IntN(300) {
			a.Title += pieces[rng.IntN(len(pieces))]
			a.Summary += pieces[rng.IntN(len(pieces))]
		}
		p := composetest.Post(t, channel, a, event.ActionCreate)
		var m message
		if err := json.Unmarshal(p.Request.Body, &m); err != nil {
			t.Fatal(err)
		}
		if n := utf8.RuneCountInString(m.Text); n != p.Count.Used || n > limit {
			t.Fatalf("%d characters are sent, count %+v", n, p.Count)
		}
		if unescape.Replace(m.Text) != p.Text || strings.ContainsAny(m.Text, "<>") {
			t.Fatalf("the text %q is not %q", m.Text, p.Text)
		}
		shown, links := "", 0
		for _, piece := range m.Blocks[0].Elements[0].Elements {
			shown += piece.Text + piece.URL
			if piece.Type == "link" {
				links++
			}
		}
		if shown != p.Text || links != strings.Count(p.Text, p.URL) || links == 0 {
			t.Fatalf("shown is %q with %d links, the text is %q", shown, links, p.Text)
		}
	}
}
