package table

import (
	"strings"
	"testing"
)

func made(t *testing.T) *Table {
	t.Helper()
	runs := []string{"a", "b", "ab", "_a", "b_", "_ab_"}
	rows := [][]byte{{1, 0}, {2, 0}, {0, 4}, {8, 0}, {0, 16}, {0, 32}}
	data, err := Encode([]string{"de", "en"}, runs, rows)
	if err != nil {
		t.Fatal(err)
	}
	table, err := Open(string(data))
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func TestTheLongestRunCounts(t *testing.T) {
	t.Parallel()
	table := made(t)
	for word, want := range map[string][2]int{
		"a":   {8, 0},      // "_a"; no language knows of its end
		"ab":  {8, 4 + 32}, // "_a", "ab" for want of "_ab", "_ab_"
		"bab": {3, 4 + 16}, // "b", "a" for want of "ba", "ab", "b_"
		"xy":  {0, 0},      // letters of no language say nothing
		"":    {0, 0},
	} {
		sum := make([]int, 2)
		table.Add(sum, word)
		if sum[0] != want[0] || sum[1] != want[1] {
			t.Errorf("%q: %v, want %v", word, sum, want)
		}
	}
}

func TestAWordOfAnyLengthIsRead(t *testing.T) {
	t.Parallel()
	sum := make([]int, 2)
	made(t).Add(sum, strings.Repeat("ab", 1<<20))
	if want := 8 + (maxLetters/2-1)*1; sum[0] != want {
		t.Errorf("the first language costs %d, want %d: what stands behind %d letters counts", sum[0], want, maxLetters)
	}
}

func TestWhatIsNoTableIsRefused(t *testing.T) {
	t.Parallel()
	data, err := Encode([]string{"de", "en"}, []string{"a"}, [][]byte{{1, 0}})
	if err != nil {
		t.Fatal(err)
	}
	whole := string(data)
	for name, s := range map[string]string{
		"nothing": "", "another version": "letters 0" + whole[len(magic):], "no languages": magic + ": \n" + strings.Repeat("\x00", buckets),
		"cut": whole[:len(whole)-1], "too long": whole + "x", "cut head": whole[:100],
	} {
		if _, err := Open(s); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := Encode([]string{"de", "en"}, []string{"a"}, [][]byte{{1}}); err == nil {
		t.Error("a row without a value for each language: no error")
	}
}

// FuzzOpen: whatever is read as a table, no word makes it look outside. The counts of the buckets but one are zero: a fuzzer
// would spend its time on them.
func FuzzOpen(f *testing.F) {
	f.Add("letters 1: de en", uint16(7), byte(1), "mmrr", "aha")
	f.Fuzz(func(t *testing.T, head string, bucket uint16, count byte, rows, word string) {
		counts := make([]byte, buckets)
		counts[bucket] = count
		table, err := Open(head + "\n" + string(counts) + rows)
		if err != nil {
			return
		}
		table.Add(make([]int, len(table.Languages())), word)
	})
}
