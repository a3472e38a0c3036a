package app

import (
	"io"
	"strings"
	"testing"
	"text/template"
	"time"

	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/services/publish/internal/compose"
	"tidings.internal/services/publish/internal/feed"
	"tidings.internal/services/publish/internal/item"
)

// BenchmarkCompose composes the posts of one article for a channel of every network, from the article to the bytes and the
// hash of each request. The baseline are the networks' own templates, run bare over the same texts: no limit, no count, no
// escape, no request. An article that fits is composed once for each network, a long one is shortened until it does.
func BenchmarkCompose(b *testing.B) {
	site := config.DefaultSite()
	site.Title, site.URL, site.Language = "Kundennah", "https://news.example.org", "de"
	var channels []*compose.Channel
	var bare []*template.Template
	for _, n := range networks() {
		var c config.Channel
		c.SetDefaults()
		c.ID, c.Network = n.Name, n.Name
		if n.Settings != nil {
			c.Settings = n.Settings()
		}
		ch, err := compose.New(c, n, site)
		if err != nil {
			b.Fatal(err)
		}
		channels = append(channels, ch)
		if n.Template != "" {
			bare = append(bare, template.Must(template.New(n.Name).Funcs(template.FuncMap{"hashtags": bareHashtags}).Parse(n.Template)))
		}
	}
	for name, summary := range map[string]int{"fits": 1, "long": 60} {
		a := sampleArticle()
		a.Summary = strings.Repeat(a.Summary+" ", summary)
		fields := compose.Fields{Title: a.Title, Summary: a.Summary, URL: a.URL, Published: *a.Published, Source: a.Source.Title}
		for _, t := range a.Tags {
			fields.Tags = append(fields.Tags, compose.Tag{Label: t.Label["en"]})
		}
		b.Run(name, func(b *testing.B) {
			var ours, theirs time.Duration
			bytes := 0
			for b.Loop() {
				begun := time.Now()
				it, err := item.New(a, feed.SiteID(site))
				if err != nil {
					b.Fatal(err)
				}
				bytes = 0
				for _, ch := range channels {
					p, err := ch.Post(a, it, event.ActionCreate, false)
					if err != nil {
						b.Fatal(err)
					}
					bytes += len(p.Request.Body)
				}
				between := time.Now()
				for _, t := range bare {
					if err := t.Execute(io.Discard, fields); err != nil {
						b.Fatal(err)
					}
				}
				ours, theirs = ours+between.Sub(begun), theirs+time.Since(between)
			}
			b.ReportMetric(ours.Seconds()/theirs.Seconds(), "ratio")
			b.ReportMetric(ours.Seconds()*1e6/float64(b.N), "ours-us")
			b.ReportMetric(theirs.Seconds()*1e6/float64(b.N), "baseline-us")
			b.ReportMetric(float64(bytes)/1000, "KB")
		})
	}
}

// bareHashtags is as little as a template that asks for hashtags needs.
func bareHashtags(tags []compose.Tag, _ ...int) string {
	words := make([]string, len(tags))
	for i, t := range tags {
		words[i] = "#" + t.Label
	}
	return strings.Join(words, " ")
}
