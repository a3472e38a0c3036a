package poll

import (
	"context"
	"time"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/web"
	"tidings.internal/services/ingest/internal/decode"
	"tidings.internal/services/ingest/internal/fetch"
	"tidings.internal/services/ingest/internal/identity"
	"tidings.internal/services/ingest/internal/parse"
	"tidings.internal/services/ingest/internal/state"
	"tidings.internal/services/ingest/internal/websub"
)

// Hubs is what a poller needs to ask hubs for pushes.
type Hubs struct {
	Client *web.Client
	Keys   *websub.Keys
}

// wanted reports whether the hub of a source is asked.
func (p *Poller) wanted(s *Source) bool { return p.hubs != nil && s.WebSub != "off" }

// tick brings the subscription up to date with the time.
func (p *Poller) tick(t *turn) {
	if t.state.Sub.Tick(t.now) {
		p.lostHub(t)
	}
}

func (p *Poller) lostHub(t *turn) {
	p.log.Warn("pushes of a source cannot be relied on, it is polled", "source", t.source.ID, "err", t.state.Sub.Reason)
	t.notices = append(t.notices, event.Notice{Type: "websub_lost", Source: t.source.ID, Text: "the source is polled as any other: " + t.state.Sub.Reason})
}

// discover takes over the hub that a document names, and notices by its news whether an active one is silent.
func (p *Poller) discover(t *turn, a *fetch.Answer, doc *parse.Document, changes []identity.Change) {
	if !p.wanted(t.source) {
		if t.state.Sub.Hub != "" {
			t.state.Sub.Found("", "") // no call of the hub is answered any more, so it stops
		}
		return
	}
	for _, c := range changes {
		if c.Kind == identity.New && c.Item.Published != nil && t.state.Sub.Missed(t.now, *c.Item.Published) {
			p.lostHub(t)
		}
	}
	hub, topic := websub.Discover(a.Header, doc.Feed.Hubs, doc.Feed.SelfURL, a.URL)
	t.state.Sub.Found(hub, topic)
}

// renewal gives the time of the next poll, or an earlier one at which the hub is to be asked again.
func (t *turn) renewal(next time.Time) time.Time {
	if s := t.state.Sub; s.Hub != "" && s.Next.After(t.now) && s.Next.Before(next) {
		return s.Next
	}
	return next
}

// hubWait is how long a hub may take to answer.
const hubWait = 10 * time.Second

// subscribe asks the hub of a source where that is due.
func (p *Poller) subscribe(ctx context.Context, t *turn) {
	if !p.wanted(t.source) || t.source.state == nil || !t.source.state.Sub.Due(t.now) {
		return
	}
	// Stored before the hub is asked: it may confirm before it answers, to any replica. A kill in between leaves a
	// question that nobody asked: as with a silent hub, the source is polled as before and the hub asked a day later. A
	// renewal is asked again within the hour.
	asking := &turn{source: t.source, state: t.source.state.Clone(), now: t.now}
	asking.state.Sub.Ask(t.now)
	if err := p.commit(ctx, asking); err != nil {
		return // somebody else was quicker; the next poll asks
	}
	sub := asking.state.Sub
	err := p.askHub(ctx, t.source, sub)
	// Whoever heard the confirmation has written the state since.
	t.source.Reset()
	if err == nil {
		return
	}
	p.log.Debug("a hub could not be asked", "source", t.source.ID, "err", err)
	reason, _ := article.Cut(err.Error(), maxDetail)
	if _, err := p.Settle(ctx, t.source.ID, func(s *websub.Subscription) bool {
		if !s.Asked.Equal(sub.Asked) {
			return false
		}
		s.Failed(t.now, reason)
		return true
	}); err != nil {
		p.log.Debug("could not note that a hub was not asked", "source", t.source.ID, "err", err)
	}
}

func (p *Poller) askHub(ctx context.Context, s *Source, sub websub.Subscription) error {
	u, err := p.hubs.Client.CheckURL(sub.Hub)
	if err != nil {
		return err
	}
	turn, cancel := context.WithTimeout(ctx, maxGate)
	defer cancel()
	release, err := p.gate.Enter(turn, web.HostPort(u))
	if err != nil {
		return err
	}
	defer release()
	ctx, cancel = context.WithTimeout(ctx, hubWait)
	defer cancel()
	return websub.Subscribe(ctx, p.hubs.Client, sub.Hub, sub.Topic, p.hubs.Keys.Callback(s.ID, sub.Generation), p.hubs.Keys.Secret(s.ID, sub.Generation), s.Options)
}

// settleTries is how often a subscription is changed that others change at the same moment.
const settleTries = 10

// Look gives the subscription of a source as the bucket holds it, false when nothing is known of the source.
func (p *Poller) Look(ctx context.Context, id string) (websub.Subscription, bool, error) {
	st, _, err := state.Load(ctx, p.states, id)
	if err != nil || st == nil {
		return websub.Subscription{}, false, err
	}
	return st.Sub, true, nil
}

// Settle changes the subscription of a source by compare-and-set. Whoever polls the source at the moment finds that its
// state was changed, reads it and judges anew.
func (p *Poller) Settle(ctx context.Context, id string, change func(*websub.Subscription) bool) (bool, error) {
	for range settleTries {
		st, revision, err := state.Load(ctx, p.states, id)
		if err != nil || st == nil {
			return false, err
		}
		was := st.Sub
		if !change(&st.Sub) {
			return false, nil
		}
		_, err = state.Save(ctx, p.states, id, st, revision)
		if fault.KindOf(err) == fault.Conflict {
			continue
		}
		if err == nil && was.Status != websub.Active && st.Sub.Status == websub.Active {
			p.bus.Notice(ctx, event.Notice{Type: "websub_active", Source: id, Text: "the news of the source are pushed; it is polled once a day"})
		}
		return err == nil, err
	}
	return false, fault.Errorf(fault.Conflict, "change the subscription of source %s: others change it all the time", id)
}

// Push reads what a hub sent as a poll would, and returns once RAW has what is new. It holds news only: what it lacks
// proves nothing. A kill before the state is written lets the hub push again, or a poll find it; RAW drops by its
// message id what it has already.
func (p *Poller) Push(ctx context.Context, s *Source, lease Lease, push websub.Push) error {
	data, _, err := decode.Codings(push.Body, push.Codings)
	if err != nil {
		return err
	}
	text, _, err := decode.Text(data, push.ContentType)
	if err != nil {
		return err
	}
	for range settleTries {
		s.Reset() // any replica may have taken another one since
		if err := p.Load(ctx, s); err != nil {
			return err
		}
		err := p.pushed(ctx, s, lease, push, text)
		if fault.KindOf(err) != fault.Conflict || !lease.Valid() {
			return err
		}
	}
	return fault.Errorf(fault.Conflict, "take a push of source %s: others change its state all the time", s.ID)
}

func (p *Poller) pushed(ctx context.Context, s *Source, lease Lease, push websub.Push, text []byte) error {
	t := &turn{source: s, state: s.state.Clone(), fence: lease.Fence(), now: p.now().UTC(), done: func() {}}
	if t.state.First() {
		return websub.ErrPoll // what it had before is not known yet
	}
	doc, err := parse.Read(text, parse.Options{URL: t.state.Address(), ContentLanguage: push.Header.Get("Content-Language"), Now: t.now})
	if err != nil {
		return err
	}
	_, topic := websub.Discover(push.Header, []string{t.state.Sub.Hub}, doc.Feed.SelfURL, t.state.Sub.Topic)
	if identity.SameFeed(topic) != identity.SameFeed(t.state.Sub.Topic) {
		return websub.ErrOtherTopic
	}
	t.partial = doc.Partial
	memory := t.state.Memory.Clone()
	report := memory.Judge(doc, identity.Policy{
		Source: s.ID, Deletions: s.Deletions, EditGap: p.config.RevisionGap, Old: p.old(false, t.now), Tracking: p.config.Tracking, Pushed: true,
	}, t.now)
	for _, c := range report.Changes {
		if p.fulltext != nil && wantsPage(&s.Source, c) {
			return websub.ErrPoll
		}
	}
	t.state.Memory, t.state.Sub.Pushed = *memory, t.now
	if err := p.publish(ctx, t, lease, report.Changes); err != nil {
		return err
	}
	return p.commit(ctx, t)
}
