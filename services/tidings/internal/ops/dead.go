package ops

import (
	"cmp"
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

// Retry sends a dead letter back to where it came from, and says what became of it.
func (o *Ops) Retry(ctx context.Context, sequence uint64) (string, error) {
	return o.bus.DeadRetry(ctx, sequence)
}

// Drop removes a dead letter for good.
func (o *Ops) Drop(ctx context.Context, sequence uint64) error {
	if _, err := o.bus.DeadRead(ctx, sequence); err != nil {
		return err // the bus would take a wrong number for one that is gone already
	}
	return o.bus.DeadDrop(ctx, sequence)
}

// Outcomes is what became of several objects, and the first error.
type Outcomes struct {
	Done   []Done
	Failed error
}

// Each does something to each dead letter, at most rate of them a second; 0 for as many as can be. Each stands for itself:
// one that fails does not stop the others, but the end of ctx does.
func Each(ctx context.Context, sequences []uint64, rate float64, do func(uint64) (string, error)) Outcomes {
	all := Outcomes{Done: []Done{}}
	var turn <-chan time.Time
	if rate > 0 {
		tick := time.NewTicker(time.Duration(float64(time.Second) / rate))
		defer tick.Stop()
		turn = tick.C
	}
	for i, n := range sequences {
		if i > 0 && turn != nil {
			select {
			case <-turn:
			case <-ctx.Done():
			}
		}
		if ctx.Err() != nil {
			all.Failed = cmp.Or(all.Failed, ctx.Err())
			break
		}
		word, err := do(n)
		d := Done{Sequence: n, Outcome: word}
		if err != nil {
			d.Outcome, d.Error = "failed", err.Error()
			all.Failed = cmp.Or(all.Failed, err)
		}
		all.Done = append(all.Done, d)
	}
	return all
}
