package story

import (
	"cmp"
	"encoding/binary"
	"hash/fnv"
	"math"
	"slices"
	"strings"
	"time"

	"tidings.internal/services/enrich/internal/words"
)

const (
	// maxTerms is how many names and phrases of an article are kept.
	maxTerms = 12
	// minCosine and minShared are what two articles about one event have in common at least, groupWindow how far apart they
	// may be.
	minCosine   = 0.5
	minShared   = 3
	groupWindow = 48 * time.Hour
)

// Term is a name or a phrase that an article is about, and how much, from 0 to 1.
type Term struct {
	Text   string
	Weight float64
}

// terms are the weightiest of an article, by their hash: the bucket holds no names of people.
type terms map[uint32]float64

func newTerms(list []Term) terms {
	weight := map[string]float64{}
	for _, t := range list {
		if name := words.Fold(strings.TrimSpace(t.Text)); name != "" {
			weight[name] = max(weight[name], t.Weight)
		}
	}
	names := make([]string, 0, len(weight))
	for name := range weight {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(weight[b], weight[a]), cmp.Compare(a, b)) })
	set := terms{}
	for _, name := range names[:min(len(names), maxTerms)] {
		h := fnv.New32a()
		h.Write([]byte(name))
		set[h.Sum32()] = weight[name]
	}
	return set
}

// bytes gives five for each term: its hash, and its weight in 255ths.
func (t terms) bytes() []byte {
	var b []byte
	for _, h := range t.sorted() {
		b = append(binary.BigEndian.AppendUint32(b, h), byte(math.Round(255*min(max(t[h], 0), 1))))
	}
	return b
}

func readTerms(b []byte) terms {
	if len(b) == 0 || len(b)%5 != 0 || len(b) > 5*maxTerms {
		return nil
	}
	t := terms{}
	for part := range slices.Chunk(b, 5) {
		t[binary.BigEndian.Uint32(part)] = float64(part[4]) / 255
	}
	return t
}

func (t terms) sorted() []uint32 {
	list := make([]uint32, 0, len(t))
	for h := range t {
		list = append(list, h)
	}
	slices.Sort(list)
	return list
}

// cosine compares two articles by their terms, in a fixed order: a sum of fractions depends on it.
func (t terms) cosine(o terms) (cosine float64, shared int) {
	var dot, a, b float64
	for _, h := range t.sorted() {
		a += t[h] * t[h]
		if w, ok := o[h]; ok {
			dot += t[h] * w
			shared++
		}
	}
	for _, h := range o.sorted() {
		b += o[h] * o[h]
	}
	if dot == 0 {
		return 0, shared
	}
	return dot / math.Sqrt(a*b), shared
}

// reterm files an article under its newest terms. Of those that have one in common the latest are kept.
func (x *index) reterm(d *doc, t terms) {
	for h := range d.terms {
		x.terms[h] = slices.DeleteFunc(x.terms[h], func(id string) bool { return id == d.id })
		if len(x.terms[h]) == 0 {
			delete(x.terms, h)
		}
	}
	d.terms = t
	for h := range t {
		list := append(x.terms[h], d.id)
		x.terms[h] = list[max(0, len(list)-maxBand):]
	}
}

// related lists the articles ordered before d that are about the same event, the most alike first.
func (x *index) related(d *doc) []candidate {
	var list []candidate
	seen := map[string]bool{d.id: true}
	for h := range d.terms {
		for _, id := range x.terms[h] {
			o := x.docs[id]
			if seen[id] || o == nil || o.first == 0 || o.first >= d.first || d.at.Sub(o.at) > groupWindow {
				continue
			}
			seen[id] = true
			if alike, shared := d.terms.cosine(o.terms); shared >= minShared && alike >= minCosine {
				list = append(list, candidate{id, relationRelated, alike, o.first})
			}
		}
	}
	slices.SortFunc(list, func(a, b candidate) int { return cmp.Or(cmp.Compare(b.alike, a.alike), cmp.Compare(a.first, b.first)) })
	return list
}
