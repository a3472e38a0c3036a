package bluesky

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"tidings.internal/pkg/event"
	"tidings.internal/services/publish/internal/compose"
	"tidings.internal/services/publish/internal/compose/composetest"
)

func TestConform(t *testing.T) {
	t.Parallel()
	composetest.Conform(t, Network)
}

func recordOf(t *testing.T, p event.Post) record {
	t.Helper()
	var b put
	if err := json.Unmarshal(p.Request.Body, &b); err != nil {
		t.Fatal(err)
	}
	return b.Record
}

// sound holds facets to what a server does not check: inside of the text, on the borders of characters, in order, apart,
// and of the text that a reader takes for the link or the tag.
func sound(t *testing.T, r record) {
	t.Helper()
	end := 0
	for _, f := range r.Facets {
		if f.Index.Start < end || f.Index.End <= f.Index.Start || f.Index.End > len(r.Text) {
			t.Fatalf("facet %+v overlaps or lies outside of %d bytes", f, len(r.Text))
		}
		end = f.Index.End
		part := r.Text[f.Index.Start:f.Index.End]
		if !utf8.ValidString(part) || !utf8.ValidString(r.Text[:f.Index.Start]) {
			t.Fatalf("facet %+v cuts a character", f)
		}
		if tag := f.Features[0].Tag; tag != "" && part != "#"+tag {
			t.Fatalf("the tag %s is on %q", tag, part)
		}
		if uri := f.Features[0].URI; uri != "" && part != shorten(uri) {
			t.Fatalf("the link %s is on %q", uri, part)
		}
	}
}

func TestFacetsOfRandomTexts(t *testing.T) {
	t.Parallel()
	channel, rng := composetest.Channel(t, Network, nil), rand.New(rand.NewPCG(5, 6))
	pieces := []string{"#Tag ", "👩‍👩‍👧 ", "Überschrift ", "https://other.example/x ", "#123 ", "@x ", "क्षि", "\u202e", "#ÄÖÜ_1 ", "a#b ", "\n"}
	for range 2000 {
		a := composetest.Articles()["german"]
		a.Title, a.Summary = "", ""
		for range 1 + rng.IntN(60) {
			a.Title += pieces[rng.IntN(len(pieces))]
			a.Summary += pieces[rng.IntN(len(pieces))]
		}
		p := composetest.Post(t, channel, a, event.ActionCreate)
		r := recordOf(t, p)
		sound(t, r)
		if r.Text != p.Text || p.Count.Used > limit || len(r.Text) > maxBytes || length(r.Text) != p.Count.Used {
			t.Fatalf("text of %d bytes, count %+v: %q", len(r.Text), p.Count, r.Text)
		}
	}
}

func TestWhatAReaderSees(t *testing.T) {
	t.Parallel()
	a := composetest.Articles()["german"]
	a.URL = "https://www.example.org/ein/sehr/langer/pfad/zu/einem/artikel?x=1&y=2"
	r := recordOf(t, composetest.Post(t, composetest.Channel(t, Network, nil), a, event.ActionCreate))
	want := "Der Kunde ist König\n\nEin kurzer Satz. Noch ein Satz, der etwas länger ist.\n\nexample.org/ein/sehr/langer/pfad/zu/ein…\n\n#ContentSyndication #Unternehmenskultur"
	if r.Text != want {
		t.Errorf("text\n%s\nwant\n%s", r.Text, want)
	}
	if len(r.Facets) != 3 || r.Facets[0].Features[0].URI != a.URL || r.Facets[2].Features[0].Tag != "Unternehmenskultur" {
		t.Errorf("facets %+v", r.Facets)
	}
	sound(t, r)
	if r.Embed == nil || r.Embed.External.URI != a.URL || r.Embed.External.Thumb == nil || r.Langs[0] != "de" {
		t.Errorf("record %+v", r)
	}
}

func TestStoriesOfOneSecondKeepTheirOrder(t *testing.T) {
	t.Parallel()
	a, b := composetest.Articles()["german"], composetest.Articles()["english"]
	channel := composetest.Channel(t, Network, nil)
	one, two := recordOf(t, composetest.Post(t, channel, a, event.ActionCreate)), recordOf(t, composetest.Post(t, channel, b, event.ActionCreate))
	if one.CreatedAt == two.CreatedAt || one.CreatedAt[:19] != two.CreatedAt[:19] || !strings.HasSuffix(one.CreatedAt, "Z") {
		t.Errorf("created at %s and %s", one.CreatedAt, two.CreatedAt)
	}
}

func TestTextsThatAreTooManyBytes(t *testing.T) {
	t.Parallel()
	if n := length(strings.Repeat("👩‍👩‍👧‍👦", 200)); n <= limit {
		t.Errorf("5,000 bytes in 200 characters count as %d", n)
	}
	var _ compose.Network = Network
}
