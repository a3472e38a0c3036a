package app

import (
	"context"
	"encoding/json"
	"time"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/services/deliver/internal/dispatch"
	"tidings.internal/services/deliver/internal/ledger"
)

// The verbs that a running deliver answers, since it alone has the configuration in force and the credentials. They read
// and ask, and change nothing, so that every replica may answer.
const (
	verbChannel = "channel"
	verbTest    = "test"
	verbVerdict = "verdict"
	// serveVersion is that of the verbs, in the form that micro services ask for.
	serveVersion = "1.0.0"
	// probeLimit is how long a network may take to say who we are: less than an operator waits for our answer.
	probeLimit = 4 * time.Second
)

// question is what an operator asks about a channel.
type question struct {
	ID string `json:"id"`
	// Post is one whose fate is asked for, without what is sent.
	Post *event.Post `json:"post,omitempty"`
}

// Policy is how a channel is configured, as far as it says when and what is sent.
type Policy struct {
	Approve     string `json:"approve"`
	MaxPerHour  int    `json:"max_per_hour,omitempty"`
	MaxPerDay   int    `json:"max_per_day,omitempty"`
	MinInterval string `json:"min_interval,omitempty"`
	Burst       int    `json:"burst,omitempty"`
	Quiet       string `json:"quiet,omitempty"`
	MaxAge      string `json:"max_age,omitempty"`
	OnUpdate    string `json:"on_update"`
	OnRemove    string `json:"on_remove"`
	OnUncertain string `json:"on_uncertain"`
	// Edits and Deletes tell what the network can do.
	Edits   bool `json:"edits"`
	Deletes bool `json:"deletes"`
	// Next is what goes next and when at the earliest, a pause aside; nil when nothing waits for its turn.
	Next *NextDelivery `json:"next,omitempty"`
}

// NextDelivery is what goes next.
type NextDelivery struct {
	Delivery string    `json:"delivery"`
	Op       string    `json:"op"`
	At       time.Time `json:"at"`
}

// Identity is who a network says that the credentials of a channel belong to.
type Identity struct {
	// Asked is false when the network cannot be asked without a post.
	Asked bool   `json:"asked"`
	ID    string `json:"id,omitempty"`
	Name  string `json:"name,omitempty"`
	// Limits are what the network says that it takes, by the names of the channel's keys; none where it does not tell.
	Limits map[string]int `json:"limits,omitempty"`
}

// serve answers operators until ctx ends.
func (a *App) serve(ctx context.Context, verb string, answer func(context.Context, *dispatch.Channel, question) (any, error)) error {
	handle := func(ctx context.Context, request []byte) (any, error) {
		var q question
		if err := json.Unmarshal(request, &q); err != nil {
			return nil, fault.Errorf(fault.Malformed, "read the question about a channel: %w", err)
		}
		for _, c := range a.channels {
			if c.ID() == q.ID {
				return answer(ctx, c, q)
			}
		}
		return nil, fault.Errorf(fault.Invalid, "there is no channel %.80q that is sent to; \"tidings config show\" shows what is configured", q.ID)
	}
	return a.answer(ctx, verb, handle)
}

// answer answers a verb until ctx ends.
func (a *App) answer(ctx context.Context, verb string, handle func(ctx context.Context, request []byte) (any, error)) error {
	for {
		stop, err := a.bus.Serve(ctx, serveVersion, verb, handle)
		if err == nil {
			<-ctx.Done()
			stop()
			return nil
		}
		a.log.Debug("could not serve a verb of the operator", "kind", fault.KindOf(err), "err", err)
		again := time.NewTimer(time.Second)
		select {
		case <-ctx.Done():
			again.Stop()
			return nil
		case <-again.C:
		}
	}
}

// policy tells how a channel is configured and what it does next.
func (a *App) policy(ctx context.Context, c *dispatch.Channel, _ question) (any, error) {
	state, rows, err := a.present(ctx, c.ID())
	if err != nil {
		return nil, err
	}
	p := policyOf(c.Config)
	p.Edits, p.Deletes = c.Can()
	if state == nil {
		return p, nil
	}
	if next, ok := c.Outlook(*state, rows, c.Now()); ok {
		p.Next = &NextDelivery{Delivery: c.ID() + "/" + next.Story, Op: string(next.Op), At: next.At.UTC()}
	}
	return p, nil
}

// present reads how a channel stands; the state is nil for one that nobody has worked on yet.
func (a *App) present(ctx context.Context, channel string) (*ledger.Channel, []*ledger.Row, error) {
	state, _, err := book(a.bus).Channel(ctx, channel)
	if err != nil {
		return nil, nil, err
	}
	rows, err := book(a.bus).Rows(ctx, channel)
	return state, rows, err
}

// Verdict is what becomes of a post, or what has become of it.
type Verdict struct {
	// State and Reason are those that its delivery has or would have.
	State  string `json:"state"`
	Reason string `json:"reason,omitempty"`
	// Known says that the channel has heard of the story.
	Known bool `json:"known,omitempty"`
	// At is when it is sent at the earliest, or when its hold ends.
	At time.Time `json:"at,omitzero"`
	// Paused is the reason why the channel sends nothing.
	Paused string `json:"paused,omitempty"`
}

// verdict tells what would become of a post.
func (a *App) verdict(ctx context.Context, c *dispatch.Channel, q question) (any, error) {
	state, rows, err := a.present(ctx, c.ID())
	if err != nil {
		return nil, err
	}
	if state == nil || q.Post == nil {
		return nil, fault.Errorf(fault.Invalid, "nobody has worked on channel %s yet", c.ID())
	}
	v, err := c.Verdict(*state, rows, *q.Post, c.Now())
	if err != nil {
		return nil, err
	}
	out := Verdict{State: string(v.State), Reason: v.Reason, Known: v.Known, At: v.At}
	if state.Pause != nil {
		out.Paused = state.Pause.Reason
	}
	return out, nil
}

// Judge has the running deliver tell what would become of a post. Without one that has the channel the error is unreachable
// or invalid.
func Judge(ctx context.Context, b *bus.Bus, p event.Post) (Verdict, error) {
	p.Request, p.Media = event.Request{}, nil // nothing of them counts, and they are long
	var v Verdict
	return v, b.Ask(ctx, Name, verbVerdict, question{ID: p.Channel, Post: &p}, &v)
}

func policyOf(c config.Channel) Policy {
	p := Policy{
		MaxPerHour: c.MaxPerHour, MaxPerDay: c.MaxPerDay, OnUpdate: c.OnUpdate, OnRemove: c.OnRemove, OnUncertain: c.OnUncertain,
		MinInterval: span(c.MinInterval), MaxAge: span(c.MaxAge),
	}
	if text, err := c.Approve.MarshalText(); err == nil { // it writes what was read
		p.Approve = string(text)
	}
	if c.MaxPerHour > 0 {
		p.Burst = c.Burst
	}
	if c.Quiet.From != "" {
		p.Quiet = c.Quiet.From + " to " + c.Quiet.To + " " + c.Quiet.Zone
	}
	return p
}

func span(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.String()
}

// identity asks the network of a channel who its credentials belong to.
func (a *App) identity(ctx context.Context, c *dispatch.Channel, _ question) (any, error) {
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	who, asked, err := c.Probe(ctx)
	if err != nil {
		return nil, err
	}
	limits, err := c.Limits(ctx)
	if err != nil {
		a.log.Debug("could not ask for the limits", "channel", c.ID(), "err", err) // the credentials were the question
	}
	return Identity{Asked: asked, ID: who.ID, Name: who.Name, Limits: limits}, nil
}

// TestChannel has the running deliver ask the network of a channel who its credentials belong to. Nothing is posted.
func TestChannel(ctx context.Context, b *bus.Bus, id string) (Identity, error) {
	var who Identity
	if err := b.Ask(ctx, Name, verbTest, question{ID: id}, &who); err != nil {
		return Identity{}, err
	}
	row, _, err := book(b).Channel(ctx, id)
	if err == nil && row != nil && who.ID != "" && row.Person != "" && row.Person != who.ID {
		return who, fault.Errorf(fault.Refused, "channel %s posted as account %s, and its credentials are those of %s (%s); give the new account a channel of its own, or rebind this one", id, row.Person, who.ID, who.Name)
	}
	return who, err
}
