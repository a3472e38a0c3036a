package main

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"runtime"
	"sync"
	"time"

	"codeberg.org/readeck/go-readability/v2"

	"tidings.internal/pkg/article"
	"tidings.internal/services/enrich/internal/bench/score"
	"tidings.internal/services/enrich/internal/dom"
	"tidings.internal/services/enrich/internal/pipeline"
)

// far is when a sample counts as fetched: no date in it then lies in the future.
var far = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// read is what was made of a page.
type read struct {
	text, title, date string
	authors           []string
}

// each runs f for 0 to n-1 on all cores.
func each(n int, f func(i int) error) error {
	var mu sync.Mutex
	var failed error
	var group sync.WaitGroup
	next := make(chan int)
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() {
			for i := range next {
				if err := f(i); err != nil {
					mu.Lock()
					failed = err
					mu.Unlock()
				}
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	group.Wait()
	return failed
}

// draft is the draft of an article that is known by its page alone.
func draft(id, address string, page []byte) *pipeline.Draft {
	return pipeline.NewDraft(&article.Raw{
		ID: article.NewID("", id), Revision: 1, URL: address, Fetched: far, FirstSeen: far, Page: &article.Page{URL: address, Status: 200},
	}, page)
}

// pages measures bodies, titles, authors and dates.
func (b *bench) pages(ctx context.Context) ([]row, error) {
	ours, plain := make([]read, len(b.samples.pages)), make([]read, len(b.samples.pages))
	r := b.runner(nil)
	err := each(len(ours), func(i int) error {
		p := &b.samples.pages[i]
		d := draft(p.ID, p.URL, p.html)
		if err := r.Run(ctx, d); err != nil {
			return fmt.Errorf("page %s: %w", p.ID, err)
		}
		a := &d.Article
		ours[i] = read{text: a.Text, title: a.Title}
		for _, x := range a.Authors {
			ours[i].authors = append(ours[i].authors, x.Name)
		}
		if a.Published != nil {
			ours[i].date = a.Published.Format(time.DateOnly)
		}
		plain[i] = alone(p)
		return nil
	})
	if err != nil {
		return nil, err
	}
	articles := func(p *sample) bool { return p.Type == "article" }
	all := func(*sample) bool { return true }
	us, them := b.judge(ours, articles), b.judge(plain, articles)
	usAll, themAll := b.judge(ours, all), b.judge(plain, all)
	rows := []row{
		{what: fmt.Sprintf("%d article pages: word F1 / shingle F1 / segment F", us.pages), digits: 3, baseline: them.body(), reached: us.body(), wanted: []float64{0.955, 0.950, 0.905}},
		{what: fmt.Sprintf("all %d pages: word F1", usAll.pages), digits: 3, baseline: themAll.body()[:1], reached: usAll.body()[:1], wanted: []float64{0.870}},
		{what: fmt.Sprintf("title / author / date of %d / %d / %d", us.titles.all, us.authors.all, us.dates.all), digits: 2, baseline: them.facts(), reached: us.facts(), wanted: []float64{0.84, 0.73, 0.85}},
	}
	if us.pages == 0 {
		for i := range rows {
			rows[i].baseline, rows[i].reached, rows[i].lacks = nil, nil, noData
		}
	}
	return rows, nil
}

// alone is the baseline: the library's answer for the page as it came.
func alone(p *sample) read {
	base, err := url.Parse(p.URL)
	if err != nil {
		base = &url.URL{}
	}
	parser := readability.NewParser()
	found, err := parser.Parse(bytes.NewReader(p.html), base)
	if err != nil || found.Node == nil {
		return read{}
	}
	out := read{text: dom.Text(found.Node), title: found.Title(), authors: []string{found.Byline()}}
	if at, err := found.PublishedTime(); err == nil {
		out.date = at.Format(time.DateOnly)
	}
	return out
}

// tally is how many of all are right.
type tally struct{ right, all int }

func (t *tally) add(right bool) {
	t.all++
	if right {
		t.right++
	}
}

func (t tally) share() float64 { return float64(t.right) / float64(max(1, t.all)) }

// judged is what the pages of one kind reach together.
type judged struct {
	pages                  int
	words                  float64
	precision, recall      float64
	precisions, recalls    int
	segments               score.Segments
	titles, authors, dates tally
}

func (b *bench) judge(list []read, want func(*sample) bool) judged {
	var j judged
	for i := range list {
		p, got := &b.samples.pages[i], list[i]
		if !want(p) {
			continue
		}
		j.pages++
		if p.Gold.Body != "" {
			r, found, expected := score.Shingles(got.text, p.Gold.Body)
			if found {
				j.precision, j.precisions = j.precision+r.Precision, j.precisions+1
			}
			if expected {
				j.recall, j.recalls = j.recall+r.Recall, j.recalls+1
			}
			j.words += score.Words(got.text, p.Gold.Body)
		}
		j.segments.Add(got.text, p.Gold.With, p.Gold.Without)
		if p.Gold.Title != "" {
			j.titles.add(score.Letters(got.title) == score.Letters(p.Gold.Title))
		}
		if len(p.Gold.Authors) > 0 {
			j.authors.add(score.Authors(got.authors, p.Gold.Authors))
		}
		if p.Gold.Date != "" {
			j.dates.add(got.date == p.Gold.Date[:min(len(p.Gold.Date), len(time.DateOnly))])
		}
	}
	return j
}

// body is word F1, shingle F1 and segment F. Precision and recall of shingles are averaged over the pages first.
func (j *judged) body() []float64 {
	shingles := score.Ratio{Precision: j.precision / float64(max(1, j.precisions)), Recall: j.recall / float64(max(1, j.recalls))}
	return []float64{j.words / float64(max(1, j.recalls)), shingles.F1(), j.segments.Ratio().F1()}
}

func (j *judged) facts() []float64 {
	return []float64{j.titles.share(), j.authors.share(), j.dates.share()}
}

// plain is the draft of an article that is known by its text alone.
func plain(id, lang, text string) *pipeline.Draft {
	return pipeline.NewDraft(&article.Raw{
		ID: article.NewID("", id), Revision: 1, Language: lang, Fetched: far, FirstSeen: far, Content: &article.Text{Value: text, Type: article.TextPlain},
	}, nil)
}
