package event

import (
	"slices"
	"time"

	"tidings.internal/pkg/fault"
)

// The streams.
const (
	StreamRaw      = "RAW"
	StreamArticles = "ARTICLES"
	StreamPosts    = "POSTS"
	StreamFeeds    = "FEEDS"
	StreamDead     = "DEAD"
	StreamEvents   = "EVENTS"
)

// The buckets for keys and values.
const (
	BucketSourceConfig  = "source_config"
	BucketSourceState   = "source_state"
	BucketStories       = "stories"
	BucketTaxonomy      = "taxonomy"
	BucketDeliveries    = "deliveries"
	BucketSubscriptions = "subscriptions"
	BucketSubscribers   = "subscribers"
	BucketRequests      = "requests"
	BucketLeases        = "leases"
)

// The stores for objects.
const (
	StoreBlobs     = "blobs"
	StoreSnapshots = "snapshots"
)

// KnowledgeSnapshot names what enrich knew in the hour of t.
func KnowledgeSnapshot(t time.Time) string {
	return "enrich/knowledge/" + t.UTC().Format("2006-01-02T15")
}

// The durable consumers. Deliver makes one more for each channel ([ChannelConsumer]).
const (
	ConsumerEnrich   = "enrich"   // RAW, what is new
	ConsumerBackfill = "backfill" // RAW, what was old when its source was first seen
	ConsumerComposer = "composer" // ARTICLES, shared by all replicas of publish
	ConsumerWebSub   = "websub"   // FEEDS
)

// MaxChannels is how many channels one instance has at most: the broker stops at 1,000 consumers a stream.
const MaxChannels = 900

// TopologyNumber rises with any change of the declarations below. A service is ready once what it finds has its own
// number or a higher one.
const TopologyNumber = 2

// The metadata that a stream carries.
const (
	MetaTopology = "tidings-topology"
	MetaEpoch    = "tidings-epoch"    // random, new when the stream is made or restored
	MetaAttempts = "tidings-attempts" // of a consumer: [Consumer.Attempts]
)

// Settings are what an operator decides about the streams.
type Settings struct {
	Replicas int   // 1 or 3
	MaxFile  int64 // bytes that JetStream may use in all
	// DedupeWindow is how long a repeated message id is dropped, 2 minutes to 1 hour. Each id costs 175 to 260 bytes
	// of memory for so long.
	DedupeWindow time.Duration
	Retention    Retention
}

// Retention is how long messages are kept. Each must be longer than the one before it, so that what is posted can
// always be traced back and a story outlives everything that could repeat it.
type Retention struct {
	Raw, Articles, Posts, Stories time.Duration
}

// DefaultSettings are the shipped ones.
func DefaultSettings() Settings {
	return Settings{
		Replicas: 1, MaxFile: 20 << 30, DedupeWindow: time.Hour,
		Retention: Retention{Raw: 3 * day, Articles: 30 * day, Posts: 35 * day, Stories: 45 * day},
	}
}

const day = 24 * time.Hour

// Stream is a stream, a bucket or an object store; all three are streams to the broker. All use file storage and
// retention by limits: a stream that drops what nobody consumes at the moment would lose articles while a service is
// down.
type Stream struct {
	Name     string // as operators and code know it
	Kind     StreamKind
	Subjects []string
	MaxBytes int64
	MaxAge   time.Duration // 0: for ever
	// PerSubject is how many messages each subject keeps, 0 for all.
	PerSubject int64
	MaxMsgSize int32
	Duplicates time.Duration
	Compress   bool
	// MsgTTL allows single messages a life of their own; MarkerTTL is how long the mark of an expired one stays.
	MsgTTL    bool
	MarkerTTL time.Duration
	Replicas  int
	About     string
}

// StreamKind tells streams, buckets and object stores apart.
type StreamKind string

// The kinds of streams.
const (
	KindStream StreamKind = "stream"
	KindBucket StreamKind = "bucket"
	KindStore  StreamKind = "store"
)

// Consumer is a durable pull consumer with explicit acks that delivers everything.
type Consumer struct {
	Stream string
	Name   string
	Filter string
	// MaxDeliver is how often the broker hands a message out at all, -1 without end. It is reached only by a handler
	// that crashes or hangs each time.
	MaxDeliver int
	// Attempts is how often a handler may report a fault before the message becomes a dead letter, 0 without end.
	Attempts      int
	MaxAckPending int
	AckWait       time.Duration
	Replicas      int // 0: as the stream
	About         string
}

// Topology is everything that must exist on the broker before a service can work.
type Topology struct {
	Number    int
	Streams   []Stream
	Consumers []Consumer
}

// AckWait is how long the broker waits for an ack or a sign of life before it hands a message to another. It is short,
// so that the work of a killed process is taken up soon.
//
// There is no backoff list on the consumers: with one, nats-server 2.15.2 adds the difference between the entry of
// the delivery at hand and the first entry to every delay that a handler asks for (consumer.go, processNak and
// checkPending), so that "again in 100 ms" becomes 30 s and more.
const AckWait = 15 * time.Second

const (
	maxMsg  = 512 << 10
	maxDead = 1 << 20
	// crashes is how often a message may take its handler down before the broker gives it up: 5 minutes of AckWait.
	crashes = 20
	// reserve leaves 5 % of MaxFile free: the sum of all limits must stay below what the server may use, or one stream
	// could eat what others reserved (JetStream errors 10023, 10047).
	reserve = 0.95
)

// NewTopology returns the desired state for an operator's settings.
func NewTopology(s Settings) (Topology, error) {
	if err := s.check(); err != nil {
		return Topology{}, err
	}
	share := func(percent float64) int64 { return int64(float64(s.MaxFile) * reserve * percent / 100) }
	stream := func(name string, percent float64, age time.Duration, about string, subjects ...string) Stream {
		return Stream{Name: name, Kind: KindStream, Subjects: subjects, MaxBytes: share(percent), MaxAge: age,
			MaxMsgSize: maxMsg, Duplicates: 2 * time.Minute, Replicas: s.Replicas, About: about}
	}
	bucket := func(name string, percent float64, history int64, age time.Duration, about string) Stream {
		dup := 2 * time.Minute
		if age > 0 {
			dup = min(dup, age)
		}
		return Stream{Name: name, Kind: KindBucket, MaxBytes: share(percent), MaxAge: age, PerSubject: history,
			MaxMsgSize: maxMsg, Duplicates: dup, Replicas: s.Replicas, About: about}
	}
	store := func(name string, percent float64, age time.Duration, about string) Stream {
		return Stream{Name: name, Kind: KindStore, MaxBytes: share(percent), MaxAge: age, Duplicates: 2 * time.Minute, Replicas: s.Replicas, About: about}
	}

	raw := stream(StreamRaw, 22, s.Retention.Raw, "articles as ingest found them", All(SpaceRaw), All(SpaceBackfill))
	raw.Duplicates, raw.Compress = s.DedupeWindow, true
	articles := stream(StreamArticles, 30, s.Retention.Articles, "the newest revision of each enriched article", All(SpaceEnriched))
	articles.PerSubject, articles.Compress, articles.MsgTTL, articles.MarkerTTL = 1, true, true, time.Hour
	posts := stream(StreamPosts, 8, s.Retention.Posts, "the newest post of each story for each channel", All(SpacePost))
	posts.PerSubject = 1
	feeds := stream(StreamFeeds, 0.5, 0, "the last change of each feed", All(SpaceFeed))
	feeds.PerSubject = 1
	dead := stream(StreamDead, 4, 30*day, "messages that no handler could take", All(SpaceDead),
		"$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.>", "$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED.>")
	dead.Duplicates, dead.MaxMsgSize = time.Hour, maxDead
	events := stream(StreamEvents, 2, 7*day, "what happened, without personal data", All(SpaceEvent))

	leases := bucket(BucketLeases, 0.5, 1, 30*time.Second, "who owns what at the moment")
	subscriptions := bucket(BucketSubscriptions, 0.8, 1, 0, "WebSub subscriptions")
	subscribers := bucket(BucketSubscribers, 0.8, 1, 0, "readers of mailing lists")
	for _, b := range []*Stream{&leases, &subscriptions, &subscribers} {
		b.MsgTTL, b.MarkerTTL = true, time.Minute
	}
	return Topology{
		Number: TopologyNumber,
		Streams: []Stream{
			raw, articles, posts, feeds, dead, events,
			bucket(BucketSourceConfig, 1, 5, 0, "sources added at run time"),
			bucket(BucketSourceState, 4, 1, 0, "what ingest knows of each source"),
			bucket(BucketStories, 8, 1, s.Retention.Stories, "which article tells which story"),
			bucket(BucketTaxonomy, 0.5, 5, 0, "run-time edits of the taxonomy"),
			// No age: a ledger row that expires is a story posted twice. Deliver sweeps what is safe to forget.
			bucket(BucketDeliveries, 5, 1, 0, "the ledger of what was sent"),
			subscriptions, subscribers,
			// With an age, so that requests cannot fill it for good while deliver is away: who asked asks again.
			bucket(BucketRequests, 0.4, 1, 7*day, "what the public front left for deliver"),
			leases,
			store(StoreBlobs, 10, s.Retention.Posts+10*day, "bodies too long for a message"),
			store(StoreSnapshots, 2.5, 2*day, "short cuts for projections"),
		},
		Consumers: []Consumer{
			{Stream: StreamRaw, Name: ConsumerEnrich, Filter: All(SpaceRaw), MaxDeliver: crashes, Attempts: 6, MaxAckPending: 1000, AckWait: AckWait, About: "enrich"},
			{Stream: StreamRaw, Name: ConsumerBackfill, Filter: All(SpaceBackfill), MaxDeliver: crashes, Attempts: 6, MaxAckPending: 100, AckWait: AckWait, About: "enrich, when it has time"},
			{Stream: StreamArticles, Name: ConsumerComposer, Filter: All(SpaceEnriched), MaxDeliver: crashes, Attempts: 10, MaxAckPending: 1000, AckWait: AckWait, About: "publish, one worker of all replicas"},
			{Stream: StreamFeeds, Name: ConsumerWebSub, Filter: All(SpaceFeed), MaxDeliver: -1, MaxAckPending: 64, AckWait: AckWait, About: "deliver"},
		},
	}, nil
}

// ChannelConsumer is the consumer that deliver makes for a channel.
func ChannelConsumer(channel string) Consumer {
	return Consumer{Stream: StreamPosts, Name: "ch_" + channel, Filter: AllPosts(channel), MaxDeliver: -1, MaxAckPending: 64, AckWait: AckWait, About: "deliver, channel " + channel}
}

// Find returns the declaration of a stream, bucket or store by its name.
func (t Topology) Find(name string) (Stream, bool) {
	i := slices.IndexFunc(t.Streams, func(s Stream) bool { return s.Name == name })
	if i < 0 {
		return Stream{}, false
	}
	return t.Streams[i], true
}

// StreamName is the name by which the broker knows a stream, bucket or store.
func (s Stream) StreamName() string {
	switch s.Kind {
	case KindBucket:
		return "KV_" + s.Name
	case KindStore:
		return "OBJ_" + s.Name
	default:
		return s.Name
	}
}

// StreamSubjects are the subjects that the broker stores in it.
func (s Stream) StreamSubjects() []string {
	switch s.Kind {
	case KindBucket:
		return []string{"$KV." + s.Name + ".>"}
	case KindStore:
		return []string{"$O." + s.Name + ".C.>", "$O." + s.Name + ".M.>"}
	default:
		return s.Subjects
	}
}

// MinFile is the smallest MaxFile: with less, the smallest bucket could not hold one large value.
const MinFile = 256 << 20

func (s Settings) check() error {
	r := s.Retention
	switch {
	case s.Replicas != 1 && s.Replicas != 3:
		return fault.Errorf(fault.Invalid, "nats.replicas is %d; use 1 or 3", s.Replicas)
	case s.MaxFile < MinFile:
		return fault.Errorf(fault.Invalid, "nats.max_file is %d bytes; use at least %d", s.MaxFile, MinFile)
	case s.DedupeWindow < 2*time.Minute || s.DedupeWindow > time.Hour:
		return fault.Errorf(fault.Invalid, "nats.dedupe_window is %v; use 2m to 1h", s.DedupeWindow)
	case !(0 < r.Raw && r.Raw < r.Articles && r.Articles < r.Posts && r.Posts < r.Stories):
		return fault.Errorf(fault.Invalid, "nats.retention must rise: raw %v < articles %v < posts %v < stories %v", r.Raw, r.Articles, r.Posts, r.Stories)
	case s.DedupeWindow > r.Raw:
		return fault.Errorf(fault.Invalid, "nats.dedupe_window %v is longer than nats.retention.raw %v", s.DedupeWindow, r.Raw)
	}
	return nil
}

// StreamOf names the stream that stores the subjects of a space.
func StreamOf(s Space) string {
	switch s {
	case SpaceRaw, SpaceBackfill:
		return StreamRaw
	case SpaceEnriched:
		return StreamArticles
	case SpacePost:
		return StreamPosts
	case SpaceFeed:
		return StreamFeeds
	case SpaceDead:
		return StreamDead
	default:
		return StreamEvents
	}
}
