package projection

import (
	"slices"
	"time"

	"tidings.internal/services/publish/internal/page"
)

// Recent lists the articles that public feeds show and that were published since, the newest first, each once. Feeds that
// search engines are not to list give none.
func (p *Projection) Recent(since time.Time, most int) []page.Listed {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.live == nil {
		return nil
	}
	seen := map[*row]bool{}
	var rows []*row
	for i, f := range p.Feeds {
		if f.Private() || !f.Index {
			continue
		}
		for _, r := range p.live.shelves[i].rows { // newest first
			if r.published.Before(since) {
				break
			}
			if !seen[r] && p.live.shelves[i].shows(r) {
				seen[r] = true
				rows = append(rows, r)
			}
		}
	}
	slices.SortFunc(rows, newer)
	var list []page.Listed
	for _, r := range rows[:min(len(rows), most)] {
		list = append(list, page.Listed{URL: r.url, Title: r.title, Language: r.language, Published: r.published})
	}
	return list
}
