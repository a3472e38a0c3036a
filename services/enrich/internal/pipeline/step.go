package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Step does one thing to a draft.
type Step interface {
	// Name is the step's name in metrics, in the degraded list and on the command line.
	Name() string
	// Run does the work. The same draft gives the same result. It gives up when ctx ends, where it can.
	Run(ctx context.Context, d *Draft) error
	// Degrade fills in what the steps behind need when Run has failed. It is quick and cannot fail.
	Degrade(d *Draft)
}

// Slow is a step that gets more time than others.
type Slow interface {
	// Times is how many budgets the step gets.
	Times() int
}

// Reason says why a step failed. It is part of the public contract: "step:reason" stands in the degraded list.
type Reason string

// The reasons.
const (
	Timeout      Reason = "timeout"
	Panic        Reason = "panic"
	TooLarge     Reason = "too_large"
	TooDeep      Reason = "too_deep"
	TooManyNodes Reason = "too_many_nodes"
	Undecodable  Reason = "undecodable"
	Empty        Reason = "empty"
	Failed       Reason = "failed" // anything else
)

// failure is an error with a reason.
type failure struct {
	reason Reason
	err    error
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// Failf makes an error with a reason.
func Failf(reason Reason, format string, args ...any) error {
	return &failure{reason: reason, err: fmt.Errorf(format, args...)}
}

// ReasonOf returns the reason of a step's error.
func ReasonOf(err error) Reason {
	if f, ok := errors.AsType[*failure](err); ok {
		return f.reason
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return Timeout
	}
	return Failed
}

// Budget bounds the time of steps. The zero value means the defaults.
type Budget struct {
	Step    time.Duration // for one step, 500 ms
	Article time.Duration // for all of them, 2 s
}

func (b Budget) orDefault() Budget {
	if b.Step <= 0 {
		b.Step = 500 * time.Millisecond
	}
	if b.Article <= 0 {
		b.Article = 2 * time.Second
	}
	return b
}
