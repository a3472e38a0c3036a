// Package memo remembers what a function said of short texts, such as words. It is no cache of the world: the function
// gives the same for the same text whenever it is asked, so what is remembered shows in nothing but the time.
package memo

import (
	"hash/maphash"
	"strings"
	"sync/atomic"
)

const (
	// slots is half of how many texts a table remembers, a power of two.
	slots = 1 << 13
	// longest is how many bytes a text has at most that is remembered.
	longest = 32
)

// Table remembers the values of a function. Its size is bounded: two texts share a slot, the newer one in front, and the
// older one goes when a third comes. It may be used by several goroutines.
type Table[V any] struct {
	of    func(text string) V
	seed  maphash.Seed
	slots [slots][2]atomic.Pointer[entry[V]]
}

type entry[V any] struct {
	text  string
	value V
}

// New returns an empty table of a function, which must be pure and may be called by several goroutines.
func New[V any](of func(text string) V) *Table[V] {
	return &Table[V]{of: of, seed: maphash.MakeSeed()}
}

// Of returns the value of a text. It is shared and must not be changed.
func (t *Table[V]) Of(text string) *V {
	if len(text) > longest {
		value := t.of(text)
		return &value
	}
	slot := &t.slots[maphash.String(t.seed, text)%slots]
	front := slot[0].Load()
	if front != nil && front.text == text {
		return &front.value
	}
	e := slot[1].Load()
	if e == nil || e.text != text {
		text = strings.Clone(text) // what is remembered must not hold the text around it in memory
		e = &entry[V]{text, t.of(text)}
	}
	slot[1].Store(front)
	slot[0].Store(e)
	return &e.value
}
