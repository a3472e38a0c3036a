package bus

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
)

// askWait is how long an operator waits for the answer of a service.
const askWait = 5 * time.Second

// Serve answers a verb of the operator (adm.<service>.<verb>) until stop is called. Every replica answers: a verb is
// meant for all of them, or for the one that holds a lease. The handler must be idempotent.
func (b *Bus) Serve(ctx context.Context, version, verb string, handle func(ctx context.Context, request []byte) (any, error)) (stop func(), err error) {
	service, err := micro.AddService(b.nc, micro.Config{
		Name: b.service, Version: version, QueueGroupDisabled: true,
		Endpoint: &micro.EndpointConfig{Subject: event.AdminSubject(b.service, verb), Handler: micro.HandlerFunc(func(r micro.Request) {
			b.answerVerb(ctx, r, handle)
		})},
	})
	if err != nil {
		return nil, classify(err, "serve verb %s", verb)
	}
	if b.nc.IsConnected() {
		// Who is told that the verb is served may ask at once. Without a connection the interest is sent with the next.
		if err := b.nc.FlushTimeout(getWait); err != nil {
			b.log.Debug("could not flush the interest in a verb", "subject", event.AdminSubject(b.service, verb), "err", err)
		}
	}
	return func() { _ = service.Stop() }, nil // it fails only when the connection is closed, which ends it too
}

func (b *Bus) answerVerb(ctx context.Context, r micro.Request, handle func(context.Context, []byte) (any, error)) {
	ctx, cancel := context.WithTimeout(ctx, askWait)
	defer cancel()
	reply, err := guardedVerb(ctx, r.Data(), handle)
	if err == nil {
		err = r.RespondJSON(reply)
	} else {
		err = r.Error(string(fault.KindOf(err)), err.Error(), nil)
	}
	if err != nil {
		b.log.Warn("could not answer an operator", "subject", r.Subject(), "err", err)
	}
}

// guardedVerb calls a handler and turns a panic into an error: an operator's question must not take a service down.
func guardedVerb(ctx context.Context, request []byte, handle func(context.Context, []byte) (any, error)) (reply any, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fault.Errorf(fault.Internal, "handler panicked: %v", p)
		}
	}()
	return handle(ctx, request)
}

// Ask sends a verb to a service and reads the first answer into a value. The error has the kind that the service gave
// it; no service at all is unreachable. A nil into takes any answer.
func (b *Bus) Ask(ctx context.Context, service, verb string, request, into any) error {
	first := errors.New("answered")
	err := b.AskAll(ctx, service, verb, request, func(reply []byte) error {
		if into != nil {
			if err := json.Unmarshal(reply, into); err != nil {
				return err
			}
		}
		return first
	})
	if errors.Is(err, first) {
		return nil
	}
	return err
}

// moreWait is how long further replicas may take for their answers once one has come.
const moreWait = 250 * time.Millisecond

// AskAll sends a verb to every replica of a service and gives each answer to take, one at a time. It ends when no
// further answer comes, or with the first error of take or of a replica. The errors are those of [Bus.Ask].
func (b *Bus) AskAll(ctx context.Context, service, verb string, request any, take func(reply []byte) error) error {
	body, err := json.Marshal(request)
	if err != nil {
		return fault.Errorf(fault.Internal, "ask %s to %s: %w", service, verb, err)
	}
	inbox := b.nc.NewInbox()
	sub, err := b.nc.SubscribeSync(inbox)
	if err != nil {
		return classify(err, "ask %s to %s", service, verb)
	}
	defer func() { _ = sub.Unsubscribe() }() // it fails only when the connection is closed, which ends it too
	if err := b.nc.PublishRequest(event.AdminSubject(service, verb), inbox, body); err != nil {
		return classify(err, "ask %s to %s", service, verb)
	}
	for answers, wait := 0, askWait; ; answers, wait = answers+1, moreWait {
		one, cancel := context.WithTimeout(ctx, wait)
		reply, err := sub.NextMsgWithContext(one)
		cancel()
		switch {
		case answers > 0 && errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
			return nil
		case errors.Is(err, nats.ErrNoResponders):
			return fault.Errorf(fault.Unreachable, "no %s is running", service)
		case err != nil:
			return classify(err, "ask %s to %s", service, verb)
		}
		if code := reply.Header.Get(micro.ErrorCodeHeader); code != "" {
			return fault.Errorf(fault.Kind(code), "%s: %s", service, reply.Header.Get(micro.ErrorHeader))
		}
		if err := take(reply.Data); err != nil {
			return fault.Errorf(fault.Malformed, "read the answer of %s to %s: %w", service, verb, err)
		}
	}
}
