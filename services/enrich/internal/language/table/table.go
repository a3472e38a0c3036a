// Package table holds how well a letter goes with the letters before it, in each of some languages. It is a file that is
// used as it lies in the binary: nothing is made of it at start. What a text is made of, and what its language is, it does
// not know.
//
// A run is up to [Order] letters of one word, [Border] among them for its beginning and its end. Its row has a byte for
// each language: by how many sixteenths of a nat the run's last letter is less likely, after the others, than in the
// language in which it is likeliest. A run that is not there is what its end is: "tion" where "ation" is missing.
package table

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
)

const (
	// Order is the length in letters of the longest run.
	Order = 5
	// Border stands before the first letter of a word and behind its last one.
	Border = '_'
	// Nat is what a difference of one natural logarithm is in a row.
	Nat = 16

	magic   = "letters 1"
	buckets = 1 << 16
	// maxLetters bounds the part of a word that is looked at.
	maxLetters = 40
)

// Table is read by any number of goroutines.
type Table struct {
	langs []string
	// starts is the first row of each bucket, and how many there are behind the last one.
	starts []uint32
	marks  string // two bytes a row, rising within a bucket
	rows   string
}

// Open reads what [Encode] wrote.
func Open(data string) (*Table, error) {
	head, rest, ok := strings.Cut(data, "\n")
	name, list, _ := strings.Cut(head, ": ")
	t := &Table{langs: strings.Fields(list), starts: make([]uint32, buckets+1)}
	if !ok || name != magic || len(t.langs) == 0 || len(rest) < buckets {
		return nil, errors.New("open table of letters: it is none")
	}
	for i := range buckets {
		t.starts[i+1] = t.starts[i] + uint32(rest[i])
	}
	n := int(t.starts[buckets])
	if rest = rest[buckets:]; len(rest) != n*(2+len(t.langs)) {
		return nil, fmt.Errorf("open table of letters: %d bytes of %d rows for %d languages", len(rest), n, len(t.langs))
	}
	t.marks, t.rows = rest[:2*n], rest[2*n:]
	return t, nil
}

// Languages lists the codes of the languages in the order of the rows.
func (t *Table) Languages() []string { return t.langs }

// Add adds to the sum of each language what speaks against it in a word of letters: no signs, no spaces, small letters.
func (t *Table) Add(sum []int, word string) {
	var letters [maxLetters + 2]rune
	letters[0] = Border
	n := 1
	for _, r := range word {
		if n > maxLetters {
			break
		}
		letters[n] = r
		n++
	}
	letters[n] = Border
	for i := 1; i <= n; i++ {
		for j, cost := range []byte(t.longest(letters[max(0, i+1-Order) : i+1])) {
			sum[j] += int(cost)
		}
	}
}

// longest is the row of the longest run that ends as the letters do, "" where no language has the last of them.
func (t *Table) longest(letters []rune) string {
	var keys [Order]uint32
	h := uint64(0)
	for k := range letters {
		h = mix(h, letters[len(letters)-1-k])
		keys[k] = uint32(h)
	}
	for k := len(letters) - 1; k >= 0; k-- {
		if row := t.row(keys[k]); row != "" {
			return row
		}
	}
	return ""
}

func (t *Table) row(key uint32) string {
	bucket, mark := key>>16, uint16(key)
	for i := t.starts[bucket]; i < t.starts[bucket+1]; i++ {
		if m := uint16(t.marks[2*i]) | uint16(t.marks[2*i+1])<<8; m >= mark {
			if m > mark {
				return ""
			}
			width := uint32(len(t.langs))
			return t.rows[i*width : (i+1)*width]
		}
	}
	return ""
}

// mix takes one more letter into a hash, from the last letter of a run to its first.
func mix(h uint64, r rune) uint64 {
	h = (h ^ uint64(r) + 1) * 0x9E3779B97F4A7C15
	return h ^ h>>29
}

func key(run string) uint32 {
	letters, h := []rune(run), uint64(0)
	for k := range letters {
		h = mix(h, letters[len(letters)-1-k])
	}
	return uint32(h)
}

// Encode writes the rows of runs for languages. Of two runs that the table cannot tell apart the earlier one stays.
func Encode(langs []string, runs []string, rows [][]byte) ([]byte, error) {
	byKey := map[uint32][]byte{}
	count := make([]byte, buckets)
	var keys [buckets][]uint16
	for i, run := range runs {
		k := key(run)
		if byKey[k] != nil {
			continue
		}
		if len(rows[i]) != len(langs) || count[k>>16] == 255 {
			return nil, fmt.Errorf("encode run %q: %d values for %d languages, %d rows in its bucket", run, len(rows[i]), len(langs), count[k>>16])
		}
		byKey[k] = rows[i]
		count[k>>16]++
		keys[k>>16] = append(keys[k>>16], uint16(k))
	}
	var marks, values bytes.Buffer
	for bucket, list := range keys {
		slices.Sort(list)
		for _, mark := range list {
			marks.Write(binary.LittleEndian.AppendUint16(nil, mark))
			values.Write(byKey[uint32(bucket)<<16|uint32(mark)])
		}
	}
	head := magic + ": " + strings.Join(langs, " ") + "\n"
	return slices.Concat([]byte(head), count, marks.Bytes(), values.Bytes()), nil
}
