package rerank

import (
	"testing"
	"time"
)

// Four questions are under way when the fifth in a row fails: that they fail, too, makes the first rest no longer.
func TestWhatWasAskedBeforeTheRestDoesNotProlongIt(t *testing.T) {
	t.Parallel()
	now := time.Unix(0, 0)
	var b breaker
	for range breakAfter + 3 {
		b.begin()
	}
	for range breakAfter + 3 {
		b.failed(now, 0)
	}
	if got := b.until.Sub(now); got != restMin {
		t.Errorf("the first rest is %s", got)
	}
	now = now.Add(restMin)
	b.begin()
	b.failed(now, 0) // the probe
	if got := b.until.Sub(now); got != 2*restMin {
		t.Errorf("the second rest is %s", got)
	}
}
