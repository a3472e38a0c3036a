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

// terms are the weightiest of an article in the order of their hashes, each once: the bucket holds no names of people.
type terms []term

type term struct {
	hash   uint32
	weight float64
}

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
	var set terms
	for _, name := range names[:min(len(names), maxTerms)] {
		h := fnv.New32a()
		h.Write([]byte(name))
		set = append(set, term{h.Sum32(), weight[name]})
	}
	return set.sorted()
}

// bytes gives five for each term: its hash, and its weight in 255ths.
func (t terms) bytes() []byte {
	var b []byte
	for _, one := range t {
		b = append(binary.BigEndian.AppendUint32(b, one.hash), byte(math.Round(255*min(max(one.weight, 0), 1))))
	}
	return b
}

func readTerms(b []byte) terms {
	if len(b) == 0 || len(b)%5 != 0 || len(b) > 5*maxTerms {
		return nil
	}
	t := make(terms, 0, len(b)/5)
	for part := range slices.Chunk(b, 5) {
		t = append(t, term{binary.BigEndian.Uint32(part), float64(part[4]) / 255})
	}
	return t.sorted()
}

func (t terms) sorted() terms {
	slices.SortStableFunc(t, func(a, b term) int { return cmp.Compare(a.hash, b.hash) })
	return slices.CompactFunc(t, func(a, b term) bool { return a.hash == b.hash })
}

// shared counts the terms that two articles have in common, and sums the products of their weights.
func (t terms) shared(o terms) (n int, dot float64) {
	for i, j := 0, 0; i < len(t) && j < len(o); {
		switch {
		case t[i].hash < o[j].hash:
			i++
		case t[i].hash > o[j].hash:
			j++
		default:
			dot += t[i].weight * o[j].weight
			n++
			i++
			j++
		}
	}
	return n, dot
}

// alike is the cosine of two articles by their terms, 0 where they have too few in common.
func (t terms) alike(o terms) float64 {
	n, dot := t.shared(o)
	if n < minShared || dot == 0 {
		return 0
	}
	var a, b float64
	for _, one := range t {
		a += one.weight * one.weight
	}
	for _, one := range o {
		b += one.weight * one.weight
	}
	return dot / math.Sqrt(a*b)
}

// reterm files an article under its newest terms. Of those that have one in common the latest are kept.
func (x *index) reterm(d *doc, t terms) {
	for _, one := range d.terms {
		h := one.hash
		x.terms[h] = slices.DeleteFunc(x.terms[h], func(o *doc) bool { return o == d })
		if len(x.terms[h]) == 0 {
			delete(x.terms, h)
		}
	}
	d.terms = t
	for _, one := range t {
		list := append(x.terms[one.hash], d)
		x.terms[one.hash] = list[max(0, len(list)-maxBand):]
	}
}

// related lists the articles ordered before d that are about the same event, the most alike first.
func (x *index) related(d *doc) []candidate {
	var list []candidate
	for _, o := range x.common(d) {
		if o == d || o.first == 0 || o.first >= d.first || d.at.Sub(o.at) > groupWindow {
			continue
		}
		if alike := d.terms.alike(o.terms); alike >= minCosine {
			list = append(list, candidate{o.id, relationRelated, alike, o.first})
		}
	}
	slices.SortFunc(list, func(a, b candidate) int { return cmp.Or(cmp.Compare(b.alike, a.alike), cmp.Compare(a.first, b.first)) })
	return list
}

// common lists the articles that have enough terms in common with one to be alike. It counts in the articles themselves:
// thousands share a word with each new one.
func (x *index) common(d *doc) []*doc {
	var list []*doc
	x.round++
	for _, one := range d.terms {
		for _, o := range x.terms[one.hash] {
			if o.round != x.round {
				o.round, o.common = x.round, 0
			}
			if o.common++; o.common == minShared {
				list = append(list, o)
			}
		}
	}
	return list
}
