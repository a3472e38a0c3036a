// Package hub is the front of our WebSub hub (W3C Recommendation of 23 January 2018): it takes the requests of sites
// that want to be told of news, and leaves them for deliver.
//
// It verifies nothing and calls nobody, since the public port makes no connections: whether a site meant what it asked
// for is found out by deliver, which also pushes. What is answered with 202 is on disk.
package hub

import (
	"context"
	crand "crypto/rand"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/services/publish/internal/feed"
	"tidings.internal/services/publish/internal/render"
)

// Path is where the hub is, below the address of the site.
const Path = "/hub"

// maxBody is the longest request in bytes.
const maxBody = 64 << 10

// Front takes requests.
type Front struct {
	feeds map[string]string // by the addresses of their documents
	leave func(ctx context.Context, r event.HubRequest) error
	now   func() time.Time
}

// New makes the front of the hub of feeds. leave stores a request; it returns nil once it is safe on disk.
func New(feeds []*feed.Feed, leave func(context.Context, event.HubRequest) error, now func() time.Time) *Front {
	f := &Front{feeds: map[string]string{}, leave: leave, now: now}
	for _, one := range feed.Public(feeds) {
		for _, format := range render.Formats() {
			f.feeds[one.Head.Self[format]] = one.ID
		}
	}
	return f
}

// Take answers a POST. text is a sentence for people in which no word of the request stands.
func (f *Front) Take(r *http.Request) (status int, text string) {
	form, status, text := read(r)
	if status != 0 {
		return status, text
	}
	request, err := parse(form)
	if err != nil {
		return http.StatusBadRequest, "This request cannot be used: " + err.Error() + "."
	}
	var ours bool
	if request.Feed, ours = f.feeds[request.Topic]; !ours {
		return http.StatusNotFound, "This hub tells of no such topic. Take the address that a feed of this site names as its own (rel=self)."
	}
	request.ID, request.Time = crand.Text(), f.now().UTC()
	// The answer follows the ack of the broker: a kill before it leaves the site without an answer, so that it asks again,
	// and one after it loses nothing. Asked twice is verified twice, and subscribed once.
	if err := f.leave(r.Context(), request); err != nil {
		return http.StatusServiceUnavailable, "The hub cannot take requests at the moment. Ask again later."
	}
	return http.StatusAccepted, "The hub has taken the request, and asks the callback whether it was meant."
}

// read gives the parameters of a request; status is 0 when there is nothing against it.
func read(r *http.Request) (form url.Values, status int, text string) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" {
		return nil, http.StatusUnsupportedMediaType, "Requests to a hub are forms: send them as application/x-www-form-urlencoded."
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	switch {
	case err != nil:
		return nil, http.StatusBadRequest, "This request broke off."
	case len(body) > maxBody:
		return nil, http.StatusRequestEntityTooLarge, "A request to a hub has " + strconv.Itoa(maxBody) + " bytes at most."
	}
	if form, err = url.ParseQuery(string(body)); err != nil {
		return nil, http.StatusBadRequest, "This request is no form: its parameters cannot be read."
	}
	return form, 0, ""
}

// parse reads the parameters of WebSub section 5.1. Those of older versions, such as hub.verify, and unknown ones are
// left aside.
func parse(form url.Values) (event.HubRequest, error) {
	for _, name := range []string{"hub.mode", "hub.topic", "hub.url", "hub.callback", "hub.secret", "hub.lease_seconds"} {
		if len(form[name]) > 1 {
			return event.HubRequest{}, fault.Errorf(fault.Invalid, "%s is given more than once", name)
		}
	}
	r := event.HubRequest{
		Mode: form.Get("hub.mode"), Topic: form.Get("hub.topic"), Callback: form.Get("hub.callback"), Secret: event.Hidden(form.Get("hub.secret")),
	}
	if r.Topic == "" {
		r.Topic = form.Get("hub.url") // as in PubSubHubbub 0.3
	}
	switch {
	case r.Mode == "publish":
		return r, fault.Errorf(fault.Invalid, "hub.mode publish is for publishers; this hub sees by itself what is new in the feeds of this site")
	case form.Has("hub.secret") && r.Secret == "":
		return r, fault.Errorf(fault.Invalid, "hub.secret is empty; leave it out to be sent no signatures")
	}
	var err error
	if r.Lease, err = lease(form.Get("hub.lease_seconds")); err != nil {
		return r, err
	}
	return r, r.Check()
}

// maxLease is the longest lease that is read as asked for, in seconds; what is longer is cut by deliver in any case.
const maxLease = 1 << 31

func lease(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	for _, c := range text {
		if c < '0' || c > '9' {
			return 0, fault.Errorf(fault.Invalid, "hub.lease_seconds is not a number of seconds")
		}
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil { // more digits than fit
		return maxLease, nil
	}
	return min(n, maxLease), nil
}
