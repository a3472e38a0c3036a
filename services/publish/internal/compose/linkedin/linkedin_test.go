package linkedin

import (
	"encoding/json"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/services/publish/internal/compose/composetest"
)

func TestConform(t *testing.T) {
	t.Parallel()
	// The link stands in the text, where its signs are escaped, and whole in the card.
	composetest.Conform(t, Network)
}

var (
	escaped = regexp.MustCompile(`\\([\\|{}@\[\]()<>#*_~])`)
	bare    = regexp.MustCompile(`(^|[^\\])(\\\\)*[|{}@\[\]()<>*_~]`)
)

func TestTheTextIsWholeOnceItIsUnescaped(t *testing.T) {
	t.Parallel()
	const nasty = `Foo (bar) [baz] #C++ a_b*c | <x> @y ~ \ {z}`
	if got, want := little(nasty), `Foo \(bar\) \[baz\] \#C++ a\_b\*c \| \<x\> \@y \~ \\ \{z\}`; got != want {
		t.Errorf("little(%q) = %q, want %q", nasty, got, want)
	}
	if got, want := little("Text\n\n#CRM #New_Work #1 #"), `Text`+"\n\n"+`#CRM #New\_Work \#1 \#`; got != want {
		t.Errorf("hashtags: %q, want %q", got, want)
	}
	channel, rng := composetest.Channel(t, Network, nil), rand.New(rand.NewPCG(7, 8))
	pieces := []string{"(", ")", "[", "]", "{", "}", "@", "#", "*", "_", "~", "|", "<", ">", `\`, "Wort ", "👩‍🚀", "\n", "#Tag "}
	for range 2000 {
		a := composetest.Articles()["german"]
		a.Title, a.Summary = "", ""
		for range 1 + rng.IntN(400) {
			a.Title += pieces[rng.IntN(len(pieces))]
			a.Summary += pieces[rng.IntN(len(pieces))]
		}
		p := composetest.Post(t, channel, a, event.ActionCreate)
		var body post
		if err := json.Unmarshal(p.Request.Body, &body); err != nil {
			t.Fatal(err)
		}
		if got := escaped.ReplaceAllString(body.Commentary, "$1"); got != p.Text || bare.MatchString(body.Commentary) {
			t.Fatalf("the commentary %q is not the text %q", body.Commentary, p.Text)
		}
		if p.Count.Used != length(p.Text) || p.Count.Used > limit {
			t.Fatalf("count %+v of %d", p.Count, length(p.Text))
		}
	}
}

func TestCardAuthorAndEdit(t *testing.T) {
	t.Parallel()
	channel := composetest.Channel(t, Network, func(c *config.Channel) { c.Settings = &Settings{Author: "urn:li:organization:42", Media: "none"} })
	a := composetest.Articles()["german"]
	p := composetest.Post(t, channel, a, event.ActionCreate)
	var body post
	if err := json.Unmarshal(p.Request.Body, &body); err != nil {
		t.Fatal(err)
	}
	if body.Author != "urn:li:organization:42" || body.Content.Article.Source != a.URL || body.Content.Article.Title != a.Title || len(p.Media) != 0 || body.Content.Article.Thumbnail != nil {
		t.Errorf("%+v, %d media", body, len(p.Media))
	}
	if !strings.Contains(string(p.Request.Body), `"targetEntities":[],"thirdPartyDistributionChannels":[]`) {
		t.Errorf("the lists of the distribution are not empty lists: %s", p.Request.Body)
	}
	edit := composetest.Post(t, channel, a, event.ActionEdit)
	if edit.Request.Path != "/rest/posts/{remote_id}" || edit.Request.Headers["X-RestLi-Method"] != "PARTIAL_UPDATE" {
		t.Errorf("an edit is %+v", edit.Request)
	}
	for _, author := range []string{"me", "urn:li:share:1"} {
		doc := config.New("x.yaml", []byte("author: x"), nil)
		(&Settings{Author: author, Media: "none"}).Check(doc.At())
		if doc.Err() == nil {
			t.Errorf("author %q is taken", author)
		}
	}
}
