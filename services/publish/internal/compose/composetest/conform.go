// Package composetest is the suite that every network of package compose passes. It is for tests.
package composetest

import (
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/services/publish/internal/compose"
	"tidings.internal/services/publish/internal/item"
)

// units are those that the contract of [event.Count] names: who reads posts knows no other.
var units = []string{"grapheme", "utf16", "byte", "weighted", "code_point"}

var update = flag.Bool("update", false, "write the golden files")

var seen = time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC)

// Site is the site that posts of the suite come from.
func Site() config.Site {
	return config.Site{ID: "news.example.org", Title: "Kundennah", URL: "https://news.example.org", Language: "de"}
}

// Channel makes a channel of a network ready, with the defaults of all keys; change, if not nil, sets some.
func Channel(t testing.TB, n compose.Network, change func(*config.Channel)) *compose.Channel {
	t.Helper()
	var c config.Channel
	c.SetDefaults()
	c.ID, c.Network = "test", n.Name
	if n.Settings != nil {
		c.Settings = n.Settings()
	}
	if change != nil {
		change(&c)
	}
	ch, err := compose.New(c, n, Site())
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

// Articles are the articles of the suite by name.
func Articles() map[string]article.Article {
	base := func(id string) article.Article {
		at := seen.Add(-time.Hour)
		return article.Article{
			ID: article.NewID("blog", id), Revision: 1, URL: "https://blog.example.org/" + id, Title: "Der Kunde ist König",
			Summary: "Ein kurzer Satz. Noch ein Satz, der etwas länger ist.", HTML: "<p>Langer Text</p>",
			Language: article.Language{Code: "de"}, Published: &at, FirstSeen: seen, Fetched: seen,
			Authors: []article.Person{{Name: "Jörg Müller"}}, Image: &article.Image{URL: "https://blog.example.org/bild.jpg", Alt: "Ein Bild"},
			Tags:   []article.Tag{{ID: "crm", Label: map[string]string{"de": "Content Syndication"}}, {ID: "kultur", Label: map[string]string{"de": "Unternehmenskultur"}}},
			Source: article.Source{ID: "blog", Title: "Blog & Co", FeedURL: "https://blog.example.org/feed"}, Story: article.Story{ID: article.NewID("blog", id), FirstSeen: seen},
		}
	}
	list := map[string]article.Article{"german": base("german")}
	add := func(name string, change func(*article.Article)) {
		a := base(name)
		change(&a)
		list[name] = a
	}
	add("english", func(a *article.Article) {
		a.Title, a.Summary, a.Language.Code = "The customer is king", "A short sentence.", "en-GB"
	})
	add("long", func(a *article.Article) {
		a.Title = strings.Repeat("Donaudampfschifffahrtsgesellschaft und ", 270)
		a.Summary = strings.Repeat("Ein Satz mit Umlauten wie ä, ö und ü. ", 280)
	})
	add("one-word", func(a *article.Article) {
		a.Title, a.Summary = strings.Repeat("Ü", 3000), strings.Repeat("ß", 5000)
	})
	add("empty", func(a *article.Article) {
		*a = article.Article{ID: a.ID, Revision: 1, URL: a.URL, FirstSeen: seen, Fetched: seen, Source: article.Source{ID: "blog"}, Language: article.Language{Code: "und"}}
	})
	add("emoji", func(a *article.Article) {
		a.Title = strings.Repeat("👨‍👩‍👧‍👦🇩🇪1️⃣👍🏽", 200)
		a.Summary = strings.Repeat("🏴‍☠️ ", 300)
	})
	add("combining", func(a *article.Article) {
		a.Title = strings.Repeat("e\u0301\u0302\u0303 क्षि ", 300)
		a.Summary = "a" + strings.Repeat("\u0301", 900)
	})
	add("right-to-left", func(a *article.Article) {
		a.Title, a.Summary, a.Language.Code = "\u202bمرحبا بالعالم\u202c \u200fשלום", strings.Repeat("مرحبا ", 300), "ar"
	})
	add("tags", func(a *article.Article) {
		a.Tags = nil
		for i := range 50 {
			a.Tags = append(a.Tags, article.Tag{ID: "t" + strings.Repeat("x", i), Label: map[string]string{"de": "Schlagwort Nummer " + strings.Repeat("i", i)}})
		}
	})
	add("hostile", func(a *article.Article) {
		a.Title = "@all @jane@example.org node.js &amp; <b>fett</b> Foo (bar) [baz] #C++ a_b*c | <x> @y ~ {{.URL}}"
		a.Summary = "ESC \x1b NUL \x00 byte \xff ]]> {token} {\"$media\":\"x\"} \u202e jane@example.org"
		a.URL = "https://bücher.example/a(b)'c,?q=ü&x=[1]#top"
		a.Authors = []article.Person{{Name: "@all"}, {Name: "jane@example.org"}}
	})
	return list
}

// Post composes a post and fails the test if that cannot be done.
func Post(t testing.TB, c *compose.Channel, a article.Article, action string) event.Post {
	t.Helper()
	it, err := item.New(&a, Site().ID)
	if err != nil {
		t.Fatal(err)
	}
	p, err := c.Post(&a, it, action, false)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Conform runs the suite.
func Conform(t *testing.T, n compose.Network) {
	Obey(t, n)
	t.Run("posts are golden", func(t *testing.T) {
		t.Parallel()
		c := Channel(t, n, nil)
		for _, name := range []string{"german", "english", "empty", "hostile", "right-to-left"} {
			Golden(t, name, Post(t, c, Articles()[name], event.ActionCreate))
		}
		Golden(t, "edit", Post(t, c, Articles()["german"], event.ActionEdit))
	})
	t.Run("there is a wire sample", func(t *testing.T) { t.Parallel(); wireSample(t, n) })
	t.Run("the example is the manual", func(t *testing.T) { t.Parallel(); manual(t, n) })
}

// Obey runs the part of the suite that holds for every flavour of a network, whatever its settings are.
func Obey(t *testing.T, n compose.Network) {
	t.Run("posts are pure, whole and within the limit", func(t *testing.T) {
		t.Parallel()
		c := Channel(t, n, nil)
		for name, a := range Articles() {
			for _, action := range []string{event.ActionCreate, event.ActionEdit} {
				p := Post(t, c, a, action)
				check(t, name+" "+action, p)
				if diff := cmp.Diff(p, Post(t, c, a, action)); diff != "" {
					t.Errorf("%s: the same input gives another post (-first +second):\n%s", name, diff)
				}
			}
		}
	})
	t.Run("policies are obeyed", func(t *testing.T) { t.Parallel(); policies(t, n) })
	t.Run("marks stand on the link", func(t *testing.T) { t.Parallel(); marks(t, n) })
	t.Run("an equal article gives an equal hash", func(t *testing.T) { t.Parallel(); hashes(t, n) })
	if n.Template != "" {
		t.Run("bad templates are problems", func(t *testing.T) { t.Parallel(); templates(t, n) })
	}
	t.Run("a person's words go as they are", func(t *testing.T) { t.Parallel(); words(t, n) })
}

var secretForm = regexp.MustCompile(`(?i)"(password|secret|api_?key|access_?token|token)"`)

func check(t *testing.T, name string, p event.Post) {
	t.Helper()
	if p.Count.Used > p.Count.Limit || p.Count.Limit == 0 || !slices.Contains(units, p.Count.Unit) {
		t.Errorf("%s: count %+v", name, p.Count)
	}
	body := string(p.Request.Body)
	if !json.Valid(p.Request.Body) || !utf8.ValidString(p.Text) || strings.ContainsAny(p.Text, "\x00\x1b") {
		t.Errorf("%s: the body is not JSON, or the text %q is not clean", name, p.Text)
	}
	// Some networks escape every sign, those of addresses too, and take the backslashes out again.
	if !strings.Contains(body, p.URL) && !strings.Contains(strings.ReplaceAll(body, `\\`, ""), p.URL) {
		t.Errorf("%s: the link %s is cut or lost in %s", name, p.URL, body)
	}
	if found := secretForm.FindString(body); found != "" {
		t.Errorf("%s: the body has a field %s", name, found)
	}
	if p.Hash == "" || p.Story == "" || p.Article == "" || p.Published.IsZero() || p.FirstSeen.IsZero() || p.Title == "" {
		t.Errorf("%s: the post is not complete: %+v", name, p)
	}
}

// words holds a network to a text that a person wrote: it is sent whole, escaped as any other, or not at all.
func words(t *testing.T, n compose.Network) {
	c := Channel(t, n, nil)
	a := Articles()["german"]
	it, err := item.New(&a, Site().ID)
	if err != nil {
		t.Fatal(err)
	}
	if n.Template == "" {
		if _, err := c.Edited(&a, it, "other words"); compose.Class(err) != compose.NoWords {
			t.Errorf("posts without a text take one: %v", err)
		}
		return
	}
	own := Post(t, c, a, event.ActionCreate)
	p, err := c.Edited(&a, it, "  Ändern & <b>prüfen</b>\r\n\n\n\x1b"+own.URL+"  \n")
	shown := strings.TrimPrefix(own.URL, "https://") // some networks show an address without its beginning
	if rest, ok := strings.CutPrefix(p.Text, "Ändern & <b>prüfen</b>\n\n"); err != nil || !ok || rest != own.URL && rest != shown {
		t.Fatalf("text %q, %v", p.Text, err)
	}
	check(t, "edited", p)
	if p.Hash == own.Hash || p.Action != event.ActionCreate || p.Story != own.Story || p.Request.Path != own.Request.Path {
		t.Errorf("it is no other first post of the same story: %+v", p)
	}
	if p, err := c.Edited(&a, it, "no link"); err != nil || p.Text != "no link" {
		t.Errorf("without the link: %q, %v", p.Text, err)
	}
	for text, class := range map[string]string{" \n ": compose.NoWords, strings.Repeat("zu lang ", 9000): compose.PostTooLong, strings.Repeat("Wort ", own.Count.Limit): compose.PostTooLong} {
		if _, err := c.Edited(&a, it, text); compose.Class(err) != class || fault.KindOf(err) != fault.Invalid && fault.KindOf(err) != fault.TooLarge {
			t.Errorf("%.20q...: %v, want %s", text, err, class)
		}
	}
}

func policies(t *testing.T, n compose.Network) {
	a := Articles()["german"]
	for _, c := range []struct {
		source  article.Syndicate
		content string
		never   []string
	}{
		{article.Full, "title", []string{"Ein kurzer", "Langer Text", "bild.jpg"}},
		{article.Full, "summary", []string{"Langer Text"}},
		{article.Headline, "full", []string{"Ein kurzer", "Langer Text", "bild.jpg"}},
		{article.Excerpt, "full", []string{"Langer Text"}},
	} {
		a.Source.Syndicate = c.source
		p := Post(t, Channel(t, n, func(ch *config.Channel) { ch.Content = c.content }), a, event.ActionCreate)
		text, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range c.never {
			if strings.Contains(string(text), word) {
				t.Errorf("content %s of a source with %s shows %q", c.content, c.source, word)
			}
		}
	}
}

func marks(t *testing.T, n compose.Network) {
	c := Channel(t, n, func(ch *config.Channel) { ch.UTM = config.UTM{Source: "tidings", Medium: "social", Campaign: "a b&c"} })
	a := Articles()["german"]
	a.URL = "https://blog.example.org/x?utm_source=own&a=1#part"
	p := Post(t, c, a, event.ActionCreate)
	want := "https://blog.example.org/x?utm_source=own&a=1&utm_medium=social&utm_campaign=a+b%26c#part"
	if !strings.Contains(string(p.Request.Body), want) {
		t.Errorf("the body does not hold %s: %s", want, p.Request.Body)
	}
	if p.URL != "https://blog.example.org/x?utm_source=own&a=1#part" {
		t.Errorf("the marks are part of the post's identity: %s", p.URL)
	}
}

func hashes(t *testing.T, n compose.Network) {
	c := Channel(t, n, nil)
	a := Articles()["german"]
	before, same := Post(t, c, a, event.ActionEdit), Post(t, c, a, event.ActionEdit)
	if c.Changed(&before, &same) {
		t.Error("the same article is a change")
	}
	a.Title += "!"
	if after := Post(t, c, a, event.ActionEdit); !c.Changed(&before, &after) || before.Hash == after.Hash {
		t.Error("another title is no change")
	}
}

func templates(t *testing.T, n compose.Network) {
	for _, text := range []string{
		"{{.Titel}} {{.URL}}", "{{.Title", "{{env \"HOME\"}} {{.URL}}", "{{.Title}}", "{{index .Tags 7}} {{.URL}}",
		"{{range 2000000000}}xxxxxxxxxxxxxxxx{{end}}{{.URL}}", "{{template \"x\"}}",
	} {
		var c config.Channel
		c.SetDefaults()
		c.ID, c.Network, c.Template = "test", n.Name, text
		if n.Settings != nil {
			c.Settings = n.Settings()
		}
		if _, err := compose.New(c, n, Site()); err == nil || !strings.HasPrefix(err.Error(), "template: ") {
			t.Errorf("template %q: %v", text, err)
		}
	}
}

// manual checks that the example loads strictly and names every key of the network and no other.
func manual(t *testing.T, n compose.Network) {
	doc := config.New("example.yaml", []byte("channels:\n  - "+strings.ReplaceAll(strings.TrimSpace(n.Example), "\n", "\n    ")), nil)
	var settings any
	list := doc.Channels(func(network string) (any, []string) {
		if network != n.Name {
			return nil, nil
		}
		if n.Settings != nil {
			settings = n.Settings()
		}
		return settings, []string{"none-of-the-other-side"}
	})
	if err := doc.Err(); err != nil || len(list) != 1 {
		t.Fatalf("the example does not load: %v", err)
	}
	want := []string{"id", "network"}
	if n.Settings != nil {
		want = append(want, config.Keys(n.Settings())...)
		if diff := cmp.Diff(n.Settings(), settings); diff != "" {
			t.Errorf("the example does not state the defaults (-default +example):\n%s", diff)
		}
	}
	var got []string
	for line := range strings.SplitSeq(n.Example, "\n") {
		if key, _, ok := strings.Cut(line, ":"); ok && !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, " ") {
			got = append(got, key)
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("keys of the example (-want +got):\n%s", diff)
	}
}

// wireSample checks that an event of the network is among those that every later release must read. With -update a
// missing one is written; one that exists stays as it is.
func wireSample(t *testing.T, n compose.Network) {
	t.Helper()
	path := filepath.Join("..", "..", "..", "..", "..", "pkg", "event", "testdata", "v1", "post.network."+n.Name+".txt")
	if _, err := os.Stat(path); err == nil || !*update {
		if err != nil {
			t.Errorf("%s is missing: go test -update writes it", path)
		}
		return
	}
	p := Post(t, Channel(t, n, nil), Articles()["german"], event.ActionCreate)
	subject, err := event.PostSubject(p.Channel, p.Story)
	if err != nil {
		t.Fatal(err)
	}
	m, err := event.Encode(subject, event.Envelope{
		Type: event.TypePost, ID: event.PostID(p.Channel, p.Story, p.Revision), Source: "publish", Subject: p.URL, Time: seen,
		Article: p.Article, Version: event.Version{Revision: p.Revision},
	}, p)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString(m.Subject + "\n")
	for _, name := range slices.Sorted(maps.Keys(m.Header)) {
		for _, v := range m.Header[name] {
			b.WriteString(name + ": " + v + "\n")
		}
	}
	b.WriteString("\n" + string(m.Body) + "\n")
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Golden compares a post with testdata/NAME.golden of the network's folder.
func Golden(t *testing.T, name string, p event.Post) {
	t.Helper()
	got, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}
