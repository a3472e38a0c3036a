package linkedin

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"tidings.internal/pkg/config"
	"tidings.internal/pkg/fault"
	"tidings.internal/services/deliver/internal/ledger"
	"tidings.internal/services/deliver/internal/send"
	"tidings.internal/services/deliver/internal/send/sendtest"
)

var underTest = sendtest.Case{
	Network: Network,
	New:     func(t *testing.T, clock *sendtest.Clock) sendtest.Fake { return newFake(t, clock) },
	Kinds:   map[int]fault.Kind{http.StatusUpgradeRequired: fault.Refused},
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

func TestReceiptIsAHeader(t *testing.T) {
	t.Parallel()
	f, s, clock := opened(t)
	got, err := s.Send(t.Context(), sendtest.Job(f, sendtest.Story(1), 1, ledger.Create, "words", ledger.Remote{}, clock))
	if err != nil || got.Remote.ID != "urn:li:share:7000000000000000000" || !strings.HasSuffix(got.Remote.URL, got.Remote.ID) || len(got.Dropped) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestAnEditThatOvertookItsPostIsThatPost(t *testing.T) {
	t.Parallel()
	f, s, clock := opened(t)
	job := sendtest.Job(f, sendtest.Story(1), 2, ledger.Edit, "newer words", ledger.Remote{}, clock)
	job.Op = ledger.Create
	if _, err := send.Do(t.Context(), s, job); err != nil {
		t.Fatal(err)
	}
	if made := f.Made(); len(made) != 1 || made[0] != "newer words" {
		t.Errorf("made %q", made)
	}
}

func TestAVersionOutOfForceNamesTheKey(t *testing.T) {
	t.Parallel()
	clock := sendtest.NewClock()
	f := newFake(t, clock)
	keys, _ := f.Keys(f.Server().URL)
	for i := range keys {
		keys[i] = strings.Replace(keys[i], version, "202412", 1)
	}
	old := sendtest.OpenChannel(t, Network, sendtest.Channel(t, Network, keys, "allow_private: true"), clock)
	_, err := old.Send(t.Context(), sendtest.Job(f, sendtest.Story(1), 1, ledger.Create, "words", ledger.Remote{}, clock))
	if fault.KindOf(err) != fault.Refused || !strings.Contains(err.Error(), "version 202412") || !strings.Contains(err.Error(), "key version") {
		t.Errorf("%v", err)
	}
	if next := sendtest.Open(t, Network, f, clock); next.Credential() == old.Credential() || next.Account() != old.Account() {
		t.Error("another version does not end the pause, or is another account")
	}
}

func TestAVersionHasAnAge(t *testing.T) {
	t.Parallel()
	_, s, _ := opened(t)
	month := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	for after, want := range map[time.Duration]time.Duration{-time.Hour: 0, 0: 0, 1000 * time.Hour: 1000 * time.Hour} {
		if got := s.(send.Dated).Age(month.Add(after)); got != want {
			t.Errorf("%v after its month began it is %v old", after, got)
		}
	}
}

func TestIDsOfOthersReachNoPath(t *testing.T) {
	t.Parallel()
	f, s, clock := opened(t)
	for _, id := range []string{"", "7", "urn:li:share:1/../../me", "urn:li:person:1"} {
		for _, op := range []ledger.Op{ledger.Edit, ledger.Delete} {
			if _, err := send.Do(t.Context(), s, sendtest.Job(f, sendtest.Story(1), 2, op, "words", ledger.Remote{ID: id}, clock)); fault.KindOf(err) != fault.Invalid {
				t.Errorf("%s of %q: %v", op, id, err)
			}
		}
	}
	if n := len(f.Server().Calls()); n != 0 {
		t.Errorf("%d requests", n)
	}
}

func TestSettingsNameWhatIsMissing(t *testing.T) {
	t.Parallel()
	for keys, problem := range map[string]string{
		`token: x, version: "202611", author: "urn:li:person:a-b"`:                                 "",
		`token: x, version: "202613", author: "urn:li:person:a"`:                                   "no version",
		`token: x, author: "urn:li:person:a"`:                                                      "version",
		`version: "202611", author: "urn:li:person:a"`:                                             "token",
		`token: x, version: "202611"`:                                                              "author",
		`token: x, version: "202611", author: "urn:li:person:a", server: "https://x.example/rest"`: "has a path",
	} {
		doc := config.New("tidings.yaml", []byte("channels:\n  - {id: ch, network: linkedin, "+keys+"}\n"), nil)
		list := doc.Channels(func(string) (any, []string) { return Network.Settings(), Network.Others }, Network.Name)
		list[0].Settings.(*Settings).Complete(doc.At("channels", 0))
		if err := doc.Err(); (err == nil) != (problem == "") || err != nil && !strings.Contains(err.Error(), problem) {
			t.Errorf("%s: %v, want %q", keys, err, problem)
		}
	}
}
