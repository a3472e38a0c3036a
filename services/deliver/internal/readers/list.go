package readers

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/services/deliver/internal/ledger"
)

// Mailer hands mails in, one after the other, as *mail.Client does: commit is called before the final dot, and when it fails
// nothing is delivered.
type Mailer interface {
	Send(ctx context.Context, from, to string, raw []byte, commit func(context.Context) error) error
	Close()
}

// Observer counts.
type Observer interface {
	// Mailed counts what became of a try: kind is confirm, immediate, daily or weekly.
	Mailed(list, kind, outcome string)
	// Bounced counts what came back: class is hard, soft or complaint.
	Bounced(list, class string)
}

// ListOptions are what the work on one list is made of.
type ListOptions struct {
	Sender Sender
	Keys   Keys
	// Mailers are as many as mails may be on their way at once.
	Mailers []Mailer
	// Spare is a further one, for tests of an operator.
	Spare Mailer
	// Credential tells the server's credentials apart without holding them: other ones end a pause that they were the reason for.
	Credential string
	// Bounces reads what came back, nil where nothing is read. Lists are those whose mails it may be about: lists may share a
	// mailbox.
	Bounces Bounces
	Lists   []string
	Bus     *bus.Bus
	Ledger  *ledger.Ledger
	Log     *slog.Logger
	Observe Observer
	// Tick is called at least every minute while the work goes on.
	Tick   func()
	Now    func() time.Time
	Random io.Reader
}

// List is the work on one list: its mails go out in the time that each reader has chosen.
type List struct {
	ListOptions
	id       string
	store    *Store
	requests Bucket
	// testing is held while an operator's test is sent.
	testing sync.Mutex
	shift   atomic.Pointer[shift] // nil while another replica works
	heavy   atomic.Int64          // when a heavy mail was warned of, in nanoseconds; 0 for never
	// look, pace, hourly and the graces are the constants lookAgain, mailsPerSecond, mailsPerHour, stopGrace and commitGrace,
	// for tests.
	look                   time.Duration
	pace                   float64
	hourly                 int
	stopGrace, commitGrace time.Duration
}

// NewList makes the work on a list. It starts nothing.
func NewList(o ListOptions) *List {
	if o.Tick == nil {
		o.Tick = func() {}
	}
	l := &List{
		ListOptions: o, id: o.Sender.List, store: NewStore(o.Bus.Bucket(event.BucketSubscribers), o.Keys), look: lookAgain, pace: mailsPerSecond, hourly: mailsPerHour,
		requests: o.Bus.Bucket(event.BucketRequests), stopGrace: stopGrace, commitGrace: commitGrace,
	}
	l.Log = o.Log.With("channel", l.id)
	return l
}

// ID is the list's.
func (l *List) ID() string { return l.id }

// Run works whenever this process holds the lease of the list, until ctx ends.
func (l *List) Run(ctx context.Context) error {
	h := holder{bus: l.Bus, name: "deliver.list." + l.id, log: l.Log, tick: l.Tick}
	return h.run(ctx, l.work)
}

// work is one holding of the lease.
func (l *List) work(ctx context.Context, lease Lease) {
	ctx, cancel := context.WithCancel(ctx)
	s := newShift(ctx, l, lease)
	l.shift.Store(s)
	var group sync.WaitGroup
	defer func() {
		cancel()
		l.shift.Store(nil)
		group.Wait()
		s.group.Wait()
		for _, m := range l.Mailers {
			m.Close()
		}
	}()
	readers, told := make(chan struct{}), make(chan struct{})
	var once, other sync.Once
	group.Go(func() {
		_ = l.store.bucket.Watch(ctx, readerKeys(l.id), s.show, func() { once.Do(func() { close(readers) }) }) // it never fails
	})
	group.Go(func() {
		_ = l.Ledger.Watch(ctx, l.id, s.listed, s.broken, func() { other.Do(func() { close(told) }) }) // it never fails
	})
	for _, level := range []chan struct{}{readers, told} {
		select {
		case <-level:
		case <-ctx.Done():
			return
		}
	}
	if err := s.rewind(); err != nil {
		if ctx.Err() == nil {
			l.Log.Warn("could not begin to work on a list", "kind", fault.KindOf(err), "err", err)
		}
		return // and begin anew
	}
	group.Go(func() {
		_ = l.requests.Watch(ctx, event.RequestsOfReaders+">", s.heed, func() {}) // it never fails
	})
	if l.Bounces != nil {
		group.Go(func() { s.readBounces() })
	}
	group.Go(func() { s.sweep() })
	s.loop()
}

// Counts gives how many readers are in each state; nil while another replica works.
func (l *List) Counts() map[State]int {
	if s := l.shift.Load(); s != nil {
		return s.counts()
	}
	return nil
}
