package websub

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
)

const (
	// changesAtOnce is how many changed feeds are noted at once.
	changesAtOnce = 8
	// pings is how often a hub of others is told of one change, if it does not hear.
	pings = 5
	// documentAgain is how long to wait for a document that publish does not have yet.
	documentAgain = time.Second
	// maxDocument is the longest document that is taken, unpacked.
	maxDocument = 8 << 20
)

// document is what is pushed. It is that of the row's Want when it was asked for, or a newer one.
type document struct {
	want string
	body []byte
}

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
		if row != nil && (!f.Applied.After(row.Applied) || row.Want == doc.SHA256) {
			return row
		}
		next := Topic{
			Topic: doc.Topic, Feed: f.Feed, Format: doc.Format, Hub: doc.Hub, ContentType: doc.ContentType, Want: doc.SHA256, Applied: f.Applied,
		}
		if row != nil {
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
	if t.row != nil && t.row.Want != t.row.Done && t.row.Want != t.started {
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
	t.started, t.begun, t.dirty = t.row.Want, now, true
	for key, sub := range t.subs {
		if key > after && sub.row.Live(now) {
			// Who failed has a time of its own for the next try, and gets what is the newest then.
			s.owe(sub, sub.row.Retry == nil)
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
	case t.doc == nil || t.doc.want != t.row.Want:
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

// fetch asks publish for the document of a topic, of which as many are in memory as there are places.
func (s *shift) fetch(t *topic) {
	s.mu.Lock()
	slot, row := t.slot, *t.row
	s.mu.Unlock()
	if !slot {
		select {
		case s.docs <- struct{}{}:
		case <-s.ctx.Done():
			return
		}
	}
	body, err := s.read(&row, false)
	gone := s.missed(t, err)
	s.mu.Lock()
	t.slot, t.fetching = true, false
	if err == nil {
		t.doc = &document{row.Want, body}
	} else {
		if fault.KindOf(err) != fault.Gone {
			t.hold = s.Now().Add(documentAgain)
		}
		if t.busy == 0 {
			t.doc, t.slot = nil, false
			<-s.docs
		}
		s.Log.Debug("could not read a document that is to be pushed", "feed", row.Feed, "kind", fault.KindOf(err), "err", err)
	}
	if !gone {
		s.pump(t)
	}
	s.mu.Unlock()
	if gone {
		s.close(t, &row)
	}
}

// read asks publish for the bytes of a document. One that is newer than what was announced is as good: its own
// announcement follows, and finds its hash. A look finds only out whether there is any.
func (s *shift) read(row *Topic, look bool) ([]byte, error) {
	var found event.DocumentReply
	done := errors.New("found")
	pending := false
	err := s.Bus.AskAll(s.ctx, event.UserPublish, event.VerbDocument, event.DocumentRequest{Look: look, Feed: row.Feed, Format: row.Format, SHA256: row.Want, Applied: row.Applied}, func(reply []byte) error {
		var r event.DocumentReply
		if err := json.Unmarshal(reply, &r); err != nil {
			return err
		}
		switch r.State {
		case event.DocumentHere:
			found = r
			return done // whatever another replica says: one that has it is right
		case event.DocumentNotYet:
			pending = true
		}
		return nil
	})
	switch {
	case errors.Is(err, done) && look:
		return nil, nil
	case errors.Is(err, done):
		return unpack(found)
	case err != nil:
		return nil, err
	case pending:
		return nil, fault.Errorf(fault.Unreachable, "read document %s of feed %s: publish does not have it yet", row.Format, row.Feed)
	}
	return nil, fault.Errorf(fault.Gone, "feed %s is not published any more", row.Feed)
}

func unpack(r event.DocumentReply) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(r.Gzip))
	if err != nil {
		return nil, fault.Errorf(fault.Malformed, "unpack a document: %w", err)
	}
	body, err := io.ReadAll(io.LimitReader(z, maxDocument+1))
	switch {
	case err != nil:
		return nil, fault.Errorf(fault.Malformed, "unpack a document: %w", err)
	case len(body) > maxDocument:
		return nil, fault.Errorf(fault.TooLarge, "unpack a document: it is longer than %d bytes", maxDocument)
	case event.Hash(body) != r.SHA256:
		return nil, fault.Errorf(fault.Malformed, "unpack a document: its hash is another one than the reply says")
	}
	return body, nil
}

const (
	// lookEvery is how often it is looked whether the feed of a subscription is still published.
	lookEvery = time.Hour
	// missingAgain is when a feed is asked for again that has a change to be pushed and is missing.
	missingAgain = 10 * time.Minute
	// maxMissing is how often in a row a feed must be missing before its subscriptions end: a configuration that was wrong
	// for a while must not cost all subscribers.
	maxMissing = 3
)

// lookAt ends the subscriptions of feeds that are given up: of those nothing is announced any more.
func (s *shift) lookAt(now time.Time) {
	s.mu.Lock()
	due := map[*topic]*Topic{}
	for _, t := range s.topics {
		if t.looked.IsZero() {
			t.looked = now
		}
		if now.Sub(t.looked) < lookEvery {
			continue
		}
		t.looked = now
		for _, sub := range t.subs {
			format := sub.row.Topic[strings.LastIndexByte(sub.row.Topic, '.')+1:]
			due[t] = &Topic{Feed: sub.row.Feed, Format: format}
			break
		}
	}
	s.mu.Unlock()
	for t, row := range due {
		if _, err := s.read(row, true); s.missed(t, err) {
			s.close(t, row)
		}
	}
}

// missed counts how often in a row the feed of a topic was missing, and reports whether that is enough.
func (s *shift) missed(t *topic, err error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case fault.KindOf(err) == fault.Gone:
		t.missing++
		t.hold = s.Now().Add(missingAgain)
	case err == nil:
		t.missing = 0
	}
	return t.missing >= maxMissing
}

// close ends all subscriptions of a topic that is no more, and tells the sites.
func (s *shift) close(t *topic, row *Topic) {
	s.mu.Lock()
	var list []subscription
	for _, sub := range t.subs {
		list = append(list, *sub)
	}
	s.mu.Unlock()
	for _, sub := range list {
		if err := s.write(sub.key, func(*Subscription) *Subscription { return nil }); err != nil {
			return // tried again with the next look at the topic
		}
		s.tell("subscription_ended", row.Feed, "feed")
		// The row is gone first: a kill in between costs the site the word, not us the end.
		s.lanes.put(asking, sub.host, func() { s.deny(s.ctx, sub.row.Topic, sub.row.Callback, "this feed is not published any more") })
	}
}

// checkpoint writes down how far distributions are, so that the next holder need not begin them anew.
func (s *shift) checkpoint() {
	for _, t := range s.unwritten() {
		var took time.Duration
		var done bool
		err := s.writeTopic(s.ctx, t.hash, func(row *Topic) *Topic {
			s.mu.Lock()
			defer s.mu.Unlock()
			if row == nil || row.Want != t.started {
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
// one did not hear, up to [pings] times: it may be told twice, and is told once at least.
func (s *shift) pingAll(ctx context.Context, f event.FeedChanged, deliveries int) error {
	var last error
	for _, hub := range f.Hubs {
		for _, doc := range f.Documents {
			got := s.ping(ctx, hub, doc.Topic)
			if err := ctx.Err(); err != nil {
				return err
			}
			if got.good() || got.status/100 == 4 || got.barred {
				continue // it will not say anything else
			}
			last = fault.Errorf(fault.Unreachable, "tell a hub that feed %s has news: %d %s", f.Feed, got.status, got.reason)
		}
	}
	if last != nil && deliveries >= pings {
		s.Log.Warn("gave up telling a hub of news", "feed", f.Feed, "attempt", deliveries, "err", last)
		return nil
	}
	return last
}
