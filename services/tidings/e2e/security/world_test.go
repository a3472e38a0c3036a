package security_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/natstest"
)

// shipped reads the file as it is delivered.
func shipped(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "deploy", "nats.conf"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// world is a server with the shipped file, the topology on it, and a count of what was tried.
type world struct {
	broker *natstest.Broker
	seeds  map[string][]byte
	admin  *bus.Bus
	tally  *tally
}

func newWorld(t *testing.T, addition string, count *tally) *world {
	t.Helper()
	w := &world{seeds: natstest.Keys(t), tally: count}
	w.broker = natstest.ConfigText(t, shipped(t)+addition, w.seeds)
	w.admin = w.broker.Bus(t, event.UserAdmin)
	apply(t, w.admin)
	return w
}

// apply makes the topology as "tidings topology apply" does.
func apply(t *testing.T, b *bus.Bus) {
	t.Helper()
	top, err := event.NewTopology(event.DefaultSettings())
	if err != nil {
		t.Fatal(err)
	}
	plan, err := b.Plan(t.Context(), top)
	if err != nil {
		t.Fatalf("plan the topology: %v", err)
	}
	if err := b.Apply(t.Context(), plan, false); err != nil {
		t.Fatalf("apply the topology: %v", err)
	}
}

// tally counts checks.
type tally struct {
	mu              sync.Mutex
	allowed, denied int
}

func (c *tally) add(allowed, denied int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.allowed += allowed
	c.denied += denied
}

// caller makes the calls of one service.
type caller struct {
	*bus.Bus
	t     *testing.T
	tally *tally
}

func (w *world) caller(t *testing.T, user string) *caller {
	t.Helper()
	return &caller{Bus: w.broker.Bus(t, user), t: t, tally: w.tally}
}

// can demands that a call worked and that the server denied nothing on the way.
func (c *caller) can(what string, err error) {
	c.t.Helper()
	c.tally.add(1, 0)
	if err != nil {
		c.t.Errorf("%s cannot %s: %v", c.Service(), what, err)
	}
	if err := c.Probe(c.t.Context()); err != nil {
		c.t.Fatalf("%s was denied something while it tried to %s: %v", c.Service(), what, err)
	}
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(40 * time.Second) // with the race detector on a busy machine it took more than 20 s
	defer deadline.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline.C:
			t.Fatalf("waited in vain for: %s", what)
		case <-tick.C:
		}
	}
}

// consume works on a consumer until the handler has been called n times and every answer is out.
func (c *caller) consume(stream, consumer string, n int, handle bus.Handler) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 20*time.Second)
	defer cancel()
	calls := 0
	err := c.Consume(ctx, bus.Consume{Stream: stream, Consumer: consumer, Handle: func(ctx context.Context, d *bus.Delivery) error {
		if calls++; calls >= n {
			cancel()
		}
		return handle(ctx, d)
	}})
	if calls < n {
		c.t.Errorf("%s was given %d of %d messages of %s", c.Service(), calls, n, stream)
	}
	c.can("consume "+stream+"/"+consumer, err)
}

// settled waits until a consumer has nothing left.
func (w *world) settled(t *testing.T, stream, consumer string) {
	t.Helper()
	eventually(t, "consumer "+consumer+" to be done", func() bool {
		l, err := w.admin.Backlog(t.Context(), stream, consumer)
		return err == nil && l.Lag() == 0
	})
}

// table makes every call there is on a bucket. keys is a prefix that the service may use.
func (c *caller) table(bucket, prefix string) {
	c.t.Helper()
	ctx, k, key := c.t.Context(), c.Bucket(bucket), prefix+"a.b"
	rev, err := k.Create(ctx, key, []byte("1"))
	c.can("create in "+bucket, err)
	rev, err = k.Update(ctx, key, []byte("2"), rev)
	c.can("update in "+bucket, err)
	e, ok, err := k.Read(ctx, key)
	c.can("read in "+bucket, err)
	if !ok || string(e.Value) != "2" || e.Revision != rev {
		c.t.Errorf("%s reads %+v, %t in %s", c.Service(), e, ok, bucket)
	}
	c.can("delete a revision in "+bucket, k.DeleteAt(ctx, key, rev))
	// A create over a deleted key reads it first.
	_, err = k.Create(ctx, key, []byte("3"))
	c.can("create again in "+bucket, err)
	_, err = k.Put(ctx, key, []byte("4"))
	c.can("put in "+bucket, err)
	c.can("delete in "+bucket, k.Delete(ctx, key))
	_, err = k.Put(ctx, prefix+"c", []byte("5"))
	c.can("put in "+bucket, err)
	c.can("purge in "+bucket, k.Purge(ctx, key))
	c.look(bucket, prefix, 1)
}

// look lists and watches a bucket.
func (c *caller) look(bucket, prefix string, want int) {
	c.t.Helper()
	ctx, k := c.t.Context(), c.Bucket(bucket)
	list, err := k.Entries(ctx, prefix+">")
	c.can("list "+bucket, err)
	if len(list) != want {
		c.t.Errorf("%s lists %d entries of %s, want %d", c.Service(), len(list), bucket, want)
	}
	watching, stop := context.WithTimeout(ctx, 10*time.Second)
	defer stop()
	level := false
	err = k.Watch(watching, prefix+">", func(bus.Entry) {}, func() { level = true; stop() })
	c.can("watch "+bucket, err)
	if !level {
		c.t.Errorf("%s never saw the present state of %s", c.Service(), bucket)
	}
}

// noticed sends a notice and waits until it is stored.
func (w *world) noticed(c *caller) {
	c.t.Helper()
	before, err := w.admin.StreamState(c.t.Context(), event.StreamEvents)
	if err != nil {
		c.t.Fatal(err)
	}
	c.Notice(c.t.Context(), event.Notice{Type: "tried"})
	after, err := w.admin.StreamState(c.t.Context(), event.StreamEvents)
	if err == nil && after.Last <= before.Last {
		err = errors.New("it was not stored")
	}
	c.can("send a notice", err)
}

// buried writes a dead letter.
func (c *caller) buried(m event.Message, stream string) {
	c.t.Helper()
	err := c.Bury(c.t.Context(), &bus.Delivery{Message: m, Stream: stream, Sequence: 99, Deliveries: 1}, "tried", errors.New("a test"))
	c.can("write a dead letter", err)
}

// served answers a verb of the operator, who asks and discovers the service.
func (w *world) served(c *caller, verb string, askers ...*caller) {
	c.t.Helper()
	stop, err := c.Serve(c.t.Context(), "0.1.0", verb, func(context.Context, []byte) (any, error) { return "yes", nil })
	c.can("serve a verb", err)
	if err != nil {
		return
	}
	defer stop()
	for _, a := range append(askers, &caller{Bus: w.admin, t: c.t, tally: c.tally}) {
		var answer string
		var err error
		eventually(c.t, "the verb to be served", func() bool { // the server hears of it a moment later
			err = a.Ask(c.t.Context(), c.Service(), verb, nil, &answer)
			return fault.KindOf(err) != fault.Unreachable
		})
		if err == nil && answer != "yes" {
			err = errors.New("the answer is " + answer)
		}
		a.can("ask "+c.Service()+" to "+verb, err)
	}
	line := w.broker.Line(c.t, event.UserAdmin)
	for _, subject := range []string{"$SRV.PING", "$SRV.INFO." + c.Service(), "$SRV.STATS." + c.Service()} {
		m, err := line.Request(c.t.Context(), subject, nil)
		if err == nil && !strings.Contains(string(m.Body), `"`+c.Service()+`"`) {
			err = errors.New("the answer does not name it")
		}
		c.can("be found by "+subject, err)
	}
}

const partition = "0a"

// The messages that the services exchange.
type exchange struct {
	id                      string
	raw, backfill, bad      event.Message
	enriched, post, changed event.Message
}

func messages(t *testing.T) exchange {
	t.Helper()
	must := func(m event.Message, err error) event.Message {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	subject := func(s string, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	x := exchange{id: article.NewID("blog", "1")}
	version, source, now := event.Version{Revision: 1}, article.Source{ID: "blog", Partition: partition}, time.Unix(1, 0)
	raw := article.Raw{ID: x.id, Revision: 1, Source: source, Title: "One"}
	env := event.Envelope{Type: event.TypeRaw, ID: event.RawID(x.id, 1, "0123456789"), Source: "ingest", Time: now, Article: x.id, Version: version}
	x.raw = must(event.Encode(subject(event.RawSubject(partition, "blog", false)), env, raw))
	env.ID = event.RawID(x.id, 1, "1123456789")
	x.backfill = must(event.Encode(subject(event.RawSubject(partition, "blog", true)), env, raw))
	env.ID, raw.ID = event.RawID(x.id, 1, "2123456789"), article.NewID("blog", "2")
	x.bad = must(event.Encode(x.raw.Subject, env, raw))
	env.Type, env.ID, env.Source = event.TypeEnriched, event.EnrichedID(x.id, version), "enrich"
	x.enriched = must(event.Encode(subject(event.EnrichedSubject(partition, "blog", x.id)), env, article.Article{ID: x.id, Revision: 1, Source: source, Title: "One"}))
	env.Type, env.ID, env.Source = event.TypePost, event.PostID("news", x.id, 1), "publish"
	x.post = must(event.Encode(subject(event.PostSubject("news", x.id)), env, event.Post{Channel: "news", Network: "webhook", Story: x.id, Article: x.id, Revision: 1}))
	x.changed = must(event.Encode(subject(event.FeedSubject("all")), event.Envelope{Type: event.TypeFeedChanged, ID: "all.1", Source: "publish", Time: now, Version: version},
		event.FeedChanged{Feed: "all"}))
	return x
}
