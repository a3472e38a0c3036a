package websub

import (
	"encoding/json"
	"time"

	"golang.org/x/time/rate"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
)

const (
	// asksPerMinute is how often a host is asked, whoever asked for it: the hub must not be a way to trouble others.
	asksPerMinute = 5
	// maxAsks is how many requests are held in memory; more wait in their bucket.
	maxAsks = 10_000
	// maxRates is how many hosts' rates are remembered.
	maxRates = 10_000
	// defaultLease is what a site is given that asks for no lease.
	defaultLease = 10 * 24 * time.Hour
	// writeAgain is how long to wait for a bus that is away.
	writeAgain = time.Second
)

// ask is a request that waits to be dealt with. It stays in its bucket until it is.
type ask struct {
	entry   string // the key in the bucket
	request event.HubRequest
	key     string // of the subscription
	host    string
	attempt int
	due     time.Time
	busy    bool
}

// askWaits are the waits after a callback could not be reached.
func askWaits() []time.Duration { return []time.Duration{10 * time.Second, time.Minute} }

// take notes a request that the bucket shows. It waits while too many are held, so that they wait in the bucket.
func (s *shift) take(e bus.Entry) {
	if e.Deleted {
		return
	}
	a := &ask{entry: e.Key, due: s.Now()}
	err := json.Unmarshal(e.Value, &a.request)
	if err == nil {
		err = a.request.Check() // the public port has done so, but it faces the public
	}
	if err != nil {
		s.Log.Warn("could not read a request for a subscription", "key", e.Key, "kind", fault.KindOf(err))
		s.dismiss(e.Key, Unknown)
		return
	}
	a.key, a.host = subscriptionKey(a.request.Topic, a.request.Callback), hostOf(a.request.Callback)
	before, outcome := s.admit(a)
	if before != "" {
		s.purge(before) // a later wish of the same site: what it asked for before is of no interest any more
	}
	if outcome != "" {
		s.dismiss(a.entry, outcome)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asks[a.key] == a { // else it was shown again
		s.start(a, s.Now())
	}
}

// admit puts a request among those that wait. before is the key of one that it takes the place of; outcome says why it
// is not admitted.
func (s *shift) admit(a *ask) (before, outcome string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.asks) >= maxAsks && s.ctx.Err() == nil {
		s.room.Wait()
	}
	settling := false // the row may be about to be written
	if old := s.asks[a.key]; old != nil {
		if old.entry == a.entry {
			return "", "" // shown again
		}
		before, settling = old.entry, old.busy
		s.forget(old)
	}
	switch {
	case a.request.Mode == event.ModeUnsubscribe && s.subs[a.key] == nil && !settling:
		return before, Unknown // nothing to end, and nobody to be asked
	case s.asking[a.host] >= 2*s.PerHost:
		return before, Limited // not even told: that would be a request, too
	}
	s.asks[a.key] = a
	s.asking[a.host]++
	return before, ""
}

// forget takes a request from those that wait. It is called with the lock.
func (s *shift) forget(a *ask) {
	if s.asks[a.key] != a {
		return
	}
	delete(s.asks, a.key)
	if s.asking[a.host]--; s.asking[a.host] == 0 {
		delete(s.asking, a.host)
	}
	s.room.Signal()
}

// dismiss is the end of a request.
func (s *shift) dismiss(entry, outcome string) {
	s.Observe.Asked(outcome)
	s.purge(entry)
}

// purge removes a request, and tries until it is gone: left behind it would be asked again by the next holder, which is
// harmless, but not wanted.
func (s *shift) purge(entry string) {
	for s.ctx.Err() == nil {
		if err := s.requests.Purge(s.ctx, entry); err == nil {
			return
		}
		select {
		case <-s.ctx.Done():
		case <-time.After(writeAgain):
		}
	}
}

// askDue starts what is due, as far as the hosts may be asked now.
func (s *shift) askDue() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.Now()
	for _, a := range s.asks {
		s.start(a, now)
	}
}

// start has a request dealt with if it is due and its host may be asked. It is called with the lock.
func (s *shift) start(a *ask, now time.Time) {
	if a.busy || now.Before(a.due) || !s.lease.Valid() || !s.limiter(a.host).AllowN(now, 1) {
		return
	}
	a.busy = true
	s.lanes.put(asking, a.host, func() { s.ask(a) })
}

// limiter is called with the lock.
func (s *shift) limiter(host string) *rate.Limiter {
	l := s.rates[host]
	if l == nil {
		if len(s.rates) >= maxRates {
			clear(s.rates)
		}
		l = rate.NewLimiter(rate.Every(time.Minute/asksPerMinute), asksPerMinute)
		s.rates[host] = l
	}
	return l
}

// full says which limit keeps a site from subscribing, empty for none. Who has a subscription may renew it.
func (s *shift) full(a *ask) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.topics[hash(a.request.Topic)]
	switch {
	case a.request.Mode == event.ModeUnsubscribe || s.subs[a.key] != nil:
		return ""
	case t != nil && len(t.subs) >= s.PerTopic:
		return "this topic has as many subscriptions as this hub serves"
	case s.hosts[a.host] >= s.PerHost:
		return "this host has as many subscriptions as this hub serves for one"
	}
	return ""
}

// current reports whether no later wish of the site has come meanwhile.
func (s *shift) current(a *ask) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asks[a.key] == a
}

// ask deals with a request. What it finds out is written to the row before the request is removed: a kill between the
// two has the callback asked once more, and whatever it says then leaves the row at worst as it is.
func (s *shift) ask(a *ask) {
	if !s.current(a) || s.ctx.Err() != nil {
		return
	}
	r := &a.request
	if reason := s.full(a); reason != "" {
		s.deny(s.ctx, r.Topic, r.Callback, reason)
		s.end(a, Limited)
		return
	}
	lease := s.leaseOf(r)
	got, yes := s.verify(s.ctx, r, lease)
	switch {
	case s.ctx.Err() != nil: // the next holder asks again
		return
	case got.barred:
		s.end(a, Barred)
	case got.status == 0:
		s.askLater(a)
	case !yes:
		// The former state stays, whatever it is: a stranger who guessed a callback changes nothing.
		s.end(a, Refused)
		s.tell("subscription_refused", r.Feed, r.Mode)
	case s.current(a): // otherwise what it confirmed is not what it wants now
		s.settle(a, lease)
	}
}

// leaseOf is the lease that a request is given.
func (s *shift) leaseOf(r *event.HubRequest) time.Duration {
	asked := time.Duration(r.Lease) * time.Second
	if asked <= 0 {
		asked = defaultLease
	}
	return min(max(asked, s.LeaseMin), s.LeaseMax)
}

// askLater tries a callback again that could not be reached. The number of tries is not written down: after a kill they
// begin anew.
func (s *shift) askLater(a *ask) {
	waits := askWaits()
	if a.attempt >= len(waits) {
		s.end(a, Unreachable)
		s.tell("subscription_refused", a.request.Feed, "unreachable")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a.due, a.busy = s.Now().Add(waits[a.attempt]), false
	a.attempt++
}

// settle puts a confirmed wish into force.
func (s *shift) settle(a *ask, lease time.Duration) {
	r, now := &a.request, s.Now().UTC()
	current := true
	err := s.write(a.key, func(row *Subscription) *Subscription {
		if current = s.current(a); !current {
			return row
		}
		if r.Mode == event.ModeUnsubscribe {
			return nil
		}
		if row == nil {
			row = &Subscription{}
		}
		next := *row
		next.Feed, next.Topic, next.Callback, next.Secret = r.Feed, r.Topic, r.Callback, r.Secret
		next.Since, next.Lease, next.Ended = now, now.Add(lease), ""
		if next.Retry != nil { // it is there again
			next.Retry = &Retry{Due: now}
		}
		next.note(Step{At: now, What: "verified"})
		return &next
	})
	if err != nil { // the bus is away, or the lease is another's
		s.Log.Debug("could not store a subscription", "feed", r.Feed, "kind", fault.KindOf(err), "err", err)
		s.mu.Lock()
		defer s.mu.Unlock()
		a.due, a.busy = now.Add(askWaits()[0]), false
		return
	}
	if !current {
		return
	}
	if r.Mode == event.ModeUnsubscribe {
		s.end(a, Ended)
		s.tell("subscription_ended", r.Feed, "subscriber")
		return
	}
	s.end(a, Verified)
	s.tell("subscription_verified", r.Feed, "")
}

// end removes a request that was dealt with.
func (s *shift) end(a *ask, outcome string) {
	s.dismiss(a.entry, outcome)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget(a)
}
