package projection

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync/atomic"
	"time"
	"unique"

	"tidings.internal/pkg/article"
	"tidings.internal/services/publish/internal/feed"
	"tidings.internal/services/publish/internal/item"
	"tidings.internal/services/publish/internal/render"
	"tidings.internal/services/publish/internal/selection"
)

// row is what the index keeps of an article.
type row struct {
	id, story, source string
	subject           string
	sequence          uint64
	url, title        string
	summary           string
	language          string   // lower case
	tags              []string // lower case, with all wider concepts
	labels            []label  // of its own tags
	authors           []string // folded
	folded            atomic.Pointer[string]
	published         time.Time
	updated           time.Time
	firstSeen         time.Time
	size              int
	takenBy           []int    // places of the feeds that take it, until it stands on their shelves
	automatic         []string // ids of the automatic feeds that take it, until then
	shelves           []*shelf // of these feeds
	gone              bool     // replaced or deleted
	fetched           time.Time
	awaited           bool // it is news, and no document has shown it yet

	item *item.Item // nil when no document needs it
	uses int        // number of current documents that show it
}

// old is how long before its fetch an article was published that its source had all along. Such articles wait until
// there is time for them.
const old = 24 * time.Hour

// news reports whether a row is a new version of the one that it replaces, which may be nil. After a replay the article is
// of the same fetch.
func (r *row) news(former *row) bool {
	if former != nil {
		return !r.fetched.Equal(former.fetched)
	}
	return !r.published.Before(r.fetched.Add(-old))
}

// label is what a tag is called in the language of the site.
type label struct{ tag, text string }

// newRow makes the row of an article, whose HTML has a length.
func newRow(a *article.Article, html int, it *item.Item, language string) *row {
	r := &row{
		id: a.ID, story: it.Story, source: shared(a.Source.ID), url: it.URL, title: it.Title, summary: it.Summary, published: it.Published,
		updated: it.Updated, firstSeen: a.FirstSeen, fetched: a.Fetched, size: it.Size(a, html), language: shared(strings.ToLower(a.Language.Code)),
	}
	if r.story == r.id {
		r.story = r.id // one text in memory
	}
	if it.Level == article.Headline {
		r.summary = "" // what is not shown is not found either
	}
	r.tags, r.authors = selection.Facts(a)
	for _, list := range [][]string{r.tags, r.authors} {
		for i := range list {
			list[i] = shared(list[i])
		}
	}
	for i := range a.Tags {
		r.labels = append(r.labels, label{shared(strings.ToLower(a.Tags[i].ID)), shared(a.Tags[i].Name(language))})
	}
	return r
}

// shared gives a text that many rows have, so that it is in memory once.
func shared(s string) string { return unique.Make(s).Value() }

// words gives the text that a filter searches, folded. Most rows are never searched, so it is made when it is wanted.
func (r *row) words() string {
	if w := r.folded.Load(); w != nil {
		return *w
	}
	text := []string{r.title, r.summary}
	for _, l := range r.labels {
		text = append(text, l.tag, l.text)
	}
	w := selection.Fold(strings.Join(text, "\n"))
	r.folded.Store(&w)
	return w
}

// newer orders rows as feeds show them: by the date of publication, the newest first, then by id.
func newer(a, b *row) int {
	return cmp.Or(b.published.Compare(a.published), cmp.Compare(a.id, b.id))
}

// shelf holds the rows of one feed.
type shelf struct {
	feed    *feed.Feed
	rows    []*row // newest first, once sorted
	sorted  bool
	stories map[string][]*row // once sorted
	// changes is the number of the last change of the shelf, and moved is when the last of it was stored: what is made on demand is made
	// again when they move.
	changes uint64
	moved   time.Time
	// called is the label of an automatic shelf, as it was at that change.
	called   string
	calledAt uint64
}

func newShelf(f *feed.Feed) *shelf { return &shelf{feed: f, stories: map[string][]*row{}} }

func (s *shelf) add(r *row) {
	if !s.sorted {
		s.rows = append(s.rows, r)
		return
	}
	s.stories[r.story] = append(s.stories[r.story], r)
	at, _ := slices.BinarySearchFunc(s.rows, r, newer)
	s.rows = slices.Insert(s.rows, at, r)
}

func (s *shelf) remove(r *row) {
	if !s.sorted {
		return // rows that are gone are left out by sort
	}
	if left := slices.DeleteFunc(s.stories[r.story], func(o *row) bool { return o == r }); len(left) > 0 {
		s.stories[r.story] = left
	} else {
		delete(s.stories, r.story)
	}
	if at, found := slices.BinarySearchFunc(s.rows, r, newer); found {
		s.rows = slices.Delete(s.rows, at, at+1)
	}
}

// sort ends the building of a shelf, in which rows were only appended.
func (s *shelf) sort() {
	s.rows = slices.DeleteFunc(s.rows, func(r *row) bool { return r.gone })
	slices.SortFunc(s.rows, newer)
	s.group()
}

// group gathers the stories of rows that are in their order.
func (s *shelf) group() {
	s.stories, s.sorted = make(map[string][]*row, len(s.rows)), true
	for _, r := range s.rows {
		s.stories[r.story] = append(s.stories[r.story], r)
	}
}

// first orders the articles of a story by the feed's policy: whichever comes first is shown.
func (s *shelf) first(a, b *row) int {
	rank := 0
	if s.feed.Policy == feed.Preferred {
		rank = cmp.Compare(s.feed.Rank(a.source), s.feed.Rank(b.source))
	}
	return cmp.Or(rank, a.firstSeen.Compare(b.firstSeen), cmp.Compare(a.id, b.id))
}

// shows reports whether a row is the one that its story is shown by.
func (s *shelf) shows(r *row) bool {
	if s.feed.Policy == feed.Every {
		return true
	}
	members := s.stories[r.story]
	return len(members) < 2 || slices.MinFunc(members, s.first) == r
}

// maxAlso bounds how many other articles of a story an item names.
const maxAlso = 10

// also lists the articles of a story that stand back for a row.
func (s *shelf) also(r *row) []render.Also {
	members := s.stories[r.story]
	if s.feed.Policy == feed.Every || len(members) < 2 {
		return nil
	}
	members = slices.SortedFunc(slices.Values(members), s.first)
	var list []render.Also
	for _, m := range members {
		if m != r && len(list) < maxAlso {
			list = append(list, render.Also{Title: m.title, URL: m.url})
		}
	}
	return list
}

// The sizes of pages.
const (
	pageRows     = 20
	pageBytes    = 400 << 10
	currentBytes = 1 << 20 // what Google reads of an article, and most readers of a feed
)

// paged gives the pages of a feed by their names, the newest first. Each UTC month is cut into pages from its oldest row
// on, and they are counted from there, so that pages do not overlap, a name stands for the same rows while new ones come,
// and a row that goes shifts its own month only.
func (s *shelf) paged() iter.Seq2[string, []*row] {
	return func(yield func(string, []*row) bool) {
		for at := 0; at < len(s.rows); {
			var month []*row
			year, m, _ := s.rows[at].published.Date()
			for ; at < len(s.rows); at++ {
				if y, n, _ := s.rows[at].published.Date(); y != year || n != m {
					break
				}
				if s.shows(s.rows[at]) {
					month = append(month, s.rows[at])
				}
			}
			list := pages(month)
			for i, page := range list {
				if !yield(fmt.Sprintf("%04d-%02d-%d", year, m, len(list)-i), page) {
					return
				}
			}
		}
	}
}

// current chooses the rows of the current document: the newest pages that reach the number of items the feed asks for,
// fewer if one more would make it too large. older is the name of the next page, the first of the archive, if any.
func (s *shelf) current() (rows []*row, older string) {
	bytes := 0
	for name, page := range s.paged() {
		size := 0
		for _, r := range page {
			size += r.size
		}
		if len(rows) >= s.feed.Items || len(rows) > 0 && bytes+size > currentBytes {
			return rows, name
		}
		rows, bytes = append(rows, page...), bytes+size
	}
	return rows, ""
}

// archive gives the rows of a page that is not in the current document, and the names of the pages beside it. There is
// no newer one beside the first, which the current document leads to.
func (s *shelf) archive(name string) (rows []*row, newer, older string, found bool) {
	_, first := s.current()
	archived, last := false, ""
	for n, page := range s.paged() {
		if n == first {
			archived = true
		}
		switch {
		case !archived:
		case found:
			return rows, newer, n, true
		case n == name:
			rows, newer, found = page, last, true
		default:
			last = n
		}
	}
	return rows, newer, "", found
}

// pages cuts the rows of a month, newest first, into pages, newest first.
func pages(month []*row) [][]*row {
	var list [][]*row
	for end := len(month); end > 0; {
		start, size := end, 0
		for start > 0 && end-start < pageRows && (start == end || size+month[start-1].size <= pageBytes) {
			start--
			size += month[start].size
		}
		list = append(list, month[start:end])
		end = start
	}
	slices.Reverse(list)
	return list
}
