package main

import (
	"archive/zip"
	"fmt"
	"io"
	"math"
	"path/filepath"

	"google.golang.org/protobuf/encoding/protowire"

	"tidings.internal/services/enrich/internal/language/table"
)

// counts is how often runs stand in a corpus of unit letters. Whole numbers, since the order of what is added up is that of
// a map, and the table is to be the same each time.
type counts map[string]int64

// unit is the size of the corpora in the counts, and letters what it is in truth: rounding must not hide rare runs.
const (
	unit    = 1e13
	letters = 9e7
)

// files of a model in the order of their runs' length.
var files = [table.Order]string{"unigrams", "bigrams", "trigrams", "quadrigrams", "fivegrams"}

// read reads the model of a language and counts the borders of words.
func read(dir string) (counts, error) {
	all := counts{}
	for i, name := range files {
		z, err := zip.OpenReader(filepath.Join(dir, name+".pb.bin.zip"))
		if err != nil {
			return nil, fmt.Errorf("open model: %w", err)
		}
		err = readAll(&z.Reader, i+1, all)
		_ = z.Close() // opened to read: nothing can be lost
		if err != nil {
			return nil, fmt.Errorf("read model %s of %s: %w", name, dir, err)
		}
	}
	return bordered(all), nil
}

func readAll(z *zip.Reader, length int, into counts) error {
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			return err
		}
		data, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		err = fields(data, func(number protowire.Number, value []byte, _ uint64) {
			if number == 4 { // a set of runs
				readSet(value, length, into)
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// readSet reads runs that follow the run before their last letter equally often: the share of it that they are.
func readSet(set []byte, length int, into counts) {
	share := 0.0
	_ = fields(set, func(number protowire.Number, value []byte, fixed uint64) {
		switch number {
		case 1:
			share = math.Float64frombits(fixed)
		case 2:
			run := []rune(string(value))
			of := int64(unit)
			if length > 1 {
				of = into[string(run[:length-1])]
			}
			into[string(run)] = int64(math.Round(share * float64(of)))
		}
	})
}

// fields calls each with the fields of a message: their bytes, or their 64 bits.
func fields(data []byte, each func(number protowire.Number, value []byte, fixed uint64)) error {
	for len(data) > 0 {
		number, kind, n := protowire.ConsumeTag(data)
		if n < 0 {
			return protowire.ParseError(n)
		}
		data = data[n:]
		var value []byte
		var fixed uint64
		switch kind {
		case protowire.BytesType:
			value, n = protowire.ConsumeBytes(data)
		case protowire.Fixed64Type:
			fixed, n = protowire.ConsumeFixed64(data)
		default:
			n = protowire.ConsumeFieldValue(number, kind, data)
		}
		if n < 0 {
			return protowire.ParseError(n)
		}
		data = data[n:]
		each(number, value, fixed)
	}
	return nil
}

// bordered adds the runs with the beginning and the end of a word in them. A run begins a word as often as it stands
// anywhere less how often a letter stands before it, and is a word as often as neither does.
func bordered(all counts) counts {
	before, behind, around := counts{}, counts{}, counts{}
	for run, n := range all {
		r := []rune(run)
		k := len(r)
		before[string(r[1:])] += n
		behind[string(r[:k-1])] += n
		if k > 2 {
			around[string(r[1:k-1])] += n
		}
	}
	out := counts{}
	const border = string(table.Border)
	add := func(run string, n int64) {
		if n > 0 {
			out[run] = n
		}
	}
	for run, n := range all {
		out[run] = n
		k := len([]rune(run))
		if k < table.Order {
			add(border+run, n-before[run])
			add(run+border, n-behind[run])
		}
		if k < table.Order-1 {
			add(border+run+border, n-before[run]-behind[run]+around[run])
		}
		if k == 1 {
			out[border] += max(0, n-behind[run]) // the words
		}
	}
	return out
}
