package feed

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/config"
	"tidings.internal/pkg/config/configtest"
	"tidings.internal/pkg/feedcheck"
	"tidings.internal/services/publish/internal/item"
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

// shown gives how a feed shows one item.
func shown(t *testing.T, attribution, content, language string) *item.Item {
	t.Helper()
	c := Config{}
	c.SetDefaults()
	c.ID, c.Attribution, c.Content, c.Language = "x", attribution, content, language
	f, err := New(c, config.Site{ID: "s", Title: "Site"}, "https://news.example.org")
	if err != nil {
		t.Fatal(err)
	}
	it := &item.Item{URL: "https://blog.example/1?a=1&b=2", Title: "Title", Summary: "Short.", HTML: "<p>Long</p>", Level: article.Full, Source: item.Source{Title: "Blog & <Co>"}}
	before := *it
	got := f.Show(it)
	if diff := cmp.Diff(before, *it); diff != "" {
		t.Errorf("showing an item changed it: %s", diff)
	}
	return got
}

func TestAttributionStandsWhereTheFeedWantsIt(t *testing.T) {
	t.Parallel()
	const link = `<p><a href="https://blog.example/1?a=1&amp;b=2">Originally at Blog &amp; &lt;Co&gt;</a></p>`
	for _, c := range []struct{ attribution, content, language, title, summary, html string }{
		{None, "full", "en", "Title", "Short.", "<p>Long</p>"},
		{Above, "full", "en", "Title", "Short.", link + "<p>Long</p>"},
		{Below, "full", "en", "Title", "Short.", "<p>Long</p>" + link},
		{InTitle, "full", "en", "Title (Blog & ‹Co›)", "Short.", "<p>Long</p>"},
		{Above, "summary", "de-CH", "Title", "Ursprünglich bei Blog & <Co>: Short.", ""},
		{Below, "summary", "fr", "Title", "Short. (Originally at Blog & <Co>)", ""},
		{Above, "title", "en", "Title", "", ""},
		{InTitle, "title", "en", "Title (Blog & ‹Co›)", "", ""},
	} {
		got := shown(t, c.attribution, c.content, c.language)
		if got.Title != c.title || got.Summary != c.summary || got.HTML != c.html {
			t.Errorf("%s of %s: %q %q %q", c.attribution, c.content, got.Title, got.Summary, got.HTML)
		}
	}
}

func TestAFeedThatHasEndedSaysSo(t *testing.T) {
	t.Parallel()
	day := time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)
	c := Config{}
	c.SetDefaults()
	c.ID, c.Title, c.Status, c.Ended, c.Language = "x", "Kultur", Ending, day, "de"
	f, err := New(c, config.Site{ID: "s", Title: "Site"}, "https://news.example.org")
	if err != nil {
		t.Fatal(err)
	}
	for seen, want := range map[time.Time]bool{day.Add(-time.Hour): true, day.Add(23 * time.Hour): true, day.Add(24 * time.Hour): false} {
		if f.Takes(&article.Article{FirstSeen: seen}) != want {
			t.Errorf("an article seen at %s: %v", seen, !want)
		}
	}
	one := render.Entry{Item: &item.Item{Title: "One", Published: day.Add(20 * time.Hour)}}
	got := f.Complete(&f.Head, []render.Entry{one})
	if len(got) != 2 || got[0].Title != "Dieser Feed ist beendet" || !got[0].Published.Equal(one.Published) || got[1].Title != "One" {
		t.Errorf("entries %+v", got)
	}
	if want := "„Kultur“ ist seit dem 02.11.2026 beendet; hier kommt nichts Neues mehr. Die anderen Feeds stehen unter https://news.example.org/"; got[0].Summary != want {
		t.Errorf("it says %q", got[0].Summary)
	}
	if alone := f.Complete(&f.Head, nil); len(alone) != 1 || !alone[0].Published.Equal(day) || alone[0].ID != got[0].ID {
		t.Errorf("without articles: %+v", alone)
	}
	under := f.Under("/t/secret")
	if got := f.Complete(&under, nil)[0]; got.URL != "https://news.example.org/t/secret/feeds/x" || got.Source.SiteURL != got.URL || got.Source.FeedURL != got.URL+".atom" {
		t.Errorf("under the path of a reader it leads to %q, its source to %+v", got.URL, got.Source)
	}
	seen := day.Add(48 * time.Hour)
	for format, check := range map[render.Format]func([]byte, feedcheck.Expect) []feedcheck.Problem{render.RSS: feedcheck.RSS, render.Atom: feedcheck.Atom, render.JSON: feedcheck.JSON} {
		body, err := render.Document(&f.Head, f.Complete(&f.Head, nil), format)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range check(body, feedcheck.Expect{Self: f.Head.Self[format], Now: seen}) {
			t.Errorf("%s breaks %s", format, p)
		}
		if format == render.JSON && !strings.Contains(string(body), `"expired":true`) {
			t.Errorf("it is not expired: %s", body)
		}
	}
}
