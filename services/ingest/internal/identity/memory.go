package identity

import (
	"cmp"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"tidings.internal/pkg/article"
)

// Limits of a memory.
const (
	// minRows and maxRows bound how many items are remembered: four documents' worth between them.
	minRows = 500
	maxRows = 8000
	// maxPacked is the size that a packed memory may have, so that a source's state stays one message of the broker.
	maxPacked = 330 << 10
	// keepFingerprint is how long the fingerprint of an item is kept after it left the document.
	keepFingerprint = 7 * 24 * time.Hour
	maxKeys         = 6
)

// Row is what is remembered of an item.
type Row struct {
	ID       string // of the article
	Revision uint64
	// Keys are hashes of everything the item is known by, the first sight's first.
	Keys []uint64
	// Fingerprint is zero once it was forgotten.
	Fingerprint uint64
	// First is when the item was first seen, Dated its own date or else First, Seen when it was last in a document,
	// Changed when its last revision was made; Unix seconds, in UTC.
	First, Dated, Seen, Changed int64
	// Edits counts the revisions since the day that began at EditsFrom, to notice an item that flaps.
	Edits     uint8
	EditsFrom int64
	// Absent counts the complete documents in a row that lacked it.
	Absent uint8
	// Deleted tells that a tombstone was published.
	Deleted bool
	// Held tells that the document has a change that was held back because the last one is too young.
	Held bool
	// Old tells that it was no news when it was first seen. It stays so through every revision.
	Old bool
}

// Memory is what is known of the items of a source. The zero value knows none.
type Memory struct {
	Rung int
	Rows []*Row
}

// Clone copies a memory, so that it can be judged and dropped again.
func (m *Memory) Clone() *Memory {
	c := &Memory{Rung: m.Rung, Rows: make([]*Row, len(m.Rows))}
	rows := make([]Row, len(m.Rows))
	for i, r := range m.Rows {
		rows[i] = *r
		rows[i].Keys = slices.Clip(r.Keys)
		c.Rows[i] = &rows[i]
	}
	return c
}

// Adopt takes over a row as it has become, in place of the one of the same article.
func (m *Memory) Adopt(row Row) {
	for i, r := range m.Rows {
		if r.ID == row.ID {
			m.Rows[i] = &row
			return
		}
	}
	m.Rows = append(m.Rows, &row)
}

// Arrivals gives when the items came, in no order: when they were first seen, and by their own dates those that were
// there already when the source was first read.
func (m *Memory) Arrivals() []time.Time {
	first := int64(math.MaxInt64)
	for _, r := range m.Rows {
		first = min(first, r.First)
	}
	list := make([]time.Time, len(m.Rows))
	for i, r := range m.Rows {
		at := r.First
		if at == first {
			at = min(r.Dated, r.First)
		}
		list[i] = time.Unix(at, 0)
	}
	return list
}

// Waiting reports whether something can be decided only by looking at a document that did not change: a change that was
// held back, or an item whose absence is being counted. The next poll must be unconditional then.
func (m *Memory) Waiting(deletions string) bool {
	return slices.ContainsFunc(m.Rows, func(r *Row) bool { return r.Held || r.Absent > 0 && !r.Deleted && deletions == "vanished" })
}

// Digest gives the fingerprint of a row as 16 hex digits, every one of which depends on all of it.
func (r *Row) Digest() string {
	return fmt.Sprintf("%016x", hashOf(strconv.FormatUint(r.Fingerprint, 16)))
}

// forget drops fingerprints of items that left long ago and the rows seen longest ago beyond the limit.
func (m *Memory) forget(document int, now time.Time) {
	for _, r := range m.Rows {
		if r.Fingerprint != 0 && now.Unix()-r.Seen > int64(keepFingerprint/time.Second) {
			r.Fingerprint = 0
		}
	}
	most := min(max(minRows, 4*document), maxRows)
	size := func() int {
		n := 0
		for _, r := range m.Rows {
			n += r.packedSize()
		}
		return n
	}
	if len(m.Rows) <= most && size() <= maxPacked {
		return
	}
	slices.SortStableFunc(m.Rows, func(a, b *Row) int { return cmp.Compare(b.Seen, a.Seen) })
	m.Rows = m.Rows[:min(most, len(m.Rows))]
	for total := size(); total > maxPacked; {
		last := len(m.Rows) - 1
		total -= m.Rows[last].packedSize()
		m.Rows = m.Rows[:last]
	}
}

// The flags of a packed row.
const (
	flagFingerprint = 1 << iota
	flagDeleted
	flagHeld
	flagChanged
	flagDated
	flagAbsent
	flagOld
)

const (
	packVersion = 1
	idBytes     = 17 // 130 bits
)

var idEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// Pack writes the rows in about 50 bytes each.
func (m *Memory) Pack() []byte {
	out := []byte{packVersion}
	for _, r := range m.Rows {
		out = r.pack(out)
	}
	return out
}

func (r *Row) packedSize() int { return len(r.pack(nil)) }

func (r *Row) pack(out []byte) []byte {
	var flags byte
	for _, f := range []struct {
		on  bool
		bit byte
	}{
		{r.Fingerprint != 0, flagFingerprint}, {r.Deleted, flagDeleted}, {r.Held, flagHeld}, {r.Changed != 0, flagChanged},
		{r.Dated != r.First, flagDated}, {r.Absent > 0, flagAbsent}, {r.Old, flagOld},
	} {
		if f.on {
			flags |= f.bit
		}
	}
	out = append(out, flags)
	// 26 characters are 130 bits; two more make the 28 that decode to whole bytes.
	id, _ := idEncoding.DecodeString(r.ID + "a" + "a")
	out = append(out, (append(id, make([]byte, idBytes)...))[:idBytes]...)
	out = binary.AppendUvarint(out, r.Revision)
	out = append(out, byte(len(r.Keys)))
	for _, k := range r.Keys {
		out = binary.BigEndian.AppendUint64(out, k)
	}
	out = binary.AppendVarint(out, r.First)
	out = binary.AppendVarint(out, r.Seen-r.First)
	if flags&flagDated != 0 {
		out = binary.AppendVarint(out, r.Dated-r.First)
	}
	if flags&flagFingerprint != 0 {
		out = binary.BigEndian.AppendUint64(out, r.Fingerprint)
	}
	if flags&flagChanged != 0 {
		out = binary.AppendVarint(out, r.Changed-r.First)
		out = append(out, r.Edits)
		out = binary.AppendVarint(out, r.EditsFrom-r.First)
	}
	if flags&flagAbsent != 0 {
		out = append(out, r.Absent)
	}
	return out
}

var errPacked = errors.New("the packed items are damaged")

// Unpack reads what [Memory.Pack] wrote.
func (m *Memory) Unpack(b []byte) error {
	m.Rows = nil
	if len(b) == 0 {
		return nil
	}
	if b[0] != packVersion {
		return fmt.Errorf("unpack items: version %d is not known", b[0])
	}
	u := unpacker{b: b[1:]}
	for len(u.b) > 0 && !u.bad {
		m.Rows = append(m.Rows, u.row())
	}
	if u.bad {
		m.Rows = nil
		return fmt.Errorf("unpack items: %w", errPacked)
	}
	return nil
}

type unpacker struct {
	b   []byte
	bad bool
}

func (u *unpacker) take(n int) []byte {
	if n > len(u.b) {
		u.bad, u.b = true, nil
		return make([]byte, n)
	}
	out := u.b[:n]
	u.b = u.b[n:]
	return out
}

func (u *unpacker) varint() int64 {
	v, n := binary.Varint(u.b)
	if n <= 0 {
		u.bad, u.b = true, nil
		return 0
	}
	u.b = u.b[n:]
	return v
}

func (u *unpacker) row() *Row {
	flags := u.take(1)[0]
	r := &Row{ID: idEncoding.EncodeToString(u.take(idBytes))[:article.IDLength]}
	rev, n := binary.Uvarint(u.b)
	if n <= 0 {
		u.bad = true
		return r
	}
	u.b = u.b[n:]
	r.Revision = rev
	r.Keys = make([]uint64, min(int(u.take(1)[0]), maxKeys))
	for i := range r.Keys {
		r.Keys[i] = binary.BigEndian.Uint64(u.take(8))
	}
	r.First = u.varint()
	r.Seen, r.Dated = r.First+u.varint(), r.First
	if flags&flagDated != 0 {
		r.Dated = r.First + u.varint()
	}
	if flags&flagFingerprint != 0 {
		r.Fingerprint = binary.BigEndian.Uint64(u.take(8))
	}
	if flags&flagChanged != 0 {
		r.Changed = r.First + u.varint()
		r.Edits = u.take(1)[0]
		r.EditsFrom = r.First + u.varint()
	}
	if flags&flagAbsent != 0 {
		r.Absent = u.take(1)[0]
	}
	r.Deleted, r.Held, r.Old = flags&flagDeleted != 0, flags&flagHeld != 0, flags&flagOld != 0
	return r
}
