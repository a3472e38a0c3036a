package bus

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tidings.internal/pkg/fault"
)

// late says of a time-out that it was the handler's own.
func (w *worker) late(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) && errors.Is(err, context.DeadlineExceeded) {
		return fault.Errorf(fault.Internal, "handler took longer than %v: %w", w.Deadline, err)
	}
	return err
}

// guarded calls the handler and turns a panic into an error.
func (w *worker) guarded(ctx context.Context, d *Delivery) (err error) {
	defer func() {
		if p := recover(); p != nil {
			w.bus.log.Error("recovered a panic in a handler", "consumer", w.Consumer, "subject", d.Subject, "err", p, "stack", string(debug.Stack()))
			err = fault.Errorf(fault.Internal, "handler panicked: %v", p)
		}
	}()
	return w.Handle(ctx, d)
}

// settle gives the verdict. Whatever is sent here may be lost with the process: then the broker hands the message out
// again after AckWait, and the handler finds its own work done.
func (w *worker) settle(ctx context.Context, j *job, err error) {
	m, d := j.msg, j.delivery
	took := time.Since(j.start)
	kind := fault.KindOf(err)
	verdict := "ack"
	switch v, delay := decide(err, d.Deliveries, w.attempts); v {
	case fault.Ack:
		w.answer(m, m.Ack())
	case fault.DeadLetter:
		verdict = w.bury(ctx, m, d, err)
	default:
		verdict = "retry"
		w.bus.log.Debug("gave a message back", "consumer", w.Consumer, "subject", d.Subject, "attempt", d.Deliveries, "retry_in", delay, "kind", kind, "err", err)
		w.answer(m, m.NakWithDelay(delay))
	}
	w.bus.observe.Handled(w.bus.service, w.Consumer, verdict, string(kind), took)
}

// decide turns an error into a verdict and a delay. There is never a nak without a delay: the broker would hand the
// message out again at once, and once more, until its deliveries are used up.
func decide(err error, deliveries, attempts int) (fault.Verdict, time.Duration) {
	if err == nil {
		return fault.Ack, 0
	}
	verdict := fault.KindOf(err).Row().Verdict
	if verdict == fault.Ack || verdict == fault.DeadLetter {
		return verdict, 0
	}
	if attempts > 0 && deliveries >= attempts {
		return fault.DeadLetter, 0
	}
	switch verdict {
	case fault.Soon:
		return verdict, fault.SoonAfter
	case fault.Wait:
		if after := fault.After(err); after > 0 {
			return verdict, min(after, fault.LongAfter)
		}
		return verdict, fault.LongAfter
	default:
		return fault.Backoff, backoff(deliveries)
	}
}

// backoff is 1 s, 4 s, 16 s, 64 s and then 2 min, each within a fifth.
func backoff(deliveries int) time.Duration {
	wait := fault.LongAfter
	if n := max(deliveries-1, 0); n < 4 {
		wait = time.Second << (2 * n)
	}
	return time.Duration(float64(wait) * (0.8 + 0.4*rand.Float64()))
}

func (w *worker) answer(m jetstream.Msg, err error) {
	if err != nil {
		// Not answered: the broker hands the message out again after AckWait.
		w.bus.log.Debug("could not answer the broker", "consumer", w.Consumer, "subject", m.Subject(), "err", err)
	}
}

// bury writes the dead letter and only then takes the message out of the way.
func (w *worker) bury(ctx context.Context, m jetstream.Msg, d *Delivery, cause error) string {
	reason, err := w.bus.writeDeadLetter(ctx, d, cause)
	if err != nil {
		w.bus.log.Error("could not write a dead letter", "subject", d.Subject, "err", err)
		w.answer(m, m.NakWithDelay(backoff(d.Deliveries)))
		return "retry"
	}
	w.bus.log.Warn("put a message aside as a dead letter", "consumer", w.Consumer, "subject", d.Subject, "attempt", d.Deliveries, "kind", fault.KindOf(cause), "reason", reason, "err", cause)
	// A crash before this line makes no second letter: its message id names the stream and sequence.
	w.answer(m, m.TermWithReason(reason))
	return "dead"
}
