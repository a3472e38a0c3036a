package bus

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
)

// StreamState is how a stream stands.
type StreamState struct {
	Messages uint64
	Bytes    uint64
	MaxBytes int64
	First    uint64
	Last     uint64
	FirstAt  time.Time
	Created  time.Time
	Epoch    string
	Topology int
}

// StreamState looks at a stream by the name the broker knows (a bucket is "KV_" and its name).
func (b *Bus) StreamState(ctx context.Context, name string) (StreamState, error) {
	info, err := b.streamInfo(ctx, name)
	if err != nil {
		return StreamState{}, err
	}
	number, _ := strconv.Atoi(info.Config.Metadata[event.MetaTopology]) // 0 where it is not ours
	return StreamState{
		Messages: info.State.Msgs, Bytes: info.State.Bytes, MaxBytes: info.Config.MaxBytes, First: info.State.FirstSeq, Last: info.State.LastSeq,
		FirstAt: info.State.FirstTime, Created: info.Created, Epoch: info.Config.Metadata[event.MetaEpoch], Topology: number,
	}, nil
}

// missingStream says what to do where a stream is not there; the words of the server would add nothing.
type missingStream struct {
	name string
	err  error
}

func (e *missingStream) Error() string {
	return "stream " + e.name + " is missing; run \"tidings topology apply\""
}

func (e *missingStream) Unwrap() error { return e.err }

func (b *Bus) streamInfo(ctx context.Context, name string) (*jetstream.StreamInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, getWait)
	defer cancel()
	s, err := b.js.Stream(ctx, name) // asks the broker for the info
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, fault.Errorf(fault.Unreachable, "%w", &missingStream{name, err})
	}
	if err != nil {
		return nil, classify(err, "look at stream %s", name)
	}
	return s.CachedInfo(), nil
}

// ProbeTopology tells whether the named streams exist as this version wants them or newer.
func (b *Bus) ProbeTopology(ctx context.Context, names ...string) error {
	if !b.nc.IsConnected() {
		return fault.Errorf(fault.Unreachable, "not known without a connection to NATS") // the library would speak of its buffer
	}
	for _, name := range names {
		s, err := b.StreamState(ctx, name)
		if err != nil {
			return err
		}
		if s.Topology < event.TopologyNumber {
			return fault.Errorf(fault.Unreachable, "stream %s has topology %d, this version needs %d; run \"tidings topology apply\"", name, s.Topology, event.TopologyNumber)
		}
	}
	return nil
}

// Backlog is how far a consumer is behind, and how full its stream is.
type Backlog struct {
	Pending    uint64 // not delivered yet
	AckPending uint64 // delivered, not settled
	Bytes      uint64
	MaxBytes   int64
	// Oldest is the age of the oldest message that nobody has been given yet; 0 when there is none.
	Oldest time.Duration
}

// Lag is everything that is not settled.
func (l Backlog) Lag() uint64 { return l.Pending + l.AckPending }

// Backlog looks at a consumer and its stream.
func (b *Bus) Backlog(ctx context.Context, stream, consumer string) (Backlog, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*ackWait)
	defer cancel()
	state, err := b.StreamState(ctx, stream)
	if err != nil {
		return Backlog{}, err
	}
	c, err := b.js.Consumer(ctx, stream, consumer)
	if err != nil {
		return Backlog{}, classify(err, "look at consumer %s of %s", consumer, stream)
	}
	info := c.CachedInfo()
	l := Backlog{Pending: info.NumPending, AckPending: uint64(info.NumAckPending), Bytes: state.Bytes, MaxBytes: state.MaxBytes}
	if l.Pending > 0 {
		next, err := b.Next(ctx, stream, info.Config.FilterSubject, info.Delivered.Stream+1)
		if err != nil {
			return Backlog{}, err
		}
		if next != nil {
			l.Oldest = time.Since(next.Time)
		}
	}
	return l, nil
}

// Floor returns the sequence up to which a consumer has settled all that its stream holds for it. It may be behind for a
// moment, and after a crash of the broker, and is never ahead.
func (b *Bus) Floor(ctx context.Context, stream, consumer string) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, ackWait)
	defer cancel()
	c, err := b.js.Consumer(ctx, stream, consumer)
	if err != nil {
		return 0, classify(err, "look at consumer %s of %s", consumer, stream)
	}
	return c.CachedInfo().AckFloor.Stream, nil
}

// ChangeKind says what a change would do.
type ChangeKind string

// The kinds of changes.
const (
	ChangeCreate      ChangeKind = "create"
	ChangeUpdate      ChangeKind = "update"
	ChangeDestructive ChangeKind = "destructive" // could lose data: applied only on demand
	ChangeForeign     ChangeKind = "foreign"     // not ours: shown and left alone
)

// Change is one difference between the declared topology and the broker.
type Change struct {
	Kind   ChangeKind `json:"kind"`
	Object string     `json:"object"` // "stream RAW", "consumer RAW/enrich"
	// Details lists what differs, each as "field: is → shall be".
	Details []string `json:"details,omitempty"`
	apply   func(ctx context.Context) error
}

// Plan is the way from what is to what shall be.
type Plan struct {
	Changes []Change `json:"changes"`
	Number  int      `json:"number"`
}

// Pending reports whether the plan changes anything.
func (p Plan) Pending() bool {
	return slices.ContainsFunc(p.Changes, func(c Change) bool { return c.Kind != ChangeForeign })
}

// Destructive lists the changes that could lose data.
func (p Plan) Destructive() []Change {
	return slices.DeleteFunc(slices.Clone(p.Changes), func(c Change) bool { return c.Kind != ChangeDestructive })
}

// Plan compares the declared topology with the broker and changes nothing.
func (b *Bus) Plan(ctx context.Context, t event.Topology) (Plan, error) {
	p := Plan{Number: t.Number}
	ours := map[string]bool{}
	for _, s := range t.Streams {
		ours[s.StreamName()] = true
		c, err := b.planStream(ctx, s, t.Number)
		if err != nil {
			return Plan{}, err
		}
		if c != nil {
			p.Changes = append(p.Changes, *c)
		}
	}
	for _, c := range t.Consumers {
		change, err := b.planConsumer(ctx, c)
		if err != nil {
			return Plan{}, err
		}
		if change != nil {
			p.Changes = append(p.Changes, *change)
		}
	}
	list := b.js.StreamNames(ctx)
	for name := range list.Name() {
		if !ours[name] {
			p.Changes = append(p.Changes, Change{Kind: ChangeForeign, Object: "stream " + name})
		}
	}
	return p, classify(list.Err(), "list streams")
}

// Apply carries a plan out. Destructive changes need yes; without it nothing at all is changed. A run that is killed
// or repeated, or that meets another, ends in the same state.
func (b *Bus) Apply(ctx context.Context, p Plan, yes bool) error {
	if bad := p.Destructive(); len(bad) > 0 && !yes {
		var lines []string
		for _, c := range bad {
			lines = append(lines, c.Object+" ("+strings.Join(c.Details, "; ")+")")
		}
		return fault.Errorf(fault.Invalid, "these changes could lose data and need --yes: %s", strings.Join(lines, ", "))
	}
	for _, c := range p.Changes {
		if c.apply == nil {
			continue
		}
		if err := c.apply(ctx); err != nil {
			return fmt.Errorf("%s %s: %w", c.Kind, c.Object, err)
		}
	}
	if p.Pending() {
		b.Notice(ctx, event.Notice{Type: "topology_applied", Data: map[string]string{"number": strconv.Itoa(p.Number)}})
	}
	return nil
}

func streamConfig(s event.Stream, number int) jetstream.StreamConfig {
	per := s.PerSubject
	if per == 0 {
		per = -1
	}
	size := s.MaxMsgSize
	if size == 0 {
		size = -1
	}
	c := jetstream.StreamConfig{
		Name: s.StreamName(), Description: s.About, Subjects: s.StreamSubjects(), Storage: jetstream.FileStorage, Retention: jetstream.LimitsPolicy,
		MaxBytes: s.MaxBytes, MaxAge: s.MaxAge, MaxMsgsPerSubject: per, MaxMsgSize: size, MaxMsgs: -1, MaxConsumers: -1,
		Duplicates: s.Duplicates, Replicas: s.Replicas, AllowDirect: true, AllowMsgTTL: s.MsgTTL, SubjectDeleteMarkerTTL: s.MarkerTTL,
		Discard:  jetstream.DiscardOld,
		Metadata: map[string]string{event.MetaTopology: strconv.Itoa(number)},
	}
	if s.Compress {
		c.Compression = jetstream.S2Compression
	}
	// The server switches roll-ups on by itself where it is to write delete markers (nats-server v2.15.2); asked for
	// without, the next plan would find a difference for ever.
	c.AllowRollup = s.MarkerTTL > 0
	// A bucket or store refuses what is new when it is full; dropping the oldest row would repeat a post.
	switch s.Kind {
	case event.KindBucket:
		c.Discard, c.AllowRollup, c.DenyDelete = jetstream.DiscardNew, true, true
	case event.KindStore:
		c.Discard, c.AllowRollup = jetstream.DiscardNew, true
	}
	return c
}

func (b *Bus) planStream(ctx context.Context, s event.Stream, number int) (*Change, error) {
	want := streamConfig(s, number)
	object := string(s.Kind) + " " + s.Name
	ctx, cancel := context.WithTimeout(ctx, ackWait)
	defer cancel()
	stream, err := b.js.Stream(ctx, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return &Change{Kind: ChangeCreate, Object: object, apply: func(ctx context.Context) error {
			fresh := want // a plan may be carried out by several at once
			fresh.Metadata = maps.Clone(want.Metadata)
			fresh.Metadata[event.MetaEpoch] = rand.Text()
			_, err := b.js.CreateStream(ctx, fresh)
			if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
				return nil // another run was quicker; the next plan shows what still differs
			}
			return classify(err, "make stream %s", want.Name)
		}}, nil
	}
	if err != nil {
		return nil, classify(err, "look at stream %s", want.Name)
	}
	info := stream.CachedInfo()
	details, destructive := diffStream(info, want, number)
	if len(details) == 0 {
		return nil, nil
	}
	change := &Change{Kind: ChangeUpdate, Object: object, Details: details, apply: func(ctx context.Context) error {
		next := want
		next.Metadata = maps.Clone(info.Config.Metadata) // the epoch and the server's own notes stay
		if next.Metadata == nil {
			next.Metadata = map[string]string{}
		}
		if have, _ := strconv.Atoi(next.Metadata[event.MetaTopology]); have < number {
			next.Metadata[event.MetaTopology] = strconv.Itoa(number)
		}
		if next.Metadata[event.MetaEpoch] == "" { // made by somebody else under our name
			next.Metadata[event.MetaEpoch] = rand.Text()
		}
		_, err := b.js.UpdateStream(ctx, next)
		return classify(err, "change stream %s", want.Name)
	}}
	if destructive {
		change.Kind = ChangeDestructive
	}
	return change, nil
}

// diffStream lists what differs, and whether the change could lose data. The server is no guard: it accepts a changed
// retention and dropped subjects without a word.
func diffStream(info *jetstream.StreamInfo, want jetstream.StreamConfig, number int) (details []string, destructive bool) {
	is := info.Config
	note := func(loses bool, field string, from, to any) {
		details = append(details, fmt.Sprintf("%s: %v → %v", field, from, to))
		destructive = destructive || loses
	}
	if !slices.Equal(is.Subjects, want.Subjects) {
		dropped := slices.ContainsFunc(is.Subjects, func(s string) bool { return !slices.Contains(want.Subjects, s) })
		note(dropped, "subjects", is.Subjects, want.Subjects)
	}
	if is.Retention != want.Retention {
		note(true, "retention", is.Retention, want.Retention)
	}
	if is.Storage != want.Storage {
		note(true, "storage", is.Storage, want.Storage)
	}
	if is.Replicas != want.Replicas {
		note(want.Replicas < is.Replicas, "replicas", is.Replicas, want.Replicas)
	}
	if is.MaxBytes != want.MaxBytes {
		note(want.MaxBytes > 0 && uint64(want.MaxBytes) < info.State.Bytes, "max_bytes", is.MaxBytes, want.MaxBytes)
	}
	if is.MaxAge != want.MaxAge {
		old := info.State.Msgs > 0 && want.MaxAge > 0 && time.Since(info.State.FirstTime) > want.MaxAge
		note(old, "max_age", is.MaxAge, want.MaxAge)
	}
	if is.MaxMsgsPerSubject != want.MaxMsgsPerSubject {
		lowered := want.MaxMsgsPerSubject > 0 && (is.MaxMsgsPerSubject <= 0 || want.MaxMsgsPerSubject < is.MaxMsgsPerSubject)
		note(lowered, "max_msgs_per_subject", is.MaxMsgsPerSubject, want.MaxMsgsPerSubject)
	}
	for _, f := range []struct {
		name     string
		from, to any
	}{
		{"discard", is.Discard, want.Discard}, {"max_msg_size", is.MaxMsgSize, want.MaxMsgSize}, {"duplicates", is.Duplicates, want.Duplicates},
		{"compression", is.Compression, want.Compression}, {"allow_direct", is.AllowDirect, want.AllowDirect},
		{"allow_msg_ttl", is.AllowMsgTTL, want.AllowMsgTTL}, {"marker_ttl", is.SubjectDeleteMarkerTTL, want.SubjectDeleteMarkerTTL},
		{"allow_rollup", is.AllowRollup, want.AllowRollup}, {"deny_delete", is.DenyDelete, want.DenyDelete},
		{"description", is.Description, want.Description},
	} {
		if f.from != f.to {
			note(false, f.name, f.from, f.to)
		}
	}
	// A newer version may have been here; its number is left alone so that its services stay ready.
	if have, _ := strconv.Atoi(is.Metadata[event.MetaTopology]); have < number {
		note(false, "topology", have, number)
	}
	return details, destructive
}

func (b *Bus) planConsumer(ctx context.Context, c event.Consumer) (*Change, error) {
	want := consumerConfig(c)
	object := "consumer " + c.Stream + "/" + c.Name
	make := func(ctx context.Context) error {
		_, err := b.js.CreateOrUpdateConsumer(ctx, c.Stream, want)
		return classify(err, "make consumer %s of %s", c.Name, c.Stream)
	}
	ctx, cancel := context.WithTimeout(ctx, ackWait)
	defer cancel()
	consumer, err := b.js.Consumer(ctx, c.Stream, c.Name)
	if errors.Is(err, jetstream.ErrConsumerNotFound) || errors.Is(err, jetstream.ErrStreamNotFound) {
		return &Change{Kind: ChangeCreate, Object: object, apply: make}, nil
	}
	if err != nil {
		return nil, classify(err, "look at consumer %s of %s", c.Name, c.Stream)
	}
	is := consumer.CachedInfo().Config
	var details []string
	destructive := is.AckPolicy != want.AckPolicy || is.DeliverPolicy != want.DeliverPolicy
	for _, f := range []struct {
		name     string
		from, to any
	}{
		{"ack_policy", is.AckPolicy, want.AckPolicy}, {"deliver_policy", is.DeliverPolicy, want.DeliverPolicy},
		{"filter", is.FilterSubject, want.FilterSubject}, {"max_deliver", is.MaxDeliver, want.MaxDeliver},
		{"max_ack_pending", is.MaxAckPending, want.MaxAckPending}, {"backoff", len(is.BackOff), len(want.BackOff)},
		{"ack_wait", is.AckWait, want.AckWait}, {"attempts", is.Metadata[event.MetaAttempts], want.Metadata[event.MetaAttempts]},
	} {
		if f.from != f.to {
			details = append(details, fmt.Sprintf("%s: %v → %v", f.name, f.from, f.to))
		}
	}
	if len(details) == 0 {
		return nil, nil
	}
	change := &Change{Kind: ChangeUpdate, Object: object, Details: details, apply: make}
	if destructive {
		change.Kind = ChangeDestructive
		change.apply = func(ctx context.Context) error {
			// The server cannot change these in place.
			if err := b.DropConsumer(ctx, c.Stream, c.Name); err != nil {
				return err
			}
			return make(ctx)
		}
	}
	return change, nil
}
