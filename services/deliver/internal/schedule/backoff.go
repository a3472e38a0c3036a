package schedule

import "time"

const (
	firstWait = 30 * time.Second
	maxWait   = 15 * time.Minute
)

// Backoff is the wait after the n-th attempt, n from 1: 30 s doubled each time up to 15 min, spread by a fifth to each
// side so that channels that fail together do not come back together. random is in [0, 1).
func Backoff(n int, random float64) time.Duration {
	wait := maxWait
	if n = max(n, 1); n < 10 { // 2^9 x 30 s is far beyond the maximum already
		wait = min(maxWait, firstWait<<(n-1))
	}
	return Spread(wait, 0.2, random)
}

// Spread returns wait times a factor between 1-by and 1+by. random is in [0, 1).
func Spread(wait time.Duration, by, random float64) time.Duration {
	return time.Duration(float64(wait) * (1 - by + 2*by*random))
}

// BreakAfter is how many failures in a row open a channel's breaker: from then on one row probes.
const BreakAfter = 5
