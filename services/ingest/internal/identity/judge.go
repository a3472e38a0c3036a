package identity

import (
	"cmp"
	"slices"
	"time"

	"tidings.internal/pkg/article"
	"tidings.internal/services/ingest/internal/parse"
)

// Kind is what happened to an item.
type Kind string

// The kinds of a change.
const (
	New     Kind = "new"
	Edited  Kind = "edited"
	Removed Kind = "removed"
)

// Change is an item that must be published.
type Change struct {
	Kind Kind
	// Item is the item in the document; nil for one that was removed.
	Item *parse.Item
	// Row is the item as it will be remembered, with the new revision.
	Row Row
	// URL is the canonical address.
	URL string
}

// Policy is what an operator decided about a source.
type Policy struct {
	Source string
	// Deletions is honour, vanished or ignore.
	Deletions string
	// EditGap is the least time between two revisions of an item; a change in between is held back until then. Zero
	// lets every change through.
	EditGap time.Duration
	// Old, when set, tells of a new item whether it is old already: it fills feeds and is not news.
	Old      func(item *parse.Item) bool
	Tracking Tracking
	// Pushed tells that the document holds news only: what it lacks proves nothing, and its size says nothing of how much
	// is to be remembered.
	Pushed bool
}

const (
	// maxEdits revisions in a day make an item that flaps: it is left alone until the day is over.
	maxEdits = 5
	editsDay = 24 * 60 * 60
	// vanishedAfter complete documents without an item mean that it was taken away.
	vanishedAfter = 3
)

// Report says what a document did to a memory.
type Report struct {
	// Changes are in the order in which they are to be published: oldest first.
	Changes []Change
	// Known counts items that are as they were; Held those whose change waits; Flapping those left alone.
	Known, Held, Flapping int
	// Doubled counts items that say the same as another one under the same key.
	Doubled int
	// Demoted tells that the source went down a rung.
	Demoted bool
}

// Met reports whether an item was met that was known before.
func (r *Report) Met() bool {
	return r.Known+r.Held > 0 || slices.ContainsFunc(r.Changes, func(c Change) bool { return c.Kind == Edited })
}

// Judge compares a document with the memory and brings the memory up to date. The result is only true once every change
// has been published: judge a clone, and keep it then.
func (m *Memory) Judge(doc *parse.Document, p Policy, now time.Time) Report {
	var report Report
	if m.Rung == ByID && !p.Pushed && badIDs(doc.Items) {
		m.Rung, report.Demoted = ByLink, true
	}
	list := candidates(doc.Items, m.Rung, p.Tracking)
	report.Doubled = m.match(list, p.Pushed)
	for i := range list {
		if c := &list[i]; c.key != "" {
			m.settle(c, p, now, &report)
		}
	}
	if !p.Pushed {
		m.deletions(doc, list, p, now, &report)
		m.forget(len(doc.Items), now)
	}
	sortOldestFirst(report.Changes)
	return report
}

// match finds for each item the row that is the same item. The surest key goes first: the id it is known by, then its
// other names, then its content where one item that left the document has the very same.
func (m *Memory) match(list []candidate, pushed bool) (doubled int) {
	byKey := map[uint64]*Row{}
	for _, r := range m.Rows {
		for _, k := range r.Keys {
			byKey[k] = r
		}
	}
	taken := map[*Row]bool{}
	claim := func(c *candidate, key string) {
		if key == "" || c.row != nil {
			return
		}
		if r := byKey[hashOf(key)]; r != nil && !taken[r] {
			c.row, taken[r] = r, true
		}
	}
	seen := map[string]bool{}
	for i := range list {
		c := &list[i]
		if seen[c.key] {
			c.key, doubled = "", doubled+1
			continue
		}
		seen[c.key] = true
		claim(c, c.key)
	}
	for i := range list {
		c := &list[i]
		if c.key == "" {
			continue
		}
		for _, k := range c.keys {
			claim(c, k)
		}
		// The rest of an id without its host names an item only together with its text: in a feed that collects from
		// many hosts two items may have the same path.
		if r := byKey[hashOf(c.alias)]; c.alias != "" && r != nil && sameText(r.Fingerprint, c.fingerprint) {
			claim(c, c.alias)
		}
	}
	if !pushed { // there an item that is absent need not have left
		m.matchContent(list, taken)
	}
	return doubled
}

// matchContent finds items whose every name changed. Only a row that no item of the document took can be meant, and
// only if it is the one with this content.
func (m *Memory) matchContent(list []candidate, taken map[*Row]bool) {
	byContent := map[uint64][]*Row{}
	for _, r := range m.Rows {
		if !taken[r] && r.Fingerprint != 0 && !r.Deleted {
			text := r.Fingerprint &^ linkBits
			byContent[text] = append(byContent[text], r)
		}
	}
	for i := range list {
		c := &list[i]
		if c.key == "" || c.row != nil {
			continue
		}
		rows := byContent[c.fingerprint&^linkBits]
		if len(rows) == 1 && !taken[rows[0]] && (c.words >= ownWords || rows[0].Fingerprint == c.fingerprint) {
			c.row, taken[rows[0]] = rows[0], true
		}
	}
}

// settle decides what an item is and brings its row up to date.
func (m *Memory) settle(c *candidate, p Policy, now time.Time, report *Report) {
	at := now.Unix()
	if c.row == nil {
		r := &Row{ID: article.NewID(p.Source, c.key), Revision: 1, Fingerprint: c.fingerprint, First: at, Dated: at, Seen: at}
		if c.item.Published != nil {
			r.Dated = c.item.Published.Unix()
		}
		r.Old = p.Old != nil && p.Old(c.item)
		r.learn(c)
		c.row = r
		m.Rows = append(m.Rows, r)
		report.Changes = append(report.Changes, Change{Kind: New, Item: c.item, Row: *r, URL: c.link})
		return
	}
	r := c.row
	r.learn(c)
	r.Seen, r.Absent = at, 0
	changed := r.Deleted || r.Fingerprint != 0 && r.Fingerprint != c.fingerprint
	if !changed {
		r.Held = false
		// One that dropped out and returns is not news, whatever became of it meanwhile.
		r.Fingerprint = c.fingerprint
		report.Known++
		return
	}
	if !r.mayChange(p, at) {
		if r.Edits >= maxEdits {
			report.Flapping++
		}
		r.Held = true
		report.Held++
		return
	}
	r.Revision++
	r.Fingerprint, r.Deleted, r.Held = c.fingerprint, false, false
	report.Changes = append(report.Changes, Change{Kind: Edited, Item: c.item, Row: *r, URL: c.link})
}

// mayChange accounts for one more revision, or refuses it.
func (r *Row) mayChange(p Policy, at int64) bool {
	if p.EditGap <= 0 {
		r.Changed = at
		return true
	}
	if r.Changed != 0 && at-r.Changed < int64(p.EditGap/time.Second) {
		return false
	}
	if at-r.EditsFrom >= editsDay {
		r.EditsFrom, r.Edits = at, 0
	}
	if r.Edits >= maxEdits {
		return false
	}
	r.Edits++
	r.Changed = at
	return true
}

// learn adds the names under which the item was met.
func (r *Row) learn(c *candidate) {
	for _, k := range []string{c.key, c.keys[ByID], c.keys[ByLink], c.alias} {
		if k == "" {
			continue
		}
		if h := hashOf(k); !slices.Contains(r.Keys, h) {
			if len(r.Keys) == maxKeys {
				r.Keys = slices.Delete(r.Keys, 1, 2) // the key of the first sight stays
			}
			r.Keys = append(r.Keys, h)
		}
	}
}

// deletions finds items that their publisher took away: by saying so (RFC 6721), or, where the operator trusts that, by
// leaving them out of several whole documents that still show an older one.
func (m *Memory) deletions(doc *parse.Document, list []candidate, p Policy, now time.Time, report *Report) {
	if p.Deletions == "ignore" {
		return
	}
	present := map[*Row]bool{}
	oldest := now.Unix()
	for i := range list {
		if r := list[i].row; r != nil {
			present[r] = true
			oldest = min(oldest, r.Dated)
		}
	}
	remove := func(r *Row) {
		r.Revision++
		r.Deleted, r.Held, r.Absent = true, false, 0
		report.Changes = append(report.Changes, Change{Kind: Removed, Row: *r})
	}
	byKey := map[uint64]*Row{}
	for _, r := range m.Rows {
		for _, k := range r.Keys {
			byKey[k] = r
		}
	}
	for _, d := range doc.Deleted {
		if r := byKey[hashOf("id:"+d.Ref)]; r != nil && !r.Deleted && !present[r] && r.Seen < now.Unix() {
			remove(r)
		}
	}
	if p.Deletions != "vanished" || doc.Partial || len(doc.Items) == 0 {
		return
	}
	for _, r := range m.Rows {
		if present[r] || r.Deleted || r.Seen == now.Unix() {
			continue
		}
		if r.Dated <= oldest {
			r.Absent = 0 // it may only have made room for newer ones
			continue
		}
		if r.Absent++; r.Absent >= vanishedAfter {
			remove(r)
		}
	}
}

// sortOldestFirst orders changes as they happened; where dates are equal or absent, a document names the newest first.
func sortOldestFirst(list []Change) {
	slices.Reverse(list)
	slices.SortStableFunc(list, func(a, b Change) int { return cmp.Compare(a.Row.Dated, b.Row.Dated) })
}
