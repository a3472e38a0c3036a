package bus

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime/debug"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
)

// Delivery is a message that a consumer handed over.
type Delivery struct {
	event.Message
	Stream   string
	Consumer string
	Sequence uint64 // in the stream
	// Deliveries counts how often this message was handed to anyone, this time included.
	Deliveries int
	Time       time.Time // when the stream stored it
}

// Handler takes one message. The kind of its error decides what becomes of the message (package fault); nil means that
// it is done with. A handler must be idempotent: an ack can be lost, and then the message comes again.
type Handler func(ctx context.Context, d *Delivery) error

// Consume says what to consume and how.
type Consume struct {
	Stream   string
	Consumer string
	// Workers is how many handlers run at once; 1 if zero.
	Workers int
	// Deadline bounds one call of the handler; 25 s if zero. The bus tells the broker every 5 s that work goes on.
	Deadline time.Duration
	// While, if set, is asked each second; no message is pulled while it says no.
	While  func(ctx context.Context) bool
	Handle Handler
}

const (
	// heartbeat is how often a running handler is reported to the broker, so that its message is not handed to another.
	heartbeat = event.AckWait / 3
	// shutdownGrace is how long running handlers may go on after a stop.
	shutdownGrace = 10 * time.Second
	// afterShutdown is when a message that was pulled but not handled may go to another replica.
	afterShutdown = time.Second
	deadline      = 25 * time.Second
)

// Consume hands the messages of a durable consumer to a handler until ctx ends, then stops pulling, lets running
// handlers finish, and returns nil. A missing or deleted consumer and a broker that is away are waited for: the
// process is ready again when they are.
func (b *Bus) Consume(ctx context.Context, c Consume) error {
	if c.Workers == 0 {
		c.Workers = 1
	}
	if c.Deadline == 0 {
		c.Deadline = deadline
	}
	wait := 100 * time.Millisecond
	for ctx.Err() == nil {
		started := time.Now()
		err := b.consumeOnce(ctx, c)
		if err != nil && ctx.Err() == nil {
			b.log.Warn("stopped consuming for now", "stream", c.Stream, "consumer", c.Consumer, "retry_in", wait, "err", err)
		}
		if time.Since(started) > time.Minute {
			wait = 100 * time.Millisecond
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
			wait = min(2*wait, 5*time.Second)
		}
	}
	return nil
}

// consumeOnce binds to the consumer and works until ctx ends, the gate closes, or the consumer goes away.
func (b *Bus) consumeOnce(ctx context.Context, c Consume) error {
	if !b.awaitGate(ctx, c) {
		return nil
	}
	consumer, err := b.js.Consumer(ctx, c.Stream, c.Consumer)
	if err != nil {
		return classify(err, "bind consumer %s of %s", c.Consumer, c.Stream)
	}
	w := &worker{bus: b, Consume: c}
	if text := consumer.CachedInfo().Config.Metadata[event.MetaAttempts]; text != "" {
		if w.attempts, err = strconv.Atoi(text); err != nil {
			return fault.Errorf(fault.Internal, "bind consumer %s of %s: its metadata says %q attempts", c.Consumer, c.Stream, text)
		}
	}
	jobs := make(chan jetstream.Msg)
	var pool sync.WaitGroup
	handling, release := graceful(ctx, shutdownGrace)
	defer release()
	for range c.Workers {
		pool.Go(func() {
			for m := range jobs {
				w.work(ctx, handling, m)
			}
		})
	}
	// Twice as many messages as workers are pulled ahead. The time for an ack runs from the delivery, not from the
	// start of the handler, so a larger window would have messages expire in our own queue.
	cc, err := consumer.Consume(func(m jetstream.Msg) { jobs <- m }, jetstream.PullMaxMessages(2*c.Workers),
		jetstream.ConsumeErrHandler(func(_ jetstream.ConsumeContext, err error) {
			b.log.Debug("heard of an error while consuming", "consumer", c.Consumer, "err", err)
		}))
	if err != nil {
		close(jobs)
		pool.Wait()
		return classify(err, "consume %s of %s", c.Consumer, c.Stream)
	}
	gone := b.superviseConsumer(ctx, c, cc)
	cc.Drain()
	<-cc.Closed() // after this no callback runs, so the channel can be closed
	close(jobs)
	pool.Wait()
	return gone
}

// superviseConsumer waits for the reason to stop pulling. A deleted consumer ends the subscription for good.
func (b *Bus) superviseConsumer(ctx context.Context, c Consume, cc jetstream.ConsumeContext) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-cc.Closed():
			return fault.Errorf(fault.Unreachable, "consumer %s of %s has gone", c.Consumer, c.Stream)
		case <-tick.C:
			if c.While != nil && !c.While(ctx) {
				return nil
			}
		}
	}
}

func (b *Bus) awaitGate(ctx context.Context, c Consume) bool {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for c.While != nil && !c.While(ctx) {
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
	}
	return ctx.Err() == nil
}

// graceful returns a context that ends some time after ctx did, so that work under way can finish.
func graceful(ctx context.Context, grace time.Duration) (context.Context, func()) {
	later, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(grace)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel()
		case <-later.Done():
		}
	})
	return later, func() { stop(); cancel() }
}

type worker struct {
	bus *Bus
	Consume
	attempts int // 0: without end
}

// work handles one message and says what becomes of it. handling outlives ctx by the grace of a stop.
func (w *worker) work(ctx, handling context.Context, m jetstream.Msg) {
	meta, err := m.Metadata()
	if err != nil {
		w.bus.log.Error("read a delivery without metadata", "consumer", w.Consumer, "err", err)
		return
	}
	if ctx.Err() != nil { // pulled, but the stop came first: another replica may have it
		w.answer(m, m.NakWithDelay(afterShutdown))
		return
	}
	d := &Delivery{
		Message: event.Message{Subject: m.Subject(), Header: event.Header(m.Headers()), Body: m.Data()},
		Stream:  meta.Stream, Consumer: meta.Consumer, Sequence: meta.Sequence.Stream,
		Deliveries: int(meta.NumDelivered), Time: meta.Timestamp,
	}
	start := time.Now()
	err = w.call(handling, m, d)
	w.settle(handling, m, d, err, time.Since(start))
}

// call runs the handler under its deadline, reports to the broker that work goes on, and turns a panic into an error.
func (w *worker) call(ctx context.Context, m jetstream.Msg, d *Delivery) (err error) {
	ctx, cancel := context.WithTimeout(ctx, w.Deadline)
	defer cancel()
	var alive sync.WaitGroup
	alive.Go(func() {
		tick := time.NewTicker(heartbeat)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				w.answer(m, m.InProgress())
			}
		}
	})
	defer alive.Wait()
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			w.bus.log.Error("recovered a panic in a handler", "consumer", w.Consumer, "subject", d.Subject, "err", p, "stack", string(debug.Stack()))
			err = fault.Errorf(fault.Internal, "handler panicked: %v", p)
		}
	}()
	err = w.Handle(ctx, d)
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) && errors.Is(err, context.DeadlineExceeded) {
		err = fault.Errorf(fault.Internal, "handler took longer than %v: %w", w.Deadline, err)
	}
	return err
}

// settle gives the verdict. Whatever is sent here may be lost with the process: then the broker hands the message out
// again after AckWait, and the handler finds its own work done.
func (w *worker) settle(ctx context.Context, m jetstream.Msg, d *Delivery, err error, took time.Duration) {
	if errors.Is(err, context.Canceled) { // a stop, no fault
		w.answer(m, m.NakWithDelay(afterShutdown))
		return
	}
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

// EnsureConsumer makes a durable consumer unless it exists with these settings. It reports whether it made one.
func (b *Bus) EnsureConsumer(ctx context.Context, c event.Consumer) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, ackWait)
	defer cancel()
	_, err := b.js.Consumer(ctx, c.Stream, c.Name)
	if err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
		return false, classify(err, "look for consumer %s of %s", c.Name, c.Stream)
	}
	made := err != nil
	if _, err := b.js.CreateOrUpdateConsumer(ctx, c.Stream, consumerConfig(c)); err != nil {
		return false, classify(err, "make consumer %s of %s", c.Name, c.Stream)
	}
	return made, nil
}

// DropConsumer removes a durable consumer. One that does not exist is no error.
func (b *Bus) DropConsumer(ctx context.Context, stream, name string) error {
	err := b.js.DeleteConsumer(ctx, stream, name)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		return nil
	}
	return classify(err, "drop consumer %s of %s", name, stream)
}

func consumerConfig(c event.Consumer) jetstream.ConsumerConfig {
	return jetstream.ConsumerConfig{
		Durable: c.Name, Description: c.About, FilterSubject: c.Filter, FilterSubjects: c.Filters,
		AckPolicy: jetstream.AckExplicitPolicy, DeliverPolicy: jetstream.DeliverAllPolicy, ReplayPolicy: jetstream.ReplayInstantPolicy,
		MaxDeliver: c.MaxDeliver, MaxAckPending: c.MaxAckPending, AckWait: c.AckWait, Replicas: c.Replicas,
		Metadata: map[string]string{event.MetaTopology: strconv.Itoa(event.TopologyNumber), event.MetaAttempts: strconv.Itoa(c.Attempts)},
	}
}
