package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"

	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
)

// Config says how to reach the broker and in which role.
type Config struct {
	// Service is the role: ingest, enrich, publish, deliver, or tidings for the operator. It names dead letters,
	// notices, the inbox prefix and the verbs that are answered.
	Service string
	// URL lists the servers, parted by commas. Ignored when InProcess is set.
	URL string
	// CredentialsFile holds the seed of the user's nkey.
	CredentialsFile string
	// Seed is the seed itself, where the caller has it already.
	Seed []byte
	// TLS encrypts the connection, where any of its files is named.
	TLS TLS
	// InProcess connects to a server in this process without a socket.
	InProcess nats.InProcessConnProvider
	// Name tells connections of one service apart in the broker's lists; the service if empty.
	Name     string
	Log      *slog.Logger
	Observer Observer
}

// Observer is told what the bus does, so that the package needs no metrics library. All methods must be quick and
// safe for concurrent use.
type Observer interface {
	Emitted(stream string, outcome string)
	Handled(service, consumer, verdict, kind string, took time.Duration)
	Redelivered(service string)
	Acked(stream string, took time.Duration)
	Connected(up bool)
	Violation(subject string)
	SlowConsumer()
	Rebuilt(reason string)
}

// silent is the observer of a bus that nobody watches.
type silent struct{}

func (silent) Emitted(string, string)                                {}
func (silent) Handled(string, string, string, string, time.Duration) {}
func (silent) Redelivered(string)                                    {}
func (silent) Acked(string, time.Duration)                           {}
func (silent) Connected(bool)                                        {}
func (silent) Violation(string)                                      {}
func (silent) SlowConsumer()                                         {}
func (silent) Rebuilt(string)                                        {}

// Bus is a connection in the role of one service. It is safe for concurrent use.
type Bus struct {
	service string
	*link
}

// link is what all roles on one connection share.
type link struct {
	nc        *nats.Conn
	js        jetstream.JetStream
	log       *slog.Logger
	observe   Observer
	closed    chan struct{}
	violation atomic.Pointer[string]
	refused   atomic.Bool
	failure   atomic.Pointer[error] // of the last attempt to connect; nil while a connection stands

	followEvery, evictEvery, grace time.Duration // see followCheck, evictCheck and shutdownGrace

	patience patience
	standing atomic.Pointer[spell] // the connection as it stands, or as it last stood

	mu          sync.Mutex
	buckets     map[string]jetstream.KeyValue
	stores      map[string]jetstream.ObjectStore
	reconnected map[chan struct{}]struct{}
}

const (
	// publishes that may wait for their ack at once; more only fill the broker's queue.
	maxInflight = 256
	// ackWait is how long one publish waits for its ack. With sync_interval always an ack takes one disk flush.
	ackWait = 5 * time.Second
	// getWait is how long one read waits.
	getWait = 2 * time.Second
	// emitWait is how long one try of an emission waits for its ack. A leader that was cut off answers never, and the next
	// try may find its successor.
	emitWait = 2 * time.Second
	// drainWait bounds the flush of what is left when the connection closes.
	drainWait = 10 * time.Second
)

// Connect opens the connection. A broker that is away is no error: the connection comes up when the broker does, and
// [Bus.Probe] tells how it stands. A seed that cannot be read is one.
func Connect(ctx context.Context, c Config) (*Bus, error) {
	l := &link{
		log: c.Log, observe: c.Observer, closed: make(chan struct{}), followEvery: followCheck, evictEvery: evictCheck, grace: shutdownGrace,
		patience: patienceWith(1 + strings.Count(c.URL, ",")),
		buckets:  map[string]jetstream.KeyValue{}, stores: map[string]jetstream.ObjectStore{}, reconnected: map[chan struct{}]struct{}{},
	}
	if l.log == nil {
		l.log = slog.New(slog.DiscardHandler)
	}
	if l.observe == nil {
		l.observe = silent{}
	}
	l.standing.Store(newSpell())
	opts, err := l.options(c)
	if err != nil {
		return nil, err
	}
	if l.nc, err = nats.Connect(c.URL, opts...); err != nil {
		return nil, fault.Errorf(fault.Unreachable, "connect to NATS at %s: %w", c.URL, err)
	}
	if l.js, err = jetstream.New(l.nc, jetstream.WithPublishAsyncMaxPending(maxInflight), jetstream.WithPublishAsyncTimeout(ackWait), jetstream.WithDefaultTimeout(ackWait)); err != nil {
		l.nc.Close()
		return nil, fault.Errorf(fault.Internal, "open JetStream: %w", err)
	}
	return &Bus{service: c.Service, link: l}, nil
}

func (l *link) options(c Config) ([]nats.Option, error) {
	name := c.Name
	if name == "" {
		name = c.Service
	}
	opts := []nats.Option{
		nats.Name(name),
		// The library's default gives up for ever after 60 attempts.
		nats.MaxReconnects(-1), nats.RetryOnFailedConnect(true),
		// Nor does it give up when its credentials are refused twice: an operator repairs them while we wait.
		nats.IgnoreAuthErrorAbort(),
		nats.CustomReconnectDelay(func(int) time.Duration { return 250*time.Millisecond + rand.N(250*time.Millisecond) }),
		// No buffer for publishes while disconnected: what leaves late would be sent behind the back of a caller who
		// was told of a time-out.
		nats.ReconnectBufSize(-1),
		nats.PingInterval(l.patience.ping), nats.MaxPingsOutstanding(l.patience.pings),
		nats.DrainTimeout(drainWait), nats.Timeout(5 * time.Second),
		nats.CustomInboxPrefix("_INBOX_" + c.Service),
		nats.ConnectHandler(func(*nats.Conn) { l.connected() }),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			l.standing.Swap(newSpell()).end(nats.ErrDisconnected)
			l.observe.Connected(false)
			if err != nil {
				l.log.Warn("lost the connection to NATS", "err", err)
			}
		}),
		nats.ReconnectHandler(func(*nats.Conn) { l.connected(); l.log.Info("connected to NATS again"); l.wake() }),
		nats.ClosedHandler(func(*nats.Conn) { close(l.closed) }),
		nats.ErrorHandler(l.asyncError),
		// The library forgets why the first connection did not come up.
		nats.ReconnectErrHandler(func(_ *nats.Conn, err error) { l.failure.Store(&err) }),
	}
	if c.InProcess != nil {
		opts = append(opts, nats.InProcessServer(c.InProcess))
	}
	secure, err := c.TLS.options()
	if err != nil {
		return nil, err
	}
	opts = append(opts, secure...)
	seed := c.Seed
	if c.CredentialsFile != "" {
		data, err := os.ReadFile(c.CredentialsFile)
		if err != nil {
			return nil, fault.Errorf(fault.Invalid, "read nats.credentials_file: %w", err)
		}
		seed = data
	}
	if len(seed) > 0 || c.CredentialsFile != "" { // an empty file is no wish to come without credentials
		pair, err := nkeys.ParseDecoratedNKey(seed)
		if err != nil {
			return nil, fault.Errorf(fault.Invalid, "read the nkey seed for user %s: it is none", c.Service)
		}
		public, err := pair.PublicKey()
		if err != nil {
			return nil, fault.Errorf(fault.Invalid, "read the nkey seed for user %s: it is none", c.Service)
		}
		opts = append(opts, nats.Nkey(public, pair.Sign))
	}
	return opts, nil
}

// connected begins a new connection: what the last one was denied may be granted now.
func (l *link) connected() {
	l.violation.Store(nil)
	l.refused.Store(false)
	l.failure.Store(nil)
	l.observe.Connected(true)
}

// asyncError hears what no caller hears: a denied publish gives its caller only a time-out.
func (l *link) asyncError(_ *nats.Conn, sub *nats.Subscription, err error) {
	switch {
	case errors.Is(err, nats.ErrPermissionViolation):
		text := err.Error()
		l.violation.Store(&text)
		l.observe.Violation(text)
		l.log.Error("was denied a subject by NATS", "err", err)
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired):
		if !l.refused.Swap(true) { // it is tried again several times a second
			l.log.Error("was refused by NATS", "err", err)
		}
	case errors.Is(err, nats.ErrSlowConsumer):
		l.observe.SlowConsumer()
		l.log.Warn("fell behind the broker", "subject", subjectOf(sub))
	default:
		l.log.Warn("heard of an error from NATS", "err", err)
	}
}

func subjectOf(sub *nats.Subscription) string {
	if sub == nil {
		return ""
	}
	return sub.Subject
}

// wake tells everyone who follows something that the connection is back.
func (l *link) wake() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.reconnected {
		select {
		case c <- struct{}{}:
		default: // it has been told already
		}
	}
}

// onReconnect returns a channel that is filled whenever the connection came back, and a function that ends this.
func (l *link) onReconnect() (<-chan struct{}, func()) {
	c := make(chan struct{}, 1)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reconnected[c] = struct{}{}
	return c, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.reconnected, c)
	}
}

// As returns the same connection in the role of another service. Closing one closes all.
func (b *Bus) As(service string) *Bus { return &Bus{service: service, link: b.link} }

// Service returns the role.
func (b *Bus) Service() string { return b.service }

// Close flushes what is under way and waits until the connection has closed: nats.go's Drain returns long before.
func (b *Bus) Close(ctx context.Context) error {
	if err := b.nc.Drain(); err != nil {
		// Not connected: there is nothing to flush, and Drain would wait for nobody.
		b.nc.Close()
	}
	select {
	case <-b.closed:
		return nil
	case <-ctx.Done():
		b.nc.Close()
		return fault.Errorf(fault.Unreachable, "drain the connection to NATS: %w", ctx.Err())
	}
}

// Probe tells whether the broker answers and grants what was asked of it so far.
func (b *Bus) Probe(ctx context.Context) error {
	if v := b.violation.Load(); v != nil {
		return fault.Errorf(fault.Refused, "NATS denied user %s a subject: %s", b.service, *v)
	}
	if b.nc.IsConnected() {
		return nil
	}
	err := b.nc.LastError()
	if failed := b.failure.Load(); failed != nil {
		err = *failed
	}
	if err == nil {
		return fault.Errorf(fault.Unreachable, "no connection to NATS")
	}
	return fault.Errorf(fault.Unreachable, "no connection to NATS: %w%s", err, distrust(err))
}

// WaitConnected blocks until the broker answers, ctx ends, or the broker refuses the credentials.
func (b *Bus) WaitConnected(ctx context.Context) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !b.nc.IsConnected() {
		if err := b.nc.LastError(); errors.Is(err, nats.ErrAuthorization) || errors.Is(err, nats.ErrAuthExpired) {
			return fault.Errorf(fault.Refused, "NATS refused the credentials of user %s: %w", b.service, err)
		}
		select {
		case <-ctx.Done():
			return b.Probe(context.WithoutCancel(ctx))
		case <-tick.C:
		}
	}
	return nil
}

// Notice tells operators of something that happened. It is best effort: a notice that is lost is not missed by any
// service.
func (b *Bus) Notice(ctx context.Context, n event.Notice) {
	n.Service = b.service
	if n.Time.IsZero() {
		n.Time = time.Now().UTC()
	}
	subject, err := event.NoticeSubject(b.service, n.Type)
	if err != nil {
		b.log.Error("could not name a notice", "err", err)
		return
	}
	env := event.Envelope{Type: event.NoticeType(n.Type), ID: nats.NewInbox()[len(nats.InboxPrefix):], Source: b.service, Time: n.Time}
	m, err := event.Encode(subject, env, n)
	if err == nil {
		err = b.publish(ctx, m, nil)
	}
	if err != nil {
		b.log.Warn("could not send a notice", "subject", subject, "err", err)
	}
}

// classify gives an error of the client library its kind.
func classify(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	what := fmt.Sprintf(format, args...)
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("%s: %w", what, err)
	}
	kind := fault.Internal
	if api, ok := errors.AsType[jetstream.JetStreamError](err); ok && api.APIError() != nil {
		return kindOfCode(int(api.APIError().ErrorCode), err, what)
	}
	switch {
	case errors.Is(err, nats.ErrTimeout), errors.Is(err, context.DeadlineExceeded), errors.Is(err, nats.ErrNoResponders),
		errors.Is(err, jetstream.ErrNoStreamResponse), errors.Is(err, nats.ErrConnectionClosed), errors.Is(err, nats.ErrDisconnected),
		errors.Is(err, nats.ErrReconnectBufExceeded), errors.Is(err, nats.ErrConnectionReconnecting), errors.Is(err, nats.ErrNoServers),
		errors.Is(err, jetstream.ErrAsyncPublishTimeout), errors.Is(err, jetstream.ErrTooManyStalledMsgs), errors.Is(err, nats.ErrConnectionDraining),
		errors.Is(err, nats.ErrJetStreamNotEnabled), errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, nats.ErrStaleConnection), errors.Is(err, jetstream.ErrNoHeartbeat), errors.Is(err, nats.ErrBadSubscription):
		kind = fault.Unreachable
	case errors.Is(err, nats.ErrMaxPayload):
		kind = fault.TooLarge
	}
	return fault.Errorf(kind, "%s: %w", what, err)
}

// The server's error codes that mean something of their own (nats-server errors.json).
const (
	codeWrongLastSequence  = 10071
	codeWrongLastSequenceR = 10164 // the same on a replicated stream
	codeInsufficient       = 10023
	codeNoStorage          = 10047
	codeMaxBytes           = 10077 // maximum bytes exceeded
	codeTooLarge           = 10054
	codeNotAvailable       = 10008
	codeNotReady           = 10163
)

func kindOfCode(code int, err error, what string) error {
	switch code {
	case codeWrongLastSequence, codeWrongLastSequenceR:
		return fault.Errorf(fault.Conflict, "%s: %w", what, err)
	case codeMaxBytes, codeInsufficient, codeNoStorage:
		return fault.Later(fault.Errorf(fault.Throttled, "%s: the store is full: %w", what, err), time.Minute)
	case codeTooLarge:
		return fault.Errorf(fault.TooLarge, "%s: %w", what, err)
	case codeNotAvailable, codeNotReady:
		return fault.Errorf(fault.Unreachable, "%s: %w", what, err)
	default:
		return fault.Errorf(fault.Internal, "%s: %w", what, err)
	}
}
