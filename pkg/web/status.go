package web

import (
	"net/http"
	"strconv"
	"strings"

	"tidings.internal/pkg/fault"
)

// KindOfStatus gives the kind of an HTTP status, empty for success (1xx, 2xx and 304). It is the one place that says
// what a status means; a network that means something else by a code overrides that code alone. idempotent tells
// whether repeating the request is harmless: if it is not, a fault of the server leaves the outcome unknown.
func KindOfStatus(status int, idempotent bool) fault.Kind {
	switch status {
	case http.StatusNotModified:
		return ""
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return fault.Throttled
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusProxyAuthRequired:
		return fault.Refused
	case http.StatusNotFound, http.StatusGone:
		return fault.Gone
	case http.StatusRequestEntityTooLarge:
		return fault.TooLarge
	}
	switch {
	case status >= 100 && status < 300:
		return ""
	case status >= 300 && status < 400:
		return fault.Gone // never followed by a sender: the target has another address now
	case status >= 400 && status < 500 && status != http.StatusConflict:
		return fault.Invalid
	case idempotent:
		return fault.Unreachable
	}
	return fault.Uncertain
}

// reasonOfStatus names an answer to a Fetch that is not a document.
func reasonOfStatus(status int, h http.Header) Reason {
	if h.Get("Cf-Mitigated") != "" ||
		status == http.StatusForbidden && strings.HasPrefix(strings.ToLower(h.Get("Content-Type")), "text/html") {
		return Blocked
	}
	switch {
	case status == http.StatusNotFound:
		return NotFound
	case status == http.StatusGone:
		return HTTPGone
	case status >= 300 && status < 400:
		return RedirectRefused
	}
	switch KindOfStatus(status, true) {
	case fault.Throttled:
		return RateLimited
	case fault.Refused:
		return AuthRequired
	case fault.TooLarge:
		return TooLarge
	case fault.Invalid:
		return ClientError
	}
	return ServerError
}

// Fault gives nil for a success and otherwise an *Error of the kind that [KindOfStatus] names, with the wait of the
// answer. It holds no text of the server: that may repeat a secret, which only the sender can recognise.
func (a *Answer) Fault(idempotent bool) error {
	kind := KindOfStatus(a.Status, idempotent)
	if kind == "" {
		return nil
	}
	e := withKind(reasonOfStatus(a.Status, a.Header), kind, a.host, statusError(a.Status))
	e.Status, e.Wrote = a.Status, true
	if a.Wait > 0 {
		e.err = fault.Later(e.err, a.Wait)
	}
	return e
}

// statusError is the cause of an answer that is no success.
type statusError int

func (s statusError) Error() string {
	text := http.StatusText(int(s))
	if text == "" {
		text = "not a registered status"
	}
	return "status " + strconv.Itoa(int(s)) + " " + text
}
