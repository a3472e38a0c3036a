package bluesky

import (
	"testing"
	"time"

	"tidings.internal/pkg/fault"
	"tidings.internal/services/deliver/internal/ledger"
	"tidings.internal/services/deliver/internal/send"
	"tidings.internal/services/deliver/internal/send/sendtest"
)

var underTest = sendtest.Case{
	Network: Network, Repeats: true, Keyless: true,
	New: func(t *testing.T, clock *sendtest.Clock) sendtest.Fake { return newFake(t, clock) },
}

func TestConform(t *testing.T) {
	t.Parallel()
	sendtest.Conform(t, underTest)
}

func TestSurvive(t *testing.T) {
	t.Parallel()
	sendtest.Survive(t, underTest)
}

func TestRecordKeys(t *testing.T) {
	t.Parallel()
	if got := tid(time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC), 7); got != "3n2xnxk5c222b" {
		t.Errorf("key %s, want 3n2xnxk5c222b", got)
	}
	at := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	if a, b := tid(at, 1023), tid(at.Add(time.Microsecond), 0); a >= b {
		t.Errorf("%s is not before %s", a, b)
	}
	if clockOf("a", "bc") == clockOf("ab", "c") {
		t.Error("two channels share a clock")
	}
}

func opened(t *testing.T) (*fake, send.Sender, *sendtest.Clock) {
	t.Helper()
	clock := sendtest.NewClock()
	f := newFake(t, clock)
	return f, sendtest.Open(t, Network, f, clock), clock
}

func job(f *fake, n int, text string, clock *sendtest.Clock) send.Job {
	return sendtest.Job(f, sendtest.Story(n), 1, ledger.Create, text, ledger.Remote{}, clock)
}

func TestOneLoginServesMany(t *testing.T) {
	t.Parallel()
	f, s, clock := opened(t)
	for n := range 5 {
		got, err := s.Send(t.Context(), job(f, n, "text", clock))
		if err != nil || got.Remote.ID == "" || got.Remote.URL == "" || len(got.Dropped) != 1 {
			t.Fatalf("%+v, %v", got, err)
		}
	}
	if f.logins != 1 || f.fresh != 0 {
		t.Errorf("%d logins, %d refreshes", f.logins, f.fresh)
	}
}

// A server says with 400 that a token is too old: the session is refreshed, or made anew, and the post goes out once.
func TestExpiredTokensAreReplaced(t *testing.T) {
	t.Parallel()
	f, s, clock := opened(t)
	if _, err := s.Send(t.Context(), job(f, 1, "one", clock)); err != nil {
		t.Fatal(err)
	}
	f.revoked = f.token // the one in use is refused from now on
	if _, err := s.Send(t.Context(), job(f, 2, "two", clock)); err != nil || f.fresh != 1 || f.logins != 1 {
		t.Errorf("%v, %d refreshes, %d logins", err, f.fresh, f.logins)
	}
	f.revoked, f.dead = f.token, true
	clock.Add(time.Minute)
	if _, err := s.Send(t.Context(), job(f, 3, "three", clock)); err != nil || f.logins != 2 {
		t.Errorf("%v, %d logins", err, f.logins)
	}
	if made := f.Made(); len(made) != 3 {
		t.Errorf("made %q", made)
	}
}

// Servers allow few logins: a wrong password is not tried all the time.
func TestLoginsKeepADistance(t *testing.T) {
	t.Parallel()
	clock := sendtest.NewClock()
	f := newFake(t, clock)
	c := sendtest.Channel(t, Network, []string{"server: " + f.server.URL, "handle: news.example.org", "password: wrong-pass-word-1234"}, "allow_private: true")
	s := sendtest.OpenChannel(t, Network, c, clock)
	if _, err := s.Send(t.Context(), job(f, 1, "text", clock)); fault.KindOf(err) != fault.Refused {
		t.Errorf("a wrong password: %v", err)
	}
	if _, err := s.Send(t.Context(), job(f, 1, "text", clock)); fault.KindOf(err) != fault.Throttled || fault.After(err) != loginGap {
		t.Errorf("at once again: %v after %v", err, fault.After(err))
	}
	clock.Add(loginGap)
	if _, err := s.Send(t.Context(), job(f, 1, "text", clock)); fault.KindOf(err) != fault.Refused || f.logins != 2 {
		t.Errorf("later: %v, %d logins", err, f.logins)
	}
}

// Another post has the key of this instant: the next one is taken, and found again there.
func TestKeysThatAreTaken(t *testing.T) {
	t.Parallel()
	f, s, clock := opened(t)
	if _, err := s.Send(t.Context(), job(f, 1, "theirs", clock)); err != nil {
		t.Fatal(err)
	}
	ours := job(f, 1, "ours", clock) // the same story and time: the same first key
	sent, err := s.Send(t.Context(), ours)
	if err != nil || len(f.Made()) != 2 {
		t.Fatalf("%v, made %q", err, f.Made())
	}
	again, ok, err := s.(send.Finder).Find(t.Context(), ours)
	if err != nil || !ok || again.ID != sent.Remote.ID {
		t.Errorf("found %+v %v %v, sent %+v", again, ok, err, sent.Remote)
	}
	if _, ok, err := s.(send.Finder).Find(t.Context(), job(f, 2, "never sent", clock)); ok || err != nil {
		t.Errorf("what was never sent: %v, %v", ok, err)
	}
	for _, id := range []string{"", "x", "at://did/x/y", "3n2xnxk5c222b/.."} {
		if _, err := send.Do(t.Context(), s, sendtest.Job(f, sendtest.Story(1), 2, ledger.Delete, "", ledger.Remote{ID: id}, clock)); fault.KindOf(err) != fault.Invalid {
			t.Errorf("deletion of %q: %v", id, err)
		}
	}
}
