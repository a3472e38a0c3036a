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
	// maxAlso is how many other stories an article names that it belongs to as well.
	maxAlso = 4
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
	// Also are other stories that the article belongs to as well.
	Also []string `json:"also,omitempty"`
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
	sketch  *brief
	number  int32 // in the table of bands, while there is a sketch
	terms   terms
	claims  []claimed
	member  *member

	// common is how many terms it has in common with the article that was looked at in a round.
	round  uint32
	common uint8
}

type claimed struct {
	revision, sequence uint64
	aliases            []string
}

// claim returns the claim of a revision, nil when there is none.
func (d *doc) claim(revision uint64) *claimed {
	for i := range d.claims {
		if d.claims[i].revision == revision {
			return &d.claims[i]
		}
	}
	return nil
}

// index is the fold of the bucket.
type index struct {
	mu      sync.Mutex
	docs    map[string]*doc
	aliases aliasTable
	bands   bandTable
	terms   map[uint32][]*doc
	round   uint32 // of a count of common terms
	applied uint64
	newest  time.Time
	level   bool
	kept    int           // how many articles the last sweep left
	moved   chan struct{} // closed when applied or level changes
	swept   time.Time
}

func newIndex() *index {
	return &index{docs: map[string]*doc{}, aliases: newAliasTable(), terms: map[uint32][]*doc{}, bands: bandTable{loading: true}, moved: make(chan struct{})}
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
	if x.level { // nobody gets an answer before
		x.wake()
	}
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
			if d := x.docs[parts[1]]; d != nil {
				d.claims = slices.DeleteFunc(d.claims, func(c claimed) bool { return c.revision == revision && c.sequence < e.Revision })
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
		d = &doc{id: article}
		x.docs[article] = d
	}
	return d
}

func (x *index) learn(article string, m member) {
	d := x.doc(article)
	// Most stories have one member and one of few relations: their texts are kept once.
	if m.Story == d.id {
		m.Story = d.id
	}
	for _, known := range []string{relationNew, relationExact, relationDuplicate, relationVersion} {
		if m.Relation == known {
			m.Relation = known
		}
	}
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
	for _, other := range d.claims {
		newest = newest && other.revision <= revision
	}
	if known := d.claim(revision); known != nil {
		known.sequence, known.aliases = e.Revision, c.Aliases
	} else {
		d.claims = append(d.claims, claimed{revision, e.Revision, c.Aliases})
	}
	known := d.aliases
	if len(known) == 0 {
		d.aliases = slices.Clip(c.Aliases) // of the claim: most articles have no other one
	}
	for i, a := range c.Aliases {
		if slices.Contains(known, a) || slices.Contains(c.Aliases[:i], a) {
			continue
		}
		if len(known) > 0 {
			d.aliases = append(d.aliases, a)
		}
		x.aliases.add(a, d)
	}
	if newest {
		x.resketch(d, readBrief(c.Sketch))
		x.reterm(d, readTerms(c.Terms))
	}
}

// resketch files an article under the bands of its newest text.
func (x *index) resketch(d *doc, s *brief) {
	if d.sketch != nil {
		x.bands.remove(d)
	}
	if d.sketch = s; s != nil {
		x.bands.add(d)
	}
}

// minGrown is how many articles more make a start look for what may be forgotten.
const minGrown = 5000

// sweep forgets, once an hour of the bucket's own time, the texts that are out of the window and the articles that the
// bucket itself has forgotten.
//
// A start plays weeks within seconds: there it looks only when the index has grown by a fifth, and once at the end.
func (x *index) sweep() {
	if x.newest.Sub(x.swept) < time.Hour || !x.level && len(x.docs) < x.kept+x.kept/5+minGrown {
		return
	}
	x.swept = x.newest
	defer func() { x.kept = len(x.docs) }()
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
				x.aliases.remove(a, d)
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
	x.sweep()
	x.bands.file()
	x.wake()
}

// candidate is an earlier article that may tell the same story.
type candidate struct {
	id       string
	relation string
	alike    float64
	first    uint64
}

// candidates lists the articles ordered before d that it may belong to: those with an equal alias, the earliest first, and
// where there are none those with a text like its own, the most alike first.
func (x *index) candidates(d *doc) []candidate {
	var exact, alike []candidate
	seen := map[string]bool{d.id: true}
	for _, a := range d.aliases {
		for o := range x.aliases.of(a) {
			if !seen[o.id] && o.first > 0 && o.first < d.first {
				seen[o.id] = true
				exact = append(exact, candidate{id: o.id, relation: relationExact, first: o.first})
			}
		}
	}
	slices.SortFunc(exact, func(a, b candidate) int { return cmp.Compare(a.first, b.first) })
	if len(exact) > 0 {
		return exact
	}
	if d.sketch == nil {
		return nil
	}
	for i := range bands {
		for o := range x.bands.in(i, d.sketch) {
			id := o.id
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

// like lists the articles behind a first one and before another whose text is like its own, the longest first.
func (x *index) like(first string, before uint64) []string {
	d := x.docs[first]
	if d == nil || d.sketch == nil {
		return nil
	}
	var list []*doc
	seen := map[*doc]bool{}
	for i := range bands {
		for o := range x.bands.in(i, d.sketch) {
			if seen[o] || o.first <= d.first || o.first >= before {
				continue
			}
			seen[o] = true
			if j, c := d.sketch.compare(o.sketch); j >= minJaccard || c >= minContainment {
				list = append(list, o)
			}
		}
	}
	slices.SortFunc(list, func(a, b *doc) int { return cmp.Or(cmp.Compare(b.sketch.n, a.sketch.n), cmp.Compare(a.first, b.first)) })
	var ids []string
	for _, o := range list {
		ids = append(ids, o.id)
	}
	return ids
}
