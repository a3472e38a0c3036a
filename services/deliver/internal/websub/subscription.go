package websub

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"tidings.internal/pkg/event"
)

// Subscription is the row of a site that is told of a topic: that it meant to be was verified.
type Subscription struct {
	Feed     string `json:"feed"`
	Topic    string `json:"topic"`
	Callback string `json:"callback"`
	// Secret is what pushes are signed with, empty for no signature.
	Secret event.Hidden `json:"secret,omitempty"`
	Since  time.Time    `json:"since"` // of the last verification
	// Lease is when the subscription ends. It is looked at before each push.
	Lease time.Time `json:"lease"`
	// Retry is set while the last push has failed and is tried again.
	Retry *Retry `json:"retry,omitempty"`
	// Ended is why it was ended before its lease, by somebody who wants the site to be told.
	Ended   string `json:"ended,omitempty"`
	History []Step `json:"history,omitempty"`
}

// Retry says when a push is tried again, with the document that is the newest then.
type Retry struct {
	Attempt int       `json:"attempt"` // how many have failed
	Due     time.Time `json:"due"`
}

// Step is something that happened to a subscription.
type Step struct {
	At     time.Time `json:"at"`
	What   string    `json:"what"`
	Status int       `json:"status,omitempty"` // of HTTP, if there was an answer
	Reason string    `json:"reason,omitempty"`
}

// maxHistory is how many steps are kept.
const maxHistory = 20

// Topic is the row of a topic to which something was pushed: the document that everybody is to have.
type Topic struct {
	Topic       string `json:"topic"`
	Feed        string `json:"feed"`
	Format      string `json:"format"`
	Hub         string `json:"hub"`
	ContentType string `json:"content_type"`
	// Want is the SHA-256 of the document, and Applied the place in ARTICLES that it shows.
	Want    string        `json:"want"`
	Applied event.Applied `json:"applied"`
	// Round counts the documents that were wanted. A feed may go back to a document that it had before.
	Round uint64 `json:"round,omitempty"`
	// Done is what Want was when everybody had the document, or failed and has a [Retry]. It is empty when the round before
	// was not over: nobody knows then who has what.
	Done string `json:"done,omitempty"`
	// Position is the last key up to which everybody has it, while Done lags behind.
	Position string `json:"position,omitempty"`
}

// The keys of the bucket: one prefix for subscriptions, one for topics.
const (
	subscriptionKeys = "s."
	topicKeys        = "t."
)

// hash is a token of a key: neither address nor callback stands in one.
func hash(texts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(texts, "\x00"))) // no address holds a NUL
	return hex.EncodeToString(sum[:16])
}

func subscriptionKey(topic, callback string) string {
	return subscriptionKeys + hash(topic) + "." + hash(topic, callback)
}

func topicKey(topic string) string { return topicKeys + hash(topic) }

// Live reports whether the site is told of news.
func (s *Subscription) Live(now time.Time) bool { return s.Ended == "" && now.Before(s.Lease) }

// String names the subscription without its callback and its secret.
func (s *Subscription) String() string { return "subscription to " + s.Topic }

// note keeps a step.
func (s *Subscription) note(step Step) {
	step.At = step.At.UTC()
	s.History = append(slices.Clone(s.History), step)
	s.History = s.History[max(0, len(s.History)-maxHistory):]
}

// retries are the waits after a push that failed; then the next change of the feed is the next try.
func retries() []time.Duration {
	return []time.Duration{10 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, time.Hour}
}

// fail notes that a push failed. random is in [0, 1).
func (s *Subscription) fail(now time.Time, step Step, random float64) {
	s.note(step)
	attempt := 0
	if s.Retry != nil {
		attempt = s.Retry.Attempt
	}
	waits := retries()
	if attempt >= len(waits) {
		s.Retry = nil
		return
	}
	wait := time.Duration(float64(waits[attempt]) * (0.9 + 0.2*random)) // a host that came back is not met by all at once
	s.Retry = &Retry{Attempt: attempt + 1, Due: now.Add(wait).UTC()}
}
