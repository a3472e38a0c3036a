package readers

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
)

// life is that of a process: it ends at one of its steps, before the step or behind it, and from then on nothing that it does has an
// effect, as after kill -9.
type life struct {
	mu     sync.Mutex
	steps  int // so far
	last   int // the step at which it ends; 0 for none
	behind bool
	// between tells that it ended when the row said that a mail leaves, and before the dot of that.
	between bool
	died    chan struct{}
}

var errDead = fault.Errorf(fault.Unreachable, "the process has ended")

// commits marks the context of the write that says that a mail leaves: a desk writes at the same time.
type commits struct{}

// step does one thing.
func (l *life) step(ctx context.Context, do func() error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended() {
		return errDead
	}
	l.steps++
	if l.steps != l.last {
		return do()
	}
	if l.behind {
		_ = do()
	}
	l.between = ctx.Value(commits{}) != nil && l.behind
	close(l.died)
	return errDead
}

// mortal is a bucket whose writes are steps.
type mortal struct {
	Bucket
	life *life
}

func (m mortal) write(ctx context.Context, do func() (uint64, error)) (revision uint64, err error) {
	err = m.life.step(ctx, func() (err error) { revision, err = do(); return err })
	return revision, err
}

func (m mortal) Create(ctx context.Context, key string, value []byte) (uint64, error) {
	return m.write(ctx, func() (uint64, error) { return m.Bucket.Create(ctx, key, value) })
}

func (m mortal) Update(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	return m.write(ctx, func() (uint64, error) { return m.Bucket.Update(ctx, key, value, revision) })
}

func (m mortal) Purge(ctx context.Context, key string) error {
	return m.life.step(ctx, func() error { return m.Bucket.Purge(ctx, key) })
}

// mortalMailer ends before a mail, around its commit, and behind the reply to its dot.
type mortalMailer struct {
	Mailer
	life *life
}

func nothing() error { return nil }

func (m mortalMailer) Send(ctx context.Context, from, to string, raw []byte, commit func(context.Context) error) error {
	if err := m.life.step(ctx, nothing); err != nil {
		return err
	}
	err := m.Mailer.Send(ctx, from, to, raw, func(ctx context.Context) error {
		return commit(context.WithValue(ctx, commits{}, true))
	})
	if err != nil {
		return err
	}
	return m.life.step(ctx, nothing)
}

func (l *life) ended() bool {
	select {
	case <-l.died:
		return true
	default:
		return false
	}
}

// live runs a desk and a list as one process.
func (w *world) live(last int, behind bool) (l *life, stop func()) {
	l = &life{last: last, behind: behind, died: make(chan struct{})}
	d, stopDesk := w.desk(func(d *Desk) {
		d.store.bucket = mortal{d.store.bucket, l}
		d.requests = mortal{d.requests, l}
	})
	list, stopList := w.list(func(list *List) {
		list.store.bucket = mortal{list.store.bucket, l}
		list.stopGrace, list.commitGrace = time.Millisecond, time.Millisecond
		for i, m := range list.Mailers {
			list.Mailers[i] = mortalMailer{m, l}
		}
	})
	return l, func() {
		// A lease that is being acquired at the end stays for half a minute, which is not what is tested.
		until(w.t, "the leases", func() bool { return d.held.Load() && list.shift.Load() != nil })
		stopDesk()
		stopList()
	}
}

// outlives has a process end at each of its steps, and another go on; want says what one mail is for the n-th address. Each
// address has its one mail, or none where the process ended between the two lines at which nobody can know.
func (w *world) outlives(begin func(address string), done func(address string) bool, after func(address string)) {
	for last := 1; ; last++ {
		for _, behind := range []bool{false, true} {
			address := fmt.Sprintf("r%d%t@example.org", last, behind)
			begin(address)
			before := len(w.mails(address))
			l, stop := w.live(last, behind)
			until(w.t, fmt.Sprintf("step %d", last), func() bool { return l.ended() || done(address) })
			stop()
			ended := l.ended()
			if ended {
				_, stop := w.live(0, false)
				until(w.t, fmt.Sprintf("the next process after step %d", last), func() bool {
					if r := w.rows()[address]; r != nil && r.Mail != nil && !r.Mail.Sending.IsZero() {
						w.pass(dotLimit)
					}
					return done(address)
				})
				stop()
			}
			want := 1
			if l.between {
				want = 0
			}
			if got := len(w.mails(address)) - before; got != want {
				w.t.Errorf("ended at step %d (behind it: %t): %d mails, want %d", last, behind, got, want)
			}
			after(address)
			if !ended {
				if last < 5 {
					w.t.Errorf("there were %d steps only", last)
				}
				return
			}
		}
	}
}

func TestAConfirmationIsAskedForOnceWhereverAProcessEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.outlives(
		func(address string) { w.subscribe(address, daily(7)) },
		func(address string) bool {
			r := w.rows()[address]
			return r != nil && r.Mail == nil && w.waiting() == 0
		}, func(string) {})
}

func TestADigestIsSentOnceWhereverAProcessEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	store := NewStore(w.server.Bus(t, "deliver").Bucket(event.BucketSubscribers), w.keys)
	n := 0
	w.outlives(
		func(address string) {
			_, stop := w.live(0, false)
			w.reader(address, daily(7))
			stop()
			n++
			w.publish(n, 1, fmt.Sprint("story-", n))
			w.pass(24 * time.Hour)
		},
		func(address string) bool {
			r := w.rows()[address]
			return r != nil && r.Mail == nil && r.Period != ""
		},
		func(address string) {
			if err := store.erase(t.Context(), w.rows()[address]); err != nil {
				t.Fatal(err)
			}
		})
}

func TestEveryRequestIsDealtWithOnceWhereverAProcessEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.outlives(
		func(address string) {
			_, stop := w.live(0, false)
			r := w.reader(address, daily(7))
			w.quiet()
			stop()
			w.unsubscribe(w.keys.Token("letter", r.ID))
			w.subscribe(address, daily(8)) // and comes back
		},
		func(address string) bool {
			r := w.rows()[address]
			return r != nil && r.State == Pending && r.Mail == nil && w.waiting() == 0 && r.Wishes.Hour == 8
		}, func(string) {})
}
