package app

import (
	"context"
	"sync"
	"time"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/services/enrich/internal/repeats"
)

const (
	// learnEvery is how often is looked whether a new hour has its snapshot.
	learnEvery = 30 * time.Second
	// ripe is the age at which a snapshot is adopted: by then every replica can see it, and two that were written at the
	// same moment have become one.
	ripe = 5 * time.Minute
	// lookBack is how old a snapshot may be that a replica begins with; the store keeps them for two days.
	lookBack = 47 * time.Hour
)

// knowledge is what the articles of all hosts and sources teach. Every replica folds ARTICLES, and in each hour the first one to
// miss the snapshot of the hour writes what it has. Nobody works with a fold of its own: all adopt the snapshot five
// minutes later, and so work with the same knowledge.
//
// Nothing here is a state that could be lost: a replica that is killed folds again, an hour without a snapshot leaves
// the former one in force, and the store may be emptied at any time.
type knowledge struct {
	app *App
	// begun is closed after the first look for a snapshot.
	begun chan struct{}
	once  sync.Once
	// adopted is the name of the snapshot in force.
	adopted string

	mu       sync.Mutex
	live     *repeats.Memory // nil before the first catch-up
	building *repeats.Memory
}

var _ bus.Fold = (*knowledge)(nil)

func newKnowledge(a *App) *knowledge { return &knowledge{app: a, begun: make(chan struct{})} }

// Reset implements [bus.Fold].
func (k *knowledge) Reset(string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.building = repeats.NewMemory()
}

// Apply implements [bus.Fold].
func (k *knowledge) Apply(r bus.Record) error {
	at, err := event.ParseSubject(r.Subject)
	if err != nil {
		return err
	}
	s := repeats.Seen{Article: at.Article, Source: at.Source, Sequence: r.Sequence}
	if !r.Marker && r.Header.Value(event.HeaderType) == event.TypeEnriched {
		_, a, err := event.DecodeEnriched(r.Message)
		if err != nil {
			return err
		}
		s = repeats.See(&a, r.Sequence)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.memory().Learn(s) // a tombstone and a marker have neither blocks nor a language: the article is forgotten
	return nil
}

// CaughtUp implements [bus.Fold].
func (k *knowledge) CaughtUp(event.Applied) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.building != nil {
		k.live, k.building = k.building, nil
	}
}

// Evicted implements [bus.Fold].
func (k *knowledge) Evicted(first uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.memory().ForgetBefore(first)
}

// memory is the one that records go into.
func (k *knowledge) memory() *repeats.Memory {
	if k.building != nil {
		return k.building
	}
	return k.live
}

// follow folds ARTICLES and keeps the hours until ctx ends.
func (k *knowledge) follow(ctx context.Context) error {
	ended := make(chan error, 1)
	go func() { ended <- k.app.bus.Follow(ctx, event.StreamArticles, event.All(event.SpaceEnriched), k) }()
	tick := time.NewTicker(k.app.learnEvery)
	defer tick.Stop()
	for {
		if err := k.keep(ctx, k.app.now()); err != nil && ctx.Err() == nil {
			k.app.log.Warn("could not renew what is known of hosts and sources; what is in force stays", "err", err, "retry_in", k.app.learnEvery)
		}
		k.once.Do(func() { close(k.begun) })
		select {
		case <-tick.C:
		case err := <-ended:
			return err
		case <-ctx.Done():
			return <-ended
		}
	}
}

// ready waits for the first look for a snapshot, so that a replica that starts works with what the others work with. A
// look that fails is no reason not to work: some blocks stay that might have gone, and short texts speak for themselves.
func (k *knowledge) ready(ctx context.Context) error {
	tick := time.NewTicker(pulseEvery)
	defer tick.Stop()
	for {
		k.app.pulse.Tick()
		select {
		case <-k.begun:
			return nil
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// keep writes the snapshot of the hour if there is none, and adopts the newest that is ripe.
func (k *knowledge) keep(ctx context.Context, now time.Time) error {
	adopted := k.adopt(ctx, now) // first: whatever becomes of the writing
	if err := k.write(ctx, now); err != nil {
		return err
	}
	return adopted
}

// write stores what was folded under the name of the hour. Another replica may have done so, or do so at this moment:
// either is as good. A kill before the object is complete leaves no object, and the next look writes it.
func (k *knowledge) write(ctx context.Context, now time.Time) error {
	name := event.KnowledgeSnapshot(now)
	if _, ok, err := k.app.bus.SnapshotTime(ctx, name); ok || err != nil {
		return err
	}
	k.mu.Lock()
	if k.live == nil { // a part of what there is would be taken for all of it
		k.mu.Unlock()
		return nil
	}
	known := k.live.Known()
	k.mu.Unlock()
	return k.app.bus.PutSnapshot(ctx, name, known.Encode())
}

// adopt puts the newest ripe snapshot in force. One that cannot be read, of a newer version perhaps, is passed over for
// an older one.
func (k *knowledge) adopt(ctx context.Context, now time.Time) error {
	var failed error
	for at := now; at.After(now.Add(-lookBack)); at = at.Add(-time.Hour) {
		name := event.KnowledgeSnapshot(at)
		if name == k.adopted {
			break
		}
		stored, ok, err := k.app.bus.SnapshotTime(ctx, name)
		if err != nil {
			return err
		}
		if !ok || now.Sub(stored) < ripe {
			continue
		}
		data, err := k.app.bus.ReadSnapshot(ctx, name)
		if fault.KindOf(err) == fault.Gone {
			continue
		}
		if err != nil {
			return err
		}
		known, err := repeats.Decode(data)
		if err != nil {
			failed = err
			continue
		}
		k.app.renew(func(e *edition) { e.known = known })
		k.adopted = name
		k.app.log.Debug("adopted what is known of hosts and sources", "n", known.Len(), "name", name)
		break
	}
	return failed
}
