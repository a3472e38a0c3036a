package web

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode"

	"tidings.internal/pkg/fault"
)

// Reason is why an exchange failed, one of a closed list. Its text is a metric label and what an operator filters by.
type Reason string

// The reasons. [Reasons] gives each its kind and sentence.
const (
	DNSTemporary    Reason = "dns_temporary"
	DNSUnknown      Reason = "dns_unknown"
	Connect         Reason = "connect"
	TLSFailed       Reason = "tls"
	Timeout         Reason = "timeout"
	NotFound        Reason = "http_not_found"
	ServerError     Reason = "http_server"
	RateLimited     Reason = "rate_limited"
	ClientError     Reason = "http_client"
	HTTPGone        Reason = "http_gone"
	AuthRequired    Reason = "auth_required"
	Blocked         Reason = "blocked"
	RedirectLimit   Reason = "redirect_limit"
	RedirectRefused Reason = "redirect_refused"
	RefusedAddress  Reason = "refused_address"
	RefusedPort     Reason = "refused_port"
	RefusedScheme   Reason = "refused_scheme"
	BadURL          Reason = "bad_url"
	TooLarge        Reason = "too_large"
	Truncated       Reason = "truncated"
)

// ReasonRow is what follows from a reason.
type ReasonRow struct {
	Reason Reason
	// Kind is the kind of a failed Fetch. A Do may turn it into [fault.Uncertain].
	Kind fault.Kind
	// Sentence tells an operator what happened, without a full stop.
	Sentence string
}

// Reasons lists every reason with its consequences. The slice is a copy.
func Reasons() []ReasonRow {
	return []ReasonRow{
		{DNSTemporary, fault.Unreachable, "the name could not be looked up just now"},
		{DNSUnknown, fault.Unreachable, "the name of the host does not exist"},
		{Connect, fault.Unreachable, "no connection could be made to the host"},
		{TLSFailed, fault.Unreachable, "the host could not prove its identity or speaks no TLS that we accept"},
		{Timeout, fault.Unreachable, "the host was too slow to answer"},
		{NotFound, fault.Gone, "there is nothing at this address"},
		{ServerError, fault.Unreachable, "the host reports a fault of its own"},
		{RateLimited, fault.Throttled, "the host asks us to come back later"},
		{ClientError, fault.Invalid, "the host does not accept the request"},
		{HTTPGone, fault.Gone, "the address has been given up for good"},
		{AuthRequired, fault.Refused, "the host asks for credentials, or does not accept ours"},
		{Blocked, fault.Refused, "the host shows a page for people or bots instead of the document"},
		{RedirectLimit, fault.Invalid, "the address is redirected too often"},
		{RedirectRefused, fault.Invalid, "the address is redirected in a way that we do not follow"},
		{RefusedAddress, fault.Invalid, "the address belongs to a network that is not open to us; the operator can allow it"},
		{RefusedPort, fault.Invalid, "the port is not open to us; the operator can allow it"},
		{RefusedScheme, fault.Invalid, "only http and https addresses are read"},
		{BadURL, fault.Invalid, "the address or an option of the request is not valid"},
		{TooLarge, fault.TooLarge, "the answer is larger than the limit"},
		{Truncated, fault.Malformed, "the answer broke off or was not HTTP"},
	}
}

// Row returns the consequences of r; a reason that is not in the list has the kind internal.
func (r Reason) Row() ReasonRow {
	for _, row := range Reasons() {
		if row.Reason == r {
			return row
		}
	}
	return ReasonRow{r, fault.Internal, "an unknown reason"}
}

// Error is a failed exchange. Its text names the host and never a path, a query or a credential, since the address of
// a webhook is a secret. [fault.KindOf] finds Kind, [fault.After] the wait that the host asked for.
type Error struct {
	Reason Reason
	Kind   fault.Kind
	// Host is the exact host:port that was asked last, empty when the address could not be read.
	Host string
	// Status is the HTTP status, zero when no answer arrived.
	Status int
	// Private tells that the host was reached, or tried, through the allow-list: its failures concern one source and
	// not a public host.
	Private bool
	// Wrote tells that at least one byte of the request may have left this machine.
	Wrote bool
	// Hops are the redirects followed before the failure.
	Hops []Hop

	err error
}

// Error gives the host, the reason and the cleaned text of the cause.
func (e *Error) Error() string {
	if e.Host == "" {
		return fmt.Sprintf("%s: %v", e.Reason, e.err)
	}
	return fmt.Sprintf("reach %s: %s: %v", e.Host, e.Reason, e.err)
}

// Unwrap gives the fault, and below it the cause.
func (e *Error) Unwrap() error { return e.err }

// newError makes an error of a reason with the kind that follows from it.
func newError(reason Reason, host, format string, args ...any) *Error {
	return withKind(reason, reason.Row().Kind, host, fmt.Errorf(format, args...))
}

func withKind(reason Reason, kind fault.Kind, host string, cause error) *Error {
	return &Error{Reason: reason, Kind: kind, Host: host, err: fault.Errorf(kind, "%w", clean(cause))}
}

// cleaned is a cause whose text may be logged. The cause itself stays visible to errors.Is and errors.As.
type cleaned struct {
	text string
	err  error
}

func (c *cleaned) Error() string { return c.text }
func (c *cleaned) Unwrap() error { return c.err }

// maxCause is the longest text of a cause: net/http quotes what a server sent in place of HTTP, up to the header limit.
const maxCause = 300

func clean(err error) error {
	text := err.Error()
	if u, ok := errors.AsType[*url.Error](err); ok {
		text = u.Err.Error() // the rest of a *url.Error is the address itself
	}
	return &cleaned{text: cleanText(text, maxCause), err: err}
}

// cleanText makes text of another machine fit for one line of a log: valid, printable and at most limit bytes.
func cleanText(text string, limit int) string {
	if len(text) > limit {
		text = strings.ToValidUTF8(text[:limit], "") + "…" // a character cut in two goes
	}
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
}
