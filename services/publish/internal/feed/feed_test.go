package feed

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/config"
	"tidings.internal/pkg/config/configtest"
	"tidings.internal/services/publish/internal/render"
)

func TestExampleIsTheManual(t *testing.T) {
	t.Parallel()
	configtest.Section(t, "feeds", Example, new([]Config))
}

func TestFeedTakesFromTheSiteWhatItDoesNotSay(t *testing.T) {
	t.Parallel()
	site := config.Site{ID: "x", Title: "Site & <Co>", Description: "About", Language: "de", Author: "Editors", Rights: "©", Icon: "https://e.org/ü.png", Logo: "relative"}
	make := func(c Config) *Feed {
		t.Helper()
		full := Config{}
		full.SetDefaults()
		full.ID, full.Title, full.Language, full.Content = c.ID, c.Title, c.Language, "summary"
		f, err := New(full, site, "https://news.example.org/sub")
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	all, own := make(Config{ID: All}), make(Config{ID: "culture", Title: "Culture", Language: "en"})
	if all.Head.Title != "Site & ‹Co›" || all.Head.Description != "About" || all.Head.Language != "de" || all.Head.Author != "Editors" || all.Head.Icon != "https://e.org/%C3%BC.png" || all.Head.Logo != "" {
		t.Errorf("all: %+v", all.Head)
	}
	if own.Head.Title != "Culture" || own.Head.Language != "en" || own.Level != article.Excerpt {
		t.Errorf("own: %+v", own.Head)
	}
	if got := make(Config{ID: "culture"}).Head.Title; got != "Site & ‹Co›: culture" {
		t.Errorf("a feed without a title is called %q", got)
	}
	want := map[render.Format]string{render.RSS: "https://news.example.org/sub/feeds/culture.rss", render.Atom: "https://news.example.org/sub/feeds/culture.atom", render.JSON: "https://news.example.org/sub/feeds/culture.json"}
	if diff := cmp.Diff(want, own.Head.Self); diff != "" {
		t.Errorf("addresses (-want +got):\n%s", diff)
	}
	if own.Head.URN == all.Head.URN {
		t.Error("two feeds share an id")
	}
}

func TestRankFollowsTheOrderOfPreference(t *testing.T) {
	t.Parallel()
	f, err := New(Config{ID: "x", Prefer: []string{"b", "a", "b"}}, config.Site{}, "")
	if err != nil {
		t.Fatal(err)
	}
	if !(f.Rank("b") < f.Rank("a") && f.Rank("a") < f.Rank("c") && f.Rank("c") == f.Rank("d")) {
		t.Errorf("ranks %d %d %d", f.Rank("b"), f.Rank("a"), f.Rank("c"))
	}
}
