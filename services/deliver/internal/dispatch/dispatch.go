// Package dispatch runs channels: it takes posts from the bus into the ledger, and sends what the ledger holds at the
// time and pace that the channel allows.
//
// One [Channel] works at a time for each configured channel, under a lease. The lease saves work; what keeps a story
// from being posted twice is that the row says "sending", by compare-and-set, before the request leaves, and that a row
// found in that state later is never sent again before somebody has looked whether it arrived. Nothing that must be
// remembered is kept in memory alone: waits, allowances, pauses and attempts are fields of rows.
//
// The package knows no network. It speaks to one through package send, and counts times that its caller gives it.
package dispatch

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/trace"
	"tidings.internal/services/deliver/internal/ledger"
	"tidings.internal/services/deliver/internal/schedule"
	"tidings.internal/services/deliver/internal/send"
)

// Bus is what dispatch needs of the bus; *[bus.Bus] is one.
type Bus interface {
	Acquire(ctx context.Context, name string) (*bus.Lease, error)
	EnsureConsumer(ctx context.Context, c event.Consumer) (bool, error)
	Consume(ctx context.Context, c bus.Consume) error
	Last(ctx context.Context, subject string) (*bus.Record, error)
	Bury(ctx context.Context, d *bus.Delivery, reason string, cause error) error
	Notice(ctx context.Context, n event.Notice)
}

// Observer is told what became of deliveries.
type Observer interface {
	Delivered(channel, network string, op ledger.Op, outcome, reason string)
	Took(network string, took time.Duration)
	// Arrived tells how long ago an article was fetched whose first post a channel has sent by itself.
	Arrived(since time.Duration)
}

// Lease is the right to work on a channel.
type Lease interface{ Valid() bool }

// Options are what a channel is made of.
type Options struct {
	Config  config.Channel
	Network send.Network
	Sender  send.Sender
	Ledger  *ledger.Ledger
	Bus     Bus
	Log     *slog.Logger
	Observe Observer
	// Trace may be nil: nothing is exported then.
	Trace *trace.Tracer
	// Owner names this process in the rows that it sends.
	Owner string
	// MaxOpen is how many rows may be open before no more are taken in.
	MaxOpen int
	// Tick is called at least every minute while the work goes on.
	Tick func()
	Now  func() time.Time
	// Random is in [0, 1).
	Random func() float64
}

// Channel is the work on one channel.
type Channel struct {
	Options
	id     string
	limits schedule.Limits
	quiet  schedule.Quiet
	index  *index
	// notices waits to be told, best effort.
	notices chan event.Notice
	// wake says that the index has changed.
	wake chan struct{}

	// leveled says that the index has seen all that the ledger had when it was followed: what comes now is news.
	leveled atomic.Bool

	// filling lets one post of a backfill be counted at a time.
	filling sync.Mutex

	mu         sync.Mutex
	state      ledger.Channel // as last read or written
	identified bool
	troubled   bool // the last step failed; logged when it changes
}

// noticeQueue is how many notices wait at most; more are dropped, since nothing depends on them.
const noticeQueue = 256

// New makes the work on a channel. It starts nothing.
func New(o Options) *Channel {
	c := &Channel{
		Options: o, id: o.Config.ID, index: newIndex(),
		notices: make(chan event.Notice, noticeQueue), wake: make(chan struct{}, 1),
		limits: schedule.Limits{
			PerHour: o.Config.MaxPerHour, PerDay: o.Config.MaxPerDay, MinInterval: o.Config.MinInterval, Burst: o.Config.Burst,
			Zone: o.Config.Quiet.Location(),
		},
	}
	if c.Tick == nil {
		c.Tick = func() {}
	}
	if from, to, ok := o.Config.Quiet.Minutes(); ok {
		c.quiet = schedule.Quiet{From: from, To: to, Zone: o.Config.Quiet.Location()}
	}
	c.Log = o.Log.With("channel", c.id, "network", o.Config.Network)
	return c
}

// ID is the channel's id.
func (c *Channel) ID() string { return c.id }

// Counts returns how many rows are open in each state.
func (c *Channel) Counts() map[ledger.State]int { return c.index.counts() }

// Paused returns the reason of the channel's pause, empty when it has none.
func (c *Channel) Paused() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state.Pause == nil {
		return ""
	}
	return c.state.Pause.Reason
}

// rules are what an arriving post is measured by.
func (c *Channel) rules() ledger.Rules {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rulesOf(c.state, c.index.backfilled())
}

// rulesOf are the rules of a channel in a state, of which so many posts have come as backfill.
func (c *Channel) rulesOf(state ledger.Channel, backfilled int) ledger.Rules {
	_, edits := c.Sender.(send.Editor)
	_, deletes := c.Sender.(send.Deleter)
	r := ledger.Rules{
		Since:    state.Since,
		Backfill: !state.Closed && backfilled < c.Config.Backfill,
		Approve:  c.Config.Approve.Mode, HoldFor: c.Config.Approve.Hold, ExpireAfter: c.Config.ExpireAfter,
		OnUpdate: c.Config.OnUpdate, OnRemove: c.Config.OnRemove,
		CanEdit: edits, CanDelete: deletes, AnyChange: c.Network.Traits.AnyChange, Listed: c.Network.Traits.Listed,
	}
	if !c.wants("article.updated") {
		r.OnUpdate = ledger.OnIgnore
	}
	if !c.wants("article.removed") {
		r.OnRemove = ledger.OnIgnore
	}
	return r
}

// wants reports whether the channel asks for a type of event; without a list it takes all that concern articles.
func (c *Channel) wants(typ string) bool {
	return len(c.Config.Events) == 0 || slices.Contains(c.Config.Events, typ)
}

// tell sends a notice about a row, best effort.
func (c *Channel) tell(typ string, r *ledger.Row, reason, text string) {
	n := event.Notice{Time: c.Now().UTC(), Type: typ, Channel: c.id, Reason: reason, Text: text}
	if r != nil {
		n.Story, n.Article = r.Story, r.Article
	}
	select {
	case c.notices <- n:
	default: // nothing depends on a notice
	}
}

// poke wakes the loop.
func (c *Channel) poke() {
	select {
	case c.wake <- struct{}{}:
	default: // it is awake already
	}
}
