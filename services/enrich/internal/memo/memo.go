// Package memo remembers what a function said of short texts, such as words. It is no cache of the world: the function
// gives the same for the same text whenever it is asked, so what is remembered shows in nothing but the time.
package memo

import (
	"hash/maphash"
	"strings"
	"sync/atomic"
)

// longest is how many bytes a text has at most that is remembered.
const longest = 32

// Table remembers the values of a function of texts in a context, such as the words of a language. Its size is bounded:
// two texts share a slot, the newer one in front, and the older one goes when a third comes. It may be used by several
// goroutines.
type Table[C comparable, V any] struct {
	of    func(in C, text string) V
	seed  maphash.Seed
	slots [][2]atomic.Pointer[entry[C, V]]
}

// entry has its key inside: a look into it is one into memory that lies together.
type entry[C comparable, V any] struct {
	in    C
	size  uint8
	key   [longest]byte
	value V
}

// New returns an empty table, with room for twice as many texts as it has slots, of a function that must be pure and may
// be called by several goroutines.
func New[C comparable, V any](slots int, of func(in C, text string) V) *Table[C, V] {
	return &Table[C, V]{of: of, seed: maphash.MakeSeed(), slots: make([][2]atomic.Pointer[entry[C, V]], slots)}
}

// Of returns the value of a text. It is shared and must not be changed.
func (t *Table[C, V]) Of(in C, text string) *V {
	if len(text) > longest {
		value := t.of(in, text)
		return &value
	}
	slot := &t.slots[maphash.String(t.seed, text)%uint64(len(t.slots))]
	front := slot[0].Load()
	if front.is(in, text) {
		return &front.value
	}
	e := slot[1].Load()
	if !e.is(in, text) {
		text = strings.Clone(text) // what is remembered must not hold the text around it in memory
		e = &entry[C, V]{in: in, size: uint8(len(text)), value: t.of(in, text)}
		copy(e.key[:], text)
	}
	slot[1].Store(front)
	slot[0].Store(e)
	return &e.value
}

func (e *entry[C, V]) is(in C, text string) bool {
	return e != nil && string(e.key[:e.size]) == text && e.in == in
}
