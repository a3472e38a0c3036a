package bus_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"pgregory.net/rapid"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/natstest"
)

// content is what the model knows of a subject: the version and the body that stand there.
type content struct {
	there bool
	v     event.Version
	body  string
}

// emit is what [bus.Bus.Emit] promises, without a broker.
func (c *content) emit(v event.Version, body string) bus.Outcome {
	order := c.v.Compare(v)
	switch {
	case !c.there || order < 0 && (c.v.Revision != v.Revision || c.body != body):
		*c = content{true, v, body}
		return bus.Stored
	case order == 0 && c.body != body:
		return bus.Diverged
	default:
		return bus.Skipped
	}
}

type emission struct {
	v    event.Version
	body string
}

var emissions = rapid.Custom(func(t *rapid.T) emission {
	small := rapid.Uint64Range(0, 2)
	return emission{
		event.Version{Revision: 1 + small.Draw(t, "revision"), Fence: small.Draw(t, "fence"), RawSequence: small.Draw(t, "raw"), Generation: small.Draw(t, "generation")},
		rapid.SampledFrom([]string{"a", "b"}).Draw(t, "body"),
	}
})

// orders lists every order in which n writers may have their turn.
func orders(n int) [][]int {
	if n == 0 {
		return [][]int{nil}
	}
	var out [][]int
	for _, o := range orders(n - 1) {
		for i := range n {
			out = append(out, slices.Insert(slices.Clone(o), i, n-1))
		}
	}
	return out
}

// Emit behaves as the model, also with several writers at once, when acks are lost, and where messages expire or are
// purged between.
func TestEmitBehavesAsItsModel(t *testing.T) {
	t.Parallel()
	s := natstest.Run(t)
	writers := []*bus.Bus{s.Bus(t, "enrich"), s.Bus(t, "enrich"), s.Bus(t, "enrich")}
	b := writers[0]
	stream, err := b.JetStream().Stream(t.Context(), event.StreamArticles)
	if err != nil {
		t.Fatal(err)
	}
	var runs atomic.Int64
	rapid.Check(t, func(rt *rapid.T) {
		id := article.NewID("blog", fmt.Sprint(runs.Add(1)))
		message := func(e emission) event.Message { return enriched(t, id, e.v, e.body) }
		model := content{}
		rt.Repeat(map[string]func(*rapid.T){
			"": func(rt *rapid.T) {
				last, err := b.Last(t.Context(), message(emission{}).Subject)
				if err != nil {
					rt.Fatal(err)
				}
				if got := standing(rt, last); got != model {
					rt.Fatalf("the subject holds %+v, the model %+v", got, model)
				}
			},
			"emit": func(rt *rapid.T) {
				e := emissions.Draw(rt, "emission")
				want := model.emit(e.v, e.body)
				if got, err := b.Emit(t.Context(), message(e)); got != want || err != nil {
					rt.Fatalf("Emit(%+v) = %q, %v; want %q", e, got, err, want)
				}
			},
			"emit at once": func(rt *rapid.T) {
				list := rapid.SliceOfN(emissions, 2, 3).Draw(rt, "emissions")
				outcomes, errs := make([]bus.Outcome, len(list)), make([]error, len(list))
				var group sync.WaitGroup
				for i, e := range list {
					group.Go(func() { outcomes[i], errs[i] = writers[i].Emit(t.Context(), message(e)) })
				}
				group.Wait()
				last, err := b.Last(t.Context(), message(emission{}).Subject)
				if err := errors.Join(append(errs, err)...); err != nil {
					rt.Fatal(err)
				}
				got := standing(rt, last)
				for _, order := range orders(len(list)) {
					if m := model; agrees(&m, list, outcomes, order) && m == got {
						model = m
						return
					}
				}
				rt.Fatalf("from %+v no order of %+v gives %q and %+v", model, list, outcomes, got)
			},
			"emit with the ack lost": func(rt *rapid.T) {
				e := emissions.Draw(rt, "emission")
				ctx, cancel := context.WithCancel(t.Context())
				timer := time.AfterFunc(time.Duration(rapid.IntRange(0, 800).Draw(rt, "µs"))*time.Microsecond, cancel)
				_, _ = writers[1].Emit(ctx, message(e)) // stored or not: nobody knows
				timer.Stop()
				cancel()
				model.emit(e.v, e.body)
				if _, err := b.Emit(t.Context(), message(e)); err != nil {
					rt.Fatal(err)
				}
			},
			"expire": func(rt *rapid.T) {
				if model.there {
					marker := &nats.Msg{Subject: message(emission{}).Subject, Header: nats.Header{event.HeaderMarker: {"MaxAge"}}}
					if _, err := b.JetStream().PublishMsg(t.Context(), marker); err != nil {
						rt.Fatal(err)
					}
					model = content{}
				}
			},
			"purge": func(rt *rapid.T) {
				if err := stream.Purge(t.Context(), jetstream.WithPurgeSubject(message(emission{}).Subject)); err != nil {
					rt.Fatal(err)
				}
				model = content{}
			},
		})
	})
}

func agrees(m *content, list []emission, outcomes []bus.Outcome, order []int) bool {
	for _, i := range order {
		if m.emit(list[i].v, list[i].body) != outcomes[i] {
			return false
		}
	}
	return true
}

func standing(t interface{ Fatal(...any) }, last *bus.Record) content {
	if last == nil || last.Marker {
		return content{}
	}
	env, a, err := event.DecodeEnriched(last.Message)
	if err != nil {
		t.Fatal(err)
	}
	return content{true, env.Version, a.Text}
}

func TestOfTwoFencesTheNewerWinsInEitherOrder(t *testing.T) {
	t.Parallel()
	b := natstest.Run(t).Bus(t, "enrich")
	old, young := event.Version{Revision: 1, Fence: 4, RawSequence: 9}, event.Version{Revision: 1, Fence: 5, RawSequence: 3}
	for key, order := range map[string][]event.Version{"old first": {old, young}, "young first": {young, old}} {
		id := article.NewID("blog", key)
		for _, v := range order {
			if _, err := b.Emit(t.Context(), enriched(t, id, v, fmt.Sprint("fence ", v.Fence))); err != nil {
				t.Fatal(err)
			}
		}
		last, err := b.Last(t.Context(), enriched(t, id, old, "").Subject)
		if err != nil {
			t.Fatal(err)
		}
		if got := standing(t, last); got.v != young {
			t.Errorf("%s: the subject holds %+v", key, got)
		}
	}
}

// cutter cuts a connection once a message is on its way to the server, so that its ack never comes.
type cutter struct {
	nats.InProcessConnProvider
	armed atomic.Bool
}

func (c *cutter) InProcessConn() (net.Conn, error) {
	conn, err := c.InProcessConnProvider.InProcessConn()
	return &cutConn{Conn: conn, cutter: c}, err
}

type cutConn struct {
	net.Conn
	*cutter
	deaf atomic.Bool
}

func (c *cutConn) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte("HPUB article.enriched.")) && c.armed.Swap(false) {
		c.deaf.Store(true)
	}
	return c.Conn.Write(p)
}

func (c *cutConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.deaf.Load() {
		return 0, errors.Join(io.EOF, c.Conn.Close())
	}
	return n, err
}

func TestALostAckIsFoundToBeASuccess(t *testing.T) {
	t.Parallel()
	cut := &cutter{InProcessConnProvider: natstest.Run(t)}
	b, err := bus.Connect(t.Context(), bus.Config{Service: "enrich", InProcess: cut})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close(context.Background())
	if err := b.WaitConnected(t.Context()); err != nil {
		t.Fatal(err)
	}
	m := enriched(t, article.NewID("blog", "1"), event.Version{Revision: 1}, "x")
	cut.armed.Store(true)
	for cut.armed.Load() { // on a slow machine the time may be over before the message has left
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		outcome, err := b.Emit(ctx, m)
		cancel()
		if fault.KindOf(err) != fault.Unreachable {
			t.Fatalf("without its ack Emit = %q, %v; want unreachable", outcome, err)
		}
	}
	eventually(t, "the same to be skipped", func() bool {
		outcome, err := b.Emit(t.Context(), m)
		if err == nil && outcome != bus.Skipped {
			t.Fatalf("the second time Emit = %q; want skipped", outcome)
		}
		return err == nil
	})
	if s, err := b.StreamState(t.Context(), event.StreamArticles); err != nil || s.Last != 1 {
		t.Errorf("the message was stored %d times, %v", s.Last, err)
	}
}

// A post belongs to the article that came first: versions of two articles do not compare.
func TestAnotherArticleLeavesThePostOfAStory(t *testing.T) {
	t.Parallel()
	b := natstest.Run(t).Bus(t, "publish")
	story, other := article.NewID("blog", "1"), article.NewID("press", "1")
	post := func(art string, revision uint64) event.Message {
		subject, err := event.PostSubject("masto", story)
		if err != nil {
			t.Fatal(err)
		}
		m, err := event.Encode(subject, event.Envelope{Type: event.TypePost, ID: event.PostID("masto", story, revision), Source: "publish", Time: time.Unix(1, 0), Article: art, Version: event.Version{Revision: revision}},
			event.Post{Channel: "masto", Story: story, Article: art, Revision: revision})
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	for _, c := range []struct {
		m    event.Message
		want bus.Outcome
	}{{post(story, 1), bus.Stored}, {post(other, 7), bus.Skipped}, {post(story, 2), bus.Stored}} {
		if got, err := b.Emit(t.Context(), c.m); got != c.want || err != nil {
			t.Errorf("Emit(%s) = %q, %v; want %q", c.m.Header.Value(event.HeaderID), got, err, c.want)
		}
	}
}

func TestEmitAfterWantsWhatWasReadToBeTheNewest(t *testing.T) {
	t.Parallel()
	b := natstest.Run(t).Bus(t, "enrich")
	id := article.NewID("blog", "1")
	message := func(v uint64, text string) event.Message { return enriched(t, id, event.Version{Revision: v}, text) }
	subject := message(1, "a").Subject
	read := func() *bus.Record {
		r, err := b.Last(t.Context(), subject)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	emit := func(name string, m event.Message, last *bus.Record, want bus.Outcome, kind fault.Kind) {
		t.Helper()
		got, err := b.EmitAfter(t.Context(), m, last)
		if got != want || kind != "" && fault.KindOf(err) != kind || kind == "" && err != nil {
			t.Errorf("%s: %q, %v; want %q %q", name, got, err, want, kind)
		}
	}
	emit("the first", message(1, "a"), nil, bus.Stored, "")
	one := read()
	emit("a newer one by who saw nothing", message(2, "b"), nil, "", fault.Conflict)
	emit("a newer one by who saw the first", message(2, "b"), one, bus.Stored, "")
	emit("the same again, its ack was lost", message(2, "b"), one, bus.Skipped, "")
	emit("a newer one by who saw the first only", message(3, "c"), one, "", fault.Conflict)
	emit("an older one by who saw all", message(1, "a"), read(), bus.Skipped, "")
	emit("a newer one by who saw all", message(3, "c"), read(), bus.Stored, "")
}

// Who may publish may leave anything on a subject. It neither passes for ours nor blocks the subject.
func TestForeignMessagesAreReplaced(t *testing.T) {
	t.Parallel()
	b := natstest.Run(t).Bus(t, "enrich")
	for name, h := range map[string]nats.Header{
		"nothing but a body":    nil,
		"a status":              {"Status": {"404"}, "Description": {"Message Not Found"}},
		"headers of the broker": {"Nats-Stream": {"RAW"}, "Nats-Sequence": {"9999"}, "Nats-Subject": {"x"}, "Nats-Time-Stamp": {"never"}},
		"a marker with a body":  {event.HeaderMarker: {"MaxAge"}},
	} {
		m := enriched(t, article.NewID("blog", name), event.Version{Revision: 1}, "x")
		ack, err := b.JetStream().PublishMsg(t.Context(), &nats.Msg{Subject: m.Subject, Header: h, Data: []byte("foreign")})
		if err != nil {
			t.Fatal(err)
		}
		last, err := b.Last(t.Context(), m.Subject)
		if err != nil || last == nil || last.Sequence != ack.Sequence || last.Stream != event.StreamArticles || last.Subject != m.Subject || last.Marker {
			t.Errorf("%s: Last = %+v, %v", name, last, err)
			continue
		}
		if _, err := event.Decode(last.Message); fault.KindOf(err) != fault.Malformed {
			t.Errorf("%s passes for a message of ours: %v", name, err)
		}
		if outcome, err := b.Emit(t.Context(), m); outcome != bus.Stored || err != nil {
			t.Errorf("%s: Emit = %q, %v", name, outcome, err)
		}
		last, err = b.Last(t.Context(), m.Subject)
		if err != nil || last == nil {
			t.Fatal(last, err)
		}
		if _, _, err := event.DecodeEnriched(last.Message); err != nil {
			t.Errorf("a genuine message is refused after a direct get: %v", err)
		}
	}
}

func TestEmitRefusesWhatItCannotKeep(t *testing.T) {
	t.Parallel()
	b := natstest.Run(t).Bus(t, "enrich")
	m := enriched(t, article.NewID("blog", "1"), event.Version{Revision: 1}, "x")
	m.Header.Set(event.HeaderHash, "0")
	if _, err := b.Emit(t.Context(), m); fault.KindOf(err) != fault.Internal {
		t.Errorf("a message that nobody could read was emitted: %v", err)
	}
	for _, size := range []int{600 << 10, 2 << 20} { // past the stream's limit, past the server's
		m := enriched(t, article.NewID("blog", "1"), event.Version{Revision: 1}, strings.Repeat("x", size))
		if _, err := b.Emit(t.Context(), m); fault.KindOf(err) != fault.TooLarge {
			t.Errorf("%d bytes: %v is %q, want too_large", size, err, fault.KindOf(err))
		}
	}
	bare := natstest.Bare(t).Bus(t, "enrich")
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := bare.Emit(ctx, enriched(t, article.NewID("blog", "1"), event.Version{Revision: 1}, "x")); fault.KindOf(err) != fault.Unreachable {
		t.Errorf("without its stream: %v is %q, want unreachable", err, fault.KindOf(err))
	}
}

// The codes are those of nats-server's errors.json.
func TestKindsOfTheBrokersErrors(t *testing.T) {
	t.Parallel()
	for code, want := range map[int]fault.Kind{
		10071: fault.Conflict, 10164: fault.Conflict, 10008: fault.Unreachable, 10163: fault.Unreachable, 10077: fault.Throttled, 10023: fault.Throttled,
		10047: fault.Throttled, 10054: fault.TooLarge, 10059: fault.Internal, 10060: fault.Internal,
	} {
		err := bus.KindOfCode(code, errors.New("x"), "store")
		if got := fault.KindOf(err); got != want {
			t.Errorf("%d is %q, want %q", code, got, want)
		}
		if want == fault.Throttled && fault.After(err) != time.Minute {
			t.Errorf("%d asks to wait for %v, want a minute", code, fault.After(err))
		}
	}
}

func TestAppendIsRepeatedAfterAnOutage(t *testing.T) {
	t.Parallel()
	s := natstest.Run(t)
	b := s.Bus(t, "ingest")
	var batch []event.Message
	for n := range 600 {
		batch = append(batch, raw(t, article.NewID("blog", fmt.Sprint(n)), 1, "x"))
	}
	failed := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		var err error
		for err == nil { // until the outage meets it half-way
			err = b.Append(ctx, batch)
		}
		failed <- err
	}()
	eventually(t, "a first message", func() bool {
		state, err := b.StreamState(t.Context(), event.StreamRaw)
		return err == nil && state.Messages > 0
	})
	s.Stop()
	if err := <-failed; fault.KindOf(err) != fault.Unreachable {
		t.Errorf("during the outage Append = %v, want unreachable", err)
	}
	s.Start(t)
	eventually(t, "the repeat to be stored", func() bool { return b.Append(t.Context(), batch) == nil })
	if state, err := b.StreamState(t.Context(), event.StreamRaw); err != nil || state.Messages != 600 {
		t.Errorf("RAW holds %d messages, %v; want each once", state.Messages, err)
	}
}
