// Package schedule decides when a source is polled: the interval, how failures stretch it, how jitter spreads it, and
// the queue that hands out what is due, a host at a time.
//
// It knows the clock it is given and the gate of package web; it fetches nothing and stores nothing.
package schedule

import (
	"hash/fnv"
	"math"
	"math/rand/v2"
	"time"
)

const (
	// MaxInterval is the longest wait after failures, unless the operator wants a longer interval anyway.
	MaxInterval = 24 * time.Hour
	// DormantInterval is the wait of a source that failed for months. It is never given up.
	DormantInterval = 30 * 24 * time.Hour
	// FailingWeight and DormantWeight are the sums of error weights from which a source is called so.
	FailingWeight = 2
	DormantWeight = 30
	// OursWait is how soon a poll is tried again that failed for a reason of our own.
	OursWait = 5 * time.Second
	// maxSpread and spreadEach bound how overdue sources are spread at the start.
	maxSpread  = 10 * time.Minute
	spreadEach = 60 * time.Millisecond
)

// Interval stretches an interval by the failures since the last success: it doubles with each whole unit of weight.
func Interval(every time.Duration, weight float64) time.Duration {
	if weight >= DormantWeight {
		return DormantInterval
	}
	most := max(every, MaxInterval)
	doubled := float64(every) * math.Exp2(math.Floor(weight))
	if doubled >= float64(most) {
		return most
	}
	return time.Duration(doubled)
}

// Jitter varies an interval by up to a tenth, so that sources polled together drift apart. The same source and poll give
// the same result.
func Jitter(d time.Duration, id string, poll uint64) time.Duration {
	return time.Duration(float64(d) * (0.9 + 0.2*unit(id, poll)))
}

// Spread gives the time at which the nth of so many overdue sources of one shard starts, most overdue first, where so
// many shards are taken over together.
func Spread(n, of, shards int) time.Duration {
	if of <= 1 {
		return 0
	}
	window := min(maxSpread, time.Duration(of*max(shards, 1))*spreadEach)
	return window * time.Duration(n) / time.Duration(of)
}

// Apart sets sources apart that are added one by one but together, as an import does: the first starts at once, the others
// as far apart as those that are overdue at a start, and after ten minutes among the first.
type Apart struct{ next time.Time }

// Place gives the start of one more source.
func (a *Apart) Place(now time.Time) time.Time {
	at := a.next
	if at.Before(now) || at.Sub(now) >= maxSpread {
		at = now
	}
	a.next = at.Add(spreadEach)
	return at
}

// unit gives a number in [0, 1) that depends on source and poll alone.
func unit(id string, poll uint64) float64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(id)) // hash.Hash never fails
	return rand.New(rand.NewPCG(h.Sum64(), poll)).Float64()
}
