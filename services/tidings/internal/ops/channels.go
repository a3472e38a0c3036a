package ops

import (
	"context"
	"time"

	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	deliver "tidings.internal/services/deliver/app"
	publish "tidings.internal/services/publish/app"
)

// ChannelDetail is what an operator sees of one channel alone, Identity who its network takes us for.
type (
	ChannelDetail = deliver.ChannelDetail
	Identity      = deliver.Identity
)

// Channel tells of one.
func (o *Ops) Channel(ctx context.Context, id string) (ChannelDetail, error) {
	return deliver.ShowChannel(ctx, o.bus, id)
}

// TestChannel asks the network of a channel who its credentials belong to. Nothing is posted. The lines are to be written
// into the channel, where the network says that it takes more or less than is configured.
func (o *Ops) TestChannel(ctx context.Context, id string) (who Identity, lines []string, err error) {
	if who, err = deliver.TestChannel(ctx, o.bus, id); err != nil {
		return who, nil, err
	}
	lines, err = publish.DifferentLimits(o.doc, id, who.Limits)
	return who, lines, err
}

// lookEvery is how often a test post is looked at.
const lookEvery = 200 * time.Millisecond

// TestPost sends a post that says what it is, and has it deleted at once where the network can. It returns how the
// delivery stands when that is done, or when within is over; what was not sent by then never is.
func (o *Ops) TestPost(ctx context.Context, channel, actor string, within time.Duration) (DeliveryDetail, error) {
	p, err := publish.TestPost(o.doc, channel, time.Now())
	if err != nil {
		return DeliveryDetail{}, err
	}
	id, err := deliver.Try(ctx, o.bus, p, actor)
	if err != nil {
		return DeliveryDetail{}, err
	}
	limit := time.NewTimer(within)
	defer limit.Stop()
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		d, err := deliver.Delivery(ctx, o.bus, id)
		if err != nil || deliver.Settled(d) {
			return d, err
		}
		select {
		case <-ctx.Done():
		case <-limit.C:
		case <-look.C:
			continue
		}
		return o.giveUp(context.WithoutCancel(ctx), id, actor)
	}
}

// giveUp ends a test that took too long, if it is not under way.
func (o *Ops) giveUp(ctx context.Context, id, actor string) (DeliveryDetail, error) {
	ctx, cancel := context.WithTimeout(ctx, closeLimit)
	defer cancel()
	if err := deliver.Skip(ctx, o.bus, Wish{ID: id, Actor: actor}); err != nil && fault.KindOf(err) != fault.Invalid {
		return DeliveryDetail{}, err
	}
	return deliver.Delivery(ctx, o.bus, id)
}

// PauseChannel stops a channel and keeps its queue.
func (o *Ops) PauseChannel(ctx context.Context, id string) error {
	return deliver.Pause(ctx, o.bus, id)
}

// ResumeChannel ends a pause, whatever its reason. After a restore the channel begins anew at this moment.
func (o *Ops) ResumeChannel(ctx context.Context, id string) error {
	return deliver.Resume(ctx, o.bus, id)
}

// Caught is what became of a story that a channel may have missed.
type Caught = deliver.Caught

// CatchUp sends a channel the newest stories that it missed, at most so many, the oldest first, perDay each day. With dry
// it tells what would be sent.
func (o *Ops) CatchUp(ctx context.Context, channel string, most, perDay int, actor string, dry bool) ([]Caught, error) {
	missed, err := publish.CatchUp(ctx, o.bus, o.doc, channel, most, dry)
	if err != nil {
		return nil, err
	}
	var posts []event.Post
	for _, m := range missed {
		if m.Post != nil {
			posts = append(posts, *m.Post)
		}
	}
	// A crash before this line leaves posts on the bus that the ledger skips as older than the channel; caught up once more
	// they are found there.
	done, err := deliver.CatchUp(ctx, o.bus, o.doc, channel, posts, perDay, actor, dry)
	for _, m := range missed {
		if m.Post == nil {
			done = append(done, Caught{Delivery: channel + "/" + m.Story, Title: m.Title, Outcome: deliver.LeftOut, Reason: m.Why})
		}
	}
	return done, err
}

// RebindChannel allows a channel to go on with the account that it is configured for.
func (o *Ops) RebindChannel(ctx context.Context, id, actor string) error {
	return deliver.Rebind(ctx, o.bus, id, actor)
}
