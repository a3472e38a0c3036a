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
	body, err := json.Marshal(request)
	if err != nil {
		return fault.Errorf(fault.Internal, "ask %s to %s: %w", service, verb, err)
	}
	ctx, cancel := context.WithTimeout(ctx, askWait)
	defer cancel()
	reply, err := b.nc.RequestWithContext(ctx, event.AdminSubject(service, verb), body)
	if errors.Is(err, nats.ErrNoResponders) {
		return fault.Errorf(fault.Unreachable, "no %s is running", service)
	}
	if err != nil {
		return classify(err, "ask %s to %s", service, verb)
	}
	if code := reply.Header.Get(micro.ErrorCodeHeader); code != "" {
		return fault.Errorf(fault.Kind(code), "%s: %s", service, reply.Header.Get(micro.ErrorHeader))
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(reply.Data, into); err != nil {
		return fault.Errorf(fault.Malformed, "read the answer of %s to %s: %w", service, verb, err)
	}
	return nil
}
