package natstest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"tidings.internal/pkg/event"
)

// Line is a bare connection: what an intruder has who got hold of a seed.
type Line struct{ nc *nats.Conn }

// ErrDenied is in the error of what the server does not allow.
var ErrDenied = errors.New("denied by the server")

// Dial connects with a seed, or without any, and closes the connection when the test ends. The error is that of the
// server. inbox is the role whose inbox gets the answers.
func (b *Broker) Dial(t testing.TB, seed []byte, inbox string) (*Line, error) {
	t.Helper()
	// Denials are read from LastError; the library would print them too.
	opts := []nats.Option{nats.Name(inbox), nats.CustomInboxPrefix("_INBOX_" + inbox), nats.NoReconnect(), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {})}
	if seed != nil {
		pair, err := nkeys.FromSeed(seed)
		if err != nil {
			t.Fatal(err)
		}
		public, err := pair.PublicKey()
		if err != nil {
			t.Fatal(err)
		}
		opts = append(opts, nats.Nkey(public, pair.Sign))
	}
	if b.TLS.CAFile != "" {
		opts = append(opts, nats.RootCAs(b.TLS.CAFile))
	}
	if b.TLS.CertFile != "" {
		opts = append(opts, nats.ClientCert(b.TLS.CertFile, b.TLS.KeyFile))
	}
	nc, err := nats.Connect(b.URL, opts...)
	if err != nil {
		return nil, err
	}
	t.Cleanup(nc.Close)
	return &Line{nc}, nil
}

// Line connects as a user.
func (b *Broker) Line(t testing.TB, user string) *Line {
	t.Helper()
	u, ok := event.FindUser(user)
	if !ok {
		t.Fatalf("there is no user %s", user)
	}
	l, err := b.Dial(t, b.seeds[user], u.Role)
	if err != nil {
		t.Fatalf("connect as %s: %v", user, err)
	}
	return l
}

// denied waits until the server has seen what was sent, and returns its word about the subject. The server answers in
// order, so a denial has been read before the answer to the flush.
func (l *Line) denied(verb, subject string) error {
	if err := l.nc.FlushTimeout(5 * time.Second); err != nil {
		return err
	}
	if err := l.nc.LastError(); errors.Is(err, nats.ErrPermissionViolation) && strings.Contains(strings.ToLower(err.Error()), strings.ToLower(fmt.Sprintf("%s to %q", verb, subject))) {
		return fmt.Errorf("%w: %w", ErrDenied, err)
	}
	return nil
}

// Publish sends a message, which asks for an answer on a reply subject if one is named.
func (l *Line) Publish(m event.Message, reply string) error {
	if err := l.nc.PublishMsg(&nats.Msg{Subject: m.Subject, Reply: reply, Header: nats.Header(m.Header), Data: m.Body}); err != nil {
		return err
	}
	return l.denied("publish", m.Subject)
}

// Hear subscribes to a subject and counts nothing; the error says whether the server allows it.
func (l *Line) Hear(subject string) error {
	sub, err := l.nc.SubscribeSync(subject)
	if err != nil {
		return err
	}
	err = l.denied("subscription", subject)
	return errors.Join(err, sub.Unsubscribe())
}

// Request asks and returns the first answer.
func (l *Line) Request(ctx context.Context, subject string, body []byte) (event.Message, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	reply, err := l.nc.RequestWithContext(ctx, subject, body)
	if err != nil {
		return event.Message{}, err
	}
	return event.Message{Subject: reply.Subject, Header: event.Header(reply.Header), Body: reply.Data}, nil
}
