// Package announce tells the bus which feeds have new documents, once for all replicas.
//
// Every replica sees every change. Each compares what it would say with what was said last: equal hashes need no second
// word, and of two places in ARTICLES the later wins by compare-and-set, so that a replica that lags behind never
// replaces newer news. Nothing is lost by a crash: what the next start builds is compared with what was said last, too.
package announce

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
	"tidings.internal/services/publish/internal/projection"
	"tidings.internal/services/publish/internal/render"
)

// Bus is what an announcer needs of [bus.Bus].
type Bus interface {
	Last(ctx context.Context, subject string) (*bus.Record, error)
	Emit(ctx context.Context, m event.Message) (bus.Outcome, error)
}

// Announcer emits feed.changed.
type Announcer struct {
	bus  Bus
	log  *slog.Logger
	now  func() time.Time
	wake chan struct{}

	mu      sync.Mutex
	pending map[string]projection.Change
}

// New makes an announcer.
func New(b Bus, log *slog.Logger, now func() time.Time) *Announcer {
	return &Announcer{bus: b, log: log, now: now, wake: make(chan struct{}, 1), pending: map[string]projection.Change{}}
}

// Changed notes a change to be announced. It does not block; a later change of the feed takes the place of one that
// waits.
func (a *Announcer) Changed(c projection.Change) {
	a.mu.Lock()
	if before, waits := a.pending[c.Published.Feed.ID]; waits {
		c.Start = c.Start && before.Start
	}
	a.pending[c.Published.Feed.ID] = c
	a.mu.Unlock()
	select {
	case a.wake <- struct{}{}:
	default: // it is awake already
	}
}

// retry is how long a change waits when the broker could not take it.
const retry = time.Second

// emitLimit bounds one announcement.
const emitLimit = 10 * time.Second

// Run announces until ctx ends.
func (a *Announcer) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-a.wake:
		}
		for {
			c, ok := a.take()
			if !ok {
				break
			}
			if err := a.announce(ctx, c); err != nil && ctx.Err() == nil {
				a.log.Debug("could not announce a change", "feed", c.Published.Feed.ID, "retry_in", retry, "err", err)
				a.putBack(c)
				select {
				case <-ctx.Done():
					return nil
				case <-time.After(retry):
				}
			}
		}
	}
}

func (a *Announcer) take() (projection.Change, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for id, c := range a.pending { // the order does not matter: each feed has a subject of its own
		delete(a.pending, id)
		return c, true
	}
	return projection.Change{}, false
}

func (a *Announcer) putBack(c projection.Change) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, newer := a.pending[c.Published.Feed.ID]; !newer {
		a.pending[c.Published.Feed.ID] = c
	}
}

func (a *Announcer) announce(ctx context.Context, c projection.Change) error {
	ctx, cancel := context.WithTimeout(ctx, emitLimit)
	defer cancel()
	subject, err := event.FeedSubject(c.Published.Feed.ID)
	if err != nil {
		return err
	}
	changed := payload(c)
	last, err := a.bus.Last(ctx, subject)
	if err != nil {
		return err
	}
	if last != nil && !last.Marker {
		_, said, err := event.DecodeFeedChanged(last.Message)
		if err == nil && slices.Equal(said.Documents, changed.Documents) {
			return nil
		}
		// Another version or configuration may write other bytes of the same articles. That is no news.
		if err == nil && c.Start && !c.Applied.After(said.Applied) {
			return nil
		}
	} else if c.Start && c.Published.Items == 0 {
		return nil // never anything to say
	}
	version := Version(c.Applied)
	m, err := event.Encode(subject, event.Envelope{
		Type: event.TypeFeedChanged, ID: event.EnrichedID(changed.Feed, version), Source: "publish", Time: a.now(),
		Subject: c.Published.Feed.Head.Page, Version: version,
	}, changed)
	if err != nil {
		return err
	}
	_, err = a.bus.Emit(ctx, m)
	return err
}

// Version orders places in ARTICLES: a stream that was made later is newer, within one stream the higher sequence.
func Version(applied event.Applied) event.Version {
	return event.Version{Revision: uint64(max(applied.Created.UnixNano(), 0)), Fence: applied.Sequence}
}

func payload(c projection.Change) event.FeedChanged {
	f := c.Published.Feed
	p := event.FeedChanged{Feed: f.ID, Applied: c.Applied, Updated: c.Published.Updated, Hubs: f.OtherHubs()}
	for _, format := range render.Formats() {
		d := c.Published.Documents[format]
		p.Documents = append(p.Documents, event.Document{
			Format: string(format), Topic: f.Head.Self[format], Hub: f.Hub, ContentType: d.ContentType, SHA256: d.SHA256, Bytes: d.Size,
		})
	}
	return p
}
