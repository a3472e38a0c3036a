package taxonomy

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/fault"
	"tidings.internal/services/enrich/internal/words"
)

// Edits are what an operator changed while Tidings runs: concepts that lie over those of the files, each whole, and
// words that the inbox does not offer again.
type Edits struct {
	Concepts []Concept `json:"concepts,omitempty"`
	Ignored  []string  `json:"ignored,omitempty"`
}

// With lays edits over a vocabulary. Its error is a [Problems].
func (v *Vocabulary) With(e Edits) (*Vocabulary, error) {
	if len(e.Concepts) == 0 {
		return v, nil
	}
	next := &Vocabulary{concepts: maps.Clone(v.concepts)}
	places := map[string]place{}
	for id := range next.concepts {
		c := *next.concepts[id]
		next.concepts[id] = &c
		places[id] = place{"the taxonomy", 0, 0}
	}
	for _, c := range e.Concepts {
		next.concepts[c.ID], places[c.ID] = &c, place{"edit", 0, 0}
	}
	return next.finish(nil, places)
}

// The outcomes of a concept that is put into edits.
const (
	Added     = "added"
	Changed   = "changed"
	Unchanged = "unchanged"
)

// Put takes over the concepts of another vocabulary where they differ from what is in force, and tells of each what it
// did. What the files say already is no edit.
func (e *Edits) Put(base, in *Vocabulary) map[string]string {
	outcome := map[string]string{}
	for _, id := range in.IDs() {
		c := *in.concepts[id]
		i := slices.IndexFunc(e.Concepts, func(o Concept) bool { return o.ID == id })
		now := base.concepts[id]
		if i >= 0 {
			now = &e.Concepts[i]
		}
		switch {
		case now == nil:
			outcome[id] = Added
		case reflect.DeepEqual(*now, c):
			outcome[id] = Unchanged
			continue
		default:
			outcome[id] = Changed
		}
		switch {
		case i >= 0:
			e.Concepts[i] = c
		default:
			e.Concepts = append(e.Concepts, c)
		}
	}
	slices.SortFunc(e.Concepts, func(a, b Concept) int { return cmp.Compare(a.ID, b.ID) })
	return outcome
}

// Forget takes edits of concepts back, so that the files count again; of all concepts when none is named. It tells which.
func (e *Edits) Forget(ids ...string) []string {
	var gone []string
	e.Concepts = slices.DeleteFunc(e.Concepts, func(c Concept) bool {
		if len(ids) > 0 && !slices.Contains(ids, c.ID) {
			return false
		}
		gone = append(gone, c.ID)
		return true
	})
	return gone
}

// The keys of the book beside [numberKey].
const (
	// EditsKey names the parts of the edits in force. Writing it is what puts them in force, all at once.
	EditsKey = "edits"
	// verdictSpace holds a verdict a key: verdict.ARTICLE.TAG.
	verdictSpace = "verdict."
	// maxPart is the size of a part: far below what a message may hold.
	maxPart = 200 << 10
)

// head is the value of [EditsKey].
type head struct {
	// Edition names the parts: edits.EDITION.NUMBER. It is the revision of the head that it was made of, a dot, and
	// something made by chance, so that two who write at the same moment have parts of their own.
	Edition string `json:"edition"`
	Parts   int    `json:"parts"`
}

func partKey(edition string, n int) string { return fmt.Sprintf("edits.%s.%d", edition, n) }

// Store is the book as an operator writes it.
type Store interface {
	Book
	Put(ctx context.Context, key string, value []byte) (uint64, error)
	Purge(ctx context.Context, key string) error
	Entries(ctx context.Context, filters ...string) ([]bus.Entry, error)
}

// loadTries is how often edits are read that change at the same moment.
const loadTries = 5

// Load reads the edits in force and their revision, for [Save]. The revision comes with an error, too, that says that they
// are malformed, or gone in part.
func Load(ctx context.Context, book Book) (Edits, uint64, error) {
	for try := 1; ; try++ {
		e, revision, err := load(ctx, book)
		// Between the head and its parts the next edition may have come, and taken the parts away.
		if fault.KindOf(err) != fault.Gone || try == loadTries {
			return e, revision, err
		}
	}
}

func load(ctx context.Context, book Book) (Edits, uint64, error) {
	var e Edits
	entry, ok, err := book.Read(ctx, EditsKey)
	if err != nil || !ok {
		return e, entry.Revision, err
	}
	var h head
	if err := json.Unmarshal(entry.Value, &h); err != nil {
		return e, entry.Revision, fault.Errorf(fault.Malformed, "read the edits of the taxonomy: %w", err)
	}
	var packed []byte
	for n := range h.Parts {
		part, ok, err := book.Read(ctx, partKey(h.Edition, n))
		if err != nil {
			return e, 0, err
		}
		if !ok {
			return e, entry.Revision, fault.Errorf(fault.Gone, "read the edits of the taxonomy: part %d of edition %s is missing", n, h.Edition)
		}
		packed = append(packed, part.Value...)
	}
	if err := unpack(packed, &e); err != nil {
		return Edits{}, entry.Revision, fault.Errorf(fault.Malformed, "read the edits of the taxonomy: %w", err)
	}
	return e, entry.Revision, nil
}

// maxEdits bounds what edits unpack to.
const maxEdits = 256 << 20

func unpack(packed []byte, e *Edits) error {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return err
	}
	return json.NewDecoder(io.LimitReader(z, maxEdits)).Decode(e)
}

// Save puts edits in force that were made of those of a revision; others that came meanwhile are a conflict. The parts are
// written first, under keys that nobody reads yet, and the head last and alone: whoever is killed before it has changed
// nothing, and one killed behind it has changed everything. What it could not clean up then the next one does.
func Save(ctx context.Context, book Store, e Edits, revision uint64) error {
	plain, err := json.Marshal(e)
	if err != nil {
		return fault.Errorf(fault.Internal, "write the edits of the taxonomy: %w", err)
	}
	if len(plain) > maxEdits {
		return fault.Errorf(fault.TooLarge, "write the edits of the taxonomy: they are above %d MB; put concepts into a file of the configuration", maxEdits>>20)
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(plain); err != nil {
		return fault.Errorf(fault.Internal, "write the edits of the taxonomy: %w", err)
	}
	if err := z.Close(); err != nil {
		return fault.Errorf(fault.Internal, "write the edits of the taxonomy: %w", err)
	}
	h := head{Edition: strconv.FormatUint(revision, 10) + "." + rand.Text()}
	for part := range slices.Chunk(packed.Bytes(), maxPart) {
		if _, err := book.Update(ctx, partKey(h.Edition, h.Parts), part, 0); err != nil {
			return err
		}
		h.Parts++
	}
	value, err := json.Marshal(h)
	if err != nil {
		return fault.Errorf(fault.Internal, "write the edits of the taxonomy: %w", err)
	}
	if _, err := book.Update(ctx, EditsKey, value, revision); err != nil {
		return err
	}
	_ = clean(ctx, book, h, revision) // the edits are in force, and the next one cleans up
	return nil
}

// clean removes the parts of other editions that were made of a revision or an older one: they were in force before, or
// their head will be refused. Those made of a later one stay, for whoever cleans late may meet what is in force by then.
func clean(ctx context.Context, book Store, in head, revision uint64) error {
	parts, err := book.Entries(ctx, "edits.>")
	if err != nil {
		return err
	}
	mine := fmt.Sprintf("edits.%s.", in.Edition)
	for _, p := range parts {
		base, _, _ := strings.Cut(strings.TrimPrefix(p.Key, "edits."), ".")
		of, err := strconv.ParseUint(base, 10, 64)
		if !strings.HasPrefix(p.Key, mine) && (err != nil || of <= revision) {
			if err := book.Purge(ctx, p.Key); err != nil {
				return err
			}
		}
	}
	return nil
}

// Say writes a verdict. A later one on the same tag and article replaces it.
func Say(ctx context.Context, book Store, v Verdict) error {
	value, err := json.Marshal(v)
	if err != nil {
		return fault.Errorf(fault.Internal, "write a verdict: %w", err)
	}
	_, err = book.Put(ctx, verdictKey(v.Article, v.Concept), value)
	return err
}

// Unsay takes a verdict back.
func Unsay(ctx context.Context, book Store, article, tag string) error {
	return book.Purge(ctx, verdictKey(article, tag))
}

// Forget takes back everything that was said of an article, with the words that were kept of it.
func Forget(ctx context.Context, book Store, article string) error {
	entries, err := book.Entries(ctx, verdictSpace+article+".>")
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := book.Purge(ctx, e.Key); err != nil {
			return err
		}
	}
	return nil
}

func verdictKey(article, tag string) string { return verdictSpace + article + "." + bus.KeyEscape(tag) }

// ReadVerdict reads the value of a key of the book; false when the key holds none.
func ReadVerdict(key string, value []byte) (Verdict, bool) {
	var v Verdict
	if !strings.HasPrefix(key, verdictSpace) || json.Unmarshal(value, &v) != nil || v.Article == "" || v.Concept == "" {
		return v, false
	}
	return v, true
}

// Verdicts reads all verdicts, in the order of their keys.
func Verdicts(ctx context.Context, book Store) ([]Verdict, error) {
	entries, err := book.Entries(ctx, verdictSpace+">")
	if err != nil {
		return nil, err
	}
	slices.SortFunc(entries, func(a, b bus.Entry) int { return cmp.Compare(a.Key, b.Key) })
	var list []Verdict
	for _, e := range entries {
		if v, ok := ReadVerdict(e.Key, e.Value); ok {
			list = append(list, v)
		}
	}
	return list, nil
}

// Nearest gives the concept that shares most of its words with a phrase, "" when none shares half of them.
func (v *Vocabulary) Nearest(phrase, lang string) string {
	want := stemsOf(phrase, lang)
	best, most := "", 0.0
	for _, id := range v.IDs() {
		for _, l := range v.concepts[id].Labels {
			if base := words.Base(l.Lang); base != "" && base != words.Base(lang) {
				continue
			}
			have := stemsOf(l.Text, lang)
			shared := 0
			for s := range have {
				if want[s] {
					shared++
				}
			}
			if alike := float64(shared) / float64(max(len(want), len(have), 1)); alike >= 0.5 && alike > most {
				best, most = id, alike
			}
		}
	}
	return best
}

func stemsOf(text, lang string) map[string]bool {
	set := map[string]bool{}
	for _, w := range words.Cut(text, lang) {
		if !w.Stop {
			set[w.Stem] = true
		}
	}
	return set
}
