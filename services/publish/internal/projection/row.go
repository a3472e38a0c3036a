package projection

import (
	"cmp"
	"slices"
	"time"

	"tidings.internal/pkg/article"
	"tidings.internal/services/publish/internal/feed"
	"tidings.internal/services/publish/internal/item"
	"tidings.internal/services/publish/internal/render"
)

// row is what the index keeps of an article.
type row struct {
	id, story, source string
	subject           string
	sequence          uint64
	url, title        string
	published         time.Time
	firstSeen         time.Time
	size              int
	takenBy           []int    // places of the feeds that take it
	shelves           []*shelf // of these feeds
	gone              bool     // replaced or deleted

	item *item.Item // nil when no document needs it
	uses int        // number of current documents that show it
}

func newRow(a *article.Article, it *item.Item) *row {
	return &row{
		id: a.ID, story: it.Story, source: a.Source.ID, url: it.URL, title: it.Title, published: it.Published,
		firstSeen: a.FirstSeen, size: it.Size(),
	}
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
	stories map[string][]*row
}

func newShelf(f *feed.Feed) *shelf { return &shelf{feed: f, stories: map[string][]*row{}} }

func (s *shelf) add(r *row) {
	s.stories[r.story] = append(s.stories[r.story], r)
	if !s.sorted {
		s.rows = append(s.rows, r)
		return
	}
	at, _ := slices.BinarySearchFunc(s.rows, r, newer)
	s.rows = slices.Insert(s.rows, at, r)
}

func (s *shelf) remove(r *row) {
	if left := slices.DeleteFunc(s.stories[r.story], func(o *row) bool { return o == r }); len(left) > 0 {
		s.stories[r.story] = left
	} else {
		delete(s.stories, r.story)
	}
	if !s.sorted {
		return // rows that are gone are left out by sort
	}
	if at, found := slices.BinarySearchFunc(s.rows, r, newer); found {
		s.rows = slices.Delete(s.rows, at, at+1)
	}
}

// sort ends the building of a shelf, in which rows were only appended.
func (s *shelf) sort() {
	s.rows = slices.DeleteFunc(s.rows, func(r *row) bool { return r.gone })
	slices.SortFunc(s.rows, newer)
	s.sorted = true
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

// current chooses the rows of the current document. Each UTC month is cut into pages from its oldest row on, so that
// pages do not overlap and a row that goes shifts its own month only; the document is the newest pages that reach the
// number of items the feed asks for, fewer if one more would make it too large.
func (s *shelf) current() []*row {
	var chosen []*row
	bytes := 0
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
		for _, page := range pages(month) {
			size := 0
			for _, r := range page {
				size += r.size
			}
			if len(chosen) >= s.feed.Items || len(chosen) > 0 && bytes+size > currentBytes {
				return chosen
			}
			chosen, bytes = append(chosen, page...), bytes+size
		}
	}
	return chosen
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
