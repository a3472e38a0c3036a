package run

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"tidings.internal/pkg/fault"
)

// probeLimit bounds one round of probes. With the transport's time it stays below the 2 s of the health verb.
const probeLimit = time.Second

// Status is the state of a process as /readyz tells it.
type Status string

// The states. Ready and Degraded are served with 200, the others with 503.
const (
	Starting Status = "starting"
	Ready    Status = "ready"
	Degraded Status = "degraded"
	NotReady Status = "not_ready"
	Draining Status = "draining"
)

// Serving reports whether a process in this state does its main work.
func (s Status) Serving() bool { return s == Ready || s == Degraded }

// Check is the state of one named check.
type Check struct {
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	// Since is when OK became what it is.
	Since time.Time `json:"since"`
	// Reason and Hint are empty while the check is well.
	Reason string `json:"reason,omitempty"`
	Hint   string `json:"hint,omitempty"`
	// Needed is false for a check whose failure only degrades the process.
	Needed bool `json:"needed"`

	kind fault.Kind
}

// Report is what all checks say at one moment, sorted by name.
type Report struct {
	Status Status  `json:"status"`
	Checks []Check `json:"checks"`
}

// Checks holds what a process needs to do its work. The zero value is ready for use and starting. All methods may be
// called at any time from any goroutine.
type Checks struct {
	mu     sync.Mutex
	phase  Status // Starting, Ready (meaning: ask the probes) or Draining
	probes []probe
	states map[string]Check
	round  uint64 // number of the newest round that was begun
	newest uint64 // number of the newest round whose result was kept
	pulses []*Pulse
}

type probe struct {
	name   string
	needed bool
	run    func(ctx context.Context) error
}

// Add names a check that the process needs: while its probe returns an error the process is not ready. The error's
// text is the reason and its kind gives the hint. Probes are called every few seconds and by every request to
// /readyz, side by side, so they must be cheap, safe for concurrent use, and honour the context. Of two checks with
// the same name both must be well.
func (c *Checks) Add(name string, run func(ctx context.Context) error) { c.add(name, true, run) }

// Degrade names a check whose failure is shown but leaves the process ready.
func (c *Checks) Degrade(name string, run func(ctx context.Context) error) { c.add(name, false, run) }

func (c *Checks) add(name string, needed bool, run func(ctx context.Context) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.probes = append(c.probes, probe{name: name, needed: needed, run: run})
}

// started says that the app runs: from now on the probes decide. drain says that it ends: nothing else counts.
func (c *Checks) started() { c.become(Ready) }
func (c *Checks) drain()   { c.become(Draining) }

// renew forgets the checks of an app that has ended: another one brings its own.
func (c *Checks) renew() {
	c.become(Starting)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.probes, c.states, c.pulses = nil, nil, nil
}

func (c *Checks) become(s Status) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase != Draining {
		c.phase = s
	}
}

// Report asks every probe and returns what they said.
func (c *Checks) Report(ctx context.Context) Report {
	c.mu.Lock()
	probes := slices.Clone(c.probes)
	c.round++
	round := c.round
	c.mu.Unlock()

	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	errs := make([]error, len(probes))
	var wg sync.WaitGroup
	for i, p := range probes {
		wg.Go(func() { errs[i] = Guard("probe "+p.name, func() error { return p.run(ctx) }) })
	}
	wg.Wait()

	found := make(map[string]Check, len(probes))
	for i, p := range probes {
		now := Check{Name: p.name, OK: true, Needed: p.needed}
		if err := errs[i]; err != nil {
			kind := fault.KindOf(err)
			now.OK, now.Reason, now.Hint, now.kind = false, err.Error(), hint(err), kind
		}
		if old, ok := found[p.name]; ok {
			now = worse(old, now)
		}
		found[p.name] = now
	}
	return c.settle(round, found)
}

// hint says what to do about a failed check: what the kind of the error says, unless the reason names a command already.
func hint(err error) string {
	if strings.Contains(err.Error(), "; run \"") {
		return ""
	}
	return fault.KindOf(err).Row().Hint
}

// worse picks the check that matters more of two with one name: a failed one, and of two failed ones a needed one.
func worse(a, b Check) Check {
	switch {
	case a.OK != b.OK && !b.OK, a.OK == b.OK && b.Needed && !a.Needed:
		return b
	default:
		return a
	}
}

// settle keeps what a round found, unless a later round has been quicker, and sums it up.
func (c *Checks) settle(round uint64, found map[string]Check) Report {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	for name, check := range found {
		check.Since = now
		if old, ok := c.states[name]; ok && old.OK == check.OK {
			check.Since = old.Since
		}
		found[name] = check
	}
	if round > c.newest {
		c.newest, c.states = round, found
	}
	r := Report{Status: Ready, Checks: make([]Check, 0, len(found))}
	for _, check := range found {
		r.Checks = append(r.Checks, check)
		switch {
		case !check.OK && check.Needed:
			r.Status = NotReady
		case !check.OK && r.Status == Ready:
			r.Status = Degraded
		}
	}
	slices.SortFunc(r.Checks, func(a, b Check) int { return strings.Compare(a.Name, b.Name) })
	switch c.phase {
	case Ready:
	case Draining:
		r.Status = Draining
	default:
		r.Status = Starting
	}
	return r
}

// Pulse is the sign of life of one main loop.
type Pulse struct {
	name string
	max  time.Duration
	born time.Time
	last atomic.Int64 // nanoseconds since born, on the monotonic clock
}

// Alive names a main loop that calls [Pulse.Tick] at least once within max. When it does not, /healthz answers 503 with
// its name, and whoever watches the process may restart it. The first tick may take max too.
func (c *Checks) Alive(name string, max time.Duration) *Pulse {
	p := &Pulse{name: name, max: max, born: time.Now()}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pulses = append(c.pulses, p)
	return p
}

// Tick says that the loop is alive.
func (p *Pulse) Tick() { p.last.Store(int64(time.Since(p.born))) }

// silence is how long ago the last tick was.
func (p *Pulse) silence() time.Duration { return time.Since(p.born) - time.Duration(p.last.Load()) }

// Loop is a main loop that did not tick in time.
type Loop struct {
	Name string `json:"name"`
	// Silent is how long ago its last tick was, Max how long it may be, in seconds.
	Silent float64 `json:"silent_seconds"`
	Max    float64 `json:"max_seconds"`
}

// Stuck lists the main loops that are overdue, sorted by name.
func (c *Checks) Stuck() []Loop {
	c.mu.Lock()
	defer c.mu.Unlock()
	stuck := []Loop{}
	for _, p := range c.pulses {
		if s := p.silence(); s > p.max {
			stuck = append(stuck, Loop{Name: p.name, Silent: s.Seconds(), Max: p.max.Seconds()})
		}
	}
	slices.SortFunc(stuck, func(a, b Loop) int { return strings.Compare(a.Name, b.Name) })
	return stuck
}
