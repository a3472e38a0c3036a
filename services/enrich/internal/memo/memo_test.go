package memo

import (
	"strconv"
	"strings"
	"sync"
	"testing"
)

func TestAValueIsThatOfItsTextWhateverElseIsRemembered(t *testing.T) {
	t.Parallel()
	table := New(4, func(in int, text string) string { return strings.Repeat(text, in) })
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for i := range 1000 { // more than it holds
				for _, text := range []string{"", "often", "w" + strconv.Itoa(i), "a text that is longer than what is remembered: " + strconv.Itoa(i)} {
					for in := range 3 {
						if got := *table.Of(in, text); got != strings.Repeat(text, in) {
							t.Errorf("%q in %d: %q", text, in, got)
							return
						}
					}
				}
			}
		})
	}
	group.Wait()
}

func TestAFunctionIsAskedOnceForWhatComesBack(t *testing.T) {
	t.Parallel()
	asked := 0
	table := New(4, func(string, string) int { asked++; return asked })
	for range 10 {
		table.Of("a", "word")
		table.Of("b", "word")
	}
	if asked != 2 {
		t.Errorf("asked %d times", asked)
	}
}
