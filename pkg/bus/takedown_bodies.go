package bus

import (
	"context"
	"encoding/base64"
	"errors"
	"regexp"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tidings.internal/pkg/event"
)

var blobNames = regexp.MustCompile(`[0-9]{4}w[0-9]{2}-[0-9a-f]{64}`)

// bodies erases the bodies of the article in the object store. Bodies are named after what they hold, so another
// article may have the very same: then it stays, and the result says so.
//
// Together with them goes every body that nothing has referred to for a while: those of former revisions of this
// article are among them. Nobody can read them any more, and nobody can say whose they were.
func (t *takedown) bodies(ctx context.Context) error {
	objects, err := t.bus.objects(ctx, event.StoreBlobs)
	if err != nil || len(objects) == 0 {
		return err
	}
	mine, others, err := t.references(ctx)
	if err != nil {
		return err
	}
	old := time.Now().Add(-orphanAge)
	for _, o := range objects {
		switch {
		case others[o.Name]:
			if mine[o.Name] && !slices.Contains(t.result.Shared, o.Name) {
				t.result.Shared = append(t.result.Shared, o.Name)
			}
		case mine[o.Name] || o.ModTime.Before(old):
			if err := t.bus.eraseObject(ctx, event.StoreBlobs, o); err != nil {
				return err
			}
			if mine[o.Name] {
				t.result.Blobs++
			}
		}
	}
	return nil
}

// references collects the names of the bodies that messages refer to, those of the article and those of all others.
func (t *takedown) references(ctx context.Context) (mine, others map[string]bool, err error) {
	mine, others = map[string]bool{}, map[string]bool{}
	note := func(into map[string]bool, body []byte) {
		for _, name := range blobNames.FindAll(body, -1) {
			into[string(name)] = true
		}
	}
	for _, stream := range []string{event.StreamRaw, event.StreamArticles, event.StreamPosts, event.StreamDead} {
		err := t.bus.sweep(ctx, stream, nil, func(r Record) error {
			switch {
			case !concerns(r.Message, t.id):
				note(others, r.Body)
			case r.Header.Value(event.HeaderType) == event.TypeBatch:
				rest, taken, _ := without(r.Message, t.id, fresh)
				note(mine, taken)
				note(others, rest.Body)
			default:
				note(mine, r.Body)
			}
			return nil
		})
		if err != nil {
			return nil, nil, err
		}
	}
	return mine, others, nil
}

func (b *Bus) objects(ctx context.Context, name string) ([]*jetstream.ObjectInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, sweepIdle)
	defer cancel()
	s, err := b.store(ctx, name)
	if err != nil {
		return nil, err
	}
	list, err := s.List(ctx)
	if errors.Is(err, jetstream.ErrNoObjectsFound) {
		return nil, nil
	}
	return list, classify(err, "list the objects of %s", name)
}

// eraseObject overwrites the chunks of an object and then its entry. The entry goes last: until then a repeat finds
// what is left.
func (b *Bus) eraseObject(ctx context.Context, name string, o *jetstream.ObjectInfo) error {
	stream := event.Stream{Kind: event.KindStore, Name: name}.StreamName()
	entry := "$O." + name + ".M." + base64.URLEncoding.EncodeToString([]byte(o.Name))
	for _, subject := range []string{"$O." + name + ".C." + o.NUID, entry} {
		for next := uint64(1); ; {
			r, err := b.Next(ctx, stream, subject, next)
			if err != nil {
				return err
			}
			if r == nil {
				break
			}
			if err := b.erase(ctx, stream, r.Sequence); err != nil {
				return err
			}
			next = r.Sequence + 1
		}
	}
	return nil
}

// snapshots empties the store of short cuts. They hold what projections held, and are made again.
func (t *takedown) snapshots(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, ackWait)
	defer cancel()
	s, err := t.bus.js.Stream(ctx, event.Stream{Kind: event.KindStore, Name: event.StoreSnapshots}.StreamName())
	if err == nil {
		err = s.Purge(ctx)
	}
	return classify(err, "empty the store %s", event.StoreSnapshots)
}
