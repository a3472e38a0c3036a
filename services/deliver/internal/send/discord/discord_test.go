package discord

import (
	"strings"
	"testing"

	"tidings.internal/pkg/config"
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

// In a thread every request names it: without, Discord finds none of its messages.
func TestThreads(t *testing.T) {
	t.Parallel()
	clock := sendtest.NewClock()
	f := newFake(t, clock)
	s := sendtest.Open(t, Network, f, clock, "allow_private: true", `thread: "987654321098"`)
	sent, err := s.Send(t.Context(), sendtest.Job(f, sendtest.Story(1), 1, ledger.Create, "text", ledger.Remote{}, clock))
	if err != nil || f.messages[0].thread != "987654321098" {
		t.Fatalf("%+v, %v", f.messages, err)
	}
	for _, op := range []ledger.Op{ledger.Edit, ledger.Delete} {
		if _, err := send.Do(t.Context(), s, sendtest.Job(f, sendtest.Story(1), 2, op, "other", sent.Remote, clock)); err != nil {
			t.Errorf("%s: %v", op, err)
		}
	}
	if m := f.messages[0]; !m.deleted || !strings.HasPrefix(m.content, "other") {
		t.Errorf("%+v", m)
	}
}

func TestAnAllowanceThatIsUsedUpIsWaitedFor(t *testing.T) {
	t.Parallel()
	clock := sendtest.NewClock()
	f := newFake(t, clock)
	s := sendtest.Open(t, Network, f, clock)
	f.server.Next(sendtest.Step{Status: 429, Body: `{"message":"You are being rate limited.","retry_after":1.337,"global":false}`})
	_, err := s.Send(t.Context(), sendtest.Job(f, sendtest.Story(1), 1, ledger.Create, "text", ledger.Remote{}, clock))
	if fault.KindOf(err) != fault.Throttled || fault.After(err).Milliseconds() != 1337 {
		t.Errorf("%v after %v", fault.KindOf(err), fault.After(err))
	}
}

func TestIDsOfNobodyAreNotSent(t *testing.T) {
	t.Parallel()
	clock := sendtest.NewClock()
	f := newFake(t, clock)
	s := sendtest.Open(t, Network, f, clock)
	for _, id := range []string{"", "x", "12345/../1", "1"} {
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

func TestAddressesThatAreNoWebhook(t *testing.T) {
	t.Parallel()
	for _, keys := range [][]string{
		{"url: https://discord.com/channels/1/2"}, {"url: ftp://discord.com/api/webhooks/123456/aaaaaaaaaaaaaaaaaaaaaaaa"},
		{"url: https://discord.com/api/webhooks/123456/aaaaaaaaaaaaaaaaaaaaaaaa?wait=true"}, {"thread: general"},
	} {
		doc := config.New("x.yaml", []byte("channels:\n  - id: ch\n    network: discord\n    "+strings.Join(keys, "\n    ")+"\n"), nil)
		doc.Channels(func(string) (any, []string) { return Network.Settings(), Network.Others }, Network.Name)
		if err := doc.Err(); err == nil || strings.Contains(err.Error(), "aaaaaaaa") {
			t.Errorf("%q: %v", keys, err)
		}
	}
}

func TestProbe(t *testing.T) {
	t.Parallel()
	clock := sendtest.NewClock()
	f := newFake(t, clock)
	who, err := sendtest.Open(t, Network, f, clock).(send.Prober).Probe(t.Context())
	if err != nil || who != (send.Identity{ID: number, Name: "News"}) {
		t.Errorf("%+v, %v", who, err)
	}
	wrong := strings.Replace(token, "planted", "another", 1)
	keys, secrets := f.Keys(f.Server().URL)
	for i := range keys {
		keys[i] = strings.ReplaceAll(keys[i], token, wrong)
	}
	_, err = sendtest.OpenChannel(t, Network, sendtest.Channel(t, Network, keys, "allow_private: true"), clock).(send.Prober).Probe(t.Context())
	if kind := fault.KindOf(err); kind != fault.Gone {
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
