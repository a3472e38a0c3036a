package bus

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
)

// patience is how long nothing may come back before it is taken for lost.
type patience struct {
	ping  time.Duration // between two pings; the connection has ended when more than so many are without an answer
	pings int
	beat  time.Duration // between two signs of life of a consumer's leader; when two are missing the consumer is asked for again
}

// patienceWith tells it of so many servers. Of several, one that is cut off is left after 4 to 6 s, while the others
// agree on a new leader (4 to 9 s). A single one has no successor: whoever left it while it stands still would only lose
// the answers that are on their way.
func patienceWith(servers int) patience {
	if servers > 1 {
		return patience{ping: 2 * time.Second, pings: 2, beat: 2 * time.Second}
	}
	return patience{ping: 10 * time.Second, pings: 2, beat: 15 * time.Second}
}

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
