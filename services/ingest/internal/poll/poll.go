// Package poll is one poll of a source from the request to the committed state.
//
//	fetch → parse → judge → publish to RAW, await every ack → compare-and-set the state
//
// The order of the last two is the promise that nothing is lost: the state says that an item was published only after
// RAW has it. Nothing is published twice because the message id of an article is made of its id, revision and content:
// a poll that is repeated after a crash publishes the same ids, and the broker drops them. The package is told which
// source, under which lease; when to poll, and whether, is decided by its caller.
package poll

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/trace"
	"tidings.internal/pkg/web"
	"tidings.internal/services/ingest/internal/cause"
	"tidings.internal/services/ingest/internal/fetch"
	"tidings.internal/services/ingest/internal/fulltext"
	"tidings.internal/services/ingest/internal/identity"
	"tidings.internal/services/ingest/internal/outage"
	"tidings.internal/services/ingest/internal/schedule"
	"tidings.internal/services/ingest/internal/state"
)

// Bus is what a poll needs of the broker.
type Bus interface {
	Append(ctx context.Context, messages []event.Message) error
	PutBlob(ctx context.Context, data []byte, now time.Time) (article.Blob, error)
	Notice(ctx context.Context, n event.Notice)
}

// Lease is the right to poll a source.
type Lease interface {
	Fence() uint64
	Valid() bool
}

// Observer counts. Its methods must be quick and safe for concurrent use.
type Observer interface {
	Fetched(outcome string, took time.Duration)
	Bytes(wire, decoded int)
	Published(lane, change string, n int)
	Skipped(reason string, n int)
}

// Config is what an operator decides for all sources.
type Config struct {
	// DefaultEvery is the interval of sources that name none; zero lets each one's rhythm decide.
	DefaultEvery  time.Duration
	BackfillAfter time.Duration
	RevisionGap   time.Duration
	Tracking      identity.Tracking
	// BackfillPages is how many further documents are read where a source is read for the first time and names older ones.
	BackfillPages int
}

// Deps are what a poller is given.
type Deps struct {
	Config  Config
	Fetcher *fetch.Fetcher
	Gate    *web.Gate
	Bus     Bus
	States  state.Bucket
	Log     *slog.Logger
	Observe Observer
	Now     func() time.Time
	// Other, when set, gives the id of the other source that polls an address, or "".
	Other func(id, address string) string
	// Pages, when set, fetches the pages of articles of which a feed gives the beginning only.
	Pages *fulltext.Fetcher
	// Hubs, when set, asks hubs for pushes.
	Hubs *Hubs
	// Outage, when set, tells whether it is us who are cut off.
	Outage *outage.Detector
	// Trace, when set, exports where the time of a poll goes.
	Trace *trace.Tracer
	// Online, when set, is told that an outage is over, and Offline that one has begun.
	Online, Offline func(ctx context.Context)
}

// Poller polls sources. It is safe for concurrent use, but a source must be polled by one goroutine at a time.
type Poller struct {
	config  Config
	fetcher *fetch.Fetcher
	gate    *web.Gate
	bus     Bus
	states  state.Bucket
	log     *slog.Logger
	observe Observer
	now     func() time.Time
	trace   *trace.Tracer
	other   func(id, address string) string
	outage  *outage.Detector
	// fulltext is nil where no pages are fetched.
	fulltext *fulltext.Fetcher
	hubs     *Hubs
	online   func(ctx context.Context)
	offline  func(ctx context.Context)
}

// New makes a poller.
func New(d Deps) *Poller {
	p := &Poller{
		config: d.Config, fetcher: d.Fetcher, gate: d.Gate, bus: d.Bus, states: d.States, log: d.Log, observe: d.Observe, now: d.Now, other: d.Other,
		outage: d.Outage, fulltext: d.Pages, hubs: d.Hubs, trace: d.Trace, online: d.Online, offline: d.Offline,
	}
	if p.outage == nil {
		p.outage = outage.New(d.Now)
	}
	if p.online == nil {
		p.online, p.offline = func(context.Context) {}, func(context.Context) {}
	}
	return p
}

// Source is a source with what is known of it. Its owner keeps one for each source it polls.
type Source struct {
	config.Source
	Options web.Options
	// Filter tells which items are published. One that is not is remembered all the same.
	Filter *article.Filter
	// Climb is when an operator last wished that a source that was demoted goes by its ids again.
	Climb time.Time
	// Slow, when set, is called before a poll does what takes long. What it returns ends that.
	Slow func(ctx context.Context) (leave func(), err error)

	state    *state.Source
	revision uint64
	written  time.Time
	loaded   bool
}

// Reset forgets what is known, so that the next poll reads it again: after a lost lease somebody else may have written.
func (s *Source) Reset() { s.state, s.revision, s.loaded = nil, 0, false }

// State gives what is known, nil before it was loaded.
func (s *Source) State() *state.Source { return s.state }

// Load reads the state of a source if it is not known.
func (p *Poller) Load(ctx context.Context, s *Source) error {
	if s.loaded {
		return nil
	}
	st, revision, err := state.Load(ctx, p.states, s.ID)
	if err != nil {
		return err
	}
	if st == nil {
		st = state.New(s.URL, partition(s.URL))
	}
	if st.URL != s.URL {
		// Another address: what was learnt of the old one (validators, errors, the feed's own words) does not hold.
		// The partition and the items stay, so that no subject and no article changes.
		fresh := state.New(s.URL, st.Partition)
		fresh.Memory, fresh.Polls, fresh.Published, fresh.Success, fresh.Begun = st.Memory, st.Polls, st.Published, st.Success, st.Begun
		st = fresh
	}
	s.state, s.revision, s.loaded, s.written = st, revision, true, p.now()
	return nil
}

// Result is what came of a poll.
type Result struct {
	// Outcome is a closed word: ok, unchanged, partial, or a reason of package cause.
	Outcome string
	// Next is when to poll again.
	Next time.Time
	// Took is how long the host took, and Published how many articles came of it.
	Took      time.Duration
	Published int
	Err       error
}

// turn is one poll on its way.
type turn struct {
	source  *Source
	state   *state.Source // as it will be
	fence   uint64
	now     time.Time
	partial bool
	begun   time.Time // zero for what was pushed
	took    time.Duration
	span    *trace.Span // nil until something is published
	warning string
	// published counts the messages that went to RAW.
	published int
	// notices tell of what the state says, and are sent once it is written.
	notices []event.Notice
	// done gives back the memory that the document was accounted for.
	done func()
}

// Poll polls a source once. release ends the exchange with the host that the caller entered; it is called as early as
// possible.
func (p *Poller) Poll(ctx context.Context, s *Source, lease Lease, hostport string, release func()) Result {
	defer release()
	if s.state != nil && s.state.Sub.Hub != "" {
		s.Reset() // any replica may have heard its hub since
	}
	if err := p.Load(ctx, s); err != nil {
		return p.ours(s, err)
	}
	t := &turn{source: s, state: s.state.Clone(), fence: lease.Fence(), now: p.now().UTC()}
	t.state.Polls++
	t.state.Polled = t.now
	if r, ok := p.merged(t); ok {
		return r
	}
	p.tick(t)
	t.begun = time.Now()
	answer, err := p.get(ctx, t, hostport, release)
	t.took = time.Since(t.begun)
	if err != nil {
		return p.failed(ctx, t, hostport, err)
	}
	t.done = sync.OnceFunc(answer.Done)
	defer t.done()
	p.reached(ctx, t, hostport)
	p.gate.Ease(hostport)
	p.observe.Bytes(answer.Wire, len(answer.Text))
	if answer.NotModified || answer.Hash == t.state.Body && !answer.Cut && !t.waiting() && !t.climbing() {
		p.sight(t, answer, "", len(t.state.Memory.Rows) > 0)
		t.validators(answer)
		return p.succeeded(ctx, t, "unchanged", nil)
	}
	ctx, stop := linger(ctx, finishLimit)
	defer stop()
	return p.document(ctx, t, lease, answer, hostport)
}

// finishLimit is how long a poll whose document has arrived may go on after it was told to stop: what it publishes
// would otherwise be published again by the next owner.
const finishLimit = 10 * time.Second

// linger returns a context that ends some time after its parent.
func linger(ctx context.Context, after time.Duration) (context.Context, context.CancelFunc) {
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	unhook := context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(after, cancel)
		context.AfterFunc(own, func() { timer.Stop() })
	})
	return own, func() { unhook(); cancel() }
}

// stuckAfter is how long a host may say that nothing changed before it is asked once for the whole document: some say so
// for ever.
const stuckAfter = 7 * 24 * time.Hour

// stuck reports whether news are due by the rhythm of the source, and the host has said nothing but "not modified".
func (t *turn) stuck() bool {
	return len(t.state.Memory.Rows) >= schedule.FewTimes && !t.state.Whole.IsZero() && t.now.Sub(t.state.Whole) >= stuckAfter
}

// climbing reports whether the source is to go by its ids again, which only a look at its document does.
func (t *turn) climbing() bool { return t.source.Climb.After(t.state.Climbed) }

func (t *turn) waiting() bool { return t.state.Memory.Waiting(t.source.Deletions) }

// get asks for the document, conditionally where that is allowed.
func (p *Poller) get(ctx context.Context, t *turn, hostport string, release func()) (*fetch.Answer, error) {
	s := t.source
	r := fetch.Request{URL: t.state.Address(), Options: s.Options, MaxBody: int64(s.HTTP.MaxBody), Received: release}
	if t.state.Asked == fetch.Asked(t.state.Address(), s.Options) && !t.waiting() && !t.stuck() && !t.climbing() {
		r.ETag, r.LastModified = t.state.ETag, t.state.LastModified
	}
	entered := false
	r.Enter = func(ctx context.Context, host string) (func(), error) {
		if !entered && host == hostport {
			entered = true
			return release, nil // the caller has entered for us
		}
		// A redirect to another host waits there for its turn, but not for ever: a worker is held meanwhile.
		ctx, cancel := context.WithTimeout(ctx, maxGate)
		defer cancel()
		leave, err := p.gate.Enter(ctx, host)
		if errors.Is(err, context.DeadlineExceeded) {
			return nil, cause.Errorf(cause.Reason(web.Timeout), "wait for the turn at a host redirected to: more than %v", maxGate)
		}
		return leave, err
	}
	answer, err := p.fetcher.Get(ctx, r)
	if err == nil && answer.NotModified && t.state.First() {
		return nil, cause.Errorf(cause.NotAFeed, "fetch document: the host says that nothing changed, and nothing was ever read")
	}
	return answer, err
}

// maxGate is how long a poll waits for a host that it was redirected to.
const maxGate = 30 * time.Second

// validators takes over what to send back next time, also when the answer was 304 or one of the two is new.
func (t *turn) validators(a *fetch.Answer) {
	etag, lastModified := a.Validators()
	if a.NotModified {
		// A 304 need not repeat them (RFC 9110 section 15.4.5).
		etag, lastModified = first(etag, t.state.ETag), first(lastModified, t.state.LastModified)
	}
	t.state.ETag, t.state.LastModified, t.state.Asked = etag, lastModified, fetch.Asked(t.state.Address(), t.source.Options)
	t.state.Status = a.Status
	if !a.NotModified {
		t.state.Whole = t.now
	}
	t.state.Hints.Fresh = schedule.Fresh(a.Header, t.now)
}

func partition(address string) string {
	host, err := parseHost(address)
	if err != nil {
		host = address
	}
	return article.Partition(host)
}

// outcomeOf is the word under which a failure is counted.
func outcomeOf(err error) string { return string(cause.Of(err)) }

// statusOf gives the HTTP status of a failure, 0 when there was none.
func statusOf(err error) int {
	if e, ok := errors.AsType[*web.Error](err); ok {
		return e.Status
	}
	return 0
}

// isGone reports whether an error is a 410.
func isGone(err error) bool { return statusOf(err) == http.StatusGone }
