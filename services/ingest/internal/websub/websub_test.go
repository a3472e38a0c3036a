package websub

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"hash"
	"net/http"
	"strings"
	"testing"
	"time"
)

var start = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func TestDiscovery(t *testing.T) {
	t.Parallel()
	const base = "https://example.org/feed"
	for name, c := range map[string]struct {
		header     []string
		hubs       []string
		self       string
		hub, topic string
	}{
		"nothing":                   {nil, nil, base, "", ""},
		"in the document":           {nil, []string{"https://hub.example.org/"}, "https://example.org/self", "https://hub.example.org/", "https://example.org/self"},
		"without self":              {nil, []string{"https://hub.example.org/"}, "", "https://hub.example.org/", base},
		"in the header":             {[]string{`<https://hub.example.org/>; rel="hub", <https://example.org/self>; rel="self"`}, nil, "", "https://hub.example.org/", "https://example.org/self"},
		"header wins":               {[]string{`<https://a.example/>; rel=hub`, `<https://b.example/>;rel=self`}, []string{"https://c.example/"}, "https://d.example/", "https://a.example/", "https://b.example/"},
		"several relations":         {[]string{`</hub>; title="a, b; \"c\""; rel="Hub other"`}, nil, "", "https://example.org/hub", base},
		"only the first rel":        {[]string{`</hub>; rel=next; rel=hub`}, nil, "", "", ""},
		"the first that can be":     {nil, []string{"ftp://hub.example.org/", "https://u:p@hub.example.org/", "//hub.example.org/x"}, "", "https://hub.example.org/x", base},
		"too long":                  {nil, []string{"https://hub.example.org/" + strings.Repeat("x", maxAddress)}, "", "", ""},
		"broken headers":            {[]string{`<https://hub.example.org/`, `; rel=hub`, `<`, `<a>; rel="hub`, `<a>; "`, `,,,`}, nil, "", "https://example.org/a", base},
		"a self that is no address": {nil, []string{"https://hub.example.org/"}, "tag:example.org,2026:x", "https://hub.example.org/", base},
	} {
		hub, topic := Discover(http.Header{"Link": c.header}, c.hubs, c.self, base)
		if hub != c.hub || topic != c.topic {
			t.Errorf("%s: hub %q topic %q, want %q %q", name, hub, topic, c.hub, c.topic)
		}
	}
}

func FuzzLinks(f *testing.F) {
	f.Add(`<https://hub.example.org/>; rel="hub", <x>; rel=self; title="a\"b"`)
	f.Add(`<a>;;;=,"<`)
	f.Fuzz(func(t *testing.T, text string) {
		for rel, targets := range links([]string{text}) {
			if rel == "" || len(targets) == 0 {
				t.Errorf("relation %q of %q", rel, targets)
			}
		}
		if hub, topic := Discover(http.Header{"Link": {text}}, nil, "", "https://example.org/"); hub != "" && (topic == "" || !strings.HasPrefix(hub, "http")) {
			t.Errorf("hub %q, topic %q", hub, topic)
		}
	})
}

func sign(newHash func() hash.Hash, name, secret, body string) string {
	mac := hmac.New(newHash, []byte(secret))
	mac.Write([]byte(body))
	return name + "=" + hex.EncodeToString(mac.Sum(nil))
}

func TestSignatures(t *testing.T) {
	t.Parallel()
	const secret, body = "a secret", "a body"
	for name, c := range map[string]struct {
		header     string
		weak       bool
		strong, ok bool
	}{
		"sha1":            {sign(sha1.New, "sha1", secret, body), true, false, true},
		"sha1 refused":    {sign(sha1.New, "sha1", secret, body), false, false, false},
		"sha256":          {sign(sha256.New, "sha256", secret, body), true, true, true},
		"sha384":          {sign(sha512.New384, "sha384", secret, body), false, true, true},
		"SHA512":          {sign(sha512.New, "SHA512", secret, body), false, true, true},
		"another secret":  {sign(sha256.New, "sha256", "another", body), true, true, false},
		"another body":    {sign(sha256.New, "sha256", secret, "another"), true, true, false},
		"another method":  {sign(sha1.New, "sha256", secret, body), true, true, false},
		"unknown method":  {sign(sha1.New, "md5", secret, body), true, false, false},
		"none":            {"", true, false, false},
		"no digits":       {"sha256=zz", true, false, false},
		"nothing after =": {"sha256=", true, true, false},
	} {
		strong, ok := Signed(c.header, secret, []byte(body), c.weak)
		if ok != c.ok || ok && strong != c.strong {
			t.Errorf("%s: strong %t, ok %t", name, strong, ok)
		}
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	k := NewKeys([]byte("key"), "https://example.org/x/")
	seen := map[string]bool{}
	for _, text := range []string{k.Token("a", 1), k.Token("a", 2), k.Token("b", 1), k.Secret("a", 1), k.Secret("a", 2), NewKeys([]byte("other"), "").Token("a", 1), k.Token("a\x001", 1)} {
		if seen[text] || len(text) != 52 {
			t.Errorf("%q stands twice, or is not 52 characters long", text)
		}
		seen[text] = true
	}
	if got := k.Callback("a", 1); got != "https://example.org/x/websub/a/"+k.Token("a", 1) {
		t.Error(got)
	}
	for g, want := range map[int]bool{20: true, 19: true, 5: true, 4: false, 21: false} {
		if got, ok := k.generation("a", k.Token("a", g), 20); ok != want || ok && got != g {
			t.Errorf("the token of generation %d is of %d, %t", g, got, ok)
		}
	}
}

func TestASubscriptionGoesItsWay(t *testing.T) {
	t.Parallel()
	s := Subscription{}
	if s.Due(start) {
		t.Error("a source without a hub is subscribed")
	}
	if !s.Found("https://hub/", "https://topic/") || s.Found("https://hub/", "https://topic/") || s.Generation != 1 || !s.Due(start) {
		t.Errorf("after a hub was found: %+v", s)
	}
	if s.Confirm(start, "https://topic/", 3600) {
		t.Error("a confirmation was taken that nobody had asked for")
	}
	s.Ask(start)
	if s.Status != Pending || s.Due(start.Add(time.Minute)) || s.Confirm(start, "https://other/", 3600) {
		t.Errorf("while the hub is asked: %+v", s)
	}
	if !s.Confirm(start, "https://topic/", 864000) || s.Status != Active || s.Lease != start.Add(240*time.Hour) || s.Confirm(start.Add(silence), "https://topic/", 864000) {
		t.Errorf("after the confirmation: %+v", s)
	}
	if !s.Confirm(start.Add(silence-1), "https://topic/", 864000) || s.Since != start {
		t.Errorf("after a confirmation that was repeated: %+v", s)
	}
	if wait := s.Next.Sub(start); wait < 108*time.Hour || wait > 133*time.Hour {
		t.Errorf("renewed after %v, want half the lease and a tenth", wait)
	}
	// A renewal that fails is tried hourly, and the subscription stays active with the same callback and secret.
	at := s.Next
	s.Ask(at)
	s.Failed(at, "down")
	if s.Status != Active || s.Due(at.Add(59*time.Minute)) || !s.Due(at.Add(time.Hour)) || s.Generation != 1 {
		t.Errorf("after a renewal that failed: %+v", s)
	}
	if s.Tick(s.Lease.Add(-time.Second)) || !s.Tick(s.Lease) || s.Status != Lost || s.Due(s.Lease.Add(23*time.Hour)) || !s.Due(s.Lease.Add(24*time.Hour)) {
		t.Errorf("at the end of the lease: %+v", s)
	}
	at = s.Lease.Add(24 * time.Hour)
	s.Ask(at)
	if s.Tick(at.Add(9 * time.Minute)); s.Status != Pending {
		t.Errorf("while the hub is silent: %+v", s)
	}
	if s.Tick(at.Add(10 * time.Minute)); s.Status != Lost || s.Reason == "" {
		t.Errorf("after the hub was silent: %+v", s)
	}
	if !s.Found("https://hub2/", "https://topic/") || s.Generation != 2 || s.Status != None || !s.Due(at) {
		t.Errorf("after another hub was found: %+v", s)
	}
	s.Ask(at)
	if !s.Deny(at, "https://topic/", "no") || s.Status != None || s.Due(at.Add(23*time.Hour)) || !s.Due(at.Add(24*time.Hour)) || !strings.Contains(s.Reason, "no") {
		t.Errorf("after a refusal: %+v", s)
	}
	s.Ask(at)
	s.Failed(at, "down")
	if s.Status != Lost || s.Reason != "down" {
		t.Errorf("after the first question failed: %+v", s)
	}
}

func TestLeasesAreClamped(t *testing.T) {
	t.Parallel()
	for seconds, want := range map[int64]time.Duration{-5: time.Hour, 0: time.Hour, 60: time.Hour, 7200: 2 * time.Hour, 1 << 62: maxLease} {
		s := Subscription{Hub: "h", Topic: "t", Asked: start}
		s.Confirm(start, "t", seconds)
		if got := s.Lease.Sub(start); got != want {
			t.Errorf("%d seconds give %v, want %v", seconds, got, want)
		}
	}
}

func TestASilentHubIsGivenUp(t *testing.T) {
	t.Parallel()
	now := start.Add(48 * time.Hour)
	for name, c := range map[string]struct {
		published time.Time
		pushed    time.Time
		want      bool
	}{
		"an hour old":              {now.Add(-time.Hour), time.Time{}, true},
		"it may still come":        {now.Add(-9 * time.Minute), time.Time{}, false},
		"older than the hub":       {start.Add(-time.Hour), time.Time{}, false},
		"something came since":     {now.Add(-time.Hour), now.Add(-time.Minute), false},
		"something came before it": {now.Add(-time.Hour), now.Add(-2 * time.Hour), true},
	} {
		s := Subscription{Hub: "h", Topic: "t", Status: Active, Since: start, Lease: now.Add(time.Hour), Pushed: c.pushed}
		if got := s.Missed(now, c.published); got != c.want || got != (s.Status == Lost) || got && s.Due(now.Add(23*time.Hour)) {
			t.Errorf("%s: %t, %+v", name, got, s)
		}
	}
}
