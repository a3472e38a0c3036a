package story

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"tidings.internal/pkg/bus"
)

const (
	// window is how far apart two articles may be that are compared by their text.
	window = 7 * 24 * time.Hour
	// maxBand bounds how many articles meet in one band: more are a template, not a story.
	maxBand = 200
	// retain is how long an article is remembered in memory. It is longer than the bucket keeps it (45 days as
	// shipped, nats.retention.stories).
	retain = 60 * 24 * time.Hour
)

// claim is the value of a claim key.
type claim struct {
	Aliases []string `json:"aliases"`
	// First is the sequence of the article's first claim, 0 where this is it or the writer knew of none.
	First  uint64 `json:"first,omitempty"`
	Seen   int64  `json:"seen"` // Unix milliseconds
	Sketch []byte `json:"sketch,omitempty"`
	Terms  []byte `json:"terms,omitempty"`
}

// member is the value of a member key.
type member struct {
	Story    string `json:"story"`
	Relation string `json:"relation"`
	Other    string `json:"other,omitempty"`
	Group    string `json:"group,omitempty"`
	// Seen is when the story was first seen, in Unix milliseconds.
	Seen int64 `json:"seen"`
	// First is the sequence of the article's first claim. It outlives the claim and keeps the order.
	First uint64 `json:"first"`
}

// doc is what the index knows of an article.
type doc struct {
	id      string
	first   uint64 // orders the article; 0 while nothing is claimed
	seen    int64
	at      time.Time // when its first claim known here was stored
	aliases []string
	sketch  *sketch
	terms   terms
	claims  map[uint64]claimed // by revision
	member  *member
}

type claimed struct {
	sequence uint64
	aliases  []string
}

// index is the fold of the bucket.
type index struct {
	mu      sync.Mutex
	docs    map[string]*doc
	aliases map[string][]string // alias -> articles
	bands   map[band][]string
	terms   map[uint32][]string
	applied uint64
	newest  time.Time
	level   bool
	moved   chan struct{} // closed when applied or level changes
	swept   time.Time
}

func newIndex() *index {
	return &index{docs: map[string]*doc{}, aliases: map[string][]string{}, bands: map[band][]string{}, terms: map[uint32][]string{}, moved: make(chan struct{})}
}

func claimKey(article string, revision uint64) string {
	return "claim." + article + "." + strconv.FormatUint(revision, 10)
}

func memberKey(article string) string { return "member." + article }

// apply takes over one entry. An entry that is seen twice changes nothing.
func (x *index) apply(e bus.Entry) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.take(e)
	if e.Revision > x.applied {
		x.applied = e.Revision
	}
	if e.Created.After(x.newest) {
		x.newest = e.Created
	}
	x.sweep()
	x.wake()
}

func (x *index) take(e bus.Entry) {
	parts := strings.Split(e.Key, ".")
	switch {
	case len(parts) == 2 && parts[0] == "member" && !e.Deleted:
		var m member
		if json.Unmarshal(e.Value, &m) == nil && m.Story != "" {
			x.learn(parts[1], m)
		}
	case len(parts) == 3 && parts[0] == "claim":
		revision, err := strconv.ParseUint(parts[2], 10, 64)
		if err != nil {
			return
		}
		if e.Deleted {
			if d := x.docs[parts[1]]; d != nil && e.Revision > d.claims[revision].sequence {
				delete(d.claims, revision)
			}
			return
		}
		var c claim
		if json.Unmarshal(e.Value, &c) == nil {
			x.claim(parts[1], revision, e, c)
		}
	}
}

func (x *index) doc(article string) *doc {
	d := x.docs[article]
	if d == nil {
		d = &doc{id: article, claims: map[uint64]claimed{}}
		x.docs[article] = d
	}
	return d
}

func (x *index) learn(article string, m member) {
	d := x.doc(article)
	d.member = &m
	if m.First > 0 && (d.first == 0 || m.First < d.first) {
		d.first = m.First
	}
}

func (x *index) claim(article string, revision uint64, e bus.Entry, c claim) {
	d := x.doc(article)
	for _, seq := range []uint64{e.Revision, c.First} {
		if seq > 0 && (d.first == 0 || seq < d.first) {
			d.first = seq
		}
	}
	if d.seen == 0 || c.Seen < d.seen {
		d.seen = c.Seen
	}
	if d.at.IsZero() || e.Created.Before(d.at) {
		d.at = e.Created
	}
	newest := true
	for r := range d.claims {
		newest = newest && r <= revision
	}
	d.claims[revision] = claimed{e.Revision, c.Aliases}
	for _, a := range c.Aliases {
		if !slices.Contains(d.aliases, a) {
			d.aliases = append(d.aliases, a)
			x.aliases[a] = append(x.aliases[a], article)
		}
	}
	if newest {
		x.resketch(d, readSketch(c.Sketch))
		x.reterm(d, readTerms(c.Terms))
	}
}

// resketch files an article under the bands of its newest text.
func (x *index) resketch(d *doc, s *sketch) {
	if d.sketch != nil {
		for _, b := range d.sketch.bands() {
			x.bands[b] = slices.DeleteFunc(x.bands[b], func(id string) bool { return id == d.id })
			if len(x.bands[b]) == 0 {
				delete(x.bands, b)
			}
		}
	}
	d.sketch = s
	if s == nil {
		return
	}
	for _, b := range s.bands() {
		if len(x.bands[b]) < maxBand {
			x.bands[b] = append(x.bands[b], d.id)
		}
	}
}

// sweep forgets, once an hour of the bucket's own time, the texts that are out of the window and the articles that the
// bucket itself has forgotten.
func (x *index) sweep() {
	if x.newest.Sub(x.swept) < time.Hour {
		return
	}
	x.swept = x.newest
	for id, d := range x.docs {
		age := x.newest.Sub(d.at)
		if d.at.IsZero() {
			continue
		}
		if age > window+time.Hour && d.sketch != nil {
			x.resketch(d, nil)
		}
		if age > groupWindow+time.Hour && d.terms != nil {
			x.reterm(d, nil)
		}
		if age > retain {
			for _, a := range d.aliases {
				x.aliases[a] = slices.DeleteFunc(x.aliases[a], func(other string) bool { return other == id })
				if len(x.aliases[a]) == 0 {
					delete(x.aliases, a)
				}
			}
			delete(x.docs, id)
		}
	}
}

func (x *index) wake() {
	close(x.moved)
	x.moved = make(chan struct{})
}

func (x *index) leveled() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.level = true
	x.wake()
}

// candidate is an earlier article that may tell the same story.
type candidate struct {
	id       string
	relation string
	alike    float64
	first    uint64
}

// candidates lists the articles ordered before d that it may belong to: the earliest with an equal alias, then those
// with a text like its own, the most alike first.
func (x *index) candidates(d *doc) []candidate {
	var exact, alike []candidate
	seen := map[string]bool{d.id: true}
	for _, a := range d.aliases {
		for _, id := range x.aliases[a] {
			if o := x.docs[id]; o != nil && !seen[id] && o.first > 0 && o.first < d.first {
				seen[id] = true
				exact = append(exact, candidate{id: id, relation: relationExact, first: o.first})
			}
		}
	}
	slices.SortFunc(exact, func(a, b candidate) int { return cmp.Compare(a.first, b.first) })
	if len(exact) > 0 {
		return exact[:1]
	}
	if d.sketch == nil {
		return nil
	}
	for _, b := range d.sketch.bands() {
		for _, id := range x.bands[b] {
			o := x.docs[id]
			if seen[id] || o.sketch == nil || o.first == 0 || o.first >= d.first || d.at.Sub(o.at) > window {
				continue
			}
			seen[id] = true
			j, c := d.sketch.compare(o.sketch)
			switch {
			case j >= minJaccard:
				alike = append(alike, candidate{id, relationDuplicate, 1 + j, o.first})
			case c >= minContainment:
				alike = append(alike, candidate{id, relationVersion, c, o.first})
			}
		}
	}
	slices.SortFunc(alike, func(a, b candidate) int { return cmp.Or(cmp.Compare(b.alike, a.alike), cmp.Compare(a.first, b.first)) })
	return alike
}
