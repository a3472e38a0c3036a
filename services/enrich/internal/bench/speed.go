package main

import (
	"context"
	"encoding/json"
	"fmt"
	"html"
	"math"
	"runtime"
	"slices"
	"strings"
	"time"

	"tidings.internal/pkg/article"
	"tidings.internal/services/enrich/internal/language"
	made "tidings.internal/services/enrich/internal/language/headlines"
	"tidings.internal/services/enrich/internal/pipeline"
	"tidings.internal/services/enrich/internal/story"
	"tidings.internal/services/enrich/internal/story/copies"
	"tidings.internal/services/enrich/internal/taxonomy"
)

const (
	// generated is how many pages are made where the sample has none, pageWords how long they are.
	generated, pageWords = 200, 800
	// timed is how many pages at most are timed.
	timed = 400
	// feedLeast and feedMost bound the length in words of an article that comes whole from its feed. The pages of the
	// sample hold twice as much on average, since some are listings and some are chapters.
	feedLeast, feedMost = 400, 1200
)

// generate makes a page of its own: a body among the usual furniture.
func generate(w *copies.Writer, i int) sample {
	var b strings.Builder
	title := w.Text(6)
	fmt.Fprintf(&b, `<!doctype html><html lang="en"><head><title>%s | Example</title><meta property="article:published_time" content="2026-04-%02dT08:00:00Z">
<meta name="author" content="Eva Example"></head><body><nav>`, html.EscapeString(title), 1+i%28)
	for k := range 40 {
		fmt.Fprintf(&b, `<a href="/section/%d">%s</a> `, k, html.EscapeString(w.Sentence()[:12]))
	}
	fmt.Fprintf(&b, `</nav><main><article><h1>%s</h1>`, html.EscapeString(title))
	for range pageWords / 60 {
		fmt.Fprintf(&b, "<p>%s</p>\n", html.EscapeString(w.Text(60)))
	}
	b.WriteString(`</article><aside class="related"><ul>`)
	for k := range 20 {
		fmt.Fprintf(&b, `<li><a href="/a/%d">%s</a></li>`, k, html.EscapeString(w.Sentence()))
	}
	b.WriteString(`</ul></aside></main><footer>Example</footer></body></html>`)
	return sample{ID: fmt.Sprint("made", i), URL: fmt.Sprintf("https://example.org/%d", i), html: []byte(b.String())}
}

// clocked is what articles took.
type clocked struct {
	articles int
	cpu      time.Duration   // of the process, garbage collection included
	wall     []time.Duration // of each article
	steps    map[string]time.Duration
	placed   time.Duration
}

func (c *clocked) perSecond(d time.Duration) float64 {
	return float64(c.articles) / max(d, 1).Seconds()
}

func (c *clocked) each(d time.Duration, unit time.Duration) float64 {
	return float64(d) / float64(unit) / float64(max(1, c.articles))
}

// percentile is the wall time below which so large a share of the articles stays.
func (c *clocked) percentile(share float64) time.Duration {
	if len(c.wall) == 0 {
		return 0
	}
	slices.Sort(c.wall)
	return c.wall[min(len(c.wall)-1, int(share*float64(len(c.wall))))]
}

// clock carries drafts through everything that is done for an article but the broker's part, one after the other.
func (b *bench) clock(ctx context.Context, drafts []*pipeline.Draft) (*clocked, error) {
	c := &clocked{steps: map[string]time.Duration{}}
	var last time.Duration
	r := b.runner(func(step string, _ time.Duration, _ pipeline.Reason, _ error) {
		now := cpu()
		c.steps[step] += now - last
		last = now
	})
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	stories := memoryOfStories(ctx)
	runtime.GC()
	before := cpu()
	for _, d := range drafts {
		start := time.Now()
		last = cpu()
		if err := r.Run(ctx, d); err != nil {
			return nil, err
		}
		placing := cpu()
		told, err := stories.Place(ctx, documentOf(&d.Article))
		if err != nil {
			return nil, err
		}
		c.placed += cpu() - placing
		d.Article.Story = told
		if _, err := json.Marshal(&d.Article); err != nil {
			return nil, err
		}
		c.wall = append(c.wall, time.Since(start))
		c.articles++
	}
	c.cpu = cpu() - before
	return c, nil
}

func documentOf(a *article.Article) story.Document {
	return story.Document{Article: a.ID, Revision: 1, URL: a.URL, Title: a.Title, Text: a.Text}
}

// timedPages are the pages that are timed, and what they are.
func (b *bench) timedPages() ([]sample, string) {
	if len(b.samples.pages) > 0 {
		return b.samples.pages[:min(timed, len(b.samples.pages))], "pages of the sample"
	}
	w := copies.NewWriter(2)
	var list []sample
	for i := range generated {
		list = append(list, generate(w, i))
	}
	return list, "generated pages"
}

// speed measures articles with and without a page, on one core, and the steps that have a figure of their own.
func (b *bench) speed(ctx context.Context) ([]row, error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	pages, what := b.timedPages()
	var drafts []*pipeline.Draft
	for i := range pages {
		drafts = append(drafts, draft(pages[i].ID, pages[i].URL, pages[i].html))
	}
	warm := draft("warm", "https://example.org/", pages[0].html)
	if err := b.runner(nil).Run(ctx, warm); err != nil { // what is built once is no part of an article
		return nil, err
	}
	paged, err := b.clock(ctx, drafts)
	if err != nil {
		return nil, err
	}
	fed, err := b.clock(ctx, fromFeed(drafts, 0, math.MaxInt))
	if err != nil {
		return nil, err
	}
	usual := fromFeed(drafts, feedLeast, feedMost)
	plain, err := b.clock(ctx, usual)
	if err != nil {
		return nil, err
	}
	words := count(usual)
	extraction := paged.steps["decode"] + paged.steps["metadata"] + paged.steps["extract"]
	rows := []row{
		{what: fmt.Sprintf("articles a second and core, %d %s", len(pages), what), reached: []float64{paged.perSecond(paged.cpu)}, wanted: []float64{35}},
		{what: fmt.Sprintf("articles a second and core, feed bodies of %d words", count(drafts)), reached: []float64{fed.perSecond(fed.cpu)}, wanted: []float64{35}},
		{what: fmt.Sprintf("articles a second and core, feed bodies of %d words", words), reached: []float64{plain.perSecond(plain.cpu)}, wanted: []float64{150}},
		{what: "ms for an article with a page: p50 / p99", reached: []float64{ms(paged.percentile(0.5)), ms(paged.percentile(0.99))}},
		{what: "ms for an article with a page: p99", reached: []float64{ms(paged.percentile(0.99))}, wanted: []float64{150}, most: true},
		{what: "ms for an article from the feed: p50 / p99", reached: []float64{ms(fed.percentile(0.5)), ms(fed.percentile(0.99))}},
		{what: "pages a second, extraction with metadata", reached: []float64{paged.perSecond(extraction)}, wanted: []float64{60}},
		{what: "µs for the language of a title", reached: []float64{b.detects()}, wanted: []float64{100}, most: true},
		{what: "ms for keyphrases", digits: 2, reached: []float64{paged.each(paged.steps["phrases"], time.Millisecond)}, wanted: []float64{3}, most: true},
		{what: "ms for the taxonomy", digits: 2, reached: []float64{paged.each(paged.steps["taxonomy"], time.Millisecond)}},
		{what: fmt.Sprintf("ms for the taxonomy, %d words", words), digits: 2, reached: []float64{plain.each(plain.steps["taxonomy"], time.Millisecond)}, wanted: []float64{0.8}, most: true},
		{what: "ms for the story, bucket in memory", digits: 2, reached: []float64{paged.each(paged.placed, time.Millisecond)}, wanted: []float64{1}, most: true},
	}
	topics, err := b.topics(ctx, drafts)
	return append(rows, topics...), err
}

// fromFeed makes of articles that were read from pages those that a feed would give, title and body, where the body has
// so many words.
func fromFeed(drafts []*pipeline.Draft, least, most int) []*pipeline.Draft {
	var list []*pipeline.Draft
	for _, d := range drafts {
		if n := len(strings.Fields(d.Article.Text)); n >= least && n <= most {
			list = append(list, pipeline.NewDraft(&article.Raw{
				ID: d.Raw.ID, Revision: 1, URL: d.Raw.URL, Title: d.Article.Title, Fetched: far, FirstSeen: far,
				Content: &article.Text{Value: d.Article.HTML, Type: article.TextHTML},
			}, nil))
		}
	}
	return list
}

// count is how many words the texts of articles have on average.
func count(drafts []*pipeline.Draft) int {
	n := 0
	for _, d := range drafts {
		n += len(strings.Fields(d.Article.Text))
	}
	return n / max(1, len(drafts))
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// detects is how long the language of a title takes. The titles are all different, in all languages, so that hardly a
// word comes back.
func (b *bench) detects() float64 {
	d, n := language.New(), 0
	headlines := made.Set()
	start := cpu()
	for _, list := range headlines {
		for _, h := range list {
			d.Detect(h)
			n++
		}
	}
	return float64((cpu() - start).Microseconds()) / float64(n)
}

// topics measures a vocabulary of more than a thousand concepts.
func (b *bench) topics(ctx context.Context, drafts []*pipeline.Draft) ([]row, error) {
	rows := []row{
		{what: "ms to compile the Media Topics", wanted: []float64{200}, most: true},
		{what: "ms for the taxonomy, Media Topics", digits: 2, wanted: []float64{0.8}, most: true},
	}
	if len(b.samples.topics) == 0 {
		rows[0].lacks, rows[1].lacks = noData, noData
		return rows, nil
	}
	v, err := taxonomy.Read(taxonomy.File{Name: "mediatopics.json", Data: b.samples.topics})
	if err != nil {
		return nil, err
	}
	start := cpu()
	m := taxonomy.NewMatcher(v)
	rows[0].reached = []float64{ms(cpu() - start)}
	step := taxonomy.Step{Matcher: func() *taxonomy.Matcher { return m }}
	var took time.Duration
	for _, d := range drafts {
		mine := *d
		start := cpu()
		if err := step.Run(ctx, &mine); err != nil {
			return nil, err
		}
		took += cpu() - start
	}
	rows[1].reached = []float64{ms(took) / float64(len(drafts))}
	return rows, nil
}
