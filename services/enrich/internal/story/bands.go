package story

import (
	"iter"
	"math"
	"slices"
)

// bandTable finds the articles whose sketches have a band in common. Each band has a hash table of its own; articles that
// meet in a slot are a chain of numbers, so that an article costs four bytes a band and the tables five to ten more.
// The bands themselves stand in the sketches.
type bandTable struct {
	heads [bands][]int32 // the newest article of each slot
	long  [bands][]uint8 // how long its chain is, 255 for all that were longer once
	next  [][bands]int32 // the one behind, by number
	docs  []*doc         // by number; nil where a number is free
	free  []int32
	used  int
	// loading is set while a start reads what there is: articles are numbered then, and filed all at once in the end.
	loading bool
}

// Numbers in the chains.
const (
	end     = -1
	unfiled = -2 // of an article that is not in the chain of this band
)

// minSlots is the size of the tables at the beginning.
const minSlots = 1 << 8

// slot is where the articles with a band meet.
func slot(band [rows]uint16, slots int) int {
	x := uint64(band[0]) | uint64(band[1])<<16 | uint64(band[2])<<32
	return int(mix(x+0x9E3779B97F4A7C15) & uint64(slots-1))
}

// add files an article, except under the bands in which too many meet already.
func (t *bandTable) add(d *doc) {
	if !t.loading && t.used >= len(t.heads[0]) {
		t.grow()
	}
	if n := len(t.free); n > 0 {
		d.number, t.free = t.free[n-1], t.free[:n-1]
		t.docs[d.number] = d
	} else {
		d.number = int32(len(t.docs))
		t.docs, t.next = append(t.docs, d), append(t.next, [bands]int32{})
	}
	t.used++
	for i := range bands {
		if t.loading || t.full(i, d.sketch) {
			t.next[d.number][i] = unfiled
			continue
		}
		t.link(i, d)
	}
}

// file ends the loading: it files all articles, in the order of their numbers. It goes from band to band, whose tables
// then stay at hand, and makes the tables once and not at every doubling.
func (t *bandTable) file() {
	if !t.loading {
		return
	}
	t.loading = false
	if t.used == 0 {
		return
	}
	slots := minSlots
	for slots < t.used {
		slots *= 2
	}
	t.clear(slots)
	for i := range bands {
		for _, d := range t.docs {
			if d != nil && !t.full(i, d.sketch) {
				t.link(i, d)
			}
		}
	}
}

// clear makes empty tables of so many slots.
func (t *bandTable) clear(slots int) {
	for i := range bands {
		t.heads[i], t.long[i] = slices.Repeat([]int32{end}, slots), make([]uint8, slots)
	}
}

func (t *bandTable) link(i int, d *doc) {
	at := slot(d.sketch.band(i), len(t.heads[i]))
	t.next[d.number][i], t.heads[i][at] = t.heads[i][at], d.number
	if t.long[i][at] < math.MaxUint8 {
		t.long[i][at]++
	}
}

// remove takes an article out of all chains.
func (t *bandTable) remove(d *doc) {
	for i := range bands {
		if t.next[d.number][i] == unfiled {
			continue
		}
		where := slot(d.sketch.band(i), len(t.heads[i]))
		if t.long[i][where] < math.MaxUint8 {
			t.long[i][where]--
		}
		at := &t.heads[i][where]
		for *at != d.number {
			at = &t.next[*at][i]
		}
		*at = t.next[d.number][i]
	}
	t.docs[d.number] = nil
	t.free = append(t.free, d.number)
	t.used--
}

// grow doubles the tables and links the articles anew, in the order of their numbers.
func (t *bandTable) grow() {
	t.clear(max(minSlots, 2*len(t.heads[0])))
	for i := range bands {
		for _, d := range t.docs {
			if d != nil && t.next[d.number][i] != unfiled {
				t.link(i, d)
			}
		}
	}
}

// in yields the articles whose band i is that of a sketch.
func (t *bandTable) in(i int, s *brief) iter.Seq[*doc] {
	return func(yield func(*doc) bool) {
		if t.used == 0 || t.loading {
			return
		}
		band := s.band(i)
		for n := t.heads[i][slot(band, len(t.heads[i]))]; n != end; n = t.next[n][i] {
			if d := t.docs[n]; d.sketch.band(i) == band && !yield(d) {
				return
			}
		}
	}
}

// full reports whether as many articles have band i of a sketch as may meet. In a short chain there is nothing to count.
func (t *bandTable) full(i int, s *brief) bool {
	return t.long[i][slot(s.band(i), len(t.heads[i]))] >= maxBand && t.count(i, s) >= maxBand
}

func (t *bandTable) count(i int, s *brief) int {
	n := 0
	for range t.in(i, s) {
		n++
	}
	return n
}
