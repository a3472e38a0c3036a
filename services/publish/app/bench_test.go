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
//
// A template hands a field over whole and looks at none of its characters, so the baseline costs a long article hardly more
// than a short one, while every post is counted, escaped, written as JSON and hashed character by character. sent-ratio sets
// the same work beside the templates and the least of that: the text of each post as JSON, and the hash of its body.
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
			var ours, theirs, sent time.Duration
			posts := make([]event.Post, len(channels))
			bytes := 0
			for b.Loop() {
				begun := time.Now()
				it, err := item.New(a, feed.SiteID(site))
				if err != nil {
					b.Fatal(err)
				}
				for i, ch := range channels {
					if posts[i], err = ch.Post(a, it, event.ActionCreate, false); err != nil {
						b.Fatal(err)
					}
				}
				between := time.Now()
				for _, t := range bare {
					if err := t.Execute(io.Discard, fields); err != nil {
						b.Fatal(err)
					}
				}
				after := time.Now()
				bytes = 0
				for i := range posts {
					if _, err := event.Marshal(posts[i].Text); err != nil {
						b.Fatal(err)
					}
					_ = event.Hash(posts[i].Request.Body)
					bytes += len(posts[i].Request.Body)
				}
				ours, theirs, sent = ours+between.Sub(begun), theirs+after.Sub(between), sent+time.Since(after)
			}
			b.ReportMetric(ours.Seconds()/theirs.Seconds(), "ratio")
			b.ReportMetric(ours.Seconds()/(theirs+sent).Seconds(), "sent-ratio")
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
