package bus

import (
	"context"
	"encoding/json"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
)

// The broker's own protocol for the snapshot of a stream (nats-server 2.15.2, server/jetstream_api.go); the client
// library has no call for it. The broker sends the snapshot in chunks to a subject of ours. Each but the last names a
// subject for an ack that ends in the chunk's length and number, and the broker keeps a window of chunks without acks.
// A message without a body is the end, with a status above 204 if it went wrong.
const (
	chunkSize  = 128 << 10
	windowSize = 2 << 20
	// chunkWait is how long the next chunk may take. The broker itself waits 5 s for an ack.
	chunkWait = 30 * time.Second
)

// apiError is how the broker's API says that a request failed.
type apiError struct {
	Code        int    `json:"code"`
	ErrorCode   int    `json:"err_code"`
	Description string `json:"description"`
}

func (e *apiError) fault(format string, args ...any) error {
	if e == nil {
		return nil
	}
	api := &jetstream.APIError{Code: e.Code, ErrorCode: jetstream.ErrorCode(e.ErrorCode), Description: e.Description}
	return classify(api, format, args...)
}

// snapshot is what the broker says of one before it sends it.
type snapshot struct {
	Error  *apiError       `json:"error"`
	Config json.RawMessage `json:"config"`
	State  json.RawMessage `json:"state"`
}

// snapshot writes a snapshot of a stream with its consumers.
func (b *Bus) snapshot(ctx context.Context, stream string, w io.Writer) (snapshot, error) {
	var s snapshot
	inbox := b.nc.NewInbox()
	sub, err := b.nc.SubscribeSync(inbox)
	if err != nil {
		return s, classify(err, "take a snapshot of %s", stream)
	}
	defer func() { _ = sub.Unsubscribe() }() // it ends with the connection anyway
	// The window bounds what can wait here; a limit of the client would drop a chunk instead.
	if err := sub.SetPendingLimits(-1, -1); err != nil {
		return s, classify(err, "take a snapshot of %s", stream)
	}
	before := b.nc.Stats().Reconnects
	err = b.api(ctx, "STREAM.SNAPSHOT."+stream, map[string]any{"deliver_subject": inbox, "chunk_size": chunkSize, "window_size": windowSize}, &s)
	if err == nil {
		err = s.Error.fault("take a snapshot of %s", stream)
	}
	if err == nil {
		err = b.chunks(ctx, stream, sub, w)
	}
	if err == nil && b.nc.Stats().Reconnects != before {
		err = fault.Errorf(fault.Unreachable, "take a snapshot of %s: the connection was renewed in between", stream)
	}
	return s, err
}

// chunks writes the chunks as they come and acks each once it is written.
func (b *Bus) chunks(ctx context.Context, stream string, sub *nats.Subscription, w io.Writer) error {
	for index := 1; ; index++ {
		waiting, cancel := context.WithTimeout(ctx, chunkWait)
		m, err := sub.NextMsgWithContext(waiting)
		cancel()
		if err != nil {
			return classify(err, "take a snapshot of %s", stream)
		}
		if len(m.Data) == 0 {
			if status := m.Header.Get("Status"); status != "" && status != "204" {
				return fault.Errorf(fault.Unreachable, "take a snapshot of %s: the broker ended it with %s %s", stream, status, m.Header.Get("Description"))
			}
			return nil
		}
		if m.Reply != "" && !strings.HasSuffix(m.Reply, "."+strconv.Itoa(len(m.Data))+"."+strconv.Itoa(index)) {
			return fault.Errorf(fault.Unreachable, "take a snapshot of %s: chunk %d is missing", stream, index)
		}
		if _, err := w.Write(m.Data); err != nil {
			return fault.Errorf(fault.Internal, "write the snapshot of %s: %w", stream, err)
		}
		if m.Reply != "" {
			if err := b.nc.Publish(m.Reply, nil); err != nil {
				return classify(err, "take a snapshot of %s", stream)
			}
		}
	}
}

// api sends a request to the broker's API and reads the answer.
func (b *Bus) api(ctx context.Context, verb string, request, into any) error {
	body, err := json.Marshal(request)
	if err != nil {
		return fault.Errorf(fault.Internal, "ask for %s: %w", verb, err)
	}
	ctx, cancel := context.WithTimeout(ctx, chunkWait)
	defer cancel()
	reply, err := b.nc.RequestWithContext(ctx, "$JS.API."+verb, body)
	if err != nil {
		return classify(err, "ask for %s", verb)
	}
	if err := json.Unmarshal(reply.Data, into); err != nil {
		return fault.Errorf(fault.Malformed, "read the answer to %s: %w", verb, err)
	}
	return nil
}

// tailed is a message that was stored while the snapshot before it was taken.
type tailed struct {
	Subject string       `json:"subject"`
	Header  event.Header `json:"header,omitempty"`
	Body    []byte       `json:"body,omitempty"`
}

// tail writes what a stream holds behind a sequence, as a line of JSON each, and returns how many there were.
//
// A snapshot ends at the sequence that was the last when it began, and leaves out what was replaced before it was read.
// In a stream that keeps the newest message of each subject, a subject that is written to in between would be missing
// altogether: its old message gone, its new one behind the end. What stands behind the end, read until nothing is left,
// has it: whatever a subject held at that instant is either there or was never replaced.
func (b *Bus) tail(ctx context.Context, stream string, after uint64, w io.Writer) (count int, err error) {
	enc := json.NewEncoder(w)
	config := jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: after + 1}
	err = b.level(ctx, stream, config, 0, func(r Record) error {
		if r.Marker {
			return nil // what has expired will do so again
		}
		line := tailed{Subject: r.Subject, Header: r.Header, Body: r.Body}
		for name := range line.Header {
			// These were conditions of a publish that has long been accepted.
			if strings.HasPrefix(name, "Nats-Expected-") || name == event.HeaderMsgID {
				delete(line.Header, name)
			}
		}
		if err := enc.Encode(line); err != nil {
			return fault.Errorf(fault.Internal, "write what followed the snapshot of %s: %w", stream, err)
		}
		count++
		return nil
	})
	return count, err
}
