package bus_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/natstest"
)

func planned(t *testing.T, b *bus.Bus, top event.Topology) bus.Plan {
	t.Helper()
	p, err := b.Plan(t.Context(), top)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func apply(t *testing.T, b *bus.Bus, p bus.Plan, yes bool) {
	t.Helper()
	if err := b.Apply(t.Context(), p, yes); err != nil {
		t.Fatal(err)
	}
}

// lines are the changes of a plan as an operator sees them.
func lines(p bus.Plan) []string {
	var out []string
	for _, c := range p.Changes {
		out = append(out, fmt.Sprintf("%s %s %s", c.Kind, c.Object, strings.Join(c.Details, "; ")))
	}
	return out
}

func configOf(t *testing.T, b *bus.Bus, name string) jetstream.StreamConfig {
	t.Helper()
	s, err := b.JetStream().Stream(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return s.CachedInfo().Config
}

// What could lose data is refused as a whole, and then nothing at all is changed.
func TestEachDestructiveChangeIsRefused(t *testing.T) {
	t.Parallel()
	b := natstest.Run(t).Bus(t, "tidings")
	js := b.JetStream()
	for n := range 3 {
		m := raw(t, article.NewID("blog", fmt.Sprint(n)), 1, strings.Repeat("x", 1000))
		if err := b.Append(t.Context(), []event.Message{m}); err != nil {
			t.Fatal(err)
		}
	}
	wanted := topology(t)
	stream := func(name string, change func(*jetstream.StreamConfig)) func() error {
		return func() error {
			c := configOf(t, b, name)
			change(&c)
			_, err := js.UpdateStream(t.Context(), c)
			return err
		}
	}
	shall := func(name string, change func(*event.Stream)) event.Topology {
		top := topology(t)
		for i := range top.Streams {
			if top.Streams[i].Name == name {
				change(&top.Streams[i])
			}
		}
		return top
	}
	for name, c := range map[string]struct {
		is    func() error // brings the broker to where the declared topology would lose something
		want  event.Topology
		shows string
	}{
		"a subject is dropped": {
			stream(event.StreamEvents, func(c *jetstream.StreamConfig) { c.Subjects = append(c.Subjects, "more.>") }), wanted, "subjects: [event.> more.>] → [event.>]"},
		"the retention changes": {
			stream(event.StreamFeeds, func(c *jetstream.StreamConfig) { c.Retention = jetstream.InterestPolicy }), wanted, "retention: Interest → Limits"},
		"a subject keeps fewer": {
			stream(event.StreamPosts, func(c *jetstream.StreamConfig) { c.MaxMsgsPerSubject = 5 }), wanted, "max_msgs_per_subject: 5 → 1"},
		"the size is below what is held": {
			nil, shall(event.StreamRaw, func(s *event.Stream) { s.MaxBytes = 1000 }), "max_bytes: "},
		"the storage changes": {func() error {
			c := configOf(t, b, "KV_"+event.BucketTaxonomy)
			if err := js.DeleteStream(t.Context(), c.Name); err != nil {
				return err
			}
			c.Storage = jetstream.MemoryStorage
			c.MaxBytes = 1 << 20
			_, err := js.CreateStream(t.Context(), c)
			return err
		}, wanted, "storage: Memory → File"},
		"a consumer's place to begin changes": {func() error {
			if err := b.DropConsumer(t.Context(), event.StreamFeeds, event.ConsumerWebSub); err != nil {
				return err
			}
			_, err := js.CreateOrUpdateConsumer(t.Context(), event.StreamFeeds, jetstream.ConsumerConfig{Durable: event.ConsumerWebSub, DeliverPolicy: jetstream.DeliverNewPolicy, AckPolicy: jetstream.AckExplicitPolicy})
			return err
		}, wanted, "deliver_policy: new → all"},
		"a consumer's acks change": {func() error {
			if err := b.DropConsumer(t.Context(), event.StreamArticles, event.ConsumerComposer); err != nil {
				return err
			}
			_, err := js.CreateOrUpdateConsumer(t.Context(), event.StreamArticles, jetstream.ConsumerConfig{Durable: event.ConsumerComposer, AckPolicy: jetstream.AckAllPolicy})
			return err
		}, wanted, "ack_policy: AckAll → AckExplicit"},
	} {
		if c.is != nil {
			if err := c.is(); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		p := planned(t, b, c.want)
		if !slices.ContainsFunc(lines(bus.Plan{Changes: p.Destructive()}), func(l string) bool { return strings.Contains(l, c.shows) }) {
			t.Errorf("%s: the plan is %q; want a destructive change with %q", name, lines(p), c.shows)
		}
		err := b.Apply(t.Context(), p, false)
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "--yes") || !strings.Contains(err.Error(), c.shows) {
			t.Errorf("%s: apply without yes = %v", name, err)
		}
		if diff := cmp.Diff(lines(p), lines(planned(t, b, c.want))); diff != "" {
			t.Errorf("%s: a refused apply changed something:\n%s", name, diff)
		}
	}
	// With yes all of it is done but for what the server itself refuses: another storage.
	if err := b.JetStream().DeleteStream(t.Context(), "KV_"+event.BucketTaxonomy); err != nil {
		t.Fatal(err)
	}
	apply(t, b, planned(t, b, wanted), true)
	if p := planned(t, b, wanted); p.Pending() {
		t.Errorf("after the apply there is left: %q", lines(p))
	}
}

func TestOlderMessagesThanTheNewAgeAreShown(t *testing.T) {
	t.Parallel()
	b := natstest.Run(t).Bus(t, "tidings")
	appendRaw(t, b, "1")
	top := topology(t)
	top.Streams[0].MaxAge, top.Streams[0].Duplicates = time.Second, time.Second
	eventually(t, "the message to be older than a second", func() bool {
		return len(planned(t, b, top).Destructive()) == 1
	})
}

func TestForeignStreamsAreShownAndLeftAlone(t *testing.T) {
	t.Parallel()
	b := natstest.Run(t).Bus(t, "tidings")
	if _, err := b.JetStream().CreateStream(t.Context(), jetstream.StreamConfig{Name: "THEIRS", Subjects: []string{"theirs.>"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.JetStream().CreateOrUpdateConsumer(t.Context(), event.StreamArticles, jetstream.ConsumerConfig{Durable: "theirs"}); err != nil {
		t.Fatal(err)
	}
	p := planned(t, b, topology(t))
	if diff := cmp.Diff([]string{"foreign stream THEIRS "}, lines(p)); diff != "" || p.Pending() {
		t.Errorf("the plan (-want +got):\n%s", diff)
	}
	apply(t, b, p, true)
	configOf(t, b, "THEIRS")
	if _, err := b.JetStream().Consumer(t.Context(), event.StreamArticles, "theirs"); err != nil {
		t.Errorf("another's consumer: %v", err)
	}
}

// A run that was killed half-way, or that meets another, ends where every other ends.
func TestAHalfAppliedPlanIsCompleted(t *testing.T) {
	t.Parallel()
	b := natstest.Bare(t).Bus(t, "tidings")
	top := topology(t)
	half := planned(t, b, top)
	stale := planned(t, b, top)
	half.Changes = half.Changes[:7]
	apply(t, b, half, false)
	epoch := configOf(t, b, event.StreamRaw).Metadata[event.MetaEpoch]
	var group sync.WaitGroup
	for range 3 {
		group.Go(func() {
			if err := b.Apply(t.Context(), stale, false); err != nil {
				t.Errorf("a stale plan: %v", err)
			}
		})
	}
	group.Wait()
	if p := planned(t, b, top); p.Pending() {
		t.Errorf("there is left: %q", lines(p))
	}
	if now := configOf(t, b, event.StreamRaw).Metadata[event.MetaEpoch]; now != epoch || epoch == "" {
		t.Errorf("the epoch of RAW went from %q to %q", epoch, now)
	}
	state, err := b.StreamState(t.Context(), event.StreamEvents)
	if err != nil || state.Messages == 0 {
		t.Errorf("nobody was told: %+v, %v", state, err)
	}
}

// Of two versions the newer leaves its number, so that its services stay ready while the older one is still about.
func TestAnOlderVersionLeavesTheNumberOfANewer(t *testing.T) {
	t.Parallel()
	b := natstest.Run(t).Bus(t, "tidings")
	newer := topology(t)
	newer.Number = event.TopologyNumber + 5
	apply(t, b, planned(t, b, newer), false)
	older := topology(t)
	older.Streams[0].About = "in other words"
	apply(t, b, planned(t, b, older), false)
	state, err := b.StreamState(t.Context(), event.StreamRaw)
	if err != nil || state.Topology != newer.Number {
		t.Errorf("RAW has topology %d, %v; want %d", state.Topology, err, newer.Number)
	}
	if err := b.ProbeTopology(t.Context(), event.StreamRaw); err != nil {
		t.Error(err)
	}
}

func TestAStreamUnderOurNameIsAdopted(t *testing.T) {
	t.Parallel()
	b := natstest.Bare(t).Bus(t, "tidings")
	if _, err := b.JetStream().CreateStream(t.Context(), jetstream.StreamConfig{Name: event.StreamFeeds, Subjects: []string{event.All(event.SpaceFeed)}, MaxMsgsPerSubject: 1}); err != nil {
		t.Fatal(err)
	}
	err := b.ProbeTopology(t.Context(), event.StreamFeeds)
	if fault.KindOf(err) != fault.Unreachable || !strings.Contains(fmt.Sprint(err), "stream FEEDS has topology 0") {
		t.Errorf("before: %v", err)
	}
	apply(t, b, planned(t, b, topology(t)), false)
	state, err := b.StreamState(t.Context(), event.StreamFeeds)
	if err != nil || state.Epoch == "" || state.Topology != event.TopologyNumber {
		t.Errorf("the adopted stream is %+v, %v", state, err)
	}
}

func TestWhatIsMissingIsNamed(t *testing.T) {
	t.Parallel()
	b := natstest.Bare(t).Bus(t, "tidings")
	err := b.ProbeTopology(t.Context(), "KV_"+event.BucketLeases)
	if want := `stream KV_leases is missing; run "tidings topology apply"`; fault.KindOf(err) != fault.Unreachable || fmt.Sprint(err) != want {
		t.Errorf("ProbeTopology = %v; want %s", err, want)
	}
	apply(t, b, planned(t, b, topology(t)), false)
	if err := b.ProbeTopology(t.Context(), "KV_"+event.BucketLeases, event.StreamRaw, "OBJ_"+event.StoreBlobs); err != nil {
		t.Errorf("after the apply: %v", err)
	}
}

func TestBacklogCountsWhatIsNotSettled(t *testing.T) {
	t.Parallel()
	b := natstest.Run(t).Bus(t, "ingest")
	l, err := b.Backlog(t.Context(), event.StreamRaw, event.ConsumerEnrich)
	if err != nil || l.Lag() != 0 || l.Oldest != 0 {
		t.Errorf("an empty stream has %+v, %v", l, err)
	}
	appendRaw(t, b, "1", "2", "3")
	c, err := b.JetStream().Consumer(t.Context(), event.StreamRaw, event.ConsumerEnrich)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Next(); err != nil {
		t.Fatal(err)
	}
	l, err = b.Backlog(t.Context(), event.StreamRaw, event.ConsumerEnrich)
	if err != nil || l.Pending != 2 || l.AckPending != 1 || l.Oldest <= 0 || l.Bytes == 0 || l.MaxBytes == 0 {
		t.Errorf("Backlog = %+v, %v; want 2 pending, 1 in hand", l, err)
	}
	if _, err := b.Backlog(t.Context(), event.StreamRaw, "none"); err == nil {
		t.Error("a consumer that does not exist has a backlog")
	}
}

func TestFloorIsBelowWhatIsNotSettled(t *testing.T) {
	t.Parallel()
	b := natstest.Run(t).Bus(t, "ingest")
	floor := func() uint64 {
		t.Helper()
		n, err := b.Floor(t.Context(), event.StreamRaw, event.ConsumerEnrich)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	appendRaw(t, b, "1", "2", "3")
	c, err := b.JetStream().Consumer(t.Context(), event.StreamRaw, event.ConsumerEnrich)
	if err != nil {
		t.Fatal(err)
	}
	var list []jetstream.Msg
	for range 3 {
		m, err := c.Next()
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, m)
	}
	for _, step := range []struct {
		settled int
		want    uint64
	}{{0, 1}, {2, 1}, {1, 3}} {
		if err := list[step.settled].DoubleAck(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := floor(); got != step.want {
			t.Errorf("the floor is %d once message %d is settled, want %d", got, step.settled+1, step.want)
		}
	}
	if _, err := b.Floor(t.Context(), event.StreamRaw, "none"); err == nil {
		t.Error("a consumer that does not exist has a floor")
	}
}
