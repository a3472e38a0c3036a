package websub

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"tidings.internal/pkg/fault"
)

// Push is what a hub sent.
type Push struct {
	ContentType string
	Codings     []string
	Header      http.Header
	Body        []byte
}

// What [Book.Take] says of a push that is not used: it is of another topic than its source's, or better read by a poll.
var (
	ErrOtherTopic = errors.New("the document is of another topic")
	ErrPoll       = errors.New("the source is to be polled instead")
)

// Book is where the subscriptions are.
type Book interface {
	// Look gives the subscription of a source; ok is false when there is no such source.
	Look(ctx context.Context, source string) (s Subscription, ok bool, err error)
	// Settle changes the subscription of a source by compare-and-set; change may be called several times, and returns false
	// to leave all as it is, which Settle then returns.
	Settle(ctx context.Context, source string, change func(*Subscription) bool) (bool, error)
	// Take reads a push and returns once RAW has what is new in it.
	Take(ctx context.Context, source string, p Push) error
	// Poll has a source polled soon. It reports false where this replica cannot do so.
	Poll(source string) bool
}

// The limits of what hubs may send.
const (
	maxPush   = 10 << 20
	pushRead  = 10 * time.Second // for the whole of a push to arrive
	pushWork  = 5 * time.Second  // until RAW has it
	maxWork   = 100              // pushes in work
	perSecond = 10               // of one source
	// maxChallenge is the longest challenge that is echoed.
	maxChallenge = 4096
)

// The outcomes of what hubs send, for a metric.
const (
	Taken     = "taken"
	Unknown   = "unknown" // no such callback
	Ended     = "ended"   // the subscription is one of before
	Forged    = "forged"  // the signature is missing, wrong or weaker than before
	TooLarge  = "too_large"
	Slow      = "slow"
	Limited   = "limited"
	Busy      = "busy"
	Empty     = "empty"
	Polled    = "polled" // it takes long, for web pages for instance, and is left to a poll
	Foreign   = "other_topic"
	Malformed = "malformed"
	Confirmed = "confirmed"
	Refused   = "refused"  // a confirmation that nobody had asked for
	DeniedHub = "denied"   // the hub refused the subscription
	Failed    = "internal" // for a reason of our own
)

// Handler is the listener that hubs call.
type Handler struct {
	keys      *Keys
	book      Book
	allowSHA1 bool
	now       func() time.Time
	log       *slog.Logger
	observe   func(outcome string)
	work      chan struct{}
	// readLimit and workLimit are [pushRead] and [pushWork].
	readLimit, workLimit time.Duration

	mu    sync.Mutex
	rates map[string]*rate.Limiter
}

var _ http.Handler = (*Handler)(nil)

// NewHandler makes a handler. observe is told what became of each call.
func NewHandler(keys *Keys, book Book, allowSHA1 bool, now func() time.Time, log *slog.Logger, observe func(outcome string)) *Handler {
	return &Handler{
		keys: keys, book: book, allowSHA1: allowSHA1, now: now, log: log, observe: observe, work: make(chan struct{}, maxWork),
		readLimit: pushRead, workLimit: pushWork, rates: map[string]*rate.Limiter{},
	}
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	source, token, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, Path), "/")
	if !ok || !strings.HasPrefix(r.URL.Path, Path) {
		h.end(w, http.StatusNotFound, Unknown)
		return
	}
	s, known, err := h.book.Look(r.Context(), source)
	if err != nil {
		h.book.Poll(source)
		h.end(w, http.StatusServiceUnavailable, Failed)
		return
	}
	generation, fits := h.keys.generation(source, token, s.Generation)
	switch {
	case !known || !fits:
		h.end(w, http.StatusNotFound, Unknown)
	case r.Method == http.MethodGet:
		h.confirm(w, r, source, generation == s.Generation)
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", "GET, POST")
		h.end(w, http.StatusMethodNotAllowed, Unknown)
	case generation != s.Generation || s.Hub == "":
		h.end(w, http.StatusGone, Ended) // by which a hub knows that it may stop (section 7)
	default:
		h.take(w, r, source, s)
	}
}

func (h *Handler) end(w http.ResponseWriter, status int, outcome string) {
	h.observe(outcome)
	w.WriteHeader(status)
}

// confirm answers the question whether a subscription was asked for (section 5.3), or hears that it was refused (5.2).
func (h *Handler) confirm(w http.ResponseWriter, r *http.Request, source string, current bool) {
	q := r.URL.Query()
	mode, topic, challenge := q.Get("hub.mode"), q.Get("hub.topic"), q.Get("hub.challenge")
	change, outcome := func(*Subscription) bool { return false }, Refused
	switch {
	case !current:
	case mode == "denied":
		outcome = DeniedHub
		change = func(s *Subscription) bool { return s.Deny(h.now(), topic, cut(q.Get("hub.reason"))) }
	case mode == "subscribe" && challenge != "" && len(challenge) <= maxChallenge:
		outcome = Confirmed
		seconds, err := strconv.ParseInt(q.Get("hub.lease_seconds"), 10, 64)
		if err != nil {
			seconds = LeaseSeconds
		}
		change = func(s *Subscription) bool { return s.Confirm(h.now(), topic, seconds) }
	}
	changed, err := h.book.Settle(r.Context(), source, change)
	switch {
	case err != nil:
		h.log.Debug("could not settle a subscription", "source", source, "err", err)
		h.end(w, http.StatusServiceUnavailable, Failed)
	case !changed:
		h.end(w, http.StatusNotFound, Refused)
	default:
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		h.observe(outcome)
		if outcome == Confirmed {
			_, _ = io.WriteString(w, challenge) // whoever is gone asks again
		}
	}
}

// cut bounds what a hub says.
func cut(s string) string {
	const most = 200
	return strings.ToValidUTF8(s[:min(len(s), most)], "")
}

func (h *Handler) take(w http.ResponseWriter, r *http.Request, source string, s Subscription) {
	if !h.limiter(source).AllowN(h.now(), 1) {
		w.Header().Set("Retry-After", "1")
		h.end(w, http.StatusTooManyRequests, Limited)
		return
	}
	select {
	case h.work <- struct{}{}:
		defer func() { <-h.work }()
	default:
		h.later(w, source, Busy)
		return
	}
	body, status := h.read(w, r)
	if status != 0 {
		h.book.Poll(source) // it had something to say; whoever polls it otherwise finds that a day later at most
		h.end(w, status, outcomes[status])
		return
	}
	strong, ok := Signed(r.Header.Get("X-Hub-Signature"), h.keys.Secret(source, s.Generation), body, h.allowSHA1 && !s.Strong)
	switch {
	case !ok:
		h.end(w, http.StatusAccepted, Forged) // who guesses learns nothing from the answer (section 8)
		return
	case len(body) == 0:
		h.instead(w, source, Empty)
		return
	}
	if strong && !s.Strong {
		if _, err := h.book.Settle(r.Context(), source, func(s *Subscription) bool { s.Strong = true; return true }); err != nil {
			h.log.Debug("could not note that pushes are signed well", "source", source, "err", err)
		}
	}
	ctx, cancel := context.WithTimeout(r.Context(), h.workLimit)
	defer cancel()
	err := h.book.Take(ctx, source, Push{ContentType: r.Header.Get("Content-Type"), Codings: r.Header.Values("Content-Encoding"), Header: r.Header, Body: body})
	switch {
	case err == nil:
		h.end(w, http.StatusAccepted, Taken)
	case errors.Is(err, ErrOtherTopic):
		h.instead(w, source, Foreign)
	case errors.Is(err, ErrPoll):
		h.instead(w, source, Polled)
	case fault.KindOf(err) == fault.Malformed || fault.KindOf(err) == fault.TooLarge:
		h.instead(w, source, Malformed)
	default:
		h.log.Debug("could not take a push", "source", source, "err", err)
		h.later(w, source, Failed)
	}
}

// instead has a source polled in place of a push that cannot be used. Where this replica cannot, the hub pushes again and
// comes to another one in the end.
func (h *Handler) instead(w http.ResponseWriter, source, outcome string) {
	if h.book.Poll(source) {
		h.end(w, http.StatusAccepted, outcome)
		return
	}
	h.later(w, source, outcome)
}

// outcomes are those of pushes that could not be read, by the status they are answered with.
var outcomes = map[int]string{http.StatusRequestEntityTooLarge: TooLarge, http.StatusRequestTimeout: Slow, http.StatusBadRequest: Malformed}

// later asks a hub to push again, and has the source polled meanwhile, so that nothing hangs on the hub's patience.
func (h *Handler) later(w http.ResponseWriter, source, outcome string) {
	h.book.Poll(source)
	w.Header().Set("Retry-After", "30")
	h.end(w, http.StatusServiceUnavailable, outcome)
}

// read reads a push; the status says why not.
func (h *Handler) read(w http.ResponseWriter, r *http.Request) (body []byte, status int) {
	if r.ContentLength > maxPush {
		return nil, http.StatusRequestEntityTooLarge
	}
	// A server that cannot set a deadline has one of its own.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(h.readLimit))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxPush))
	switch {
	case err == nil:
		return body, 0
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, http.StatusRequestTimeout
	}
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return nil, http.StatusRequestEntityTooLarge
	}
	return nil, http.StatusBadRequest
}

// maxRates is how many sources' rates are remembered.
const maxRates = 10_000

func (h *Handler) limiter(source string) *rate.Limiter {
	h.mu.Lock()
	defer h.mu.Unlock()
	l := h.rates[source]
	if l == nil {
		if len(h.rates) >= maxRates {
			h.rates = map[string]*rate.Limiter{}
		}
		l = rate.NewLimiter(perSecond, perSecond)
		h.rates[source] = l
	}
	return l
}
