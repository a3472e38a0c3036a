package sendtest

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/services/deliver/internal/ledger"
	"tidings.internal/services/deliver/internal/send"
)

// Fake is a network's server as its tests write it. It counts what it made, not what it was asked.
type Fake interface {
	Server() *Server
	// Keys are the channel's own keys for a server at base, as lines of YAML, and the secrets among them.
	Keys(base string) (yaml []string, secrets []string)
	// Post is a payload as publish composes it, for the operation op.
	Post(story string, revision uint64, op ledger.Op, text string) event.Post
	// Made lists the texts of the posts that the network shows now.
	Made() []string
}

// Case is a network under test.
type Case struct {
	Network send.Network
	// New starts a fake server. The clock is that of the server.
	New func(t *testing.T, clock *Clock) Fake
	// Kinds are the kinds of statuses that this network reads otherwise than the rest, for a create.
	Kinds map[int]fault.Kind
	// Repeats says that two creates with one key are one post.
	Repeats bool
	// Keyless says that the key is no header of the request.
	Keyless bool
}

// Conform runs the suite that every sender must pass.
func Conform(t *testing.T, c Case) {
	t.Run("a create gives a receipt", c.receipt)
	t.Run("one key twice", c.twice)
	t.Run("edits and deletes as claimed", c.changes)
	t.Run("each status has its kind", c.statuses)
	t.Run("waits", c.waits)
	t.Run("the context is honoured", c.context)
	t.Run("no redirect is followed", c.redirect)
	t.Run("a broken connection repeats nothing", c.replay)
	t.Run("a reset before anything left", c.refusedConnection)
	t.Run("private addresses are closed", c.private)
	t.Run("no secret comes out", c.secret)
	t.Run("the same job makes the same bytes", c.bytes)
	t.Run("an unreadable receipt is a receipt", c.unreadable)
	t.Run("the way can be tried without a post", c.reach)
	t.Run("example", c.example)
}

func (c Case) reach(t *testing.T) {
	b := c.bench(t)
	var err error
	switch s := b.Sender.(type) {
	case send.Prober:
		_, err = s.Probe(t.Context())
	case send.Reacher:
		err = s.Reach(t.Context())
	default:
		t.Fatal("the sender is neither a Prober nor a Reacher")
	}
	if err != nil || len(b.Made()) != 0 {
		t.Errorf("%v; it made %q", err, b.Made())
	}
}

func (c Case) receipt(t *testing.T) {
	b := c.bench(t)
	got, err := b.Send(t.Context(), b.job(1, ledger.Create, ledger.Remote{}))
	if err != nil || got.Remote.ID == "" || got.Wait != 0 {
		t.Fatalf("receipt %+v, %v", got, err)
	}
	if diff := cmp.Diff([]string{"text 1 create"}, b.Made()); diff != "" {
		t.Errorf("made (-want +got):\n%s", diff)
	}
	if b.Account() == "" || b.Credential() == "" {
		t.Error("the sender has no account or no credential")
	}
}

func (c Case) twice(t *testing.T) {
	b := c.bench(t)
	for range 2 {
		if _, err := b.Send(t.Context(), b.job(1, ledger.Create, ledger.Remote{})); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(b.Made()); (n == 1) != c.Repeats {
		t.Errorf("one key sent twice made %d posts", n)
	}
}

func (c Case) changes(t *testing.T) {
	b := c.bench(t)
	got, err := b.Send(t.Context(), b.job(1, ledger.Create, ledger.Remote{}))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := b.Sender.(send.Editor); ok {
		edited, err := send.Do(t.Context(), b.Sender, b.job(1, ledger.Edit, got.Remote))
		if err != nil || edited.Remote.ID == "" {
			t.Fatalf("edit: %+v, %v", edited, err)
		}
		if made := b.Made(); !slices.Contains(made, "text 1 edit") {
			t.Errorf("after the edit the network shows %q", made)
		}
	}
	if _, ok := b.Sender.(send.Deleter); ok {
		for range 2 { // deleting what is gone succeeds
			if _, err := send.Do(t.Context(), b.Sender, b.job(1, ledger.Delete, got.Remote)); err != nil {
				t.Fatalf("delete: %v", err)
			}
		}
		if made := b.Made(); slices.Contains(made, "text 1 create") || slices.Contains(made, "text 1 edit") {
			t.Errorf("after the deletion the network shows %q", made)
		}
	}
}

func (c Case) statuses(t *testing.T) {
	b := c.bench(t)
	uncertain := fault.Uncertain
	if c.Network.Traits.Repeatable {
		uncertain = fault.Unreachable
	}
	want := map[int]fault.Kind{
		302: fault.Gone, 304: fault.Gone, 400: fault.Invalid, 401: fault.Refused, 403: fault.Refused, 404: fault.Gone, 408: fault.Throttled,
		409: uncertain, 410: fault.Gone, 413: fault.TooLarge, 422: fault.Invalid, 425: fault.Throttled, 429: fault.Throttled,
		500: uncertain, 502: uncertain, 503: fault.Throttled, 504: uncertain,
	}
	maps.Copy(want, c.Kinds)
	for status, kind := range want {
		b.Server().Next(Step{Status: status, Body: `{"error":"because"}`})
		_, err := b.Send(t.Context(), b.job(status, ledger.Create, ledger.Remote{}))
		if got := fault.KindOf(err); got != kind {
			t.Errorf("%d is %q, want %q: %v", status, got, kind, err)
		}
		if status != 304 && (err == nil || !strings.Contains(err.Error(), "because")) {
			t.Errorf("%d: the server's reason is lost: %v", status, err)
		}
	}
	if n := len(b.Made()); n != 0 {
		t.Errorf("refusals made %d posts", n)
	}
}

func (c Case) waits(t *testing.T) {
	b := c.bench(t)
	date := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	stamp := date.Format(http.TimeFormat)
	for name, s := range map[string]struct {
		header http.Header
		want   time.Duration
		body   string
	}{
		"seconds":                 {http.Header{"Retry-After": {"90"}}, 90 * time.Second, ""},
		"a date":                  {http.Header{"Date": {stamp}, "Retry-After": {date.Add(2 * time.Minute).Format(http.TimeFormat)}}, 2 * time.Minute, ""},
		"RFC 850":                 {http.Header{"Date": {stamp}, "Retry-After": {date.Add(2 * time.Minute).Format("Monday, 02-Jan-06 15:04:05 GMT")}}, 2 * time.Minute, ""},
		"asctime":                 {http.Header{"Date": {stamp}, "Retry-After": {date.Add(2 * time.Minute).Format(time.ANSIC)}}, 2 * time.Minute, ""},
		"doubled":                 {http.Header{"Date": {stamp}, "Retry-After": {"5", date.Add(3 * time.Minute).Format(http.TimeFormat)}}, 3 * time.Minute, ""},
		"an instant":              {http.Header{"Date": {stamp}, "X-Ratelimit-Reset": {date.Add(4 * time.Minute).Format(time.RFC3339Nano)}}, 4 * time.Minute, ""},
		"seconds since 1970":      {http.Header{"Date": {stamp}, "X-Ratelimit-Reset": {fmt.Sprint(date.Add(5 * time.Minute).Unix())}}, 5 * time.Minute, ""},
		"a fraction":              {http.Header{"X-Ratelimit-Reset-After": {"64.5"}}, 64500 * time.Millisecond, ""},
		"too long":                {http.Header{"Retry-After": {"99999999"}}, 24 * time.Hour, ""},
		"garbage":                 {http.Header{"Retry-After": {"soon"}}, 0, ""},
		"body, seconds":           {nil, 64570 * time.Millisecond, `{"message":"slow down","retry_after":64.57,"global":false}`},
		"body, parameters":        {nil, 35 * time.Second, `{"ok":false,"parameters":{"retry_after":35}}`},
		"body, milliseconds":      {nil, 2 * time.Second, `{"errcode":"M_LIMIT_EXCEEDED","retry_after_ms":2000}`},
		"body and header":         {http.Header{"Retry-After": {"90"}}, 90 * time.Second, `{"retry_after":5}`},
		"body, garbage":           {nil, 0, `{"retry_after":"soon"}`},
		"garbage beside a number": {http.Header{"Retry-After": {"soon", "7"}}, 7 * time.Second, ""},
	} {
		b.Server().Next(Step{Status: http.StatusTooManyRequests, Header: s.header, Body: s.body})
		_, err := b.Send(t.Context(), b.job(1, ledger.Create, ledger.Remote{}))
		if fault.KindOf(err) != fault.Throttled || fault.After(err) != s.want {
			t.Errorf("%s: %q after %v, want %v", name, fault.KindOf(err), fault.After(err), s.want)
		}
	}
}

func (c Case) context(t *testing.T) {
	b := c.bench(t)
	b.Server().Next(Step{Hang: true})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := b.Send(ctx, b.job(1, ledger.Create, ledger.Remote{}))
		done <- err
	}()
	await(t, "the request to arrive", func() bool { return len(b.Server().Calls()) == 1 })
	cancel()
	select {
	case err := <-done:
		want := fault.Uncertain
		if c.Network.Traits.Repeatable {
			want = fault.Unreachable
		}
		if fault.KindOf(err) != want {
			t.Errorf("given up after the request had left: %q, want %q", fault.KindOf(err), want)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the sender does not end with its context")
	}
}

func (c Case) redirect(t *testing.T) {
	b := c.bench(t)
	var hits atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	defer other.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		b.Server().Next(Step{Status: status, Header: http.Header{"Location": {other.URL}}})
		if _, err := b.Send(t.Context(), b.job(1, ledger.Create, ledger.Remote{})); err == nil {
			t.Errorf("%d is a success", status)
		}
	}
	if n := hits.Load(); n != 0 {
		t.Errorf("%d redirects were followed", n)
	}
}

// replay makes a kept connection die after the second request was read: net/http would send it again by itself.
func (c Case) replay(t *testing.T) {
	b := c.bench(t)
	if _, err := b.Send(t.Context(), b.job(1, ledger.Create, ledger.Remote{})); err != nil {
		t.Fatal(err)
	}
	b.Server().Next(Step{Act: true, Cut: true})
	_, err := b.Send(t.Context(), b.job(2, ledger.Create, ledger.Remote{}))
	want := fault.Uncertain
	if c.Network.Traits.Repeatable {
		want = fault.Unreachable
	}
	if fault.KindOf(err) != want {
		t.Errorf("an answer that was cut off is %q, want %q: %v", fault.KindOf(err), want, err)
	}
	if n := len(b.Server().Calls()); n != 2 {
		t.Errorf("%d requests for two sends", n)
	}
}

func (c Case) refusedConnection(t *testing.T) {
	b := c.bench(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := "http://" + l.Addr().String()
	_ = l.Close()
	keys, _ := b.Keys(closed)
	s := OpenChannel(t, c.Network, Channel(t, c.Network, keys, "allow_private: true"), b.clock)
	if _, err := s.Send(t.Context(), b.job(1, ledger.Create, ledger.Remote{})); fault.KindOf(err) != fault.Unreachable {
		t.Errorf("nobody listens: %q, want unreachable: %v", fault.KindOf(err), err)
	}
}

func (c Case) private(t *testing.T) {
	b := c.bench(t, "allow_private: false")
	if _, err := b.Send(t.Context(), b.job(1, ledger.Create, ledger.Remote{})); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a loopback address is %q, want invalid: %v", fault.KindOf(err), err)
	}
	if n := len(b.Server().Calls()); n != 0 {
		t.Errorf("%d requests reached a private address", n)
	}
}

func (c Case) secret(t *testing.T) {
	b := c.bench(t)
	var logged strings.Builder
	log := slog.New(slog.NewTextHandler(&logged, nil))
	for _, status := range []int{302, 400, 401, 404, 410, 413, 422, 429, 500, 503} {
		b.Server().Next(Step{Status: status, Echo: true})
		_, err := b.Send(t.Context(), b.job(status, ledger.Create, ledger.Remote{}))
		if err == nil {
			t.Fatalf("%d is a success", status)
		}
		log.Info("failed", "err", err)
		_, _ = fmt.Fprintf(&logged, "%v %+v %#v %q\n", err, err, err, err)
	}
	b.Server().Next(Step{Cut: true}, Step{Hang: true})
	_, err := b.Send(t.Context(), b.job(1, ledger.Create, ledger.Remote{}))
	_, _ = fmt.Fprintf(&logged, "%v %+v\n", err, err)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err = b.Send(ctx, b.job(1, ledger.Create, ledger.Remote{}))
	_, _ = fmt.Fprintf(&logged, "%v %+v\n%v %s %v", err, err, b.Sender.Account(), b.Credential(), slog.AnyValue(b.Account()))
	if len(b.secrets) == 0 {
		t.Fatal("the fake plants no secret")
	}
	for _, s := range b.secrets {
		if strings.Contains(logged.String(), s) {
			t.Errorf("the secret %q is in errors or logs:\n%s", s, logged.String())
		}
	}
}

func (c Case) bytes(t *testing.T) {
	b := c.bench(t)
	for range 2 {
		b.Server().Next(Step{Status: http.StatusServiceUnavailable})
		if _, err := b.Send(t.Context(), b.job(1, ledger.Create, ledger.Remote{})); err == nil {
			t.Fatal("503 is a success")
		}
	}
	calls := b.Server().Calls()
	if diff := cmp.Diff(calls[0], calls[1]); diff != "" {
		t.Errorf("the second try differs (-first +second):\n%s", diff)
	}
}

func (c Case) unreadable(t *testing.T) {
	b := c.bench(t)
	for _, body := range []string{"", "<html>", `{"id":`, `{"id":"../../etc"}`, `[]`, strings.Repeat("x", 200<<10)} {
		b.Server().Next(Step{Status: http.StatusOK, Body: body})
		if got, err := b.Send(t.Context(), b.job(1, ledger.Create, ledger.Remote{})); err != nil || strings.Contains(got.Remote.ID, "/") {
			t.Errorf("200 with %.20q: %+v, %v", body, got, err)
		}
	}
}

// example holds the network's example.yaml to its word: it loads strictly and names every key.
func (c Case) example(t *testing.T) {
	lines := []string{"channels:"}
	for i, l := range strings.Split(strings.TrimRight(c.Network.Example, "\n"), "\n") {
		// The first key begins the entry of the list; comments stay comments.
		if i > 0 && strings.HasPrefix(l, "id:") {
			l = "- " + l
		} else {
			l = "  " + l
		}
		lines = append(lines, l)
	}
	text := strings.Join(lines, "\n") + "\n"
	doc := config.New("example.yaml", []byte(text), nil)
	list := doc.Channels(func(string) (any, []string) { return c.Network.Settings(), nil }, c.Network.Name)
	if err := doc.Err(); err != nil {
		t.Fatalf("the example does not load: %v\n%s", err, text)
	}
	if whole, ok := list[0].Settings.(send.Completer); ok {
		if whole.Complete(doc.At("channels", 0)); doc.Err() != nil {
			t.Errorf("the example is not complete: %v", doc.Err())
		}
	}
	for _, key := range keysOf(c.Network.Settings()) {
		if !strings.Contains(c.Network.Example, "\n"+key+":") {
			t.Errorf("the example does not name the key %s", key)
		}
	}
}
