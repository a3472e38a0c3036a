package bus

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
)

// maxDeadError bounds the error text that a dead letter carries.
const maxDeadError = 1 << 10

// deadReason is an error with the reason under which its service files it.
type deadReason struct {
	reason string
	error
}

func (e *deadReason) Unwrap() error { return e.error }

// Dead names the service's own reason for a dead letter, a closed word such as "bad_link". The kind of err still
// decides whether it comes to a dead letter. Without a reason the kind is the reason.
func Dead(reason string, err error) error {
	if err == nil {
		return nil
	}
	return &deadReason{reason, err}
}

// reasonOf is the reason that a service named, or the kind where it named none or one that can be no part of a subject:
// a letter under a plain reason is better than a message that comes back for ever.
func reasonOf(service string, err error) string {
	if r, ok := errors.AsType[*deadReason](err); ok {
		if _, bad := event.DeadSubject(service, r.reason); bad == nil {
			return r.reason
		}
	}
	return string(fault.KindOf(err))
}

// writeDeadLetter stores a copy of a message with the story of its death and returns the reason it is filed under.
func (b *Bus) writeDeadLetter(ctx context.Context, d *Delivery, cause error) (string, error) {
	reason := reasonOf(b.service, cause)
	return reason, b.Bury(ctx, d, reason, cause)
}

// Bury stores a dead letter for a message, or for a part of one, without touching the message itself. Repeating it is
// safe: the letter's id is made of the stream, the sequence, the service and, for a part, the id of the part.
func (b *Bus) Bury(ctx context.Context, d *Delivery, reason string, cause error) error {
	subject, err := event.DeadSubject(b.service, reason)
	if err != nil {
		return err
	}
	m := event.Message{Subject: subject, Header: event.Header{}, Body: d.Body}
	for name, values := range d.Header {
		// A stored expected sequence, a TTL or a message id would act again when the letter is sent back.
		if !strings.HasPrefix(name, "Nats-") {
			m.Header[name] = values
		}
	}
	text, _ := article.Cut(cause.Error(), maxDeadError)
	m.Header.Set(event.HeaderDeadSubject, d.Subject)
	m.Header.Set(event.HeaderDeadStream, d.Stream)
	m.Header.Set(event.HeaderDeadSequence, strconv.FormatUint(d.Sequence, 10))
	m.Header.Set(event.HeaderDeadDeliveries, strconv.Itoa(d.Deliveries))
	m.Header.Set(event.HeaderDeadKind, string(fault.KindOf(cause)))
	m.Header.Set(event.HeaderDeadError, text)
	m.Header.Set(event.HeaderDeadTime, time.Now().UTC().Format(time.RFC3339))
	id := fmt.Sprintf("%s:%d:%s", d.Stream, d.Sequence, b.service)
	if part := m.Header.Value(event.HeaderID); d.Header.Value(event.HeaderType) == event.TypeRaw && part != "" {
		id += ":" + part
	}
	return b.publish(ctx, m, func(h nats.Header) { h[event.HeaderMsgID] = []string{id} })
}

// DeadLetter is a message that no handler could take.
type DeadLetter struct {
	// Sequence is its place in DEAD and the name by which operators call it.
	Sequence   uint64    `json:"sequence"`
	Service    string    `json:"service"`
	Reason     string    `json:"reason"`
	Kind       string    `json:"kind"`
	Error      string    `json:"error"`
	Subject    string    `json:"subject"` // where it came from
	Stream     string    `json:"stream"`
	Origin     uint64    `json:"origin"` // its sequence there
	Deliveries int       `json:"deliveries"`
	Time       time.Time `json:"time"`
	Type       string    `json:"type"`
	ID         string    `json:"id"`
	Article    string    `json:"article,omitempty"`
	// Loop marks a message whose handler crashed or hung until its deliveries were used up: there is no letter, only
	// the broker's word for it.
	Loop   bool         `json:"loop,omitempty"`
	Header event.Header `json:"-"`
	Body   []byte       `json:"-"`
}

// DeadFilter chooses dead letters. Zero fields match everything.
type DeadFilter struct {
	Service string
	Reason  string
	Since   time.Time
	// Limit is how many are returned at most; 0 for all.
	Limit int
}

const maxDeliveriesAdvisory = "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES."

// DeadList returns dead letters, oldest first.
func (b *Bus) DeadList(ctx context.Context, f DeadFilter) ([]DeadLetter, error) {
	var list []DeadLetter
	letters := map[string]bool{} // and loops that are listed already: the broker may say so more than once
	var loops []DeadLetter
	err := b.scan(ctx, event.StreamDead, ">", 1, func(r Record) error {
		letter, ok := deadLetter(r)
		if !ok {
			return nil
		}
		if letter.Loop {
			loops = append(loops, letter)
			return nil
		}
		letters[letter.death()] = true
		list = append(list, letter)
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, l := range loops {
		// A letter that was written on the last delivery is the better account of the same death.
		if !letters[l.death()] {
			letters[l.death()] = true
			list = append(list, l)
		}
	}
	slices.SortFunc(list, func(a, b DeadLetter) int { return cmp.Compare(a.Sequence, b.Sequence) })
	return f.apply(list), nil
}

// death names the message that died.
func (l DeadLetter) death() string { return l.Stream + ":" + strconv.FormatUint(l.Origin, 10) }

func (f DeadFilter) apply(list []DeadLetter) []DeadLetter {
	var kept []DeadLetter
	for _, l := range list {
		if (f.Service == "" || f.Service == l.Service) && (f.Reason == "" || f.Reason == l.Reason) && !l.Time.Before(f.Since) {
			kept = append(kept, l)
		}
	}
	if f.Limit > 0 && len(kept) > f.Limit {
		kept = kept[len(kept)-f.Limit:]
	}
	return kept
}

// deadLetter reads a record of DEAD. The broker's notes about terminated messages stand beside our letters and say
// nothing new.
func deadLetter(r Record) (DeadLetter, bool) {
	if strings.HasPrefix(r.Subject, maxDeliveriesAdvisory) {
		return crashLoop(r)
	}
	s, err := event.ParseSubject(r.Subject)
	if err != nil || s.Space != event.SpaceDead {
		return DeadLetter{}, false
	}
	h := r.Header
	l := DeadLetter{
		Sequence: r.Sequence, Service: s.Service, Reason: s.Word, Kind: h.Value(event.HeaderDeadKind), Error: h.Value(event.HeaderDeadError),
		Subject: h.Value(event.HeaderDeadSubject), Stream: h.Value(event.HeaderDeadStream), Time: r.Time,
		Type: h.Value(event.HeaderType), ID: h.Value(event.HeaderID), Article: h.Value(event.HeaderArticle), Header: h, Body: r.Body,
	}
	l.Origin, _ = strconv.ParseUint(h.Value(event.HeaderDeadSequence), 10, 64)
	l.Deliveries, _ = strconv.Atoi(h.Value(event.HeaderDeadDeliveries))
	return l, true
}

func crashLoop(r Record) (DeadLetter, bool) {
	var advisory struct {
		Stream     string `json:"stream"`
		Consumer   string `json:"consumer"`
		Sequence   uint64 `json:"stream_seq"`
		Deliveries int    `json:"deliveries"`
	}
	if json.Unmarshal(r.Body, &advisory) != nil {
		return DeadLetter{}, false
	}
	return DeadLetter{
		Sequence: r.Sequence, Service: advisory.Consumer, Reason: "crash_loop", Kind: string(fault.Internal),
		Error:  "the handler crashed or hung on every delivery",
		Stream: advisory.Stream, Origin: advisory.Sequence, Deliveries: advisory.Deliveries, Time: r.Time, Loop: true,
	}, true
}

// DeadRead returns one dead letter with its body. For a crash loop the body is that of the message itself, if its
// stream still holds it.
func (b *Bus) DeadRead(ctx context.Context, sequence uint64) (DeadLetter, error) {
	r, err := b.At(ctx, event.StreamDead, sequence)
	if err != nil {
		return DeadLetter{}, err
	}
	if r != nil {
		if l, ok := deadLetter(*r); ok {
			if l.Loop {
				return b.resolveLoop(ctx, l)
			}
			return l, nil
		}
	}
	return DeadLetter{}, fault.Errorf(fault.Invalid, "there is no dead letter %d; \"tidings dead list\" shows what there is", sequence)
}

func (b *Bus) resolveLoop(ctx context.Context, l DeadLetter) (DeadLetter, error) {
	origin, err := b.At(ctx, l.Stream, l.Origin)
	if err != nil {
		return l, err
	}
	if origin == nil {
		l.Error += "; the message itself has expired"
		return l, nil
	}
	l.Subject, l.Header, l.Body = origin.Subject, origin.Header, origin.Body
	l.Type, l.ID, l.Article = origin.Header.Value(event.HeaderType), origin.Header.Value(event.HeaderID), origin.Header.Value(event.HeaderArticle)
	return l, nil
}

// DeadRetry sends a dead letter back to the subject it came from and, once it is stored there, removes it from DEAD.
// It returns what became of it in a word: "sent", or "superseded" where something newer stands there by now.
func (b *Bus) DeadRetry(ctx context.Context, sequence uint64) (string, error) {
	l, err := b.DeadRead(ctx, sequence)
	if err != nil {
		return "", err
	}
	s, err := event.ParseSubject(l.Subject)
	if err != nil {
		return "", fault.Errorf(fault.Invalid, "dead letter %d cannot go back: %w", sequence, err)
	}
	m := event.Message{Subject: l.Subject, Header: event.Header{}, Body: l.Body}
	for name, values := range l.Header {
		if !strings.HasPrefix(name, "Tidings-Dead-") && !strings.HasPrefix(name, "Nats-") {
			m.Header[name] = values
		}
	}
	word, err := b.redrive(ctx, event.StreamOf(s.Space), m, sequence, l.Origin)
	if err != nil {
		return "", err
	}
	// A crash before this line leaves the letter; sending it again repeats the same message id or loses the
	// compare-and-set.
	return word, b.DeadDrop(ctx, sequence)
}

// redrive publishes m to its own stream. RAW takes it under an id that names this retry. In a table it may only
// replace itself: what came later wins.
func (b *Bus) redrive(ctx context.Context, stream string, m event.Message, sequence, origin uint64) (string, error) {
	if stream == event.StreamRaw {
		id := m.Header.Value(event.HeaderID) + ":r" + strconv.FormatUint(sequence, 10)
		return "sent", b.publish(ctx, m, func(h nats.Header) { h[event.HeaderMsgID] = []string{id} })
	}
	last, err := b.last(ctx, stream, m.Subject)
	if err != nil {
		return "", err
	}
	expected := uint64(0)
	if last != nil {
		if last.Sequence != origin {
			return "superseded", nil
		}
		expected = last.Sequence
	}
	err = b.publish(ctx, m, func(h nats.Header) {
		h[jetstream.ExpectedLastSubjSeqHeader] = []string{strconv.FormatUint(expected, 10)}
	})
	if fault.KindOf(err) == fault.Conflict {
		return "superseded", nil
	}
	return "sent", err
}

// DeadDrop removes a dead letter for good. One that is not there is no error, so that a drop can be repeated.
func (b *Bus) DeadDrop(ctx context.Context, sequence uint64) error {
	ctx, cancel := context.WithTimeout(ctx, ackWait)
	defer cancel()
	stream, err := b.js.Stream(ctx, event.StreamDead)
	if err == nil {
		err = stream.DeleteMsg(ctx, sequence)
	}
	if errors.Is(err, jetstream.ErrMsgNotFound) || errors.Is(err, jetstream.ErrMsgDeleteUnsuccessful) {
		return nil
	}
	return classify(err, "drop dead letter %d", sequence)
}

// Scan shows everything that a stream holds, from its first message to its present end.
func (b *Bus) Scan(ctx context.Context, stream string, each func(Record) error) error {
	return b.scan(ctx, stream, ">", 1, each)
}

// scan reads a stream from a sequence to its present end, message by message.
func (b *Bus) scan(ctx context.Context, stream, filter string, from uint64, each func(Record) error) error {
	state, err := b.StreamState(ctx, stream)
	if err != nil {
		return err
	}
	for next := max(from, state.First); next <= state.Last; {
		r, err := b.Next(ctx, stream, filter, next)
		if err != nil {
			return err
		}
		if r == nil || r.Sequence > state.Last {
			return nil
		}
		if err := each(*r); err != nil {
			return err
		}
		next = r.Sequence + 1
	}
	return nil
}
