package bus

import (
	"context"
	"errors"
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
	While func(ctx context.Context) bool
	// Each, if set, is asked for each message as it comes, so it must be cheap. Once it says no, no more are pulled until
	// While says yes.
	Each   func(ctx context.Context) bool
	Handle Handler
}

const (
	// heartbeat is how often a running handler is reported to the broker, so that its message is not handed to another.
	heartbeat = event.AckWait / 3
	// shutdownGrace is how long running handlers may go on after a stop.
	shutdownGrace = 10 * time.Second
	// afterShutdown is when a message that was pulled but not handled may go to another replica.
	afterShutdown = time.Second
	// hungAfter is how long a handler may go on when its context has ended. Both graces lie within the 25 s of a stop.
	hungAfter = 5 * time.Second
	// maxHung bounds the handlers that are left alone at once, so that a poisonous kind of message cannot fill the memory.
	maxHung  = 8
	deadline = 25 * time.Second
)

// Consume hands the messages of a durable consumer to a handler until ctx ends, then stops pulling, lets running
// handlers finish, and returns nil. A missing or deleted consumer and a broker that is away are waited for: the
// process is ready again when they are.
//
// A handler that does not return when its context ends is left alone: its message is settled as a fault, its goroutine
// goes on beside. Of those there may be [maxHung]; then workers wait, and the broker gives their messages to others.
func (b *Bus) Consume(ctx context.Context, c Consume) error {
	if c.Workers == 0 {
		c.Workers = 1
	}
	if c.Deadline == 0 {
		c.Deadline = deadline
	}
	w := &worker{bus: b, Consume: c, hung: make(chan struct{}, maxHung)}
	b.again(ctx, "stopped consuming for now", w.once, "stream", c.Stream, "consumer", c.Consumer)
	return nil
}

// once binds to the consumer and works until ctx ends, the gate closes, or the consumer goes away.
func (w *worker) once(ctx context.Context) error {
	if !w.awaitGate(ctx) {
		return nil
	}
	consumer, err := w.bus.js.Consumer(ctx, w.Stream, w.Consumer)
	if err != nil {
		return classify(err, "bind consumer %s of %s", w.Consumer, w.Stream)
	}
	w.attempts = 0
	if text := consumer.CachedInfo().Config.Metadata[event.MetaAttempts]; text != "" {
		if w.attempts, err = strconv.Atoi(text); err != nil {
			return fault.Errorf(fault.Internal, "bind consumer %s of %s: its metadata says %q attempts", w.Consumer, w.Stream, text)
		}
	}
	jobs, stopped, trouble := make(chan jetstream.Msg), make(chan struct{}), make(chan error, 1)
	// Twice as many messages as workers are pulled ahead. The time for an ack runs from the delivery, not from the
	// start of the handler, so a larger window would have messages expire in our own queue.
	shut := make(chan struct{}, 1)
	cc, err := consumer.Consume(func(m jetstream.Msg) {
		if w.Each != nil && !w.Each(ctx) {
			select {
			case shut <- struct{}{}: // no more than what is pulled already, however fast it goes
			default:
			}
		}
		select {
		case jobs <- m:
		case <-stopped: // the connection was closed meanwhile; the broker hands the message out again
		}
	}, jetstream.PullMaxMessages(2*w.Workers), jetstream.PullHeartbeat(w.bus.patience.beat), jetstream.ConsumeErrHandler(func(_ jetstream.ConsumeContext, err error) {
		w.bus.log.Debug("heard of an error while consuming", "consumer", w.Consumer, "err", err)
		if lostConsumer(err) {
			select {
			case trouble <- err:
			default: // it is known already
			}
		}
	}))
	if err != nil {
		return classify(err, "consume %s of %s", w.Consumer, w.Stream)
	}
	handling, release := graceful(ctx, w.bus.grace)
	defer release()
	r := &round{ctx: ctx, handling: handling, jobs: jobs, stopped: stopped}
	r.pool.Add(w.Workers)
	for range w.Workers {
		go w.loop(r)
	}
	reason := w.supervise(ctx, cc, trouble, shut)
	if ctx.Err() != nil {
		r.pool.Add(1)
		go w.loop(r) // gives back what was pulled while the others finish what they began
	}
	if w.bus.nc.IsConnected() {
		cc.Drain() // what was pulled goes to the workers, who handle it or, at a stop, give it back
	} else {
		cc.Stop() // nothing can be given back, and a drain would wait for the broker
	}
	select {
	case <-cc.Closed():
	case <-handling.Done(): // every worker is taken up by a handler that does not end
	}
	close(stopped)
	r.pool.Wait()
	return reason
}

// supervise waits for the reason to stop pulling; nil when ctx ended or the gate closed.
func (w *worker) supervise(ctx context.Context, cc jetstream.ConsumeContext, trouble <-chan error, shut <-chan struct{}) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-shut:
			return nil
		case err := <-trouble:
			return classify(err, "consume %s of %s", w.Consumer, w.Stream)
		case <-cc.Closed():
			return fault.Errorf(fault.Unreachable, "consumer %s of %s has gone", w.Consumer, w.Stream)
		case <-tick.C:
			if w.While != nil && !w.While(ctx) {
				return nil
			}
		}
	}
}

func (w *worker) awaitGate(ctx context.Context) bool {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for w.While != nil && !w.While(ctx) {
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
	attempts int           // 0: without end
	hung     chan struct{} // holds one for each handler that was left alone
}

// round is what the workers of one binding share.
type round struct {
	ctx      context.Context // ends at a stop
	handling context.Context // outlives it by the grace of a stop
	jobs     <-chan jetstream.Msg
	stopped  <-chan struct{}
	pool     sync.WaitGroup // one for each place of a worker, whoever fills it
}

// loop fills the place of a worker until the round ends. A worker whose handler hangs has lost its place.
func (w *worker) loop(r *round) {
	for {
		select {
		case m := <-r.jobs:
			if !w.work(r, m) {
				return
			}
		case <-r.stopped:
			r.pool.Done()
			return
		}
	}
}

// job is a message in the hands of a worker. Whoever ends it settles it.
type job struct {
	msg      jetstream.Msg
	delivery *Delivery
	start    time.Time

	mu    sync.Mutex
	ended bool
	slot  bool        // it takes one of the places in hung
	beat  *time.Timer // tells the broker that work goes on
}

func (j *job) end(slot bool) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.ended {
		return false
	}
	j.ended, j.slot = true, slot
	j.beat.Stop()
	return true
}

// work handles one message and says what becomes of it. It returns false when the worker has lost its place meanwhile.
func (w *worker) work(r *round, m jetstream.Msg) bool {
	meta, err := m.Metadata()
	if err != nil {
		w.bus.log.Error("read a delivery without metadata", "consumer", w.Consumer, "err", err)
		return true
	}
	if meta.NumDelivered > 1 {
		w.bus.observe.Redelivered(w.bus.service)
	}
	if r.ctx.Err() != nil { // pulled, but the stop came first: another replica may have it
		w.answer(m, m.NakWithDelay(afterShutdown))
		return true
	}
	ctx, cancel := context.WithTimeout(r.handling, w.Deadline)
	defer cancel()
	j := &job{msg: m, start: time.Now(), delivery: &Delivery{
		Message: event.Message{Subject: m.Subject(), Header: event.Header(m.Headers()), Body: m.Data()},
		Stream:  meta.Stream, Consumer: meta.Consumer, Sequence: meta.Sequence.Stream,
		Deliveries: int(meta.NumDelivered), Time: meta.Timestamp,
	}}
	w.beat(ctx, j)
	unwatch := context.AfterFunc(ctx, func() { w.overdue(r, j) })
	err = w.guarded(ctx, j.delivery)
	unwatch()
	if !j.end(false) {
		if j.slot {
			<-w.hung
		}
		return false
	}
	if errors.Is(err, context.Canceled) && r.ctx.Err() != nil { // a stop, no fault
		w.answer(m, m.NakWithDelay(afterShutdown))
		return true
	}
	w.settle(r.handling, j, w.late(ctx, err))
	return true
}

// beat tells the broker from time to time that work goes on, until the job or its time ends.
func (w *worker) beat(ctx context.Context, j *job) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.beat = time.AfterFunc(heartbeat, func() {
		j.mu.Lock()
		defer j.mu.Unlock()
		if !j.ended && ctx.Err() == nil {
			w.answer(j.msg, j.msg.InProgress())
			j.beat.Reset(heartbeat)
		}
	})
}

// overdue gives a handler whose context has ended a while to notice. One that does not is left alone: whoever finds that
// out settles the message and takes the worker's place.
func (w *worker) overdue(r *round, j *job) {
	time.AfterFunc(min(hungAfter, w.Deadline), func() {
		slot := false
		select {
		case w.hung <- struct{}{}:
			slot = true
		default:
			if r.handling.Err() == nil { // too many hang already: the worker waits, and the broker gives its message to others
				w.overdue(r, j)
				return
			}
		}
		if !j.end(slot) {
			if slot {
				<-w.hung
			}
			return
		}
		w.bus.log.Error("left a handler alone that takes no notice of its deadline", "consumer", w.Consumer, "subject", j.delivery.Subject)
		w.settle(r.handling, j, fault.Errorf(fault.Internal, "handler took no notice of the end of its %v", w.Deadline))
		w.loop(r)
	})
}
