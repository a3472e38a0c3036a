package telegram

import (
	"strings"
	"testing"

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

func TestReceiptNamesChatAndMessage(t *testing.T) {
	t.Parallel()
	f, s, clock := opened(t)
	got, err := s.Send(t.Context(), sendtest.Job(f, sendtest.Story(1), 1, ledger.Create, "text", ledger.Remote{}, clock))
	if err != nil || got.Remote.ID != "-1001234567890.100" || got.Remote.URL != "https://t.me/example_news/100" {
		t.Fatalf("receipt %+v, %v", got, err)
	}
	if path := f.server.Calls()[0].Path; path != "/bot"+token+"/sendMessage" {
		t.Errorf("path %s", strings.ReplaceAll(path, token, "***"))
	}
	if a := s.Account(); !strings.HasSuffix(a, " 123456789") || strings.Contains(a, "planted") {
		t.Errorf("account %s", a)
	}
}

func TestAnEditThatChangesNothingIsDone(t *testing.T) {
	t.Parallel()
	f, s, clock := opened(t)
	sent, err := s.Send(t.Context(), sendtest.Job(f, sendtest.Story(1), 1, ledger.Create, "text", ledger.Remote{}, clock))
	if err != nil {
		t.Fatal(err)
	}
	edit := sendtest.Job(f, sendtest.Story(1), 2, ledger.Edit, "text", sent.Remote, clock)
	if got, err := send.Do(t.Context(), s, edit); err != nil || got.Remote.ID != sent.Remote.ID {
		t.Errorf("edit to the same text: %+v, %v", got, err)
	}
	f.messages[0].deleted = true
	edit = sendtest.Job(f, sendtest.Story(1), 3, ledger.Edit, "other", sent.Remote, clock)
	if _, err := send.Do(t.Context(), s, edit); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "message to edit not found") {
		t.Errorf("edit of what is gone: %v", err)
	}
}

func TestMessagesTooOldStay(t *testing.T) {
	t.Parallel()
	f, s, clock := opened(t)
	f.server.Next(sendtest.Step{Status: 400, Body: `{"ok":false,"error_code":400,"description":"Bad Request: message can't be deleted for everyone"}`})
	remove := sendtest.Job(f, sendtest.Story(1), 2, ledger.Delete, "", ledger.Remote{ID: "-1001234567890.100"}, clock)
	if _, err := send.Do(t.Context(), s, remove); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "can't be deleted") {
		t.Errorf("deletion of what is too old: %v", err)
	}
}

func TestIDsOfNobodyAreNotSent(t *testing.T) {
	t.Parallel()
	f, s, clock := opened(t)
	for _, id := range []string{"", "100", "a.b", "1.2.3", `1."x"`, "1.2/../x"} {
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
	if err != nil || who != (send.Identity{ID: "777", Name: "news_bot"}) {
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
