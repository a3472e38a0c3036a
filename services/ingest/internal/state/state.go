// Package state is what is remembered of a source between polls, and how it is kept in the bucket source_state.
//
// One value a source, written by compare-and-set: whoever loses reads again and judges anew. It is JSON, so that an
// operator can look at it; the items are packed inside ([identity.Memory]). The package decides nothing.
package state

import (
	"context"
	"encoding/json"
	"time"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/fault"
	"tidings.internal/services/ingest/internal/cause"
	"tidings.internal/services/ingest/internal/identity"
	"tidings.internal/services/ingest/internal/schedule"
	"tidings.internal/services/ingest/internal/websub"
)

// Phase is how a source stands.
type Phase string

// The phases.
const (
	Waiting Phase = "waiting" // never polled yet
	Active  Phase = "active"
	Failing Phase = "failing" // two failures of full weight or more; it is asked less and less often
	Dormant Phase = "dormant" // thirty; it is asked every 30 days, and for ever
	Gone    Phase = "gone"    // 410 on two polls a day apart; as dormant
	Ended   Phase = "ended"   // it says itself that nothing will come; asked daily
	Merged  Phase = "merged"  // it moved to where another source is polled, and is left to that one
	Paused  Phase = "paused"  // by the operator
)

// version of the JSON. A higher one was written by a newer release and is left alone.
const version = 1

// Source is what is known of a source.
type Source struct {
	Version int `json:"v"`
	// URL is the configured address that all of this was learnt from.
	URL string `json:"url"`
	// Moved is where it moved to, and is polled; "" while it is where URL says. Sighting is what speaks for a move.
	Moved    string   `json:"moved,omitempty"`
	Sighting Sighting `json:"sighting,omitzero"`
	// Partition was taken from the first host and stays (pkg/article).
	Partition string `json:"pp"`

	Title    string `json:"title,omitempty"` // as the feed gives them
	SiteURL  string `json:"site_url,omitempty"`
	Language string `json:"language,omitempty"`
	Rights   string `json:"rights,omitempty"`
	Format   string `json:"format,omitempty"`

	// ETag and LastModified are sent back byte for byte; they hold for the request that Asked is a hash of.
	ETag         string `json:"etag,omitempty"`
	LastModified string `json:"last_modified,omitempty"`
	Asked        string `json:"asked,omitempty"`
	// Whole is when the host last sent a document, and not only the word that nothing changed.
	Whole time.Time `json:"whole,omitzero"`
	// Body is the SHA-256 of the last document that was read whole, in hex.
	Body string `json:"body,omitempty"`

	Phase    Phase        `json:"phase"`
	Reason   cause.Reason `json:"reason,omitempty"`
	Detail   string       `json:"detail,omitempty"` // the error, without secrets
	Status   int          `json:"status,omitempty"`
	Failures int          `json:"failures,omitempty"` // in a row
	Weight   float64      `json:"weight,omitempty"`   // their sum
	Warning  string       `json:"warning,omitempty"`  // of a document that was only partly read
	GoneAt   time.Time    `json:"gone_at,omitzero"`   // the first 410 in a row

	// Begun is when the source was first read, Interval the wait that was chosen last, before jitter.
	Begun    time.Time      `json:"begun,omitzero"`
	Hints    schedule.Hints `json:"hints,omitzero"`
	Interval time.Duration  `json:"interval,omitempty"` // nanoseconds

	// Sub is the subscription at the source's hub.
	Sub websub.Subscription `json:"websub,omitzero"`

	Polls     uint64    `json:"polls,omitempty"`
	Polled    time.Time `json:"polled,omitzero"`
	Success   time.Time `json:"success,omitzero"`
	LastNew   time.Time `json:"last_new,omitzero"`
	Next      time.Time `json:"next,omitzero"`
	Published uint64    `json:"published,omitempty"` // articles and revisions

	Rung int `json:"rung,omitempty"`
	// Climbed is the wish of an operator, granted last, that the source goes by its ids again.
	Climbed time.Time `json:"climbed,omitzero"`

	Count int    `json:"count"`
	Items []byte `json:"items,omitempty"` // packed, base64 in JSON

	// Memory is Items unpacked.
	Memory identity.Memory `json:"-"`
}

// Sighting is how often a source was found at another address, to which its own one led for good.
type Sighting struct {
	URL   string    `json:"url"`
	First time.Time `json:"first"`
	Count int       `json:"count"`
}

// Address is where the source is polled.
func (s *Source) Address() string {
	if s.Moved != "" {
		return s.Moved
	}
	return s.URL
}

// New returns the state of a source that was never polled.
func New(url, partition string) *Source {
	return &Source{Version: version, URL: url, Partition: partition, Phase: Waiting}
}

// First reports whether the source was never read with success.
func (s *Source) First() bool { return s.Success.IsZero() }

// Clone copies a state. The memory is shared: judge a clone of it.
func (s *Source) Clone() *Source {
	c := *s
	return &c
}

// Encode writes a state.
func (s *Source) Encode() ([]byte, error) {
	s.Items, s.Rung, s.Count = s.Memory.Pack(), s.Memory.Rung, len(s.Memory.Rows)
	b, err := json.Marshal(s)
	s.Items = nil
	if err != nil {
		return nil, fault.Errorf(fault.Internal, "write source state: %w", err)
	}
	return b, nil
}

// Decode reads a state. One that cannot be read is an error and must not be overwritten: the revisions in it are the
// only ones, and starting from one again would make every later edit look old.
func Decode(b []byte) (*Source, error) {
	s, err := peek(b)
	if err != nil {
		return nil, err
	}
	s.Memory.Rung = s.Rung
	if err := s.Memory.Unpack(s.Items); err != nil {
		return nil, fault.Errorf(fault.Malformed, "read source state: %w", err)
	}
	s.Items = nil
	return s, nil
}

// peek reads a state without unpacking its items.
func peek(b []byte) (*Source, error) {
	s := &Source{}
	if err := json.Unmarshal(b, s); err != nil {
		return nil, fault.Errorf(fault.Malformed, "read source state: %w", err)
	}
	if s.Version > version {
		return nil, fault.Errorf(fault.Malformed, "read source state: version %d was written by a newer release", s.Version)
	}
	return s, nil
}

// Bucket is where states are kept.
type Bucket interface {
	Read(ctx context.Context, key string) (bus.Entry, bool, error)
	Create(ctx context.Context, key string, value []byte) (uint64, error)
	Update(ctx context.Context, key string, value []byte, revision uint64) (uint64, error)
}

var _ Bucket = (*bus.Bucket)(nil)

// Load reads the state of a source and its revision, nil and 0 when there is none.
func Load(ctx context.Context, b Bucket, id string) (*Source, uint64, error) {
	e, ok, err := b.Read(ctx, id)
	if err != nil || !ok {
		return nil, 0, err
	}
	s, err := Decode(e.Value)
	return s, e.Revision, err
}

// Save writes the state of a source on condition that its revision is still the one given, 0 for one that has none.
func Save(ctx context.Context, b Bucket, id string, s *Source, revision uint64) (uint64, error) {
	value, err := s.Encode()
	if err != nil {
		return 0, err
	}
	if revision == 0 {
		return b.Create(ctx, id, value)
	}
	return b.Update(ctx, id, value, revision)
}
