package schedule

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tidings.internal/pkg/web"
)

// hostBook is what a host sees of its visitors.
type hostBook struct {
	mu      sync.Mutex
	running int
	last    time.Time
	closed  time.Time // until when it asked to be left alone
	asked   int
	faults  []string
}

// enter writes down a request that starts.
func (h *hostBook) enter(id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	if h.running++; h.running > 1 {
		h.faults = append(h.faults, fmt.Sprintf("%s is the %d. request at once", id, h.running))
	}
	if gap := now.Sub(h.last); gap < time.Second {
		h.faults = append(h.faults, fmt.Sprintf("%s comes %v after the one before", id, gap))
	}
	if now.Before(h.closed) {
		h.faults = append(h.faults, fmt.Sprintf("%s comes %v before the host may be asked again", id, h.closed.Sub(now)))
	}
	h.last, h.asked = now, h.asked+1
}

func (h *hostBook) leave() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.running--
}

// A day of 1,000 sources on 100 hosts of very different size: no host sees two requests at once, or two within a
// second, or one before the end of the time for which it asked to be left alone.
func TestDayOfAThousandSourcesIsPolite(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const sources, hosts, limited = 1000, 100, 7
		gate := web.NewGate(web.GateConfig{})
		books := map[string]*hostBook{}
		for n := range hosts {
			books[fmt.Sprint("h", n, ":443")] = &hostBook{}
		}
		var mu sync.Mutex
		polls := map[string]uint64{}
		r := run(t, gate, 16, 64, always, func(j Job) (took, every time.Duration) {
			book := books[j.Host]
			book.enter(j.ID)
			mu.Lock()
			polls[j.ID]++
			n := polls[j.ID]
			mu.Unlock()
			release := j.Release
			took = time.Duration(10+n%7*300) * time.Millisecond
			time.AfterFunc(took, func() { book.leave(); release() })
			every = Jitter(Interval(30*time.Minute, float64(n%5)/4), j.ID, n)
			if j.ID[1]%limited == 0 && n%9 == 3 { // it answers 429 with Retry-After, and the next success is far away
				wait := time.Duration(20+n) * time.Minute
				gate.Block(j.Host, time.Now().Add(took+wait))
				book.mu.Lock()
				book.closed = time.Now().Add(took + wait)
				book.mu.Unlock()
				every = max(every, wait)
			}
			return took, every
		})
		for n := range sources {
			// A tenth of the hosts has most of the sources.
			host := n % hosts
			if n%3 > 0 {
				host = n % 10
			}
			r.queue.Set(fmt.Sprint("s", n), fmt.Sprint("h", host, ":443"), time.Now().Add(Spread(n, sources, 1)))
		}
		time.Sleep(24 * time.Hour)
		total := 0
		for name, book := range books {
			book.mu.Lock()
			total += book.asked
			if len(book.faults) > 0 {
				t.Errorf("%s: %d faults in %d requests, the first: %s", name, len(book.faults), book.asked, book.faults[0])
			}
			book.mu.Unlock()
		}
		mu.Lock()
		defer mu.Unlock()
		if len(polls) != sources || total < 20*sources {
			t.Errorf("%d sources were polled %d times, want all of them 20 times and more", len(polls), total)
		}
		for id, n := range polls {
			if n < 5 {
				t.Errorf("%s was polled %d times in a day", id, n)
			}
		}
	})
}

// arrivals makes the times at which a source has something new: as a Poisson process, or one that sleeps at night.
func arrivals(rng *rand.Rand, perDay float64, diurnal bool, begin time.Time, days int) []time.Time {
	var list []time.Time
	at, end := begin, begin.Add(time.Duration(days)*day)
	peak := perDay
	if diurnal {
		peak = 2 * perDay // all of it within twelve hours
	}
	for {
		at = at.Add(time.Duration(rng.ExpFloat64() / peak * float64(day)))
		if !at.Before(end) {
			return list
		}
		if hour := at.Hour(); !diurnal || hour >= 8 && hour < 20 {
			list = append(list, at)
		}
	}
}

// watch polls a source for some days and gives how often, and how long each of its news waited to be seen. next gives
// the wait after a poll that knows these times of news, newest last.
func watch(news []time.Time, begin time.Time, warm, days int, next func(seen []time.Time, now time.Time, poll uint64) time.Duration) (polls int, delays []time.Duration) {
	var seen []time.Time
	now, end, counted := begin, begin.Add(time.Duration(days)*day), begin.Add(time.Duration(warm)*day)
	for poll := uint64(1); now.Before(end); poll++ {
		if !now.Before(counted) {
			polls++
		}
		for len(news) > 0 && !news[0].After(now) {
			if !news[0].Before(counted) {
				delays = append(delays, now.Sub(news[0]))
			}
			seen, news = append(seen, now), news[1:] // first seen is when the poll was, not when it was written
		}
		now = now.Add(next(seen[max(0, len(seen)-100):], now, poll))
	}
	return polls, delays
}

// compare polls 1,000 sources by their own rhythm, and then the same at a fixed interval that costs as many requests.
// It gives the ratio of the mean delays, the mean delay by rhythm, and how often a dead source is asked a day.
func compare() (ratio float64, mean time.Duration, dead float64) {
	const (
		sources, warm, days = 1000, 14, 21
		least, most         = 0.05, 100. // items a day: from one in three weeks to one each quarter of an hour
	)
	begin := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	rng := rand.New(rand.NewPCG(5, 7))
	news := make([][]time.Time, sources)
	for n := range news {
		perDay := least * math.Pow(most/least, rng.Float64())
		news[n] = arrivals(rng, perDay, n%2 == 1, begin, days)
	}
	sum := func(list []time.Duration) (s time.Duration) {
		for _, d := range list {
			s += d
		}
		return s
	}
	measure := func(next func(id string) func([]time.Time, time.Time, uint64) time.Duration) (polls int, mean float64) {
		var total time.Duration
		count := 0
		for n := range news {
			p, delays := watch(news[n], begin, warm, days, next(fmt.Sprint("s", n)))
			polls, total, count = polls+p, total+sum(delays), count+len(delays)
		}
		return polls, float64(total) / float64(count)
	}
	adaptive := func(id string) func([]time.Time, time.Time, uint64) time.Duration {
		return func(seen []time.Time, now time.Time, poll uint64) time.Duration {
			return Jitter(Interval(Base(seen, begin, now), 0), id, poll)
		}
	}
	polls, own := measure(adaptive)
	every := time.Duration((days - warm) * sources * int(day) / polls)
	_, fixed := measure(func(id string) func([]time.Time, time.Time, uint64) time.Duration {
		return func(_ []time.Time, _ time.Time, poll uint64) time.Duration { return Jitter(every, id, poll) }
	})
	old := slices.Repeat([]time.Time{begin}, 3)
	for n := range old {
		old[n] = begin.Add(-time.Duration(60+n) * day)
	}
	dormant, _ := watch(nil, begin, 0, days, func(_ []time.Time, now time.Time, poll uint64) time.Duration {
		return Jitter(Interval(Base(old, begin, now), 0), "dead", poll)
	})
	return own / fixed, time.Duration(own), float64(dormant) / days
}

// The rhythm is worth its code only if news arrive much sooner than at a fixed interval of the same cost.
func TestRhythmBeatsAFixedIntervalOfTheSameCost(t *testing.T) {
	t.Parallel()
	ratio, mean, dead := compare()
	if ratio > 0.6 || dead > 1.2 { // the jitter shortens a day to 21.6 hours at times
		t.Errorf("news wait %v, %.2f of a fixed interval of the same cost (want 0.6); a dead source is asked %.2f times a day", mean, ratio, dead)
	}
}

// BenchmarkRhythm prints what the test holds to.
func BenchmarkRhythm(b *testing.B) {
	for b.Loop() {
		ratio, mean, dead := compare()
		b.ReportMetric(ratio, "delay-ratio")
		b.ReportMetric(mean.Minutes(), "delay-min")
		b.ReportMetric(dead, "dead-polls/day")
	}
}
