package dispatch

import (
	"context"
	"errors"
	"time"

	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/services/deliver/internal/ledger"
	"tidings.internal/services/deliver/internal/schedule"
	"tidings.internal/services/deliver/internal/send"
)

// change changes a row and takes note of it. A row that is not found is left alone.
func (c *Channel) change(ctx context.Context, story string, change func(*ledger.Row) (*ledger.Row, error)) (*ledger.Row, error) {
	r, revision, err := c.Ledger.Change(ctx, c.id, story, func(old *ledger.Row) (*ledger.Row, error) {
		if old == nil {
			return nil, nil
		}
		return change(old)
	})
	switch {
	case err != nil:
		return nil, err
	case r == nil:
		c.index.missing(story, c.Now())
	default:
		c.index.put(r, revision)
	}
	return r, nil
}

// recover takes up a row whose request is surely over and whose outcome nobody wrote: the process that sent it died, or
// could not reach the bus. What may be repeated is due at once, everything else is in doubt.
func (c *Channel) recover(ctx context.Context, story string) error {
	now := c.Now()
	rules := c.rules()
	doubt := false
	r, err := c.change(ctx, story, func(r *ledger.Row) (*ledger.Row, error) {
		doubt = false
		if r.State != ledger.Sending || !now.After(r.Deadline.Add(flight)) {
			return nil, nil
		}
		if r.Op != ledger.Create || c.Network.Traits.Repeatable {
			return r.Postpone(now, now, string(fault.Uncertain), "", rules)
		}
		doubt = true
		return r.Doubt(now, now, string(fault.Uncertain), "the request was under way when its sender stopped")
	})
	if err == nil && r != nil && doubt {
		c.Observe.Delivered(c.id, c.Config.Network, r.Op, string(r.State), r.Reason)
		c.tell("uncertain", r, r.Reason, "")
	}
	return err
}

// release ends a hold: by time it is approved, without a person it expires.
func (c *Channel) release(ctx context.Context, story string) error {
	now := c.Now()
	r, err := c.change(ctx, story, func(r *ledger.Row) (*ledger.Row, error) {
		switch {
		case r.State != ledger.Held || r.Due.IsZero() || now.Before(r.Due):
			return nil, nil
		case r.Reason == ledger.Manual:
			return r.Skip(now, ledger.Self, ledger.Expired)
		}
		return r.Approve(now, ledger.Self)
	})
	if err == nil && r != nil {
		c.tell(string(r.State), r, r.Reason, "")
	}
	return err
}

// skip gives up a first post that was never sent.
func (c *Channel) skip(ctx context.Context, story, reason string) error {
	now := c.Now()
	skipped := false
	r, err := c.change(ctx, story, func(r *ledger.Row) (*ledger.Row, error) {
		skipped = false
		if r.Op != ledger.Create || r.State != ledger.Planned && r.State != ledger.Approved && r.State != ledger.Waiting {
			return nil, nil
		}
		skipped = true
		return r.Skip(now, ledger.Self, reason)
	})
	if err == nil && r != nil && skipped {
		c.Observe.Delivered(c.id, c.Config.Network, r.Op, string(r.State), r.Reason)
		c.tell("skipped", r, r.Reason, "")
	}
	return err
}

// reconcile asks the network whether a create arrived whose answer was lost. Only when it was looked for twice and not
// found is it sent again, with the same key.
func (c *Channel) reconcile(ctx context.Context, story string) error {
	row, _, err := c.Ledger.Row(ctx, c.id, story)
	if err != nil {
		return err
	}
	if row == nil || row.State != ledger.Uncertain {
		_, err := c.change(ctx, story, func(*ledger.Row) (*ledger.Row, error) { return nil, nil })
		return err
	}
	remote, found, err := c.find(ctx, row)
	now := c.Now()
	rules := c.rules()
	if kind := fault.KindOf(err); kind == fault.Refused {
		if err := c.update(ctx, c.pausing(kind, err.Error(), now)); err != nil {
			return err
		}
	}
	r, err := c.change(ctx, story, func(r *ledger.Row) (*ledger.Row, error) {
		switch {
		case !sameAttempt(r, row, ledger.Uncertain):
			return nil, nil
		case err != nil:
			return r.Delay(now.Add(max(fault.After(err), schedule.Backoff(1, c.Random()))), err.Error()), nil
		case found:
			return r.Succeed(now, remote, rules)
		case r.Looks+1 < maxLooks && c.Config.OnUncertain != onRetry:
			return r.Look(now.Add(secondLook), ""), nil
		}
		return r.Postpone(now, now, "not_found", "", rules)
	})
	if err == nil && r != nil && r.State == ledger.Sent {
		c.Observe.Delivered(c.id, c.Config.Network, r.Op, string(r.State), "found")
		c.tell("sent", r, "found", "")
	}
	return err
}

func (c *Channel) find(ctx context.Context, r *ledger.Row) (ledger.Remote, bool, error) {
	f, ok := c.Sender.(send.Finder)
	if !ok {
		return ledger.Remote{}, false, nil // on_uncertain: retry asked for this
	}
	ctx, cancel := context.WithTimeout(ctx, c.Config.Timeout)
	defer cancel()
	return f.Find(ctx, job(r))
}

// errNoRow says that the channel's row has gone under our hands.
var errNoRow = errors.New("the row of the channel is gone")

// load reads the channel's row. When the ledger was lost it is made again, from now on.
func (c *Channel) load(ctx context.Context) (ledger.Channel, error) {
	s, _, err := c.Ledger.Channel(ctx, c.id)
	if err == nil && s == nil {
		if err = c.establish(ctx); err == nil {
			s, _, err = c.Ledger.Channel(ctx, c.id)
		}
	}
	if err != nil {
		return ledger.Channel{}, err
	}
	if s == nil {
		return ledger.Channel{}, fault.Errorf(fault.Unreachable, "read channel %s: %w", c.id, errNoRow)
	}
	c.keep(*s)
	return *s, nil
}

func (c *Channel) keep(s ledger.Channel) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state = s
}

// update changes the channel's row; the function says whether there is anything to change.
func (c *Channel) update(ctx context.Context, change func(*ledger.Channel) bool) error {
	var before *ledger.Pause
	s, err := c.Ledger.ChangeChannel(ctx, c.id, func(s *ledger.Channel) (*ledger.Channel, error) {
		if s == nil {
			return nil, fault.Errorf(fault.Unreachable, "write channel %s: %w", c.id, errNoRow)
		}
		if before = s.Pause; !change(s) {
			return nil, nil
		}
		return s, nil
	})
	if err != nil {
		return err
	}
	c.keep(*s)
	switch {
	case before == nil && s.Pause != nil:
		c.Log.Warn("paused a channel and kept its queue", "kind", s.Pause.Reason, "err", s.Pause.Text)
		c.tell("channel_paused", nil, s.Pause.Reason, "")
	case before != nil && s.Pause == nil:
		c.Log.Info("resumed a channel")
		c.tell("channel_resumed", nil, before.Reason, "")
	}
	return nil
}

// tryResume ends a pause that had its reason in credentials or in an address when there are other ones now. An
// operator's pause, and that of a restore, only the operator ends.
func (c *Channel) tryResume(ctx context.Context, state ledger.Channel) (bool, error) {
	reason := state.Pause.Reason
	if reason == ledger.ByOperator || reason == ledger.Restored || state.Pause.Credential == c.Sender.Credential() {
		return false, nil
	}
	err := c.update(ctx, func(s *ledger.Channel) bool {
		if s.Pause == nil || s.Pause.Credential == c.Sender.Credential() {
			return false
		}
		s.Resume()
		return true
	})
	return err == nil, err
}

// identify asks once who the network takes us for, and pauses the channel when that is somebody else than before: the
// receipts in the ledger are those of the former account. A network that does not say is not insisted on.
func (c *Channel) identify(ctx context.Context) (ok bool, err error) {
	p, can := c.Sender.(send.Prober)
	if !can || c.identified {
		return true, nil
	}
	asking, cancel := context.WithTimeout(ctx, c.Config.Timeout)
	defer cancel()
	who, err := p.Probe(asking)
	if err != nil {
		// A token may be allowed to post and not to read. What is wrong with it the post itself will tell.
		c.Log.Debug("could not ask for the account", "err", err)
		c.identified = true
		return true, nil
	}
	if s, _, err := c.Ledger.Channel(ctx, c.id); err != nil {
		return false, err
	} else if s != nil && s.MayRebind(c.Now()) && s.Person != "" && s.Person != who.ID {
		if err := c.rebind(ctx, who.ID); err != nil {
			return false, err
		}
		c.identified = true
		return false, nil // the row in hand has changed: the next step looks at it again
	}
	ok = true
	err = c.update(ctx, func(s *ledger.Channel) bool {
		ok = s.Person == "" || s.Person == who.ID
		switch {
		case s.Person == "":
			s.Person = who.ID
			return true
		case ok:
			return false
		}
		return c.pausing(ledger.AccountChanged, "the credentials belong to another account than before", c.Now())(s)
	})
	// Of a stranger it is asked again: a resume without other credentials must not send to him.
	c.identified = err == nil && ok
	return ok, err
}

// rebind makes the account that is configured that of the channel, as a person allowed. The rows go first: a crash in
// between leaves the word of the person in the channel's row, and what was done is done again to the same end. Nothing is
// sent meanwhile, since the lease is ours and the loop stands.
func (c *Channel) rebind(ctx context.Context, person string) error {
	rows, err := c.Ledger.Rows(ctx, c.id)
	if err != nil {
		return err
	}
	now := c.Now()
	for _, r := range rows {
		if _, err := c.change(ctx, r.Story, func(r *ledger.Row) (*ledger.Row, error) { return r.Leave(now, c.Config.Network) }); err != nil {
			return err
		}
	}
	return c.update(ctx, func(s *ledger.Channel) bool {
		s.Network, s.Account, s.Person, s.Rebind = c.Config.Network, c.Sender.Account(), person, nil
		if s.Pause != nil && s.Pause.Reason == ledger.AccountChanged {
			s.Resume()
		}
		c.Log.Info("goes on with another account, as the operator allowed")
		return true
	})
}

// establish makes sure that the channel has its row and its consumer.
func (c *Channel) establish(ctx context.Context) error {
	old, _, err := c.Ledger.Channel(ctx, c.id)
	if err != nil {
		return err
	}
	if old != nil && old.Account != c.Sender.Account() {
		if !old.MayRebind(c.Now()) {
			return &AccountError{Channel: c.id, Was: old.Account, Is: c.Sender.Account()}
		}
		if err := c.rebind(ctx, ""); err != nil {
			return err
		}
	}
	made, err := c.Bus.EnsureConsumer(ctx, event.ChannelConsumer(c.id))
	if err != nil {
		return err
	}
	s, err := c.Ledger.ChangeChannel(ctx, c.id, func(s *ledger.Channel) (*ledger.Channel, error) {
		if s != nil {
			return nil, nil
		}
		// A consumer without a row has delivered before: the ledger was lost. The channel begins anew now, and nothing
		// older is posted, backfill included: a lost ledger skips, it never floods. A crash between the consumer and
		// this row looks the same, and costs a first run its backfill.
		// When a story was first seen is known by the second, cut off. A channel that began within that second is cut off
		// likewise, or what comes after it would look older.
		return &ledger.Channel{ID: c.id, Network: c.Config.Network, Since: c.Now().UTC().Truncate(time.Second), Account: c.Sender.Account(), Closed: !made}, nil
	})
	if err == nil {
		c.keep(*s)
	}
	return err
}

// AccountError says that a channel's configuration names another account than its rows.
type AccountError struct{ Channel, Was, Is string }

// Error tells what to do.
func (e *AccountError) Error() string {
	return "channel " + e.Channel + " posted to " + e.Was + " and is now configured for " + e.Is + "; give the new account a channel id of its own, or say \"tidings channels rebind " + e.Channel + "\""
}

// Unwrap gives the kind.
func (e *AccountError) Unwrap() error {
	return fault.Errorf(fault.Invalid, "the account of a channel changed")
}
