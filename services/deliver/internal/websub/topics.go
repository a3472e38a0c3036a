package websub

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
)

const (
	// changesAtOnce is how many changed feeds are noted at once. They are as many because most of them wait for the hubs of
	// others.
	changesAtOnce = 32
	// pings is how often a hub of others is told of one change, if it does not hear.
	pings = 5
)

// change handles feed.changed: it writes down which documents are owed to whom. The message may be acknowledged once the
// rows stand, since they are the queue: after a kill the next holder goes on from them. Before that the message comes again,
// and changes nothing in rows that have it already.
func (s *shift) change(ctx context.Context, d *bus.Delivery) error {
	_, f, err := event.DecodeFeedChanged(d.Message)
	if err != nil {
		return err
	}
	for _, doc := range f.Documents {
		if err := s.want(ctx, f, doc); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(s.ctx, cancel) // what a stop cuts short comes again
	defer stop()
	return s.pingAll(ctx, f, d.Deliveries)
}

// want notes that a document is owed to all subscriptions of its topic. Without any nothing is written.
func (s *shift) want(ctx context.Context, f event.FeedChanged, doc event.Document) error {
	if doc.Hub == "" || !s.wanted(hash(doc.Topic)) {
		return nil
	}
	err := s.writeTopic(ctx, hash(doc.Topic), func(row *Topic) *Topic {
		if row != nil && !f.Applied.After(row.Applied) {
			return row
		}
		if row != nil && row.Want == doc.SHA256 { // no news, and what lies between the two is none either
			next := *row
			next.Applied = f.Applied
			return &next
		}
		next := Topic{
			Topic: doc.Topic, Feed: f.Feed, Format: doc.Format, Hub: doc.Hub, ContentType: doc.ContentType, Want: doc.SHA256, Applied: f.Applied,
		}
		if row != nil {
			next.Round = row.Round + 1
		}
		if row != nil && row.Done == row.Want {
			next.Done = row.Done
		}
		return &next
	})
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begin(s.topic(hash(doc.Topic)))
	return nil
}

// wanted reports whether a topic has subscriptions.
func (s *shift) wanted(hash string) bool {
	now := s.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.topics[hash]
	if t == nil {
		return false
	}
	for _, sub := range t.subs {
		if sub.row.Live(now) {
			return true
		}
	}
	return false
}

// begin begins the distribution that the row of a topic asks for, unless it has begun. The row alone decides: it may have
// been written although the broker's word of that was lost. It is called with the lock.
func (s *shift) begin(t *topic) {
	if t.row != nil && t.row.Want != t.row.Done && (t.begun.IsZero() || t.row.Round != t.started) {
		s.distribute(t, "")
	}
	if t.row != nil {
		s.pump(t)
	}
}

// distribute owes the document of a topic to all its subscriptions whose key lies behind after. It is called with the
// lock.
func (s *shift) distribute(t *topic, after string) {
	now := s.Now()
	t.started, t.begun, t.dirty = t.row.Round, now, true
	for key, sub := range t.subs {
		if key > after && sub.row.Live(now) {
			// Who failed has a time of its own for the next try, and gets what is the newest then. To whom an older one is
			// under way, this one is owed until it is known what became of that, so that the position stays before it.
			s.owe(sub, sub.row.Retry == nil || sub.busy)
		}
	}
}

// owe notes whether the document of its topic is owed to a subscription. It is called with the lock.
func (s *shift) owe(sub *subscription, owed bool) {
	if sub.owed == owed {
		return
	}
	sub.owed = owed
	if owed {
		sub.topic.owed++
		return
	}
	sub.topic.owed--
}

// resume takes the distributions up that another holder left unfinished. Up to the position that it wrote down everybody
// has the document; behind it some may get it again, who have it.
func (s *shift) resume() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.topics {
		if t.row != nil && t.row.Want != t.row.Done {
			s.distribute(t, t.row.Position)
		}
	}
}

// pumpAll looks at all topics for what is due.
func (s *shift) pumpAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.topics {
		s.begin(t)
	}
}

// pump hands the pushes of a topic that are due to the lanes, or has the document fetched first. It is called with the
// lock.
func (s *shift) pump(t *topic) {
	now := s.Now()
	if now.Before(t.hold) || t.fetching || !s.lease.Valid() {
		return
	}
	due := s.due(t, now)
	switch {
	case len(due) == 0:
		if t.busy == 0 && t.slot {
			t.doc, t.slot = nil, false
			<-s.docs
		}
		return
	case t.doc == nil || t.doc.round != t.row.Round:
		t.fetching = true
		s.group.Go(func() { s.fetch(t) })
		return
	}
	for _, sub := range due {
		sub.busy = true
		t.busy++
		on := fast
		if sub.slow {
			on = slow
		}
		s.lanes.put(on, sub.host, func() { s.push(sub) })
	}
}

// due lists the subscriptions to which something is to be pushed now, in the order of their keys, so that the position
// advances. It is called with the lock.
func (s *shift) due(t *topic, now time.Time) []*subscription {
	var list []*subscription
	for _, sub := range t.subs {
		retry := sub.row.Retry
		if !sub.busy && sub.row.Live(now) && (sub.owed && retry == nil || retry != nil && !now.Before(retry.Due)) {
			list = append(list, sub)
		}
	}
	slices.SortFunc(list, func(a, b *subscription) int { return strings.Compare(a.key, b.key) })
	return list
}

// checkpoint writes down how far distributions are, so that the next holder need not begin them anew.
func (s *shift) checkpoint() {
	for _, t := range s.unwritten() {
		var took time.Duration
		var done bool
		err := s.writeTopic(s.ctx, t.hash, func(row *Topic) *Topic {
			s.mu.Lock()
			defer s.mu.Unlock()
			if row == nil || row.Round != t.started {
				return row // another document is wanted, and its distribution about to begin
			}
			next := *row
			if done = t.owed == 0; done {
				next.Done, next.Position = next.Want, ""
				took = s.Now().Sub(t.begun)
			} else {
				next.Position = t.position()
			}
			t.dirty = !done
			if next == *row {
				return row
			}
			return &next
		})
		if err != nil {
			s.mu.Lock()
			t.dirty = true
			s.mu.Unlock()
			s.Log.Debug("could not write down how far a distribution is", "kind", fault.KindOf(err), "err", err)
			return
		}
		if done {
			s.Observe.FannedOut(took)
		}
	}
}

func (s *shift) unwritten() []*topic {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []*topic
	for _, t := range s.topics {
		if t.dirty && t.row != nil {
			list = append(list, t)
		}
	}
	return list
}

// position is the last key before the first one to which the document is owed. It is called with the lock.
func (t *topic) position() string {
	first := ""
	for key, sub := range t.subs {
		if sub.owed && (first == "" || key < first) {
			first = key
		}
	}
	last := ""
	for key := range t.subs {
		if key < first && key > last {
			last = key
		}
	}
	return last
}

// writeTopic changes the row of a topic by compare-and-set, as [shift.write] does that of a subscription.
func (s *shift) writeTopic(ctx context.Context, hash string, verb func(*Topic) *Topic) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	for range maxConflicts {
		s.mu.Lock()
		t := s.topic(hash)
		row, revision := t.row, t.revision
		s.mu.Unlock()
		next := verb(row)
		if next == nil || next == row {
			return nil
		}
		if !s.lease.Valid() {
			return fault.Errorf(fault.Conflict, "change a topic: the lease was lost")
		}
		value, err := json.Marshal(next)
		if err != nil {
			return fault.Errorf(fault.Internal, "write a topic: %w", err)
		}
		revision, err = s.rows.Update(ctx, topicKeys+hash, value, revision)
		if err == nil {
			s.mu.Lock()
			t.row, t.revision = next, revision
			s.mu.Unlock()
			return nil
		}
		if fault.KindOf(err) != fault.Conflict {
			return err
		}
		e, ok, err := s.rows.Read(ctx, topicKeys+hash)
		if err != nil {
			return err
		}
		if ok {
			s.showTopic(e)
			continue
		}
		s.mu.Lock()
		t.revision = 0
		s.mu.Unlock()
	}
	return fault.Errorf(fault.Conflict, "change a topic: others changed it %d times", maxConflicts)
}

// pingAll tells the hubs of others that there is news. It is part of the handling of the message, which comes again when
// one did not hear, up to [pings] times: it may be told twice, and is told once at least. All are told at once, so that
// one that hangs costs the others nothing, and the handler no more than one request.
func (s *shift) pingAll(ctx context.Context, f event.FeedChanged, deliveries int) error {
	var group sync.WaitGroup
	answers := make(chan answer, len(f.Hubs)*len(f.Documents))
	for _, hub := range f.Hubs {
		for _, doc := range f.Documents {
			group.Go(func() { answers <- s.ping(ctx, hub, doc.Topic) })
		}
	}
	group.Wait()
	close(answers)
	if err := s.ctx.Err(); err != nil { // the end of the handler's own time is as much a failure as any other
		return err
	}
	var last error
	for got := range answers {
		if got.good() || got.status/100 == 4 || got.barred {
			continue // it will not say anything else
		}
		last = fault.Errorf(fault.Unreachable, "tell a hub that feed %s has news: %d %s", f.Feed, got.status, got.reason)
	}
	if last != nil && deliveries >= pings {
		s.Log.Warn("gave up telling a hub of news", "feed", f.Feed, "attempt", deliveries, "err", last)
		return nil
	}
	return last
}
