package schedule

import (
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// MinBase and MaxBase bound what a source's own rhythm may ask for.
	MinBase = 5 * time.Minute
	MaxBase = MaxInterval
	// fewBase is the base of a source of which fewer than FewTimes times are known: it has no rhythm yet.
	fewBase  = 30 * time.Minute
	FewTimes = 3
	// Rhythm is how many of the latest times the rhythm is taken from.
	Rhythm = 20
	day    = 24 * time.Hour
)

// quiet lists how long a source without a new item is left alone at least, longest silence first.
var quiet = []struct{ silence, least time.Duration }{{30 * day, MaxBase}, {14 * day, 6 * time.Hour}, {7 * day, 3 * time.Hour}}

// Base gives the interval that follows from when items came, by the median of the gaps between the latest distinct times
// and by how long it has been quiet. since stands for the time of the latest item when there was never one.
func Base(times []time.Time, since, now time.Time) time.Duration {
	latest := distinct(times)
	base := fewBase
	if len(latest) >= FewTimes {
		gaps := make([]time.Duration, len(latest)-1)
		for i := range gaps {
			gaps[i] = latest[i].Sub(latest[i+1])
		}
		base = min(max(between(max(median(gaps), now.Sub(latest[0])/patience)), MinBase), MaxBase)
	}
	last := since
	if len(latest) > 0 {
		last = latest[0]
	}
	if last.IsZero() {
		return base
	}
	for _, q := range quiet {
		if now.Sub(last) >= q.silence {
			return max(base, q.least)
		}
	}
	return base
}

// reach is the gap between items at which a source is polled once a gap: one with more is polled less often than it has
// news, one with fewer more often.
const reach = 8 * time.Minute

// patience is how many usual gaps a silence lasts before it counts as a longer gap: at night, or when a source dries up.
const patience = 4

// between gives the interval for a gap between items. Of all ways to spend a number of polls on sources, news wait least
// together when the interval grows as the square root of the gap (the least of the sum of rate x interval under a fixed
// sum of 1 / interval). In proportion to the gap they would wait as long as at one fixed interval for all, since the
// busy sources would take the polls that the others lack.
func between(gap time.Duration) time.Duration {
	return time.Duration(math.Sqrt(float64(max(gap, 0)) * float64(reach))).Round(time.Second)
}

// distinct gives the latest different times, newest first.
func distinct(times []time.Time) []time.Time {
	list := slices.Clone(times)
	slices.SortFunc(list, func(a, b time.Time) int { return b.Compare(a) })
	list = slices.CompactFunc(list, time.Time.Equal)
	return list[:min(len(list), Rhythm)]
}

func median(list []time.Duration) time.Duration {
	slices.Sort(list)
	n := len(list)
	return (list[(n-1)/2] + list[n/2]) / 2
}

// Hints are what a publisher says about when to come again. They lengthen a wait and never shorten one.
type Hints struct {
	// TTL is what the document asks for, Fresh what the answer's header said; both are at most a day.
	TTL   time.Duration `json:"ttl,omitempty"`
	Fresh time.Duration `json:"fresh,omitempty"`
	// SkipHours of the day and SkipDays are in GMT.
	SkipHours []int          `json:"skip_hours,omitempty"`
	SkipDays  []time.Weekday `json:"skip_days,omitempty"`
}

// Floor is the least interval.
func (h Hints) Floor() time.Duration { return min(max(h.TTL, h.Fresh, 0), MaxInterval) }

// Allowed gives the first time from at on that lies in no hour and on no day that is to be skipped. Hints that leave no
// hour of the week are no hints.
func (h Hints) Allowed(at time.Time) time.Time {
	if len(h.SkipHours) == 0 && len(h.SkipDays) == 0 {
		return at
	}
	try := at.UTC()
	for range 8 * 24 {
		if !slices.Contains(h.SkipHours, try.Hour()) && !slices.Contains(h.SkipDays, try.Weekday()) {
			return try
		}
		try = try.Truncate(time.Hour).Add(time.Hour)
	}
	return at
}

// Fresh tells how long an answer says that it holds: max-age less Age, or Expires less Date, the longer of the two (RFC
// 9111 section 4.2). One that must not be stored says nothing.
func Fresh(h http.Header, now time.Time) time.Duration {
	var fresh time.Duration
	for directive := range strings.SplitSeq(strings.ToLower(strings.Join(h.Values("Cache-Control"), ",")), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		switch name {
		case "no-store", "no-cache":
			return 0
		case "max-age":
			fresh = max(fresh, seconds(strings.Trim(value, `"`))-seconds(h.Get("Age")))
		}
	}
	if expires, err := http.ParseTime(h.Get("Expires")); err == nil {
		date, err := http.ParseTime(h.Get("Date"))
		if err != nil {
			date = now
		}
		fresh = max(fresh, expires.Sub(date))
	}
	return min(max(fresh, 0), MaxInterval)
}

// seconds reads a number of seconds; what is none, or absurd, is as good as it gets: zero, or ten years.
func seconds(text string) time.Duration {
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return time.Duration(min(n, 10*366*24*3600)) * time.Second
}
