package render

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/feeds"

	"tidings.internal/pkg/article"
)

// fifty are articles of 5 KB as sites write them.
func fifty() []article.Article {
	var list []article.Article
	for i := range 50 {
		a := full()
		a.ID, a.URL = article.NewID("blog", fmt.Sprint(i)), fmt.Sprintf("https://blog.example.org/%d?a=1&b=2", i)
		a.Title, a.Story = fmt.Sprintf("Bericht %d über Grüße & mehr", i), article.Story{ID: a.ID}
		a.HTML = strings.Repeat(`<p>Das Team hat jeden Brief <a href="https://blog.example.org/x?a=1&amp;b=2">am selben Tag</a> beantwortet, und wer zweimal schrieb, bekam einen Anruf.</p>`, 33)
		list = append(list, a)
	}
	return list
}

// stock is the same feed in the library's own form.
func stock(f *Feed, entries []Entry) *feeds.Feed {
	out := &feeds.Feed{Title: f.Title, Link: &feeds.Link{Href: f.Page}, Description: f.Description, Author: &feeds.Author{Name: f.Author}, Updated: newest(entries), Id: f.URN, Copyright: f.Rights}
	for _, e := range entries {
		out.Items = append(out.Items, &feeds.Item{
			Title: e.Title, Link: &feeds.Link{Href: e.URL}, Author: &feeds.Author{Name: e.Authors[0].Name}, Description: e.Summary, Id: e.ID,
			Updated: e.Updated, Created: e.Published, Enclosure: &feeds.Enclosure{Url: e.Enclosure.URL, Length: "99", Type: e.Enclosure.Type}, Content: e.HTML,
		})
	}
	return out
}

// BenchmarkRender writes 50 items in each format, and the same items by the library's own conversion, which is the
// baseline. Ours has more in it: categories, all authors, sources, pictures.
func BenchmarkRender(b *testing.B) {
	articles := fifty()
	var t testing.T
	list, f := entries(&t, article.Full, articles...), feed()
	base := stock(f, list)
	for format, write := range map[Format]func() (string, error){RSS: base.ToRss, Atom: base.ToAtom, JSON: base.ToJSON} {
		b.Run(string(format), func(b *testing.B) {
			var ours, theirs time.Duration
			size := 0
			for b.Loop() {
				begun := time.Now()
				body, err := Document(f, list, format)
				if err != nil {
					b.Fatal(err)
				}
				between := time.Now()
				if _, err := write(); err != nil {
					b.Fatal(err)
				}
				ours, theirs, size = ours+between.Sub(begun), theirs+time.Since(between), len(body)
			}
			b.ReportMetric(ours.Seconds()/theirs.Seconds(), "ratio")
			b.ReportMetric(ours.Seconds()*1000/float64(b.N), "ours-ms")
			b.ReportMetric(theirs.Seconds()*1000/float64(b.N), "baseline-ms")
			b.ReportMetric(float64(size)/1000, "KB")
		})
	}
}
