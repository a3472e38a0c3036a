package story

import (
	"encoding/binary"
	"math"

	"tidings.internal/services/enrich/internal/words"
)

const (
	hashes = 128 // 32 bits each
	bands  = 42
	rows   = 3
	// shingle is how many words in a row are one feature.
	shingle = 3
	// minProse is the length in words of a text that is compared at all, maxNumbers the share of numbers in it: tables
	// of results and prices have nearly all their words in common and tell different stories.
	minProse   = 60
	maxNumbers = 0.4

	// minJaccard makes two texts duplicates, minContainment versions of one report.
	minJaccard     = 0.5
	minContainment = 0.55
)

// sketch stands for the set of shingles of a text (minhash): the share of equal hashes of two sketches estimates how
// much of their sets is common.
type sketch struct {
	hash [hashes]uint32
	n    int // shingles
}

// brief is a sketch as it is kept of every article: of the hashes the lower halves. Two that differ have equal halves once
// in 65,536 times, which is far below what an estimate by 128 hashes is wrong by.
type brief struct {
	hash [hashes]uint16
	n    int32 // shingles
}

// tokens cuts a text into the words that are compared.
func tokens(text string) []string {
	return words.Tokens(text)
}

// The constants of FNV-1a with 64 bits.
const (
	fnvOffset = 0xcbf29ce484222325
	fnvPrime  = 0x100000001b3
)

// newSketch returns nil for a text that only exact names can tell.
func newSketch(list []string) *sketch {
	numbers := 0
	for _, t := range list {
		if t[0] >= '0' && t[0] <= '9' {
			numbers++
		}
	}
	if len(list) < minProse || float64(numbers) > maxNumbers*float64(len(list)) {
		return nil
	}
	s := &sketch{}
	for i := range s.hash {
		s.hash[i] = ^uint32(0)
	}
	seen := make(map[uint64]bool, len(list))
	for i := 0; i+shingle <= len(list); i++ {
		x := uint64(fnvOffset)
		for _, w := range list[i : i+shingle] {
			for k := range len(w) {
				x = (x ^ uint64(w[k])) * fnvPrime
			}
			x *= fnvPrime // a zero byte behind each word
		}
		if seen[x] {
			continue
		}
		seen[x] = true
		for k := range s.hash {
			if v := uint32(mix(x+uint64(k)*0x9E3779B97F4A7C15) >> 32); v < s.hash[k] {
				s.hash[k] = v
			}
		}
	}
	s.n = len(seen)
	return s
}

// mix is the finaliser of SplitMix64: every bit of the input reaches every bit of the output.
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xBF58476D1CE4E5B9
	x ^= x >> 27
	x *= 0x94D049BB133111EB
	return x ^ x>>31
}

func (s *sketch) bytes() []byte {
	if s == nil {
		return nil
	}
	b := make([]byte, 4, 4+4*hashes)
	binary.BigEndian.PutUint32(b, uint32(s.n))
	for _, h := range s.hash {
		b = binary.BigEndian.AppendUint32(b, h)
	}
	return b
}

// readBrief reads of a stored sketch what is kept; nil when it is none.
func readBrief(b []byte) *brief {
	if len(b) != 4+4*hashes {
		return nil
	}
	s := &brief{n: int32(min(binary.BigEndian.Uint32(b), math.MaxInt32))}
	for i := range s.hash {
		s.hash[i] = uint16(binary.BigEndian.Uint32(b[4+4*i:]))
	}
	return s
}

// band is the key under which sketches with the same hashes in one band meet.
func (s *brief) band(i int) [rows]uint16 { return [rows]uint16(s.hash[rows*i : rows*i+rows]) }

// compare estimates what two sets of shingles have in common: the Jaccard index, and how much of the smaller one is in
// the larger.
func (s *brief) compare(o *brief) (jaccard, containment float64) {
	equal := 0
	for i := range s.hash {
		if s.hash[i] == o.hash[i] {
			equal++
		}
	}
	jaccard = float64(equal) / hashes
	if small := min(s.n, o.n); small > 0 {
		containment = min(1, jaccard*(float64(s.n)+float64(o.n))/((1+jaccard)*float64(small)))
	}
	return jaccard, containment
}
