package bus_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/hosttest"
	"tidings.internal/pkg/natstest"
)

// user lets one nkey in, with the permissions given.
func user(t *testing.T, seed []byte, may *server.Permissions) func(*server.Options) {
	t.Helper()
	pair, err := nkeys.FromSeed(seed)
	if err != nil {
		t.Fatal(err)
	}
	public, err := pair.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	return func(o *server.Options) { o.Nkeys = []*server.NkeyUser{{Nkey: public, Permissions: may}} }
}

func connect(t *testing.T, c bus.Config) *bus.Bus {
	t.Helper()
	b, err := bus.Connect(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := b.Close(ctx); err != nil {
			t.Errorf("close the bus: %v", err)
		}
	})
	return b
}

// listening puts a server on a port of the loopback: in a pipe, which holds no bytes, the refusal of a client that is
// still writing is never read.
func listening(change func(*server.Options), port int) func(*server.Options) {
	return func(o *server.Options) {
		change(o)
		o.DontListen, o.Host, o.Port = false, "127.0.0.1", port
	}
}

func TestAnotherSeedIsRefusedUntilItIsRepaired(t *testing.T) {
	t.Parallel()
	seed, other := natstest.Seed(t), natstest.Seed(t)
	_, text, err := net.SplitHostPort(hosttest.Address(t)) // it listens there twice
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	s := natstest.With(t, listening(user(t, seed, nil), port))
	b := connect(t, bus.Config{Service: "enrich", URL: s.URL(), Seed: other})
	err = b.WaitConnected(t.Context())
	if fault.KindOf(err) != fault.Refused || !strings.Contains(fmt.Sprint(err), "refused the credentials of user enrich") {
		t.Errorf("WaitConnected = %v, want refused", err)
	}
	if strings.Contains(fmt.Sprint(err), string(other)) {
		t.Error("the error shows the seed")
	}
	s.Stop()
	s.Change(listening(user(t, other, nil), port))
	s.Start(t)
	eventually(t, "the repaired user to be let in", func() bool { return b.Probe(t.Context()) == nil })
	if err := b.WaitConnected(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestCredentialsComeFromAFile(t *testing.T) {
	t.Parallel()
	seed := natstest.Seed(t)
	s := natstest.With(t, user(t, seed, nil))
	file := filepath.Join(t.TempDir(), "enrich.nk")
	for text, ok := range map[string]bool{string(seed): true, string(seed) + "\n": true, "": false, "SUAMNOTASEED": false, strings.ToLower(string(seed)): false} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if !ok {
			if _, err := bus.Connect(t.Context(), bus.Config{Service: "enrich", InProcess: s, CredentialsFile: file}); fault.KindOf(err) != fault.Invalid {
				t.Errorf("the file %q: %v, want invalid", text, err)
			}
			continue
		}
		if err := connect(t, bus.Config{Service: "enrich", InProcess: s, CredentialsFile: file}).WaitConnected(t.Context()); err != nil {
			t.Errorf("the file %q: %v", text, err)
		}
	}
	if _, err := bus.Connect(t.Context(), bus.Config{Service: "enrich", InProcess: s, CredentialsFile: file + ".none"}); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a missing file: %v, want invalid", err)
	}
}

// A denied publish gives its caller a time-out and nothing else, so the check of readiness says it, until the
// permission is there.
func TestADeniedSubjectFailsTheCheck(t *testing.T) {
	t.Parallel()
	seed := natstest.Seed(t)
	s := natstest.With(t, user(t, seed, &server.Permissions{Publish: &server.SubjectPermission{Deny: []string{"article.>"}}}))
	b := connect(t, bus.Config{Service: "ingest", InProcess: s, Seed: seed})
	if err := b.WaitConnected(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := b.Append(ctx, []event.Message{raw(t, article.NewID("blog", "1"), 1, "x")}); fault.KindOf(err) != fault.Unreachable {
		t.Errorf("a denied publish: %v", err)
	}
	eventually(t, "the check to fail", func() bool {
		err := b.Probe(t.Context())
		return fault.KindOf(err) == fault.Refused && strings.Contains(err.Error(), "article.raw.0a.blog") && strings.Contains(err.Error(), "user ingest")
	})
	s.Stop()
	s.Change(user(t, seed, nil))
	s.Start(t)
	eventually(t, "the check to pass again", func() bool { return b.Probe(t.Context()) == nil })
}

func TestABrokerThatIsAwayIsWaitedFor(t *testing.T) {
	t.Parallel()
	s := natstest.Bare(t)
	s.Stop()
	b := connect(t, bus.Config{Service: "enrich", InProcess: s})
	if err := b.Probe(t.Context()); fault.KindOf(err) != fault.Unreachable {
		t.Errorf("Probe = %v, want unreachable", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := b.WaitConnected(ctx); fault.KindOf(err) != fault.Unreachable {
		t.Errorf("WaitConnected = %v, want unreachable", err)
	}
	s.Start(t)
	if err := b.WaitConnected(t.Context()); err != nil {
		t.Error(err)
	}
}

// watcher counts what an observer is told.
type watcher struct {
	mu  sync.Mutex
	ups []bool
	emitted,
	handled []string
	acked, rebuilt, again int
}

func (w *watcher) note(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

func (w *watcher) Emitted(stream, outcome string) {
	w.note(func() { w.emitted = append(w.emitted, stream+" "+outcome) })
}
func (w *watcher) Handled(service, consumer, verdict, kind string, _ time.Duration) {
	w.note(func() {
		w.handled = append(w.handled, strings.Join([]string{service, consumer, verdict, kind}, " "))
	})
}
func (w *watcher) Redelivered(string)          { w.note(func() { w.again++ }) }
func (w *watcher) Acked(string, time.Duration) { w.note(func() { w.acked++ }) }
func (w *watcher) Connected(up bool)           { w.note(func() { w.ups = append(w.ups, up) }) }
func (w *watcher) Violation(string)            {}
func (w *watcher) SlowConsumer()               {}
func (w *watcher) Rebuilt(string)              { w.note(func() { w.rebuilt++ }) }

func TestAnObserverIsToldWhatHappens(t *testing.T) {
	t.Parallel()
	s := natstest.Run(t)
	w := &watcher{}
	b := connect(t, bus.Config{Service: "enrich", InProcess: s, Observer: w})
	if err := b.WaitConnected(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		store(t, b, 1, "1")
	}
	appendRaw(t, b, "1", "2")
	stop := consuming(t, b, bus.Consume{Handle: func(_ context.Context, d *bus.Delivery) error {
		switch {
		case d.Sequence == 2:
			return fault.Errorf(fault.Invalid, "no")
		case d.Deliveries == 1:
			return fault.Errorf(fault.Conflict, "not yet")
		}
		return nil
	}})
	eventually(t, "both to be settled", settled(t, b))
	stop()
	s.Stop()
	s.Start(t)
	eventually(t, "the new connection", func() bool { return b.Probe(t.Context()) == nil })
	eventually(t, "all to be told", func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return len(w.ups) == 3 && w.ups[0] && !w.ups[1] && w.ups[2]
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	if got := strings.Join(w.emitted, ", "); got != "ARTICLES stored, ARTICLES skipped" {
		t.Errorf("emitted: %s", got)
	}
	if got := strings.Join(w.handled, ", "); got != "enrich enrich retry conflict, enrich enrich dead invalid, enrich enrich ack " {
		t.Errorf("handled: %s", got)
	}
	if w.again != 1 {
		t.Errorf("%d redeliveries were told, want that of the first", w.again)
	}
	if w.acked < 4 { // one emission, two appends, one letter
		t.Errorf("%d acks were told", w.acked)
	}
}

func TestNoticesAreBestEffort(t *testing.T) {
	t.Parallel()
	s := natstest.Run(t)
	b := s.Bus(t, "deliver")
	b.Notice(t.Context(), event.Notice{Type: "no.word"}) // refused and forgotten
	b.Notice(t.Context(), event.Notice{Type: "channel_paused", Channel: "masto"})
	last, err := b.Last(t.Context(), "event.deliver.channel_paused")
	if err != nil || last == nil {
		t.Fatal(last, err)
	}
	_, n, err := event.DecodeNotice(last.Message)
	if err != nil || n.Service != "deliver" || n.Channel != "masto" || n.Time.IsZero() {
		t.Errorf("the notice is %+v, %v", n, err)
	}
	s.Stop()
	eventually(t, "the outage to be seen", func() bool { return b.Probe(t.Context()) != nil })
	b.Notice(t.Context(), event.Notice{Type: "channel_paused"}) // lost, and nobody waits for it
}

func TestRolesShareAConnection(t *testing.T) {
	t.Parallel()
	b := natstest.Run(t).Bus(t, "tidings")
	e := b.As("enrich")
	if e.Service() != "enrich" || b.Service() != "tidings" || e.Conn() != b.Conn() {
		t.Errorf("the roles are %s and %s", b.Service(), e.Service())
	}
}
