package event

import (
	"net/url"
	"strings"
	"time"

	"tidings.internal/pkg/fault"
)

// RequestsOfSites is how the keys of a [HubRequest] begin in [BucketRequests]; the id of the request follows.
const RequestsOfSites = "websub."

// The modes of a [HubRequest] (WebSub section 5.1).
const (
	ModeSubscribe   = "subscribe"
	ModeUnsubscribe = "unsubscribe"
)

// HubRequest is what a site asked our hub for. Nothing in it is verified yet but its form.
type HubRequest struct {
	ID       string    `json:"id"`
	Time     time.Time `json:"time"`
	Mode     string    `json:"mode"`
	Feed     string    `json:"feed"`
	Topic    string    `json:"topic"`
	Callback string    `json:"callback"`
	// Secret is what the site wants pushes to be signed with, empty for no signature. It must be shown nowhere.
	Secret Hidden `json:"secret,omitempty"`
	// Lease is the time in seconds that is asked for, 0 when the hub may choose.
	Lease int64 `json:"lease,omitempty"`
}

const (
	// MaxCallback is the longest callback and the longest topic in bytes, a limit of ours.
	MaxCallback = 2048
	// maxSecret is that of WebSub section 5.1: less than 200 bytes.
	maxSecret = 199
)

// Check says what is wrong with the form of a request. The names in its errors are those of the parameters; no value
// stands in them.
func (r HubRequest) Check() error {
	switch {
	case r.Mode != ModeSubscribe && r.Mode != ModeUnsubscribe:
		return fault.Errorf(fault.Invalid, "hub.mode is neither subscribe nor unsubscribe")
	case r.Topic == "" || len(r.Topic) > MaxCallback:
		return fault.Errorf(fault.Invalid, "hub.topic is missing or longer than %d bytes", MaxCallback)
	case len(r.Secret) > maxSecret:
		return fault.Errorf(fault.Invalid, "hub.secret is longer than %d bytes", maxSecret)
	case r.Lease < 0:
		return fault.Errorf(fault.Invalid, "hub.lease_seconds is negative")
	}
	return checkCallback(r.Callback)
}

func checkCallback(text string) error {
	switch {
	case text == "":
		return fault.Errorf(fault.Invalid, "hub.callback is missing")
	case len(text) > MaxCallback:
		return fault.Errorf(fault.Invalid, "hub.callback is longer than %d bytes", MaxCallback)
	case strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }):
		// It is called as it was given, so there must be one way only to write it on the wire (RFC 3986 section 2).
		return fault.Errorf(fault.Invalid, "hub.callback holds characters that an address must have encoded")
	case strings.Contains(text, "#"):
		return fault.Errorf(fault.Invalid, "hub.callback has a fragment, which no server ever sees")
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https":
		return fault.Errorf(fault.Invalid, "hub.callback is no absolute http or https address")
	case u.User != nil:
		return fault.Errorf(fault.Invalid, "hub.callback holds a user name or a password")
	}
	return nil
}

// String names the request. Neither secret nor callback stand in it: many callbacks are secrets, too.
func (r HubRequest) String() string { return r.Mode + " request " + r.ID + " for feed " + r.Feed }
