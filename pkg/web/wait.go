package web

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"tidings.internal/pkg/fault"
)

const (
	// MinWait and MaxWait bound the wait of a sender. A reader may be told to come back at once, so [RetryAfter] has no
	// lower bound.
	MinWait = time.Second
	MaxWait = 24 * time.Hour
)

// RetryAfter reads the Retry-After headers of an answer: seconds, or a date in any of the three forms of RFC 9110
// section 5.6.7, counted from the answer's own Date, else from now. Of several the greatest counts, what cannot be read
// is left out. The wait is clamped to [0, MaxWait]; ok is false when there is none.
func RetryAfter(h http.Header, now time.Time) (wait time.Duration, ok bool) {
	now = dateOf(h, now)
	var w longest
	for _, v := range values(h, "Retry-After") {
		if d, ok := seconds(v); ok {
			w.add(d)
		} else if at, err := http.ParseTime(v); err == nil {
			w.add(at.Sub(now))
		}
	}
	return min(max(w.d, 0), MaxWait), w.ok
}

// Wait reads every header by which a host asks a sender to wait and gives the greatest: those of [RetryAfter],
// X-RateLimit-Reset as seconds since 1970 (from 10^9 on), as a number of seconds or as an RFC 3339 time, and
// X-RateLimit-Reset-After. The wait is clamped to [MinWait, MaxWait]; ok is false when there is none.
func Wait(h http.Header, now time.Time) (wait time.Duration, ok bool) {
	now = dateOf(h, now)
	var w longest
	if d, ok := RetryAfter(h, now); ok {
		w.add(d)
	}
	for _, v := range values(h, "X-Ratelimit-Reset") {
		if at, err := time.Parse(time.RFC3339, v); err == nil {
			w.add(at.Sub(now))
		} else if d, ok := seconds(v); !ok {
			continue
		} else if d >= epoch {
			w.add(d - time.Duration(now.Unix())*time.Second)
		} else {
			w.add(d)
		}
	}
	for _, v := range values(h, "X-Ratelimit-Reset-After") {
		if d, ok := seconds(v); ok {
			w.add(d)
		}
	}
	if !w.ok {
		return 0, false
	}
	return ClampWait(w.d), true
}

// ClampWait bounds a wait that a sender found elsewhere, in a body, to [MinWait, MaxWait].
func ClampWait(d time.Duration) time.Duration { return min(max(d, MinWait), MaxWait) }

// epoch is the number of seconds from which a reset is a time since 1970 and not a distance: September 2001.
const epoch = 1_000_000_000 * time.Second

// longest keeps the greatest of the waits given to it.
type longest struct {
	d  time.Duration
	ok bool
}

func (l *longest) add(d time.Duration) {
	if !l.ok || d > l.d {
		l.d, l.ok = d, true
	}
}

// seconds reads a plain decimal number, with a fraction or without. Anything a float parser takes beyond that (signs,
// exponents, infinities, hexadecimal) is garbage here.
func seconds(v string) (time.Duration, bool) {
	if v == "" || strings.Trim(v, "0123456789.") != "" {
		return 0, false
	}
	f, err := strconv.ParseFloat(v, 64)
	if err != nil && !math.IsInf(f, 1) {
		return 0, false
	}
	const most = math.MaxInt64 / int64(time.Second) / 2
	if f > float64(most) {
		return time.Duration(most) * time.Second, true
	}
	return time.Duration(f * float64(time.Second)).Round(time.Millisecond), true // a float of this size is good to a microsecond
}

// values lists the values of a header. Doubled headers are common and sometimes joined by a comma on the way, which is
// taken apart for numbers only, as dates hold one themselves.
func values(h http.Header, name string) []string {
	var list []string
	for _, line := range h.Values(name) {
		line = strings.TrimSpace(line)
		if strings.Trim(line, "0123456789., \t") != "" {
			list = append(list, line)
			continue
		}
		for v := range strings.SplitSeq(line, ",") {
			list = append(list, strings.TrimSpace(v))
		}
	}
	return list
}

// dateOf gives the time on the clock of the host, else now.
func dateOf(h http.Header, now time.Time) time.Time {
	if at, err := http.ParseTime(h.Get("Date")); err == nil {
		return at
	}
	return now
}

// waitOf decides when the headers of an answer mean a wait: always when it is throttled, by Retry-After for any other
// failure, and after a success that used the last of an allowance. Many hosts send X-RateLimit-Reset on every answer.
func waitOf(a *Answer, now time.Time) time.Duration {
	kind := KindOfStatus(a.Status, true)
	var d time.Duration
	switch {
	case kind == fault.Throttled, kind == "" && a.Header.Get("X-Ratelimit-Remaining") == "0":
		d, _ = Wait(a.Header, now)
	case kind != "":
		if after, ok := RetryAfter(a.Header, now); ok {
			d = ClampWait(after)
		}
	}
	return d
}
