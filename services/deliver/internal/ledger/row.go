package ledger

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/event"
)

// MaxPayload is the largest body of a request, in bytes, that a row holds: a row must fit into one message of the bus.
const MaxPayload = 256 << 10

// maxHistory is how many transitions a row remembers.
const maxHistory = 20

// maxText is how many bytes of a server's answer a row keeps.
const maxText = 1 << 10

// Row is what is known of one story in one channel.
type Row struct {
	Channel string `json:"channel"`
	Story   string `json:"story"`
	Network string `json:"network"`
	Article string `json:"article"`

	State State `json:"state"`
	Op    Op    `json:"op"` // in hand, or the last one
	// Revision is that of the payload in hand, Seen the newest that arrived: what is not above it is a repeat.
	Revision uint64 `json:"revision"`
	Seen     uint64 `json:"seen"`
	// Ordinal is the place in which the post arrived, Arrived that of the last message that counted.
	Ordinal uint64 `json:"ordinal"`
	Arrived uint64 `json:"arrived,omitempty"`
	// Trace is the traceparent of that message, where it is exported.
	Trace     string    `json:"trace,omitempty"`
	Published time.Time `json:"published"`
	FirstSeen time.Time `json:"first_seen,omitzero"`
	Backfill  bool      `json:"backfill,omitempty"`
	URL       string    `json:"url,omitempty"`

	// Due is when the row may go on: after a failed attempt, the end of a hold, the next look of a reconciliation.
	Due time.Time `json:"due,omitzero"`
	// Attempt counts the tries of the operation in hand.
	Attempt int `json:"attempt,omitempty"`
	// Looks counts the reconciliations that did not find the post.
	Looks     int       `json:"looks,omitempty"`
	StartedAt time.Time `json:"started_at,omitzero"`
	// Deadline is when a request that was started is surely over.
	Deadline time.Time `json:"deadline,omitzero"`
	// First is when the operation in hand was first possible: what its age counts from.
	First time.Time `json:"first,omitzero"`
	// ApprovedAt is when a person or time cleared the row; ApprovedBy names the person.
	ApprovedAt time.Time `json:"approved_at,omitzero"`
	ApprovedBy string    `json:"approved_by,omitempty"`
	// Rush says that a person wants the operation now: neither rate nor quiet hours hold it.
	Rush bool `json:"rush,omitempty"`
	// EditedBy names the person whose words the payload has.
	EditedBy string `json:"edited_by,omitempty"`
	Owner    string `json:"owner,omitempty"`
	// Key is the idempotency key of the operation in hand. It is the same for every try.
	Key string `json:"key,omitempty"`

	// Payload is what will be sent. The first "sending" freezes it, an end other than "failed" drops it.
	Payload *event.Post `json:"payload,omitempty"`
	Frozen  bool        `json:"frozen,omitempty"`
	// Hash is that of the last payload that was taken up, Words that of the title, URL and text a reader saw in it.
	Hash  string `json:"hash,omitempty"`
	Words string `json:"words,omitempty"`
	// Next is the operation that follows the one in hand.
	Next *Next `json:"next,omitempty"`
	// Edits counts the edits that were sent; EditedAt is when the last operation succeeded.
	Edits    int       `json:"edits,omitempty"`
	EditedAt time.Time `json:"edited_at,omitzero"`

	// Posted is when the first operation succeeded: from then on there is something at the network.
	Posted time.Time `json:"posted,omitzero"`
	Remote Remote    `json:"remote,omitzero"`
	// Left says that the post is at an account that the channel has left: nothing here can change it any more.
	Left bool `json:"left,omitempty"`
	// Reason is a closed word: why skipped, or the kind of the last fault. Text is what the server said, redacted.
	Reason  string `json:"reason,omitempty"`
	Text    string `json:"text,omitempty"`
	History []Step `json:"history,omitempty"`
}

// Next is an operation that waits for the one before it.
type Next struct {
	Op       Op          `json:"op"`
	Revision uint64      `json:"revision"`
	Payload  *event.Post `json:"payload,omitempty"`
	// Due is when it may go at the earliest.
	Due time.Time `json:"due,omitzero"`
	// First is when it arrived.
	First time.Time `json:"first"`
	// By names the person who asked for it; empty when the article did.
	By string `json:"by,omitempty"`
}

// Remote is how the network knows a post.
type Remote struct {
	ID  string `json:"id,omitempty"`
	URL string `json:"url,omitempty"`
	// Extra holds what only this network has.
	Extra map[string]string `json:"extra,omitempty"`
}

// IsZero reports whether there is no receipt.
func (r Remote) IsZero() bool { return r.ID == "" && r.URL == "" && len(r.Extra) == 0 }

// Step is one transition, or something that a person did without one. Actor is "deliver" or the name of a person.
type Step struct {
	At     time.Time `json:"at"`
	From   State     `json:"from,omitempty"`
	To     State     `json:"to"`
	Op     Op        `json:"op,omitempty"`
	Actor  string    `json:"actor"`
	Reason string    `json:"reason,omitempty"`
}

// Self is the actor of what deliver does by itself.
const Self = "deliver"

// ID names the row as operators write it.
func (r *Row) ID() string { return r.Channel + "/" + r.Story }

// move takes one step of the table, or returns a [*TransitionError] and changes nothing.
func (r *Row) move(to State, now time.Time, actor, reason string) error {
	if !slices.Contains(transitions[r.State], to) {
		return &TransitionError{Channel: r.Channel, Story: r.Story, From: r.State, To: to}
	}
	r.remember(Step{At: now.UTC(), From: r.State, To: to, Op: r.Op, Actor: actor, Reason: reason})
	r.State, r.Reason = to, reason
	return nil
}

// remember adds a step to the history, which forgets its oldest.
func (r *Row) remember(s Step) {
	r.History = append(r.History, s)
	if n := len(r.History) - maxHistory; n > 0 {
		r.History = slices.Clone(r.History[n:])
	}
}

// clone returns a copy that can be changed without touching r. Payloads are never changed in place and are shared.
func (r *Row) clone() *Row {
	c := *r
	c.History = slices.Clone(r.History)
	if r.Next != nil {
		n := *r.Next
		c.Next = &n
	}
	return &c
}

// posted reports whether there is something at the network.
func (r *Row) posted() bool { return !r.Posted.IsZero() }

// say keeps what a server said, cut to a bounded length.
func (r *Row) say(text string) { r.Text, _ = article.Cut(text, maxText) }

// words digests what a reader sees of a post, white space folded: two posts with equal words are not worth an edit.
func words(p *event.Post) string {
	folded := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	sum := sha256.Sum256([]byte(folded(p.Title) + "\x00" + strings.TrimSpace(p.URL) + "\x00" + folded(p.Text)))
	return hex.EncodeToString(sum[:])
}
