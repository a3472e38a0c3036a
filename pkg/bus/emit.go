package bus

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
)

// Outcome is what became of an emitted message.
type Outcome string

// The outcomes of [Bus.Emit].
const (
	// Stored: the subject holds the message now.
	Stored Outcome = "stored"
	// Skipped: the subject holds this content, or a newer version, already.
	Skipped Outcome = "skipped"
	// Diverged: the subject holds another content under the very same version. What is stored stays.
	Diverged Outcome = "diverged"
)

// Record is a message as a stream holds it.
type Record struct {
	event.Message
	Stream   string
	Sequence uint64
	Time     time.Time
	// Marker: the broker left it where a message expired or was deleted. There is no body.
	Marker bool
}

// maxConflicts is how often a lost compare-and-set is tried again before the message goes back to the broker.
const maxConflicts = 10

// Append publishes messages in their order and waits for every ack. Each carries its id, by which the broker drops a
// repeat within the dedupe window; nil therefore means that each is stored, now or before. After an error some may be
// stored and some not: the caller repeats all of them, which is safe.
func (b *Bus) Append(ctx context.Context, messages []event.Message) error {
	futures := make([]jetstream.PubAckFuture, 0, len(messages))
	var first error
	for _, m := range messages {
		// The library lets maxInflight messages wait for their acks and holds the next one back.
		f, err := b.js.PublishMsgAsync(appended(m), jetstream.WithRetryAttempts(0), jetstream.WithStallWait(ackWait))
		if err != nil {
			first = classify(err, "append to %s", m.Subject)
			break
		}
		futures = append(futures, f)
	}
	return errors.Join(first, b.settle(ctx, futures))
}

// settle waits for acks. It returns the first error: one missing ack spoils the whole.
func (b *Bus) settle(ctx context.Context, futures []jetstream.PubAckFuture) error {
	start := time.Now()
	for _, f := range futures {
		select {
		case <-f.Ok():
			b.observe.Acked(event.StreamRaw, time.Since(start))
		case err := <-f.Err():
			return classify(err, "append to %s", f.Msg().Subject)
		case <-ctx.Done():
			return classify(ctx.Err(), "append to %s", f.Msg().Subject)
		case <-b.closed:
			return classify(nats.ErrConnectionClosed, "append to %s", f.Msg().Subject)
		}
	}
	return nil
}

func appended(m event.Message) *nats.Msg {
	msg := wire(m)
	if !unsafeForFaultRun {
		msg.Header[event.HeaderMsgID] = []string{m.Header.Value(event.HeaderID)}
	}
	return msg
}

func wire(m event.Message) *nats.Msg {
	return &nats.Msg{Subject: m.Subject, Header: nats.Header(m.Clone().Header), Data: m.Body}
}

// publish stores one message and waits for its ack. change adds headers of the broker.
func (b *Bus) publish(ctx context.Context, m event.Message, change func(nats.Header)) error {
	msg := wire(m)
	if change != nil {
		change(msg.Header)
	}
	start := time.Now()
	var ack *jetstream.PubAck
	err := b.await(ctx, ackWait, func(ctx context.Context) (err error) {
		ack, err = b.js.PublishMsg(ctx, msg, jetstream.WithRetryAttempts(0))
		return err
	})
	if err != nil {
		return classify(err, "publish to %s", m.Subject)
	}
	b.observe.Acked(ack.Stream, time.Since(start))
	return nil
}

// Emit makes m the newest message on its subject unless a newer version stands there, whoever else does the same at
// the moment. The version is that of the envelope. A crash at any point is repeated safely: if the publish arrived,
// the next Emit finds its own content and skips; if not, it publishes.
func (b *Bus) Emit(ctx context.Context, m event.Message) (Outcome, error) {
	return b.emitBehind(ctx, m, nil)
}

// EmitAfter is [Bus.Emit] for a message that was made from the one before it on its subject: it is stored only where
// that one is still the newest. last is what [Bus.Last] returned, nil where there was none. A fault of kind
// [fault.Conflict] means that something else stands there by now, and that the caller has to read it and judge anew.
func (b *Bus) EmitAfter(ctx context.Context, m event.Message, last *Record) (Outcome, error) {
	if last == nil {
		last = &Record{}
	}
	return b.emitBehind(ctx, m, last)
}

// emitBehind emits. behind is what has to be the newest on the subject, nil for whatever is.
func (b *Bus) emitBehind(ctx context.Context, m event.Message, behind *Record) (Outcome, error) {
	mine, err := event.Decode(m)
	if err != nil {
		return "", fault.Errorf(fault.Internal, "emit: %w", err)
	}
	subject, err := event.ParseSubject(m.Subject)
	if err != nil {
		return "", err
	}
	stream := event.StreamOf(subject.Space)
	outcome, err := b.emit(ctx, m, mine, stream, behind)
	switch {
	case err == nil:
		b.observe.Emitted(stream, string(outcome))
	case errors.Is(err, context.Canceled):
	default:
		b.observe.Emitted(stream, string(fault.KindOf(err)))
	}
	return outcome, err
}

func (b *Bus) emit(ctx context.Context, m event.Message, mine event.Envelope, stream string, behind *Record) (Outcome, error) {
	if unsafeForFaultRun {
		return Stored, b.publish(ctx, m, nil)
	}
	conflicts := 0
	for round := 1; ; round++ {
		outcome, err := b.tryEmit(ctx, m, mine, stream, behind)
		switch kind := fault.KindOf(err); {
		case err == nil:
			return outcome, nil
		case kind == fault.Conflict && behind != nil:
			return "", err
		case kind == fault.Conflict:
			if conflicts++; conflicts >= maxConflicts {
				return "", err
			}
		case kind == fault.Unreachable:
			// Whether it was stored is not known. Reading again tells: our own hash there means that it was.
			if _, bounded := ctx.Deadline(); !bounded && round >= maxConflicts {
				return "", err
			}
		default:
			return "", err
		}
		select {
		case <-ctx.Done():
			return "", err
		case <-time.After(rand.N(20*time.Millisecond*time.Duration(min(round, 50))) + time.Millisecond):
		}
	}
}

func (b *Bus) tryEmit(ctx context.Context, m event.Message, mine event.Envelope, stream string, behind *Record) (Outcome, error) {
	last, err := b.last(ctx, stream, m.Subject)
	if err != nil {
		return "", err
	}
	expected := uint64(0)
	if last != nil {
		expected = last.Sequence
	}
	if behind != nil && behind.Sequence != expected {
		// Its own content there was stored by a publish whose ack was lost, or by another that judged the same.
		if last != nil && holds(last, mine) {
			return Skipped, nil
		}
		return "", fault.Errorf(fault.Conflict, "emit to %s: message %d stands there, %d was expected: read it and judge anew", m.Subject, expected, behind.Sequence)
	}
	if last != nil {
		if outcome, settled := settled(last, mine); settled {
			return outcome, nil
		}
	}
	// No message id: on a retry the broker checks the sequence first, and a duplicate answer would hide the conflict.
	ctx, cancel := context.WithTimeout(ctx, emitWait)
	defer cancel()
	return Stored, b.publish(ctx, m, func(h nats.Header) {
		h[jetstream.ExpectedLastSubjSeqHeader] = []string{strconv.FormatUint(expected, 10)}
		h[jetstream.ExpectedStreamHeader] = []string{stream}
	})
}

// settled says whether what stands on the subject makes an emission unnecessary. A message there that Tidings did not
// write counts as absent and is replaced.
func settled(last *Record, mine event.Envelope) (Outcome, bool) {
	if last.Marker {
		return "", false
	}
	there, err := event.Decode(last.Message)
	if err != nil {
		return "", false
	}
	order := there.Version.Compare(mine.Version)
	same := there.Hash == mine.Hash
	switch {
	case there.Article != mine.Article:
		// A post of another article of the same story: versions of two articles do not compare, and whoever came first
		// stays, or two replicas would post one story twice.
		return Skipped, true
	case order > 0, there.Version.Revision == mine.Version.Revision && same:
		return Skipped, true
	case order == 0:
		return Diverged, true
	}
	// A higher version with an equal hash is written all the same: without it a late older one could win.
	return "", false
}

// holds says whether the very content of a message stands on its subject.
func holds(last *Record, mine event.Envelope) bool {
	there, err := event.Decode(last.Message)
	return err == nil && !last.Marker && there.ID == mine.ID && there.Hash == mine.Hash
}

// Last returns the newest message on a subject, or nil if there is none. A marker counts as a message.
func (b *Bus) Last(ctx context.Context, subject string) (*Record, error) {
	s, err := event.ParseSubject(subject)
	if err != nil {
		return nil, err
	}
	return b.last(ctx, event.StreamOf(s.Space), subject)
}

func (b *Bus) last(ctx context.Context, stream, subject string) (*Record, error) {
	return b.directGet(ctx, stream, "$JS.API.DIRECT.GET."+stream+"."+subject, nil)
}

// At returns the message with a sequence, or nil if the stream no longer holds it.
func (b *Bus) At(ctx context.Context, stream string, sequence uint64) (*Record, error) {
	return b.get(ctx, stream, map[string]any{"seq": sequence})
}

// Next returns the first message at or after a sequence that matches a filter, or nil.
func (b *Bus) Next(ctx context.Context, stream, filter string, sequence uint64) (*Record, error) {
	return b.get(ctx, stream, map[string]any{"seq": max(sequence, 1), "next_by_subj": filter})
}

func (b *Bus) get(ctx context.Context, stream string, request map[string]any) (*Record, error) {
	body, err := json.Marshal(request)
	if err != nil {
		return nil, fault.Errorf(fault.Internal, "ask %s for a message: %w", stream, err)
	}
	return b.directGet(ctx, stream, "$JS.API.DIRECT.GET."+stream, body)
}

// directGet reads one message straight from a replica of the stream. It may be stale on a cluster; whoever writes on
// the strength of it does so by compare-and-set.
func (b *Bus) directGet(ctx context.Context, stream, subject string, body []byte) (*Record, error) {
	var reply *nats.Msg
	err := b.await(ctx, getWait, func(ctx context.Context) (err error) {
		reply, err = b.nc.RequestWithContext(ctx, subject, body)
		return err
	})
	if err != nil {
		return nil, classify(err, "read from %s", stream)
	}
	// Only an answer without a message has a status of its own: a stored message may bear any header.
	if len(reply.Header[jetstream.SequenceHeader]) == 0 {
		if status := reply.Header.Get("Status"); status != "404" {
			return nil, fault.Errorf(fault.Unreachable, "read from %s: the broker answered %q %s", stream, status, reply.Header.Get("Description"))
		}
		return nil, nil
	}
	return record(reply, stream)
}

// record reads the answer to a direct get. The broker adds one value to each of these headers; a second one was
// stored, and stays in the header for [event.Decode] to refuse.
func record(reply *nats.Msg, stream string) (*Record, error) {
	take := func(name string) string {
		values := reply.Header[name]
		if len(values) == 0 {
			return ""
		}
		if len(values) == 1 {
			delete(reply.Header, name)
		} else {
			reply.Header[name] = values[:len(values)-1]
		}
		return values[len(values)-1]
	}
	take(jetstream.StreamHeader)
	subject := take(jetstream.SubjectHeader)
	sequence, err := strconv.ParseUint(take(jetstream.SequenceHeader), 10, 64)
	if err != nil {
		return nil, fault.Errorf(fault.Internal, "read from %s: the broker named no sequence", stream)
	}
	at, err := time.Parse(time.RFC3339Nano, take(jetstream.TimeStampHeaer))
	if err != nil {
		return nil, fault.Errorf(fault.Internal, "read from %s: the broker named no time", stream)
	}
	return &Record{
		Message: event.Message{Subject: subject, Header: event.Header(reply.Header), Body: reply.Data},
		Stream:  stream, Sequence: sequence, Time: at,
		Marker: isMarker(event.Header(reply.Header), reply.Data),
	}, nil
}

func isMarker(h event.Header, body []byte) bool {
	return len(body) == 0 && len(h[event.HeaderMarker]) > 0
}
