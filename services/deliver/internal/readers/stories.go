package readers

import (
	"context"
	"encoding/json"
	"slices"
	"sort"
	"sync"
	"time"

	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/services/deliver/internal/ledger"
)

const (
	// keepStories is how long a story can be told. A weekly mail that is tried for two days is nine days behind its first.
	keepStories = 10 * 24 * time.Hour
	// cacheBytes is how much of the stories that are told now is kept in memory.
	cacheBytes = 16 << 20
)

// Story is what a mail tells of an article, as publish composed it. It is hostile text.
type Story struct {
	Title   string `json:"title"`
	Summary string `json:"summary"`
	HTML    string `json:"html"`
	URL     string `json:"url"`
	Image   *struct {
		URL string `json:"url"`
		Alt string `json:"alt"`
	} `json:"image"`
	Source struct {
		ID    string `json:"id"`
		Title string `json:"title"`
	} `json:"source"`
	Authors []string `json:"authors"`
	Tags    []struct {
		ID    string `json:"id"`
		Label string `json:"label"`
	} `json:"tags"`
	Language  string    `json:"language"`
	Published time.Time `json:"published"`
}

// place is what is known of a story that can be told.
type place struct {
	ordinal  uint64
	story    string
	revision uint64 // of the article
	source   string
	tags     []string
	listed   time.Time
}

// matches reports whether a reader wants a story.
func (p *place) matches(w *event.Wishes) bool {
	return (len(w.Sources) == 0 || slices.Contains(w.Sources, p.source)) &&
		(len(w.Tags) == 0 || slices.ContainsFunc(p.tags, func(t string) bool { return slices.Contains(w.Tags, t) }))
}

// stories is the index of what a list can tell, in the order of its arrival.
type stories struct {
	ledger *ledger.Ledger
	list   string

	mu     sync.Mutex
	places []place // by ordinal
	seen   uint64  // the newest revision of a row that was shown
	last   string  // the story that was shown last, whatever became of it
	cache  map[string]cached
	bytes  int
}

type cached struct {
	revision uint64
	story    Story
}

func newStories(l *ledger.Ledger, list string) *stories {
	return &stories{ledger: l, list: list, cache: map[string]cached{}}
}

// show takes note of a row of the ledger at a revision. A row that holds no story that can be read is not told; the error
// says so.
func (s *stories) show(r *ledger.Row, revision uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen, s.last = max(s.seen, revision), r.Story
	i := slices.IndexFunc(s.places, func(p place) bool { return p.story == r.Story })
	if r.State != ledger.Listed || r.Payload == nil {
		if i >= 0 {
			s.places = slices.Delete(s.places, i, i+1)
		}
		return nil
	}
	story, err := parseStory(r)
	if err != nil {
		return err
	}
	p := place{ordinal: r.Ordinal, story: r.Story, revision: r.Revision, source: story.Source.ID, listed: r.First}
	for _, t := range story.Tags {
		p.tags = append(p.tags, t.ID)
	}
	if i >= 0 {
		s.places[i] = p
		return nil
	}
	at := sort.Search(len(s.places), func(i int) bool { return s.places[i].ordinal > p.ordinal })
	s.places = slices.Insert(s.places, at, p)
	return nil
}

func parseStory(r *ledger.Row) (Story, error) {
	var story Story
	if err := json.Unmarshal(r.Payload.Request.Body, &story); err != nil {
		return Story{}, fault.Errorf(fault.Malformed, "read story %s: its payload is no entry of a list", r.ID())
	}
	return story, nil
}

// shown tells the newest revision that was shown, and the story that was shown last, empty while there was none.
func (s *stories) shown() (revision uint64, last string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen, s.last
}

// news lists what is news to a reader in (after, to], the oldest first, up to a number of them; 0 for all.
func (s *stories) news(w *event.Wishes, after, to uint64, most int) []place {
	s.mu.Lock()
	defer s.mu.Unlock()
	begin := sort.Search(len(s.places), func(i int) bool { return s.places[i].ordinal > after })
	var list []place
	for i := begin; i < len(s.places) && s.places[i].ordinal <= to; i++ {
		if p := &s.places[i]; p.matches(w) {
			if list = append(list, *p); len(list) == most {
				break
			}
		}
	}
	return list
}

// which lists the stories that are as asked for.
func (s *stories) which(is func(*place) bool) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []string
	for i := range s.places {
		if p := &s.places[i]; is(p) {
			list = append(list, p.story)
		}
	}
	return list
}

// read returns a story as it is now; ok is false when it is not to be told any more.
func (s *stories) read(ctx context.Context, p place) (story Story, ok bool, err error) {
	s.mu.Lock()
	c, known := s.cache[p.story]
	s.mu.Unlock()
	if known && c.revision == p.revision {
		return c.story, true, nil
	}
	row, _, err := s.ledger.Row(ctx, s.list, p.story)
	if err != nil || row == nil || row.State != ledger.Listed || row.Payload == nil {
		return Story{}, false, err
	}
	if story, err = parseStory(row); err != nil {
		return Story{}, false, nil // it was logged when the row was shown
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bytes += len(row.Payload.Request.Body); s.bytes > cacheBytes {
		clear(s.cache)
		s.bytes = len(row.Payload.Request.Body)
	}
	s.cache[p.story] = cached{row.Revision, story}
	return story, true, nil
}
