package pipeline

import (
	"context"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	"time"
)

const (
	// stuckAfter is how long a step may go on after it was given up before it counts as stuck.
	stuckAfter = 30 * time.Second
	// stuckMax is how many stuck steps a process bears: each holds a core for good.
	stuckMax = 2
)

// Observer is told what each step took, why it failed or did its work in part only ("" when neither is so), and the error of
// one that failed.
type Observer func(step string, took time.Duration, reason Reason, err error)

// Runner runs the steps in their order.
type Runner struct {
	steps   []Step
	budget  Budget
	observe Observer
	*hung
}

// hung counts the steps that hang.
type hung struct {
	mu    sync.Mutex
	stuck int
	over  chan struct{}
}

// NewRunner returns a runner. observe may be nil.
func NewRunner(budget Budget, observe Observer, steps ...Step) *Runner {
	if observe == nil {
		observe = func(string, time.Duration, Reason, error) {}
	}
	return &Runner{steps: steps, budget: budget.orDefault(), observe: observe, hung: &hung{over: make(chan struct{})}}
}

// With returns a runner of other steps, with the same budget, that hang on the same account.
func (r *Runner) With(steps ...Step) *Runner {
	return &Runner{steps: steps, budget: r.budget, observe: r.observe, hung: r.hung}
}

// Within returns a runner of the same steps with another budget, that hang on the same account.
func (r *Runner) Within(b Budget) *Runner {
	return &Runner{steps: r.steps, budget: b.orDefault(), observe: r.observe, hung: r.hung}
}

// Stuck is closed once so many steps hang that the process should end and start again: Go cannot stop a goroutine.
func (r *hung) Stuck() <-chan struct{} { return r.over }

// Run carries a draft through all steps. It returns an error only when ctx ended: nothing that a step does stops an
// article.
func (r *Runner) Run(ctx context.Context, d *Draft) error {
	all, cancel := context.WithTimeout(ctx, r.budget.Article)
	defer cancel()
	for _, s := range r.steps {
		start, marks := time.Now(), len(d.Article.Degraded)
		err := r.one(all, s, d)
		if ctx.Err() != nil {
			return fmt.Errorf("enrich article: %w", ctx.Err())
		}
		reason := Reason("")
		if err != nil {
			reason = ReasonOf(err)
			d.Mark(s.Name(), reason)
			degrade(s, d)
		} else if len(d.Article.Degraded) > marks {
			_, why, _ := strings.Cut(d.Article.Degraded[marks], ":")
			reason = Reason(why)
		}
		r.observe(s.Name(), time.Since(start), reason, err)
	}
	return nil
}

// one runs a step on a copy of the draft in a goroutine of its own, and takes the copy over if the step ended well and
// in time. A step that does not is left behind with its copy.
func (r *Runner) one(ctx context.Context, s Step, d *Draft) error {
	times := 1
	if slow, ok := s.(Slow); ok {
		times = slow.Times()
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(times)*r.budget.Step)
	defer cancel()
	mine := *d
	done := make(chan error, 1)
	go func() { done <- guard(s, ctx, &mine) }()
	select {
	case err := <-done:
		if err == nil {
			*d = mine
		}
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-done: // both were ready
		if err == nil {
			*d = mine
		}
		return err
	default:
		r.watch(done)
		return Failf(Timeout, "run step %s: %w", s.Name(), ctx.Err())
	}
}

func guard(s Step, ctx context.Context, d *Draft) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = Failf(Panic, "run step %s: panic: %v\n%s", s.Name(), v, debug.Stack())
		}
	}()
	return s.Run(ctx, d)
}

func degrade(s Step, d *Draft) {
	kept := *d
	defer func() {
		if recover() != nil {
			*d = kept // the reason stands in the list already
		}
	}()
	s.Degrade(d)
}

// watch counts a step that was given up for as long as it is stuck.
func (r *hung) watch(done <-chan error) {
	go func() {
		timer := time.NewTimer(stuckAfter)
		defer timer.Stop()
		select {
		case <-done:
			return
		case <-timer.C:
		}
		r.count(1)
		<-done
		r.count(-1)
	}()
}

func (r *hung) count(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.stuck
	r.stuck += n
	if before < stuckMax && r.stuck >= stuckMax {
		select {
		case <-r.over:
		default:
			close(r.over)
		}
	}
}
