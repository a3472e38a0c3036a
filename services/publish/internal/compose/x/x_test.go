package x

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"

	"tidings.internal/pkg/event"
	"tidings.internal/services/publish/internal/compose/composetest"
)

func TestConform(t *testing.T) {
	t.Parallel()
	composetest.Conform(t, Network)
}

func TestWeights(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		"": 0, "abc": 3, "äöü": 3, "日本": 4, "한": 2, "–—“”…": 6, "😀": 2, "👨‍👩‍👧‍👦": 2, "🇩🇪": 2, "1️⃣": 2, "👍🏽": 2, "☀️": 2,
		"https://example.org/": 23, "https://example.org/" + strings.Repeat("x", 500): 23, "a https://e.org b": 27, "node.js": 23, "see example.org/x now": 31,
		"e\u0301": 2, "3.5 %": 5, "z.B. so": 7,
	} {
		if got := weight(text); got != want {
			t.Errorf("weight(%q) = %d, want %d", text, got, want)
		}
	}
	if got := sent("e\u0301 $TIDE $CRM $5 US$ABC"); got != "\u00e9 $TIDE CRM $5 US$ABC" {
		t.Errorf("sent %q", got)
	}
}

func TestTheTextThatIsSentIsTheOneThatWasCounted(t *testing.T) {
	t.Parallel()
	channel, rng := composetest.Channel(t, Network, nil), rand.New(rand.NewPCG(5, 6))
	pieces := []string{"Wort ", "日本 ", "👩‍🚀", "node.js ", " $ABC ", " @all ", "e\u0301", "https://x.example/y ", "🏴‍☠️", "क्षि", "\u202e"}
	for range 2000 {
		a := composetest.Articles()["german"]
		a.Title = "x"
		for range 1 + rng.IntN(200) {
			a.Title += pieces[rng.IntN(len(pieces))]
		}
		p := composetest.Post(t, channel, a, event.ActionCreate)
		var m post
		if err := json.Unmarshal(p.Request.Body, &m); err != nil {
			t.Fatal(err)
		}
		if m.Text != p.Text || p.Count.Used != weight(m.Text) || p.Count.Used > limit || strings.Count(m.Text, "$ABC") > 1 || strings.Contains(m.Text, " @all") {
			t.Fatalf("sent %q, text %q, count %+v of %d", m.Text, p.Text, p.Count, weight(m.Text))
		}
	}
}

func TestAddressesAreFoundWordByWord(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(7, 8))
	pieces := []string{"http", "https", "://", ":", ".", "..", "/", "x", "node.js", "ü", "-", " ", "\n", "\v", "\u00a0", "<", "\"", "de", "1", "👩‍🚀"}
	for range 5000 {
		var text strings.Builder
		for range rng.IntN(12) {
			text.WriteString(pieces[rng.IntN(len(pieces))])
		}
		want, at := 0, 0
		for _, m := range address.FindAllStringIndex(text.String(), -1) {
			want += plainWeight(text.String()[at:m[0]])
			if strings.HasPrefix(text.String()[m[0]:], "http") {
				want += link
			} else {
				want += max(link, plainWeight(text.String()[m[0]:m[1]]))
			}
			at = m[1]
		}
		if want += plainWeight(text.String()[at:]); weight(text.String()) != want {
			t.Fatalf("weight(%q) = %d, want %d", text.String(), weight(text.String()), want)
		}
	}
}
