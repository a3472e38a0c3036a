package websub

import (
	"bytes"
	"context"
	"crypto/hmac"
	crand "crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"tidings.internal/pkg/event"
	"tidings.internal/pkg/web"
)

const (
	// askLimit and pushLimit bound one request to a site.
	askLimit  = 10 * time.Second
	pushLimit = 15 * time.Second
	// slowAfter is how long a push may take before the next one to that site goes into the slow lane.
	slowAfter = 5 * time.Second
)

// answer is what a site made of a request.
type answer struct {
	status int    // 0 without an answer
	reason string // a closed word, why there is none
	// barred: the address is one that may not be asked at all.
	barred bool
	took   time.Duration
}

func (a answer) good() bool { return a.status/100 == 2 }

// step tells of the answer in a history.
func (a answer) step(now time.Time, what string) Step {
	return Step{At: now, What: what, Status: a.status, Reason: a.reason}
}

// extended appends parameters to a callback, which keeps its own query as it is (WebSub section 5.3.1).
func extended(callback string, q url.Values) string {
	mark := "?"
	if strings.Contains(callback, "?") {
		mark = "&"
	}
	return callback + mark + q.Encode()
}

// verify asks a callback whether a request was meant. yes is true only for a 2xx with the challenge and nothing else.
// Whether an address may be asked is decided when the connection is made, by the guard of package web.
func (h *Hub) verify(ctx context.Context, r *event.HubRequest, lease time.Duration) (a answer, yes bool) {
	var random [32]byte
	_, _ = crand.Read(random[:]) // it never fails
	challenge := hex.EncodeToString(random[:])
	q := url.Values{"hub.mode": {r.Mode}, "hub.topic": {r.Topic}, "hub.challenge": {challenge}}
	if r.Mode == event.ModeSubscribe {
		q.Set("hub.lease_seconds", strconv.Itoa(int(lease/time.Second)))
	}
	a, body := h.send(ctx, http.MethodGet, extended(r.Callback, q), nil, nil, h.askLimit)
	return a, a.good() && body == challenge
}

// deny tells a site that it is not told of a topic, or no longer (WebSub section 5.2). What it says to that is of no interest.
func (h *Hub) deny(ctx context.Context, topic, callback, reason string) {
	q := url.Values{"hub.mode": {"denied"}, "hub.topic": {topic}, "hub.reason": {reason}}
	h.send(ctx, http.MethodGet, extended(callback, q), nil, nil, h.askLimit)
}

// post pushes a document (WebSub section 7).
func (h *Hub) post(ctx context.Context, s *Subscription, t *Topic, body []byte) answer {
	header := http.Header{}
	header.Set("Content-Type", t.ContentType)
	header.Set("Link", "<"+t.Hub+`>; rel="hub", <`+t.Topic+`>; rel="self"`)
	if s.Secret != "" {
		mac := hmac.New(sha256.New, []byte(s.Secret))
		_, _ = mac.Write(body) // hash.Hash never fails
		header.Set("X-Hub-Signature", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	}
	a, _ := h.send(ctx, http.MethodPost, s.Callback, header, body, h.pushLimit)
	return a
}

// ping tells a hub of others that there is news (PubSubHubbub 0.4 section 7).
func (h *Hub) ping(ctx context.Context, hub, topic string) answer {
	header := http.Header{}
	header.Set("Content-Type", "application/x-www-form-urlencoded")
	form := url.Values{"hub.mode": {"publish"}, "hub.url": {topic}, "hub.topic": {topic}}
	a, _ := h.send(ctx, http.MethodPost, hub, header, []byte(form.Encode()), h.askLimit)
	return a
}

// send makes one request. Redirects are answers, and no good ones: they are followed by nothing here.
func (h *Hub) send(ctx context.Context, method, address string, header http.Header, body []byte, limit time.Duration) (answer, string) {
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return answer{reason: string(web.BadURL), barred: true}, ""
	}
	if header != nil {
		req.Header = header
	}
	began := h.Now()
	got, err := h.Client.Do(ctx, req, web.Options{Timeout: limit, Idempotent: true})
	if err != nil {
		a := answer{reason: "unknown", took: h.Now().Sub(began)}
		if e, ok := errors.AsType[*web.Error](err); ok {
			a.reason = string(e.Reason)
			switch e.Reason {
			case web.RefusedAddress, web.RefusedPort, web.RefusedScheme, web.BadURL:
				a.barred = true
			}
		}
		return a, ""
	}
	a := answer{status: got.Status, took: got.Took}
	if got.Partial {
		return a, "" // a challenge is never that long
	}
	return a, string(got.Body)
}
