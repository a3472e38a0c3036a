package render

import (
	"encoding/json"
	"encoding/xml"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/feedcheck"
	"tidings.internal/services/publish/internal/item"
)

var update = flag.Bool("update", false, "write the golden files")

var (
	seen = time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC)
	now  = seen.Add(24 * time.Hour)
)

func feed() *Feed {
	base := "https://news.example.org/feeds/all"
	return &Feed{
		URN: item.URN("news.example.org", "feed:all"), Title: "Kundennah & mehr", Description: "Alles über Kunden & Kultur",
		Language: "de", Author: "Redaktion", Rights: "© Beispiel GmbH", Icon: "https://news.example.org/icon.png", Logo: "https://news.example.org/logo.png",
		Page: base, Self: map[Format]string{RSS: base + ".rss", Atom: base + ".atom", JSON: base + ".json"}, TTL: 60,
		Created: time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC),
	}
}

func entries(t *testing.T, level article.Syndicate, articles ...article.Article) []Entry {
	t.Helper()
	var list []Entry
	for i := range articles {
		it, err := item.New(&articles[i], "news.example.org")
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, Entry{Item: it.At(level)})
	}
	return list
}

func full() article.Article {
	published, updated := seen.Add(-2*time.Hour), seen.Add(-time.Hour)
	return article.Article{
		ID: article.NewID("blog", "1"), Revision: 1, URL: "https://blog.example.org/käse?a=1&b=2",
		Title: "Grüße & <b>Küsse</b> – 😀 &amp; mehr", Summary: "Kurz & gut: 1 < 2, sagt \"sie\".",
		HTML: `<p>Lang &amp; <a href="https://example.org/?a=1&amp;b=2">breit</a> ]]&gt;</p>`, Language: article.Language{Code: "de-CH"},
		Authors: []article.Person{{Name: "Jörg Müller", URL: "https://example.org/jörg"}, {Name: "Ana Núñez"}},
		Tags: []article.Tag{
			{ID: "crm", Label: map[string]string{"de": "Kundenpflege"}, Kind: article.KindConcept, Scheme: "https://example.org/tags"},
			{ID: "kultur-und-sport", Label: map[string]string{"de": "Kultur & Sport"}, Kind: article.KindPhrase},
		},
		Image: &article.Image{URL: "https://blog.example.org/bild.jpg", Bytes: 12345, Width: 800, Height: 600, Alt: "Ein \"Bild\"", Credit: "Foto: Müller"},
		Enclosures: []article.Enclosure{{URL: "https://blog.example.org/ton.mp3", Type: "audio/mpeg", Length: 99, Duration: 61.5, Title: "Ton"},
			{URL: "https://blog.example.org/zwei.mp3", Type: "audio/mpeg"}},
		Published: &published, Updated: &updated, FirstSeen: seen, Fetched: seen,
		Source: article.Source{ID: "blog", Title: "Blog & Co", FeedURL: "https://blog.example.org/feed?x=1&y=2", SiteURL: "https://blog.example.org/", Rights: "© Blog & Co"},
		Story:  article.Story{ID: article.NewID("blog", "1")},
	}
}

// bare has nothing but what every article has.
func bare() article.Article {
	return article.Article{
		ID: article.NewID("wire", "2"), Revision: 1, URL: "http://wire.example/2", Title: "Bare", FirstSeen: seen.Add(-3 * time.Hour),
		Fetched: seen, Source: article.Source{ID: "wire"}, Language: article.Language{Code: article.Undetermined},
	}
}

// poison holds what sources should never send, past every stage before this one.
func poison() article.Article {
	future := seen.Add(1000 * time.Hour)
	return article.Article{
		ID: article.NewID("evil", "3"), Revision: 1, URL: "https://bücher.example/ä b?q=ü&r=<x>", GUID: "\x00",
		Title:   strings.Repeat("Über\x1b\xff <script>alert(1)</script> ]]> &lt;i&gt; ", 110),
		Summary: "ESC \x1b NUL \x00 byte \xff C1 \u0085 surrogate \xed\xa0\x80 end ]]> <script>alert(1)</script>",
		HTML:    "<p>ESC \x1b NUL \x00 byte \xff ]]> &#27; <img src=\"/relative.png\"></p><script>alert(1)</script>",
		Authors: []article.Person{{Name: "evil@example.org"}, {Name: "<b>Mallory\x00</b>", URL: "javascript:x"}},
		Tags:    []article.Tag{{ID: "a\x1bb", Label: map[string]string{"en": "]]><x>"}, Scheme: "no address"}, {ID: "\x00"}},
		Image:   &article.Image{URL: "data:image/png;base64,AAAA", Alt: "\x1b"}, Language: article.Language{Code: "no language"},
		Enclosures: []article.Enclosure{{URL: "https://ü.example/\x7f.mp3", Type: "audio/mpeg"}, {URL: "https://ü.example/a.mp3", Type: "audio", Length: -5}},
		Published:  &future, Updated: &future, FirstSeen: seen, Fetched: seen, Rights: "\x1b]]>",
		Source: article.Source{ID: "evil", Title: "<Evil> \xff & Co", FeedURL: "feed://evil.example/", SiteURL: "/", Rights: "\x00"},
	}
}

func check(doc []byte, format Format, f *Feed) []feedcheck.Problem {
	e := feedcheck.Expect{Self: f.Self[format], Now: now}
	switch format {
	case RSS:
		return feedcheck.RSS(doc, e)
	case Atom:
		return feedcheck.Atom(doc, e)
	default:
		return feedcheck.JSON(doc, e)
	}
}

func TestDocumentsAreGoldenAndValid(t *testing.T) {
	t.Parallel()
	withAlso := entries(t, article.Full, full(), bare())
	withAlso[0].Also = []Also{{"Same & story", "https://other.example/1?a=1&b=2"}}
	for name, list := range map[string][]Entry{
		"full":     withAlso,
		"summary":  entries(t, article.Excerpt, full(), bare()),
		"headline": entries(t, article.Headline, full(), bare()),
		"poison":   entries(t, article.Full, poison(), full()),
		"empty":    nil,
	} {
		f := feed()
		for _, format := range Formats() {
			doc, err := Document(f, list, format)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range check(doc, format, f) {
				t.Errorf("%s.%s breaks %s", name, format, p)
			}
			path := filepath.Join("testdata", name+"."+string(format)+".golden")
			if *update {
				if err := os.WriteFile(path, doc, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(doc)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", path, diff)
			}
		}
	}
}

func TestLevelsShowWhatTheyMay(t *testing.T) {
	t.Parallel()
	for _, format := range Formats() {
		for level, never := range map[article.Syndicate][]string{
			article.Excerpt:  {"Lang", "breit"},
			article.Headline: {"Lang", "breit", "Kurz", "bild.jpg", "ton.mp3"},
		} {
			doc, err := Document(feed(), entries(t, level, full()), format)
			if err != nil {
				t.Fatal(err)
			}
			for _, word := range never {
				if strings.Contains(string(doc), word) {
					t.Errorf("%s as %s shows %q", level, format, word)
				}
			}
		}
	}
}

// what an independent reader finds in an item.
type reading struct{ ID, URL, Title, Published, Tags, Authors, Body, Enclosure, Source string }

func TestFormatsAgree(t *testing.T) {
	t.Parallel()
	list := entries(t, article.Full, full(), poison(), bare())
	docs := map[Format][]byte{}
	for _, format := range Formats() {
		doc, err := Document(feed(), list, format)
		if err != nil {
			t.Fatal(err)
		}
		docs[format] = doc
	}
	rss, atom, jsn := readRSS(t, docs[RSS]), readAtom(t, docs[Atom]), readJSON(t, docs[JSON])
	if len(rss) != len(list) {
		t.Fatalf("the RSS holds %d items of %d", len(rss), len(list))
	}
	if diff := cmp.Diff(rss, atom); diff != "" {
		t.Errorf("RSS and Atom differ (-rss +atom):\n%s", diff)
	}
	if diff := cmp.Diff(rss, jsn); diff != "" {
		t.Errorf("RSS and JSON differ (-rss +json):\n%s", diff)
	}
}

func readRSS(t *testing.T, doc []byte) []reading {
	var r struct {
		Items []struct {
			PubDate   string   `xml:"pubDate"`
			Guid      string   `xml:"guid"`
			Links     string   `xml:"link"`
			Titles    string   `xml:"title"`
			Category  []string `xml:"category"`
			Creator   []string `xml:"http://purl.org/dc/elements/1.1/ creator"`
			Body      string   `xml:"http://purl.org/rss/1.0/modules/content/ encoded"`
			Enclosure struct {
				URL string `xml:"url,attr"`
			} `xml:"enclosure"`
			Source struct {
				URL string `xml:"url,attr"`
			} `xml:"source"`
		} `xml:"channel>item"`
	}
	if err := xml.Unmarshal(doc, &r); err != nil {
		t.Fatal(err)
	}
	var list []reading
	for _, i := range r.Items {
		at, err := time.Parse(rfc822, i.PubDate)
		if err != nil {
			t.Error(err)
		}
		list = append(list, reading{i.Guid, i.Links, i.Titles, at.UTC().Format(time.RFC3339), strings.Join(i.Category, "|"), strings.Join(i.Creator, "|"), i.Body, i.Enclosure.URL, i.Source.URL})
	}
	return list
}

func readAtom(t *testing.T, doc []byte) []reading {
	var a struct {
		Entries []struct {
			ID        string  `xml:"id"`
			Title     string  `xml:"title"`
			Published string  `xml:"published"`
			Content   string  `xml:"http://www.w3.org/2005/Atom content"`
			Links     []link2 `xml:"link"`
			Category  []struct {
				Label string `xml:"label,attr"`
			} `xml:"category"`
			Author []struct {
				Name string `xml:"name"`
			} `xml:"author"`
			Source struct {
				Links []link2 `xml:"link"`
			} `xml:"source"`
		} `xml:"entry"`
	}
	if err := xml.Unmarshal(doc, &a); err != nil {
		t.Fatal(err)
	}
	var list []reading
	for _, e := range a.Entries {
		var tags, authors []string
		for _, c := range e.Category {
			tags = append(tags, c.Label)
		}
		for _, p := range e.Author {
			authors = append(authors, p.Name)
		}
		list = append(list, reading{e.ID, rel(e.Links, "alternate"), e.Title, e.Published, strings.Join(tags, "|"), strings.Join(authors, "|"), e.Content, rel(e.Links, "enclosure"), rel(e.Source.Links, "self")})
	}
	return list
}

type link2 struct {
	Rel  string `xml:"rel,attr"`
	Href string `xml:"href,attr"`
}

func rel(links []link2, name string) string {
	for _, l := range links {
		if l.Rel == name {
			return l.Href
		}
	}
	return ""
}

func readJSON(t *testing.T, doc []byte) []reading {
	var j struct {
		Items []struct {
			ID, URL, Title string
			Published      string                  `json:"date_published"`
			Tags           []string                `json:"tags"`
			Authors        []struct{ Name string } `json:"authors"`
			HTML           string                  `json:"content_html"`
			Attachments    []struct{ URL string }  `json:"attachments"`
			Source         struct {
				FeedURL string `json:"feed_url"`
			} `json:"_source"`
		}
	}
	if err := json.Unmarshal(doc, &j); err != nil {
		t.Fatal(err)
	}
	var list []reading
	for _, i := range j.Items {
		var authors []string
		for _, a := range i.Authors {
			authors = append(authors, a.Name)
		}
		enclosure := ""
		if len(i.Attachments) > 0 {
			enclosure = i.Attachments[0].URL
		}
		list = append(list, reading{i.ID, i.URL, i.Title, i.Published, strings.Join(i.Tags, "|"), strings.Join(authors, "|"), i.HTML, enclosure, i.Source.FeedURL})
	}
	return list
}
