package rerank

import "time"

const (
	// breakAfter is how many questions in a row go without an answer until the model is left alone. From then on one
	// question probes it, first after restMin, and each that fails doubles the rest up to restMax.
	breakAfter = 5
	restMin    = time.Minute
	restMax    = 32 * time.Minute
)

// breaker leaves a model alone that does not answer, so that articles do not wait for it in vain.
type breaker struct {
	failures int       // in a row
	until    time.Time // nothing is asked before
	underway int
}

// closed reports whether a question may be asked now: any, or, once too many failed, one at a time.
func (b *breaker) closed(now time.Time) bool {
	return !now.Before(b.until) && (b.failures < breakAfter || b.underway == 0)
}

func (b *breaker) begin() { b.underway++ }
func (b *breaker) end()   { b.underway-- }

func (b *breaker) succeeded() {
	b.end()
	b.failures, b.until = 0, time.Time{}
}

// failed counts a failure and tells how long the model is left alone: as long as it asked for, or as many before it say.
func (b *breaker) failed(now time.Time, asked time.Duration) (wait time.Duration) {
	b.end()
	if !now.Before(b.until) { // what was asked before the rest began says nothing new
		b.failures++
	}
	if n := b.failures - breakAfter; n >= 0 {
		wait = min(restMin<<min(n, 10), restMax)
	}
	wait = max(wait, asked)
	if until := now.Add(wait); wait > 0 && until.After(b.until) {
		b.until = until
	}
	return wait
}

// budget bounds the questions of any hour.
type budget struct {
	most  int
	times []time.Time // of the questions of the last hour, oldest first
}

func (b *budget) take(now time.Time) bool {
	gone := 0
	for gone < len(b.times) && now.Sub(b.times[gone]) >= time.Hour {
		gone++
	}
	b.times = b.times[gone:]
	if len(b.times) >= b.most {
		return false
	}
	b.times = append(b.times, now)
	return true
}
