package memo

import (
	"strconv"
	"strings"
	"sync"
	"testing"
)

func TestAValueIsThatOfItsTextWhateverElseIsRemembered(t *testing.T) {
	t.Parallel()
	table := New(strings.ToUpper)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for i := range 5 * slots { // more than it holds
				for _, text := range []string{"", "often", "w" + strconv.Itoa(i), "a text that is longer than what is remembered: " + strconv.Itoa(i)} {
					if got := *table.Of(text); got != strings.ToUpper(text) {
						t.Errorf("%q: %q", text, got)
						return
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
	table := New(func(string) int { asked++; return asked })
	for range 10 {
		table.Of("word")
	}
	if asked != 1 {
		t.Errorf("asked %d times", asked)
	}
}
