package webhook

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/config"
	"tidings.internal/pkg/fault"
	"tidings.internal/services/deliver/internal/ledger"
	"tidings.internal/services/deliver/internal/send"
	"tidings.internal/services/deliver/internal/send/sendtest"
)

func TestConform(t *testing.T) {
	t.Parallel()
	sendtest.Conform(t, sendtest.Case{
		Network: Network, Repeats: true,
		New: func(t *testing.T, clock *sendtest.Clock) sendtest.Fake { return newFake(t, clock) },
		// An endpoint that moved or is missing may come back: only 410 says that it will not.
		Kinds: map[int]fault.Kind{302: fault.Unreachable, 304: fault.Unreachable, 404: fault.Unreachable},
	})
}

// The example of the specification (standard-webhooks, "Example implementations"), which any verifier accepts.
func TestSignatureOfTheSpecification(t *testing.T) {
	t.Parallel()
	key, err := base64.StdEncoding.DecodeString("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	got := Sign([][]byte{key}, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("signature %s, want %s", got, want)
	}
	if two := Sign([][]byte{key, key}, "a", 1, nil); strings.Count(two, " ") != 1 || strings.Count(two, "v1,") != 2 {
		t.Errorf("two keys sign as %q", two)
	}
}

func TestWithdrawalWithoutPayloadIsAnEvent(t *testing.T) {
	t.Parallel()
	clock := sendtest.NewClock()
	f := newFake(t, clock)
	s := sendtest.Open(t, Network, f, clock)
	job := sendtest.Job(f, sendtest.Story(1), 9, ledger.Delete, "", ledger.Remote{}, clock)
	for range 2 {
		if _, err := send.Do(t.Context(), s, job); err != nil {
			t.Fatal(err)
		}
	}
	calls := f.server.Calls()
	var e map[string]any
	if err := json.Unmarshal([]byte(calls[0].Body), &e); err != nil {
		t.Fatal(err)
	}
	if calls[0].Body != calls[1].Body || e["type"] != "article.removed" || e["subject"] != job.URL || strings.Contains(e["id"].(string), ".") {
		t.Errorf("event %s", calls[0].Body)
	}
}

func TestWithoutASecretNothingIsSigned(t *testing.T) {
	t.Parallel()
	clock := sendtest.NewClock()
	f := newFake(t, clock)
	s := open1(t, []string{"url: " + f.server.URL + plantedPath, "headers: {x-api-key: " + plantedValue + "}"}, clock)
	f.server.Next(sendtest.Step{Status: 204})
	if _, err := s.Send(t.Context(), sendtest.Job(f, sendtest.Story(1), 1, ledger.Create, "x", ledger.Remote{}, clock)); err != nil {
		t.Fatal(err)
	}
	if h := f.server.Calls()[0].Header; h.Get("Webhook-Signature") != "" || h.Get("Webhook-Id") == "" {
		t.Errorf("headers %v", h)
	}
}

func open1(t *testing.T, keys []string, clock *sendtest.Clock) send.Sender {
	t.Helper()
	return sendtest.OpenChannel(t, Network, sendtest.Channel(t, Network, keys, "allow_private: true"), clock)
}

func TestEventsWithoutAUsableIDAreNotSent(t *testing.T) {
	t.Parallel()
	clock := sendtest.NewClock()
	f := newFake(t, clock)
	s := sendtest.Open(t, Network, f, clock)
	for _, body := range []string{`{}`, `{"id":7}`, `{"id":"a.b"}`, `{"id":"a\r\nx-evil: 1"}`, `[]`, ``} {
		job := sendtest.Job(f, sendtest.Story(1), 1, ledger.Create, "x", ledger.Remote{}, clock)
		job.Post.Request.Body = []byte(body)
		if _, err := s.Send(t.Context(), job); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", body, err)
		}
	}
	if n := len(f.server.Calls()); n != 0 {
		t.Errorf("%d requests", n)
	}
}

// A receiver must hear "published" before it hears "updated", also when the edit overtook the post on its subject.
func TestAnEditThatCameFirstIsToldAsPublished(t *testing.T) {
	t.Parallel()
	clock := sendtest.NewClock()
	f := newFake(t, clock)
	s := sendtest.Open(t, Network, f, clock)
	job := sendtest.Job(f, sendtest.Story(1), 2, ledger.Create, "x", ledger.Remote{}, clock)
	job.Post.Request.Body = []byte(`{"specversion":"1.0","id":"msg_edit","source":"/tidings/x","type":"article.updated","subject":"https://e.org/<a>","time":"t","datacontenttype":"application/json","data":{"story":"s","n":1.50,"t":"<&>"}}`)
	want := strings.Replace(string(job.Post.Request.Body), "article.updated", "article.published", 1)
	want = strings.Replace(want, "msg_edit", "msg_"+article.Digest(article.IDLength, job.Channel, job.Story, "create"), 1)
	for range 2 {
		if _, err := s.Send(t.Context(), job); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range f.server.Calls() {
		if c.Body != want {
			t.Errorf("sent %s\nwant %s", c.Body, want)
		}
	}
}

func TestSettingsAreChecked(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ keys, want string }{
		"no scheme":         {"url: example.org/x", "is not an http or https address"},
		"a password":        {"url: https://a:b@example.org/", "is not an http or https address"},
		"no prefix":         {"url: https://example.org/\n    secret: abcdefgh", "does not begin with whsec_"},
		"no base64":         {"url: https://example.org/\n    secret: whsec_%%%", "not base64"},
		"a short key":       {"url: https://example.org/\n    secret: whsec_YWJj", "not 24 to 64 bytes"},
		"our own header":    {"url: https://example.org/\n    headers: {webhook-id: x}", "sets itself"},
		"a framing header":  {"url: https://example.org/\n    headers: {content-length: \"3\"}", "no header that can be set"},
		"a header's breaks": {"url: https://example.org/\n    headers: {x-a: \"b\\r\\nc: d\"}", "no header that can be set"},
	} {
		doc := config.New("tidings.yaml", []byte("channels:\n  - id: ch\n    network: webhook\n    "+c.keys+"\n"), nil)
		doc.Channels(func(string) (any, []string) { return Network.Settings(), Network.Others }, Network.Name)
		if err := doc.Err(); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "whsec_YWJj") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSurvivesEveryCrash(t *testing.T) {
	t.Parallel()
	sendtest.Survive(t, sendtest.Case{
		Network: Network, Repeats: true,
		New: func(t *testing.T, clock *sendtest.Clock) sendtest.Fake { return newFake(t, clock) },
	})
}
