package ops

import (
	"context"
	"encoding/json"
	"time"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
)

// Letter is a dead letter with its content.
type Letter struct {
	bus.DeadLetter
	Headers event.Header    `json:"headers"`
	Body    json.RawMessage `json:"body,omitempty"`
	// Text is the body when it is no JSON, as far as it is valid UTF-8.
	Text string `json:"text,omitempty"`
}

// DeadFilter chooses dead letters.
type DeadFilter = bus.DeadFilter

// Dead lists dead letters, oldest first.
func (o *Ops) Dead(ctx context.Context, service, reason string, since time.Time) ([]bus.DeadLetter, error) {
	list, err := o.bus.DeadList(ctx, DeadFilter{Service: service, Reason: reason, Since: since})
	if list == nil {
		list = []bus.DeadLetter{}
	}
	return list, err
}

// DeadLetter returns one with its content.
func (o *Ops) DeadLetter(ctx context.Context, sequence uint64) (Letter, error) {
	d, err := o.bus.DeadRead(ctx, sequence)
	if err != nil {
		return Letter{}, err
	}
	l := Letter{DeadLetter: d, Headers: d.Header}
	if json.Valid(d.Body) {
		l.Body = d.Body
	} else {
		l.Text = string(d.Body)
	}
	return l, nil
}

// Done is what became of one object of a verb that takes several.
type Done struct {
	Sequence uint64 `json:"sequence"`
	Outcome  string `json:"outcome"` // sent, superseded, dropped, failed
	Error    string `json:"error,omitempty"`
}

// Retry sends dead letters back to where they came from. Each stands for itself: one that cannot go back does not stop
// the others.
func (o *Ops) Retry(ctx context.Context, sequences []uint64) (done []Done, failed error) {
	return each(sequences, func(n uint64) (string, error) { return o.bus.DeadRetry(ctx, n) })
}

// Drop removes dead letters for good.
func (o *Ops) Drop(ctx context.Context, sequences []uint64) (done []Done, failed error) {
	return each(sequences, func(n uint64) (string, error) {
		if _, err := o.bus.DeadRead(ctx, n); err != nil {
			return "", err // the bus would take a wrong number for one that is gone already
		}
		return "dropped", o.bus.DeadDrop(ctx, n)
	})
}

// each returns what became of all, and the first error.
func each(sequences []uint64, do func(uint64) (string, error)) (done []Done, failed error) {
	done = []Done{}
	for _, n := range sequences {
		word, err := do(n)
		d := Done{Sequence: n, Outcome: word}
		if err != nil {
			d.Outcome, d.Error = "failed", err.Error()
			if failed == nil {
				failed = err
			}
		}
		done = append(done, d)
	}
	return done, failed
}
