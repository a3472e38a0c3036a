package websub

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/web"
)

// Lease is the right to work.
type Lease interface{ Valid() bool }

// shift is the work of one holding of the lease, with an index of the bucket.
type shift struct {
	*Hub
	ctx   context.Context
	lease Lease
	lanes *lanes
	group sync.WaitGroup // what asks publish
	docs  chan struct{}  // holds one for each document in memory
	wake  chan struct{}  // says that a distribution has ended

	writing sync.Mutex // one writer of topics at a time

	mu      sync.Mutex
	subs    map[string]*subscription // by key
	topics  map[string]*topic        // by hash
	hosts   map[string]int           // subscriptions by host
	removed map[string]uint64        // keys that were removed here, and the revision they had, until the bucket shows it
	asks    map[string]*ask          // by the key of the subscription
	asking  map[string]int           // asks by host
	rates   map[string]*rate.Limiter
	room    *sync.Cond // signalled when an ask has ended
	ending  bool       // somebody has ended a subscription: sweep now
	looking bool       // a look at feeds is under way
}

// subscription is a row in memory. Its row is never changed but replaced.
type subscription struct {
	key, host string
	row       *Subscription
	revision  uint64
	topic     *topic
	owed      bool // the document that its topic wants is to be pushed
	busy      bool // a push is under way, or waits for its turn
	slow      bool
}

// topic is what is known of a topic that has subscriptions, or had some.
type topic struct {
	hash     string
	row      *Topic // nil until something was to be pushed
	revision uint64
	subs     map[string]*subscription
	owed     int
	busy     int
	started  uint64    // the round whose distribution was begun by this shift, if begun is not zero
	begun    time.Time // of that distribution
	hold     time.Time // not to be worked on before
	doc      *document
	slot     bool // it has a place among the documents in memory
	fetching bool
	dirty    bool      // the row does not say yet how far the distribution is
	looked   time.Time // when it was looked last whether the feed is published
	missing  int       // how often in a row nobody published it, the last time at missed
	missed   time.Time
}

func newShift(ctx context.Context, h *Hub, lease Lease) *shift {
	s := &shift{
		Hub: h, ctx: ctx, lease: lease, lanes: newLanes(), docs: make(chan struct{}, maxDocuments), wake: make(chan struct{}, 1),
		subs: map[string]*subscription{}, topics: map[string]*topic{}, hosts: map[string]int{}, removed: map[string]uint64{},
		asks: map[string]*ask{}, asking: map[string]int{}, rates: map[string]*rate.Limiter{},
	}
	s.room = sync.NewCond(&s.mu)
	context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.room.Broadcast()
	})
	return s
}

// loop looks for what is due.
func (s *shift) loop() {
	tick := time.NewTicker(s.beat)
	defer tick.Stop()
	swept := s.Now()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-tick.C:
		case <-s.wake:
		}
		s.Tick()
		if !s.lease.Valid() {
			return
		}
		s.askDue()
		s.pumpAll()
		s.checkpoint()
		if now := s.Now(); s.told() || now.Sub(swept) >= sweepEvery {
			swept = now
			s.sweep(now)
			s.look(now)
		}
	}
}

// told reports, once, that somebody has ended a subscription.
func (s *shift) told() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	ending := s.ending
	s.ending = false
	return ending
}

// show takes note of an entry of the bucket.
func (s *shift) show(e bus.Entry) {
	if strings.HasPrefix(e.Key, topicKeys) {
		s.showTopic(e)
		return
	}
	var row *Subscription
	if !e.Deleted {
		row = &Subscription{}
		if err := json.Unmarshal(e.Value, row); err != nil || e.Key != subscriptionKey(row.Topic, row.Callback) {
			s.Log.Error("could not read a subscription", "key", e.Key, "err", err)
			return
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(e.Key, row, e.Revision)
}

// showTopic takes note of the row of a topic. Nobody removes one; if it happens, the next change writes it anew.
func (s *shift) showTopic(e bus.Entry) {
	if e.Deleted {
		return
	}
	hash, row := strings.TrimPrefix(e.Key, topicKeys), &Topic{}
	if err := json.Unmarshal(e.Value, row); err != nil || e.Key != topicKey(row.Topic) {
		s.Log.Error("could not read the row of a topic", "key", e.Key, "err", err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.topic(hash); e.Revision > t.revision {
		t.row, t.revision = row, e.Revision
	}
}

// topic finds or makes a topic. It is called with the lock.
func (s *shift) topic(hash string) *topic {
	t := s.topics[hash]
	if t == nil {
		t = &topic{hash: hash, subs: map[string]*subscription{}}
		s.topics[hash] = t
	}
	return t
}

// put notes a row, nil for one that was removed. What is older than what is known is left aside: the bucket shows our own
// writes again, later. It is called with the lock.
func (s *shift) put(key string, row *Subscription, revision uint64) {
	sub := s.subs[key]
	switch {
	case row == nil:
		if sub != nil && (revision == 0 || revision > sub.revision) {
			s.drop(sub)
		}
		delete(s.removed, key)
		return
	case revision <= s.removed[key] || sub != nil && revision <= sub.revision:
		return
	}
	delete(s.removed, key)
	if sub == nil {
		hash, _, _ := strings.Cut(strings.TrimPrefix(key, subscriptionKeys), ".")
		sub = &subscription{key: key, host: hostOf(row.Callback), topic: s.topic(hash)}
		s.subs[key], sub.topic.subs[key] = sub, sub
		s.hosts[sub.host]++
	}
	sub.row, sub.revision = row, revision
	s.ending = s.ending || row.Ended != ""
}

// drop forgets a subscription. It is called with the lock.
func (s *shift) drop(sub *subscription) {
	s.owe(sub, false)
	delete(s.subs, sub.key)
	delete(sub.topic.subs, sub.key)
	if s.hosts[sub.host]--; s.hosts[sub.host] == 0 {
		delete(s.hosts, sub.host)
	}
}

// hostOf is what limits count by. It is that of an address that was checked.
func hostOf(callback string) string {
	u, err := url.Parse(callback)
	if err != nil {
		return ""
	}
	return web.HostPort(u)
}

// maxConflicts is how often a lost compare-and-set is tried again.
const maxConflicts = 5

// write changes a row by compare-and-set. verb is given the row, nil when there is none, and returns the next one, which
// may be the same for no change, or nil to remove it. It may be called several times.
func (s *shift) write(key string, verb func(*Subscription) *Subscription) error {
	for range maxConflicts {
		s.mu.Lock()
		var row *Subscription
		var revision uint64
		if sub := s.subs[key]; sub != nil {
			row, revision = sub.row, sub.revision
		}
		s.mu.Unlock()
		var before *Subscription
		if row != nil {
			copied := *row
			before = &copied
		}
		next := verb(before)
		if next == nil && row == nil || next != nil && next == before {
			return nil
		}
		if !s.lease.Valid() {
			return fault.Errorf(fault.Conflict, "change a subscription: the lease was lost")
		}
		var err error
		if next == nil {
			err = s.remove(key, revision)
		} else {
			value, bad := json.Marshal(next)
			if bad != nil {
				return fault.Errorf(fault.Internal, "write a subscription: %w", bad)
			}
			revision, err = s.rows.Update(s.ctx, key, value, revision)
		}
		if err == nil {
			s.wrote(key, next, revision)
			return nil
		}
		if fault.KindOf(err) != fault.Conflict {
			return err
		}
		e, ok, err := s.rows.Read(s.ctx, key)
		switch {
		case err != nil:
			return err
		case ok:
			s.show(e)
		default:
			s.mu.Lock()
			s.put(key, nil, 0)
			s.mu.Unlock()
		}
	}
	return fault.Errorf(fault.Conflict, "change a subscription: others changed it %d times", maxConflicts)
}

// wrote takes our own write over at once.
func (s *shift) wrote(key string, row *Subscription, revision uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if row != nil {
		s.put(key, row, revision)
		return
	}
	if sub := s.subs[key]; sub != nil && sub.revision <= revision {
		s.drop(sub)
	}
}

// remove deletes a row. The bucket may still be about to show what is removed, and may show that it is before we hear it:
// the mark is set first, so that it is not left behind.
func (s *shift) remove(key string, revision uint64) error {
	s.mu.Lock()
	s.removed[key] = revision
	s.mu.Unlock()
	err := s.rows.DeleteAt(s.ctx, key, revision)
	if err != nil {
		s.mu.Lock()
		delete(s.removed, key)
		s.mu.Unlock()
	}
	return err
}

// sweep removes what has ended by its lease. Nothing is pushed after that in any case, since each push looks at it.
func (s *shift) sweep(now time.Time) {
	s.mu.Lock()
	var over []subscription // copies: the rows of the others are changed meanwhile
	for _, sub := range s.subs {
		if !sub.row.Live(now) && !sub.busy {
			over = append(over, *sub)
		}
	}
	s.mu.Unlock()
	for _, sub := range over {
		ended := false
		err := s.write(sub.key, func(row *Subscription) *Subscription {
			if ended = row != nil && !row.Live(now); ended {
				return nil
			}
			return row
		})
		if err != nil {
			return // the next sweep
		}
		switch {
		case !ended:
		case sub.row.Ended == "":
			s.tell("subscription_ended", sub.row.Feed, "lease")
		default:
			s.tell("subscription_ended", sub.row.Feed, "operator")
			s.lanes.put(asking, sub.host, func() { s.deny(s.ctx, sub.row.Topic, sub.row.Callback, sub.row.Ended) })
		}
	}
}

func (s *shift) counts() (live, failing, pending int) {
	now := s.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sub := range s.subs {
		switch {
		case !sub.row.Live(now):
		case sub.row.Retry != nil:
			failing++
		default:
			live++
		}
	}
	return live, failing, len(s.asks)
}

// tell sends a notice, best effort.
func (s *shift) tell(typ, feed, reason string) {
	s.Bus.Notice(s.ctx, event.Notice{Time: s.Now().UTC(), Type: typ, Feed: feed, Reason: reason})
}
