package event

import (
	"encoding/json"
	"time"
)

// The types of messages. A notice has a type of its own ([NoticeType]).
const (
	TypeRaw         = "article.raw.v1"
	TypeBatch       = "article.batch.v1"
	TypeEnriched    = "article.enriched.v1"
	TypeDeleted     = "article.deleted.v1"
	TypePost        = "post.composed.v1"
	TypeWithdrawn   = "post.withdrawn.v1"
	TypeFeedChanged = "feed.changed.v1"
)

// Types lists the types above. Each has a wire sample in testdata and a message in asyncapi.yaml.
func Types() []string {
	return []string{TypeRaw, TypeBatch, TypeEnriched, TypeDeleted, TypePost, TypeWithdrawn, TypeFeedChanged}
}

// NoticeType is the type of a notice: event.<type>.v1.
func NoticeType(typ string) string { return "event." + typ + ".v1" }

// The limits of a batch: the articles of one source that travel in one message on the backfill lane.
const (
	MaxBatch      = 64
	MaxBatchBytes = 256 << 10
)

// Batch holds raw articles of one source that each count as if they had come alone.
type Batch []BatchMember

// BatchMember is one article of a batch.
type BatchMember struct {
	// ID is the message id that the article would have alone ([RawID]).
	ID       string          `json:"id"`
	Revision uint64          `json:"rev"`
	Fence    uint64          `json:"fence,omitempty"`
	Hash     string          `json:"hash"` // lower-case hex SHA-256 of Article
	Article  json.RawMessage `json:"article"`
}

// The reasons of a [Deleted].
const (
	DeletedBySource = "source"   // the source said so, or the policy for vanished items
	DeletedTakedown = "takedown" // an operator said so, for good
	DeletedFiltered = "filtered"
)

// Deleted is the tombstone of an article. It stands on the article's own subject and leaves every feed without it.
type Deleted struct {
	ID       string    `json:"id"`
	Source   string    `json:"source"`
	Revision uint64    `json:"rev"`
	Reason   string    `json:"reason"`
	Time     time.Time `json:"time"`
	// Story is the story the article belonged to, where the writer knows it.
	Story string `json:"story,omitempty"`
}

// The actions of a [Post].
const (
	ActionCreate = "create"
	ActionEdit   = "edit"
	ActionDelete = "delete"
)

// Post is one payload for one channel: the network's own request without credentials. It is a pure function of an
// article and the configuration of the channel.
type Post struct {
	Channel  string `json:"channel"`
	Network  string `json:"network"`
	Story    string `json:"story"`
	Article  string `json:"article"`
	Revision uint64 `json:"revision"`
	Action   string `json:"action"`
	Backfill bool   `json:"backfill,omitempty"`

	FirstSeen time.Time `json:"first_seen"` // of the story
	Published time.Time `json:"published"`
	Title     string    `json:"title,omitempty"`
	URL       string    `json:"url,omitempty"`
	Language  string    `json:"language,omitempty"`

	// Text is what a reader sees.
	Text    string  `json:"text,omitempty"`
	Count   Count   `json:"count"`
	Request Request `json:"request"`
	Media   []Asset `json:"media,omitempty"`
	// Hash is the lower-case hex SHA-256 of Text, Request and Media: equal hashes are equal posts.
	Hash string `json:"hash"`
}

// Count is the length of a post by its network's own rule.
type Count struct {
	Used  int    `json:"used"`
	Limit int    `json:"limit"`
	Unit  string `json:"unit"` // grapheme, utf16, byte, weighted, code_point
}

// Request is an HTTP request with placeholders that deliver fills: {token}, {remote_id}, {rkey} and, inside Body,
// {"$media": NAME}.
type Request struct {
	Method  string            `json:"method,omitempty"`
	Path    string            `json:"path,omitempty"` // below the channel's server, or a whole URL where the channel is one
	Headers map[string]string `json:"headers,omitempty"`
	Body    json.RawMessage   `json:"body,omitempty"`
}

// Asset is a picture that goes with a post. One that cannot be had is left out and never fails the post.
type Asset struct {
	Name     string   `json:"name"`
	URL      string   `json:"url"`
	Alt      string   `json:"alt,omitempty"`
	MaxBytes int64    `json:"max_bytes,omitempty"`
	Types    []string `json:"types,omitempty"`
}

// Withdrawn asks deliver to take back what it posted for a story.
type Withdrawn struct {
	Channel  string `json:"channel"`
	Network  string `json:"network"`
	Story    string `json:"story"`
	Article  string `json:"article"`
	Revision uint64 `json:"revision"`
	Reason   string `json:"reason"`
}

// FeedChanged says that the documents of a feed have new bytes. It holds no body: who wants one asks for it.
type FeedChanged struct {
	Feed    string    `json:"feed"`
	Applied Applied   `json:"applied"`
	Updated time.Time `json:"updated"`
	// Documents lists the public documents of the feed.
	Documents []Document `json:"documents"`
	// Hubs are those of others that the documents name beside ours: they want to be told that there is news.
	Hubs []string `json:"hubs,omitempty"`
}

// Applied is the place in ARTICLES that a projection had reached. Created tells apart streams that reuse sequences.
type Applied struct {
	Created  time.Time `json:"created"`
	Sequence uint64    `json:"sequence"`
}

// After reports whether the place lies behind another one. All of a stream that was made later does.
func (a Applied) After(b Applied) bool {
	if !a.Created.Equal(b.Created) {
		return a.Created.After(b.Created)
	}
	return a.Sequence > b.Sequence
}

// Document is one format of a feed.
type Document struct {
	Format string `json:"format"` // rss, atom, json
	Topic  string `json:"topic"`  // its self URL
	// Hub is the address of our own hub, empty when it is off.
	Hub         string `json:"hub,omitempty"`
	ContentType string `json:"content_type"`
	SHA256      string `json:"sha256"`
	Bytes       int    `json:"bytes"`
}

// Notice tells an operator, or a program of his, that something happened. It holds ids and closed words, no content
// and no personal data.
type Notice struct {
	Time    time.Time `json:"time"`
	Service string    `json:"service"`
	Type    string    `json:"type"`
	Source  string    `json:"source,omitempty"`
	Feed    string    `json:"feed,omitempty"`
	Channel string    `json:"channel,omitempty"`
	Story   string    `json:"story,omitempty"`
	Article string    `json:"article,omitempty"`
	Reason  string    `json:"reason,omitempty"`
	// Text is a sentence for people.
	Text string `json:"text,omitempty"`
	// Data holds further figures of this type.
	Data map[string]string `json:"data,omitempty"`
}

// RawID is the message id of a raw article: a repeat of the same content is dropped by the broker, an edit is not.
// fingerprint is the lower-case hex fingerprint of the content, of which the first 8 digits count.
func RawID(id string, revision uint64, fingerprint string) string {
	return id + "." + uitoa(revision) + "." + fingerprint[:min(8, len(fingerprint))]
}

// EnrichedID is the id of an enriched article or its tombstone: the article and its version.
func EnrichedID(id string, v Version) string {
	return id + "." + uitoa(v.Revision) + "." + uitoa(v.Fence) + "." + uitoa(v.RawSequence) + "." + uitoa(v.Generation)
}

// PostID is the id of a post. It has no dot, so that it may stand in the signed part of a Standard Webhooks request.
func PostID(channel, story string, revision uint64) string {
	return channel + ":" + story + ":" + uitoa(revision)
}
