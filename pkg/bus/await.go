package bus

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
)

// spell is the time between two losses of the connection.
type spell struct {
	context.Context
	end context.CancelCauseFunc
}

func newSpell() *spell {
	ctx, end := context.WithCancelCause(context.Background())
	return &spell{ctx, end}
}

// await does something that the broker has to answer in time. The answer is lost with the connection on which it was to
// come, and the library would wait for it all the same: await does not, and returns [nats.ErrDisconnected]. What was asked
// for may have happened, as after a time-out.
func (l *link) await(ctx context.Context, wait time.Duration, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	standing := l.standing.Load()
	defer context.AfterFunc(standing, func() { end(context.Cause(standing)) })()
	err := do(ctx)
	if err != nil && errors.Is(context.Cause(ctx), nats.ErrDisconnected) {
		return nats.ErrDisconnected
	}
	return err
}
