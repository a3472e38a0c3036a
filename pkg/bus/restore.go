package bus

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tidings.internal/pkg/event"
)

// The metadata of a stream that a restore made: the digest of the manifest it came from. A stream under metaRestoring
// is not complete yet, or not reconciled with the others; no service takes it for ready, since it has no topology number.
const (
	metaRestoring = "tidings-restoring"
	metaRestored  = "tidings-restored"
)

// Restore puts a backup in the place of an empty instance on which no service runs. A file that is cut, changed or of a
// newer format, an instance that was used, and streams that would not fit are refused before anything is written.
// topology says how large streams may be here; reconcile, if set, is called when everything is there and before
// anything counts as ready. progress, if set, hears of each member that is done.
//
// It may be repeated after a crash: what an unfinished restore has made is known by its metadata and made anew.
func (b *Bus) Restore(ctx context.Context, file string, topology event.Topology, reconcile func(ctx context.Context) error, progress func(Member)) (Manifest, error) {
	a, err := openBackup(file)
	if err != nil {
		return Manifest{}, err
	}
	err = b.restore(ctx, a, topology, reconcile, progress)
	return a.Manifest, errors.Join(err, a.f.Close())
}

func (b *Bus) restore(ctx context.Context, a *archive, topology event.Topology, reconcile func(ctx context.Context) error, progress func(Member)) error {
	configs, err := a.fit(topology)
	if err != nil {
		return err
	}
	there, err := b.present(ctx)
	if err != nil {
		return err
	}
	if activating(a, there) {
		// Everything was restored and reconciled: only the last step was interrupted.
		return b.activate(ctx, a)
	}
	if err := b.unused(ctx, a, there); err != nil {
		return err
	}
	// First, since it fails where there are fewer servers than copies are wanted.
	if err := b.raiseFence(ctx, a, topology); err != nil {
		return err
	}
	for i, m := range a.Members {
		if err := b.restoreMember(ctx, a, m, configs[i], there[m.Name] != nil); err != nil {
			return err
		}
		if progress != nil {
			progress(m)
		}
	}
	// A replay that was under way belongs to an operator who is not waiting for it any more.
	if err := b.DropConsumer(ctx, event.StreamRaw, event.ConsumerReplay); err != nil {
		return err
	}
	if reconcile != nil {
		if err := reconcile(ctx); err != nil {
			return err
		}
	}
	if err := b.spread(ctx, a); err != nil {
		return err
	}
	return b.activate(ctx, a)
}

// fit gives each stream the settings that it had, with the size that it has here and one replica for now: who reads a stream
// of several may be handed to a server that has not heard of its messages yet, and finds nothing. A channel that reconcile
// does not find is not paused, and posts again what it had posted.
func (a *archive) fit(topology event.Topology) ([]jetstream.StreamConfig, error) {
	configs := make([]jetstream.StreamConfig, len(a.Members))
	a.copies = map[string]int{}
	for i, m := range a.Members {
		c := &configs[i]
		if err := json.Unmarshal(m.Config, c); err != nil {
			return nil, refused("read the settings of %s in the backup: %w", m.Name, err)
		}
		for _, s := range topology.Streams {
			if s.StreamName() != m.Name {
				continue
			}
			// A snapshot that is larger than the stream may be would lose its oldest messages without a word.
			if s.MaxBytes > 0 && m.Bytes > uint64(s.MaxBytes) {
				return nil, refused("%s of the backup has %d bytes and may have %d here; raise nats.max_file", m.Name, m.Bytes, s.MaxBytes)
			}
			c.MaxBytes, a.copies[m.Name] = s.MaxBytes, s.Replicas
		}
		c.Replicas = 1
		c.Metadata = ownMetadata(c.Metadata)
		delete(c.Metadata, event.MetaTopology)
		c.Metadata[metaRestoring] = a.id
	}
	return configs, nil
}

// ownMetadata leaves out what the server notes for itself.
func ownMetadata(m map[string]string) map[string]string {
	own := maps.Clone(m)
	if own == nil {
		own = map[string]string{}
	}
	maps.DeleteFunc(own, func(name, _ string) bool { return strings.HasPrefix(name, "_nats.") })
	return own
}

// present looks at what the instance has of a backup's streams, and of the leases.
func (b *Bus) present(ctx context.Context) (map[string]*jetstream.StreamInfo, error) {
	there := map[string]*jetstream.StreamInfo{}
	for _, name := range append(backupOrder(), notInBackup()) {
		info, err := b.streamInfo(ctx, name)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		there[name] = info
	}
	return there, nil
}

// activating reports whether a restore of this very backup was interrupted in its last step, when some streams had been
// declared complete already. The first is only after all are.
func activating(a *archive, there map[string]*jetstream.StreamInfo) bool {
	under, done := 0, 0
	for _, m := range a.Members {
		if info := there[m.Name]; info != nil {
			if info.Config.Metadata[metaRestoring] == a.id {
				under++
			} else if info.Config.Metadata[metaRestored] == a.id {
				done++
			}
		}
	}
	return under > 0 && done > 0 && under+done == len(a.Members)
}

// unused makes sure that nothing of value stands in the way and that no service is at work.
func (b *Bus) unused(ctx context.Context, a *archive, there map[string]*jetstream.StreamInfo) error {
	for _, name := range append(backupOrder(), notInBackup()) { // what was used is told before what runs
		info := there[name]
		if info == nil {
			continue
		}
		mine := info.Config.Metadata[metaRestoring] == a.id
		switch {
		case name == notInBackup() && info.State.Msgs > 0:
			return refused("restore into this instance: a service runs on it; stop all of them first")
		case name == notInBackup(), mine, info.State.LastSeq == 0:
		case name == event.StreamEvents && info.State.Msgs < firstNotices:
			// An instance that was set up has told of that.
		default:
			return refused("restore into this instance: it was used, %s holds %d messages; restore into an empty one", name, info.State.Msgs)
		}
	}
	for stream, consumer := range map[string]string{event.StreamRaw: event.ConsumerEnrich, event.StreamArticles: event.ConsumerComposer} {
		if there[stream] == nil {
			continue
		}
		c, err := b.js.Consumer(ctx, stream, consumer)
		if errors.Is(err, jetstream.ErrConsumerNotFound) {
			continue
		}
		if err != nil {
			return classify(err, "look at consumer %s of %s", consumer, stream)
		}
		if c.CachedInfo().NumWaiting > 0 {
			return refused("restore into this instance: a service reads %s; stop all of them first", stream)
		}
	}
	return nil
}

// firstNotices is how many events an instance has at most that was set up and never worked.
const firstNotices = 10

// restoreMember replaces a stream by that of the backup.
func (b *Bus) restoreMember(ctx context.Context, a *archive, m Member, config jetstream.StreamConfig, exists bool) error {
	limit := time.NewTimer(formerWait)
	defer limit.Stop()
	tick := time.NewTicker(handLook)
	defer tick.Stop()
	for {
		if exists {
			if err := b.dropStream(ctx, m.Name); err != nil {
				return err
			}
		}
		err := b.upload(ctx, m, config, a.open(m.Snapshot))
		if api, ok := errors.AsType[*jetstream.APIError](err); ok && api.ErrorCode == codeNameInUse {
			// A restore that was killed: the broker goes on with what it was sent, and notices after 5 s that no more
			// will come.
			select {
			case <-tick.C:
				info, lookErr := b.streamInfo(ctx, m.Name)
				exists = lookErr == nil && info.Config.Metadata[metaRestoring] == a.id
				continue
			case <-limit.C:
			case <-ctx.Done():
			}
		}
		if err != nil || m.Tail == nil {
			return err
		}
		return b.follow(ctx, m.Name, a.open(*m.Tail))
	}
}

const (
	// codeNameInUse: the broker has a stream of this name, or makes one at the moment.
	codeNameInUse jetstream.ErrorCode = 10130
	// formerWait is how long a former restore may take to end.
	formerWait = 20 * time.Second
)

func (b *Bus) dropStream(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, ackWait)
	defer cancel()
	if err := b.js.DeleteStream(ctx, name); err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
		return classify(err, "remove the empty stream %s", name)
	}
	return nil
}

// follow publishes what was stored while the snapshot was taken. It gets new places behind the others: what a subject
// holds counts here, and nobody knows these places, since the epoch is new.
func (b *Bus) follow(ctx context.Context, stream string, r io.Reader) error {
	lines := json.NewDecoder(bufio.NewReader(r))
	for {
		var t tailed
		err := lines.Decode(&t)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return refused("read what followed the snapshot of %s: %w", stream, err)
		}
		m := event.Message{Subject: t.Subject, Header: t.Header, Body: t.Body}
		if err := b.publish(ctx, m, func(h nats.Header) { h[jetstream.ExpectedStreamHeader] = []string{stream} }); err != nil {
			return err
		}
	}
}

// raiseFence has the leases begin above those of the backup. A lease's revision is the fence in the versions of
// articles: one that began at 1 again would lose to every content that was stored before.
func (b *Bus) raiseFence(ctx context.Context, a *archive, topology event.Topology) error {
	plan := event.Topology{Number: topology.Number}
	for _, s := range topology.Streams {
		if s.StreamName() == notInBackup() {
			plan.Streams = append(plan.Streams, s)
		}
	}
	p, err := b.Plan(ctx, plan)
	if err != nil {
		return err
	}
	for _, c := range p.Changes {
		if c.Kind == ChangeCreate {
			if err := c.apply(ctx); err != nil {
				return err
			}
		}
	}
	state, err := b.StreamState(ctx, notInBackup())
	if err != nil || state.Last >= a.Fence {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, ackWait)
	defer cancel()
	s, err := b.js.Stream(ctx, notInBackup())
	if err == nil {
		// Purging up to a sequence that does not exist yet makes it the next one.
		err = s.Purge(ctx, jetstream.WithPurgeSequence(a.Fence+1))
	}
	return classify(err, "raise the fence of the leases")
}

// activate declares the restored streams complete: they get their topology number back, and each a new epoch, since
// the sequences that somebody may remember are used again for other messages.
func (b *Bus) activate(ctx context.Context, a *archive) error {
	for _, m := range a.Members {
		info, err := b.streamInfo(ctx, m.Name)
		if err != nil {
			return err
		}
		config := info.Config
		if config.Metadata[metaRestoring] != a.id {
			continue // done before a crash
		}
		var was jetstream.StreamConfig
		if err := json.Unmarshal(m.Config, &was); err != nil {
			return refused("read the settings of %s in the backup: %w", m.Name, err)
		}
		config.Metadata = ownMetadata(config.Metadata)
		delete(config.Metadata, metaRestoring)
		config.Metadata[metaRestored] = a.id
		config.Metadata[event.MetaTopology] = was.Metadata[event.MetaTopology]
		config.Metadata[event.MetaEpoch] = rand.Text()
		if err := b.declare(ctx, config); err != nil {
			return err
		}
	}
	return nil
}

func (b *Bus) declare(ctx context.Context, config jetstream.StreamConfig) error {
	ctx, cancel := context.WithTimeout(ctx, ackWait)
	defer cancel()
	_, err := b.js.UpdateStream(ctx, config)
	return classify(err, "declare stream %s complete", config.Name)
}
