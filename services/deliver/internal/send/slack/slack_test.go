package slack

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"tidings.internal/pkg/fault"
	"tidings.internal/services/deliver/internal/ledger"
	"tidings.internal/services/deliver/internal/send"
	"tidings.internal/services/deliver/internal/send/sendtest"
)

var underTest = sendtest.Case{
	Network: Network,
	New:     func(t *testing.T, clock *sendtest.Clock) sendtest.Fake { return newFake(t, clock) },
}

func TestConform(t *testing.T) {
	t.Parallel()
	sendtest.Conform(t, underTest)
}

func TestWhatIsInDoubtIsLeftToAPerson(t *testing.T) {
	t.Parallel()
	sendtest.Doubt(t, underTest)
}

func opened(t *testing.T) (*fake, send.Sender, *sendtest.Clock) {
	t.Helper()
	clock := sendtest.NewClock()
	f := newFake(t, clock)
	return f, sendtest.Open(t, Network, f, clock), clock
}

// Every refusal comes with the status 200 and a word.
func TestTheWordOfARefusalCounts(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]fault.Kind{
		"invalid_auth": fault.Refused, "token_revoked": fault.Refused, "not_in_channel": fault.Refused, "is_archived": fault.Refused, "msg_too_long": fault.Invalid,
		"invalid_blocks": fault.Invalid, "a_word_of_tomorrow": fault.Invalid, "ratelimited": fault.Throttled, "internal_error": fault.Uncertain,
	} {
		f, s, clock := opened(t)
		f.server.Next(sendtest.Step{Status: 200, Body: `{"ok":false,"error":"` + word + `"}`})
		_, err := s.Send(t.Context(), sendtest.Job(f, sendtest.Story(1), 1, ledger.Create, "text", ledger.Remote{}, clock))
		if fault.KindOf(err) != want {
			t.Errorf("%s is %q, want %q: %v", word, fault.KindOf(err), want, err)
		}
	}
}

func TestAReceiptNamesRoomAndTime(t *testing.T) {
	t.Parallel()
	f, s, clock := opened(t)
	got, err := s.Send(t.Context(), sendtest.Job(f, sendtest.Story(1), 1, ledger.Create, "text", ledger.Remote{}, clock))
	if err != nil || got.Remote.ID != room+":1503435956.000000" {
		t.Fatalf("receipt %+v, %v", got, err)
	}
	for _, op := range []ledger.Op{ledger.Edit, ledger.Delete, ledger.Delete} {
		if _, err := send.Do(t.Context(), s, sendtest.Job(f, sendtest.Story(1), 2, op, "other", got.Remote, clock)); err != nil {
			t.Errorf("%s: %v", op, err)
		}
	}
	if m := f.messages[0]; !m.deleted || m.text[:5] != "other" {
		t.Errorf("%+v", m)
	}
	f.server.Next(sendtest.Step{Status: 429, Header: http.Header{"Retry-After": {"30"}}, Body: `{"ok":false,"error":"ratelimited"}`})
	if _, err := s.Send(t.Context(), sendtest.Job(f, sendtest.Story(2), 1, ledger.Create, "text", ledger.Remote{}, clock)); fault.After(err) != 30*time.Second {
		t.Errorf("an allowance that is used up is waited for %v", fault.After(err))
	}
}

func TestIDsOfNobodyAreNotSent(t *testing.T) {
	t.Parallel()
	f, s, clock := opened(t)
	for _, id := range []string{"", "C0123456789", "C0123456789:1", `C0123456789:1503435956.000"1`, "c:1503435956.0001"} {
		for _, op := range []ledger.Op{ledger.Edit, ledger.Delete} {
			if _, err := send.Do(t.Context(), s, sendtest.Job(f, sendtest.Story(1), 2, op, "x", ledger.Remote{ID: id}, clock)); fault.KindOf(err) != fault.Invalid {
				t.Errorf("%s of %q: %v", op, id, err)
			}
		}
	}
	if n := len(f.server.Calls()); n != 0 {
		t.Errorf("%d requests", n)
	}
}

func TestProbe(t *testing.T) {
	t.Parallel()
	clock := sendtest.NewClock()
	f := newFake(t, clock)
	who, err := sendtest.Open(t, Network, f, clock).(send.Prober).Probe(t.Context())
	if err != nil || who != (send.Identity{ID: "T0000001:U0000042", Name: "news of Kundennah"}) {
		t.Errorf("%+v, %v", who, err)
	}
	wrong := strings.Replace(token, "planted", "another", 1)
	keys, secrets := f.Keys(f.Server().URL)
	for i := range keys {
		keys[i] = strings.ReplaceAll(keys[i], token, wrong)
	}
	_, err = sendtest.OpenChannel(t, Network, sendtest.Channel(t, Network, keys, "allow_private: true"), clock).(send.Prober).Probe(t.Context())
	if kind := fault.KindOf(err); kind != fault.Refused {
		t.Errorf("wrong credentials: %s, %v", kind, err)
	}
	for _, secret := range append(secrets, wrong) {
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("the error tells a secret: %v", err)
		}
	}
	if n := len(f.Made()); n != 0 {
		t.Errorf("a question made %d posts", n)
	}
}
