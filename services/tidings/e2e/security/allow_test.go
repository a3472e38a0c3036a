package security_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
)

// big is a body that is read in many chunks, so that the broker asks for flow control.
var big = []byte(strings.Repeat("0123456789abcdef", 2<<20/16))

func (w *world) ingest(t *testing.T, x exchange) {
	c, ctx := w.caller(t, event.UserIngest), t.Context()
	c.can("probe its streams", c.ProbeTopology(ctx, event.StreamRaw, "KV_source_state", "KV_source_config", "KV_leases", "OBJ_blobs"))
	c.can("append articles", c.Append(ctx, []event.Message{x.raw, x.backfill, x.bad}))
	for _, consumer := range []string{event.ConsumerEnrich, event.ConsumerBackfill} {
		var err error
		eventually(t, "consumer "+consumer+" to know of its messages", func() bool { // the broker tells it after the append
			var l bus.Backlog
			l, err = c.Backlog(ctx, event.StreamRaw, consumer)
			return err != nil || l.Oldest > 0
		})
		c.can("see how far "+consumer+" is behind", err)
	}
	for range 2 { // the second time it is found
		_, err := c.PutBlob(ctx, big, time.Unix(1, 0))
		c.can("store a body", err)
	}
	// The operator adds sources, many enough that the broker asks for flow control.
	for i := range 12 {
		_, err := w.admin.Bucket(event.BucketSourceConfig).Put(ctx, fmt.Sprintf("s%d", i), big[:400<<10])
		if err != nil {
			t.Fatal(err)
		}
	}
	c.look(event.BucketSourceConfig, "", 12)
	_, _, err := c.Bucket(event.BucketSourceConfig).Read(ctx, "s1")
	c.can("read a source", err)
	c.table(event.BucketSourceState, "")
	w.leases(c, "ingest.")
	c.look(event.BucketLeases, "ingest.member.", 0)
	w.noticed(c)
	c.buried(x.raw, event.StreamRaw)
	w.served(c, "reload")
}

// leases are taken, held against others, renewed and given back.
func (w *world) leases(c *caller, prefix string) {
	c.t.Helper()
	ctx := c.t.Context()
	l, err := c.Acquire(ctx, prefix+"17")
	c.can("acquire a lease", err)
	_, err = c.Acquire(ctx, prefix+"17")
	if fault.KindOf(err) != fault.Conflict {
		c.t.Errorf("%s acquires a lease twice: %v", c.Service(), err)
	}
	c.can("meet a lease of another", nil)
	c.can("release a lease", l.Release(ctx))
	l, err = c.Acquire(ctx, prefix+"17")
	c.can("acquire a lease that was released", err)
	c.can("release it again", l.Release(ctx))
	rev, err := c.Bucket(event.BucketLeases).Create(ctx, prefix+"18", []byte("x"))
	c.can("create a lease", err)
	_, err = c.Bucket(event.BucketLeases).Update(ctx, prefix+"18", []byte("x"), rev)
	c.can("renew a lease", err)
}

func (w *world) enrich(t *testing.T, x exchange) {
	c, ctx := w.caller(t, event.UserEnrich), t.Context()
	c.can("probe its streams", c.ProbeTopology(ctx, event.StreamRaw, event.StreamArticles, "KV_stories", "KV_taxonomy", "OBJ_blobs", "OBJ_snapshots"))
	_, err := c.Backlog(ctx, event.StreamRaw, event.ConsumerEnrich)
	c.can("see how far it is behind", err)
	// One message is taken, one given back at first, and the bad one becomes a dead letter.
	again := false
	c.consume(event.StreamRaw, event.ConsumerEnrich, 3, func(ctx context.Context, d *bus.Delivery) error {
		if _, _, err := event.DecodeRaw(d.Message); err != nil {
			return err
		}
		if !again {
			again = true
			return fault.Errorf(fault.Conflict, "come again")
		}
		_, err := c.Emit(ctx, x.enriched)
		return err
	})
	w.settled(t, event.StreamRaw, event.ConsumerEnrich)
	c.consume(event.StreamRaw, event.ConsumerBackfill, 1, func(context.Context, *bus.Delivery) error { return nil })
	w.settled(t, event.StreamRaw, event.ConsumerBackfill)
	letters, err := w.admin.DeadList(ctx, bus.DeadFilter{Service: "enrich", Reason: string(fault.Malformed)})
	if err == nil && len(letters) != 1 {
		err = fmt.Errorf("there are %d", len(letters))
	}
	c.can("put a bad message aside", err)
	outcome, err := c.Emit(ctx, x.enriched)
	if err == nil && outcome != bus.Skipped {
		err = fmt.Errorf("it is %s", outcome)
	}
	c.can("emit an article again", err)
	last, err := c.Last(ctx, x.enriched.Subject)
	if err == nil && last == nil {
		err = errors.New("there is none")
	}
	c.can("read the newest article", err)
	ref, err := c.PutBlob(ctx, big, time.Unix(1, 0))
	c.can("find a body", err)
	_, err = c.ReadBlob(ctx, ref)
	c.can("read a body", err)
	ref, err = c.PutBlob(ctx, big[1:], time.Unix(1, 0))
	c.can("store a body", err)
	_, err = c.ReadBlob(ctx, ref)
	c.can("read its own body", err)
	w.follow(c, x)
	name := event.KnowledgeSnapshot(time.Unix(1, 0))
	c.can("store what it knows", c.PutSnapshot(ctx, name, big))
	_, err = c.ReadSnapshot(ctx, name)
	c.can("read what another stored", err)
	c.table(event.BucketStories, "")
	c.table(event.BucketTaxonomy, "")
	w.noticed(c)
	c.buried(x.raw, event.StreamRaw)
	w.served(c, "reload")
}

// folded is a projection that tells of each record.
type folded chan bus.Record

func (folded) Reset(string)               {}
func (f folded) Apply(r bus.Record) error { f <- r; return nil }
func (folded) CaughtUp(event.Applied)     {}
func (folded) Evicted(uint64)             {}

// follow folds ARTICLES while the consumer that the library made for it is deleted, so that it makes another.
func (w *world) follow(c *caller, x exchange) {
	c.t.Helper()
	ctx, stop := context.WithCancel(c.t.Context())
	defer stop()
	records, done := make(folded, 10), make(chan error)
	go func() { done <- c.Follow(ctx, event.StreamArticles, event.All(event.SpaceEnriched), records) }()
	select {
	case r := <-records:
		if r.Subject != x.enriched.Subject {
			c.t.Errorf("%s follows %s", c.Service(), r.Subject)
		}
	case <-time.After(10 * time.Second):
		c.t.Fatalf("%s follows nothing", c.Service())
	}
	said := func(verb string) (names []string) {
		for _, s := range w.broker.Published(c.Service()) {
			if rest, ok := strings.CutPrefix(s, "$JS.API.CONSUMER."+verb+".ARTICLES."); ok {
				name, _, _ := strings.Cut(rest, ".")
				names = append(names, name)
			}
		}
		return names
	}
	for _, name := range said("CREATE") {
		if err := w.admin.DropConsumer(ctx, event.StreamArticles, name); err != nil {
			c.t.Fatal(err)
		}
	}
	eventually(c.t, "the consumer of the projection to be made anew", func() bool { return len(said("CREATE")) > 1 && len(said("DELETE")) > 0 })
	stop()
	c.can("follow articles", <-done)
	// What a projection asks for after the broker was away: is the record applied last still there, or a newer one?
	_, err := c.At(c.t.Context(), event.StreamArticles, 1)
	c.can("read an article by its number", err)
	_, err = c.Last(c.t.Context(), x.enriched.Subject)
	c.can("read the newest article", err)
}

func (w *world) publish(t *testing.T, x exchange) {
	c, ctx := w.caller(t, event.UserPublish), t.Context()
	c.can("probe its streams", c.ProbeTopology(ctx, event.StreamArticles, event.StreamPosts, event.StreamFeeds))
	w.follow(c, x)
	again := false
	c.consume(event.StreamArticles, event.ConsumerComposer, 2, func(ctx context.Context, d *bus.Delivery) error {
		if !again {
			again = true
			return fault.Errorf(fault.Conflict, "come again")
		}
		_, err := c.Emit(ctx, x.post)
		return err
	})
	w.settled(t, event.StreamArticles, event.ConsumerComposer)
	last, err := c.Last(ctx, x.post.Subject)
	if err == nil && last == nil {
		err = errors.New("there is none")
	}
	c.can("read the newest post", err)
	_, err = c.Emit(ctx, x.changed)
	c.can("emit the change of a feed", err)
	_, err = c.Last(ctx, x.changed.Subject)
	c.can("read the change of a feed", err)
	c.can("leave a request", c.Bucket(event.BucketRequests).Leave(ctx, event.RequestsOfSites+"r1", []byte("{}")))
	if err := c.Bucket(event.BucketRequests).Leave(ctx, event.RequestsOfSites+"r1", []byte("{}")); fault.KindOf(err) != fault.Conflict {
		t.Errorf("publish replaces a request: %v", err)
	}
	c.can("leave a request of a reader", c.Bucket(event.BucketRequests).Leave(ctx, event.RequestsOfReaders+"r1", []byte("{}")))
	ref, err := w.admin.PutBlob(ctx, big[2:], time.Unix(1, 0))
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.ReadBlob(ctx, ref)
	c.can("read a body", err)
	w.noticed(c)
	c.buried(x.enriched, event.StreamArticles)
	deliver := w.caller(t, event.UserDeliver)
	w.served(c, "document", deliver)
	w.served(c, "compose", deliver)
}

func (w *world) deliver(t *testing.T, x exchange) {
	c, ctx := w.caller(t, event.UserDeliver), t.Context()
	c.can("probe its streams", c.ProbeTopology(ctx, event.StreamPosts, event.StreamFeeds, "KV_deliveries", "KV_leases", "KV_subscriptions", "KV_requests"))
	channel := event.ChannelConsumer("news")
	for i := range 2 {
		made, err := c.EnsureConsumer(ctx, channel)
		if err == nil && made != (i == 0) {
			err = fmt.Errorf("round %d made one: %t", i, made)
		}
		c.can("make the consumer of a channel", err)
	}
	for _, of := range []*caller{c, w.caller(t, event.UserPublish)} {
		var err error
		eventually(t, "the channel to have one post before it", func() bool {
			var l bus.Backlog
			l, err = of.Backlog(ctx, event.StreamPosts, channel.Name)
			return err != nil || l.Pending == 1
		})
		of.can("see how far the channel is behind", err)
	}
	again := false
	c.consume(event.StreamPosts, channel.Name, 2, func(context.Context, *bus.Delivery) error {
		if !again {
			again = true
			return fault.Errorf(fault.Conflict, "come again")
		}
		return nil
	})
	w.settled(t, event.StreamPosts, channel.Name)
	_, err := c.Last(ctx, x.post.Subject)
	c.can("read the newest post", err)
	_, err = c.Last(ctx, x.changed.Subject)
	c.can("read the change of a feed", err)
	c.consume(event.StreamFeeds, event.ConsumerWebSub, 1, func(context.Context, *bus.Delivery) error { return nil })
	w.settled(t, event.StreamFeeds, event.ConsumerWebSub)
	c.table(event.BucketDeliveries, "")
	c.table(event.BucketSubscriptions, "")
	c.table(event.BucketSubscribers, "")
	_, err = c.Bucket(event.BucketSubscribers).Entries(ctx, "a.*.index")
	c.can("look for an address on all lists", err)
	_, err = c.Floor(ctx, event.StreamPosts, channel.Name)
	c.can("see how far the posts of a list are taken in", err)
	c.table(event.BucketRequests, "other.")
	c.look(event.BucketRequests, event.RequestsOfSites, 1)
	c.can("remove a request that was left", c.Bucket(event.BucketRequests).Purge(ctx, event.RequestsOfSites+"r1"))
	c.look(event.BucketRequests, event.RequestsOfReaders, 1)
	c.can("remove a request of a reader", c.Bucket(event.BucketRequests).Purge(ctx, event.RequestsOfReaders+"r1"))
	w.leases(c, "deliver.channel.")
	w.leases(c, "deliver.list.")
	c.buried(x.post, event.StreamPosts)
	w.noticed(c)
	ref, err := w.admin.PutBlob(ctx, big[3:], time.Unix(1, 0))
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.ReadBlob(ctx, ref)
	c.can("read a body", err)
	w.served(c, "preferences", w.caller(t, event.UserPublish))
	c.can("drop the consumer of a channel", c.DropConsumer(ctx, event.StreamPosts, channel.Name))
}

func (w *world) operate(t *testing.T, x exchange) {
	c, ctx := w.caller(t, event.UserAdmin), t.Context()
	top, err := event.NewTopology(event.DefaultSettings())
	if err != nil {
		t.Fatal(err)
	}
	plan, err := c.Plan(ctx, top)
	if err == nil && plan.Pending() {
		err = fmt.Errorf("it would change %+v", plan.Changes)
	}
	c.can("plan the topology", err)
	for _, s := range top.Streams {
		_, err := c.StreamState(ctx, s.StreamName())
		c.can("look at "+s.StreamName(), err)
	}
	for _, consumer := range top.Consumers {
		_, err := c.Backlog(ctx, consumer.Stream, consumer.Name)
		c.can("look at consumer "+consumer.Name, err)
	}
	c.can("drop a consumer", c.DropConsumer(ctx, event.StreamRaw, event.ConsumerBackfill))
	apply(t, c.Bus)
	c.can("bring it back", nil)

	tailing, stop := context.WithTimeout(ctx, 10*time.Second)
	defer stop()
	streams := map[string]bool{}
	err = c.Tail(tailing, ">", time.Unix(0, 0), func(r bus.Record) {
		if streams[r.Stream] = true; len(streams) == 6 {
			stop()
		}
	})
	if err == nil && len(streams) != 6 {
		err = fmt.Errorf("only of %v", streams)
	}
	c.can("tail every stream", err)
	c.letters(x)
	_, err = c.At(ctx, event.StreamRaw, 1)
	c.can("read a message", err)
	c.can("scan a stream", c.Scan(ctx, event.StreamPosts, func(bus.Record) error { return nil }))
	for _, b := range []string{event.BucketSourceConfig, event.BucketTaxonomy} {
		c.table(b, "operator.")
	}
	w.noticed(c)
	line := w.broker.Line(t, event.UserAdmin)
	for _, subject := range []string{"event.>", "$JS.EVENT.>", "_INBOX_tidings.x"} {
		c.can("hear "+subject, line.Hear(subject))
	}
}

// letters lists, reads, sends back and drops dead letters.
func (c *caller) letters(x exchange) {
	c.t.Helper()
	ctx := c.t.Context()
	list, err := c.DeadList(ctx, bus.DeadFilter{Reason: "tried"})
	c.can("list dead letters", err)
	sent := 0
	for _, l := range list {
		_, err := c.DeadRead(ctx, l.Sequence)
		c.can("read a dead letter", err)
		if l.Subject != x.raw.Subject {
			_, err = c.DeadRetry(ctx, l.Sequence)
		} else if sent++; sent == 1 {
			var word string
			if word, err = c.DeadRetry(ctx, l.Sequence); err == nil && word != "sent" {
				err = errors.New("it was " + word)
			}
		} else {
			err = c.DeadDrop(ctx, l.Sequence)
		}
		c.can("send back or drop a dead letter", err)
	}
	if len(list) != 4 || sent != 2 {
		c.t.Errorf("%d dead letters, %d of them raw; each service wrote one", len(list), sent)
	}
}

func (w *world) monitor(t *testing.T) {
	line := w.broker.Line(t, event.UserMonitor)
	for _, subject := range []string{"PING.VARZ", "PING.CONNZ", "PING.JSZ", "PING.HEALTHZ", "PING.STATSZ", "PING.SUBSZ", "PING.ACCOUNTZ", "PING.IDZ", "PING.ROUTEZ", "PING.LEAFZ"} {
		m, err := line.Request(t.Context(), "$SYS.REQ.SERVER."+subject, nil)
		w.tally.add(1, 0)
		if err != nil || len(m.Body) == 0 {
			t.Errorf("monitor cannot ask for %s: %v", subject, err)
		}
	}
	for _, subject := range []string{"$SYS.REQ.SERVER.PING", "$SYS.REQ.ACCOUNT.APP.JSZ", "$SYS.REQ.ACCOUNT.APP.CONNZ", "$SYS.REQ.ACCOUNT.APP.INFO", "$SYS.REQ.ACCOUNT.APP.SUBSZ"} {
		_, err := line.Request(t.Context(), subject, nil)
		w.tally.add(1, 0)
		if err != nil {
			t.Errorf("monitor cannot ask %s: %v", subject, err)
		}
	}
	for _, subject := range []string{"$SYS.ACCOUNT.>", "$SYS.SERVER.>"} {
		w.tally.add(1, 0)
		if err := line.Hear(subject); err != nil {
			t.Errorf("monitor cannot hear %s: %v", subject, err)
		}
	}
}
