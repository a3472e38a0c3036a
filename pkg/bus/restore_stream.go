package bus

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tidings.internal/pkg/fault"
)

const (
	// uploadSize is the size of the chunks of a restore. The broker answers each, so a larger one waits less often; it
	// must stay below max_payload.
	uploadSize = 512 << 10
	// uploadWait is how long the broker may take to build a stream of everything that it was sent.
	uploadWait = 10 * time.Minute
	// listenGap is how long to wait before a chunk for which nobody listened is sent again.
	listenGap = 20 * time.Millisecond
)

// upload makes a stream of a snapshot: the broker names a subject, answers each chunk that is sent there, with an error
// if it has one, and the empty chunk at the end with the stream that it made (nats-server 2.15.2, server/jetstream_api.go).
func (b *Bus) upload(ctx context.Context, m Member, config jetstream.StreamConfig, r io.Reader) error {
	var accepted struct {
		Error   *apiError `json:"error"`
		Deliver string    `json:"deliver_subject"`
	}
	err := b.api(ctx, "STREAM.RESTORE."+m.Name, map[string]any{"config": config, "state": m.State}, &accepted)
	if err == nil {
		err = accepted.Error.fault("restore %s", m.Name)
	}
	if err != nil {
		return err
	}
	chunk := make([]byte, uploadSize)
	for {
		n, err := io.ReadFull(r, chunk)
		if n > 0 {
			if err := b.sendChunk(ctx, m.Name, accepted.Deliver, chunk[:n], chunkWait); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			return fault.Errorf(fault.Internal, "read the snapshot of %s: %w", m.Name, err)
		}
	}
	if err := b.sendChunk(ctx, m.Name, accepted.Deliver, nil, uploadWait); err != nil {
		return err
	}
	state, err := b.StreamState(ctx, m.Name)
	if err == nil && state.Last < m.Last {
		return fault.Errorf(fault.Internal, "restore %s: it ends at %d instead of %d", m.Name, state.Last, m.Last)
	}
	return err
}

// sendChunk sends one chunk and reads the answer.
func (b *Bus) sendChunk(ctx context.Context, stream, subject string, chunk []byte, wait time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	reply, err := b.nc.RequestWithContext(ctx, subject, chunk)
	// In a cluster our server may hear later than we do that another one listens there. Nobody was given the chunk, so it
	// may be sent again.
	for began := time.Now(); errors.Is(err, nats.ErrNoResponders) && time.Since(began) < ackWait; {
		select {
		case <-ctx.Done():
			return classify(ctx.Err(), "restore %s", stream)
		case <-time.After(listenGap):
		}
		reply, err = b.nc.RequestWithContext(ctx, subject, chunk)
	}
	if err != nil {
		return classify(err, "restore %s", stream)
	}
	if len(reply.Data) == 0 {
		return nil
	}
	var answer struct {
		Error *apiError `json:"error"`
	}
	if err := json.Unmarshal(reply.Data, &answer); err != nil {
		return fault.Errorf(fault.Malformed, "read the broker's answer to a restore: %w", err)
	}
	return answer.Error.fault("restore %s", stream)
}
