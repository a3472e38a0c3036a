package bluesky

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"time"

	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/web"
	"tidings.internal/services/deliver/internal/send"
)

// loginGap is the least time between two logins: servers allow 30 in five minutes and 300 a day.
const loginGap = 30 * time.Second

// session is what a login gave. It is kept in memory alone.
type session struct {
	DID     string `json:"did"`
	Handle  string `json:"handle"`
	Access  string `json:"accessJwt"`
	Refresh string `json:"refreshJwt"`
}

// door logs in once for all who ask at the same time.
type door struct {
	mu      sync.Mutex
	session session
	tried   time.Time
}

// enter returns the session, logging in if there is none, or if stale is the token in use: it was refused as expired.
func (b *sender) enter(ctx context.Context, stale string) (session, error) {
	b.door.mu.Lock()
	defer b.door.mu.Unlock()
	if s := b.door.session; s.Access != "" && s.Access != stale {
		return s, nil
	}
	if refresh := b.door.session.Refresh; refresh != "" {
		if s, err := b.login(ctx, "/xrpc/com.atproto.server.refreshSession", nil, refresh); err == nil {
			b.door.session = s
			return s, nil
		}
		b.door.session = session{}
	}
	if wait := b.door.tried.Add(loginGap).Sub(b.now()); wait > 0 && !b.door.tried.IsZero() {
		return session{}, fault.Later(fault.Errorf(fault.Throttled, "log in for channel %s: the last try was a moment ago", b.Channel), wait)
	}
	b.door.tried = b.now()
	s, err := b.login(ctx, "/xrpc/com.atproto.server.createSession", map[string]string{"identifier": b.handle, "password": b.password}, "")
	if err != nil {
		return session{}, err
	}
	b.door.session, b.door.tried = s, time.Time{}
	return s, nil
}

// login asks for a session. It posts nothing, so whatever fails did surely not post.
func (b *sender) login(ctx context.Context, path string, body any, bearer string) (session, error) {
	answer, err := b.exchange(ctx, http.MethodPost, path, nil, body, bearer)
	if err == nil {
		err = send.Refusal(answer, true, b.secrets(bearer)...)
	}
	if err != nil {
		if fault.KindOf(err) == fault.Uncertain {
			err = fault.Errorf(fault.Unreachable, "%w", err)
		}
		return session{}, fault.Errorf(fault.KindOf(err), "log in for channel %s: %w", b.Channel, err)
	}
	var s session
	if json.Unmarshal(answer.Body, &s) != nil || s.Access == "" || !strings.HasPrefix(s.DID, "did:") {
		return session{}, fault.Errorf(fault.Unreachable, "log in for channel %s: the answer holds no session", b.Channel)
	}
	return s, nil
}

// expired reports whether a server refused a token as too old: it says so with 400.
func expired(a *web.Answer) bool {
	var said struct {
		Error string `json:"error"`
	}
	return a.Status == http.StatusBadRequest && json.Unmarshal(a.Body, &said) == nil && (said.Error == "ExpiredToken" || said.Error == "InvalidToken")
}
