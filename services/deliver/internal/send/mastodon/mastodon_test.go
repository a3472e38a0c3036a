package mastodon

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/services/deliver/internal/ledger"
	"tidings.internal/services/deliver/internal/send"
	"tidings.internal/services/deliver/internal/send/sendtest"
)

func flavours() map[string]flavour {
	return map[string]flavour{"honours the key": {honours: true}, "ignores the key": {}, "gotosocial": {goToSocial: true}}
}

func TestConform(t *testing.T) {
	t.Parallel()
	for name, of := range flavours() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sendtest.Conform(t, sendtest.Case{
				Network: Network, Repeats: of.honours,
				New: func(t *testing.T, clock *sendtest.Clock) sendtest.Fake { return newFake(t, clock, of) },
			})
		})
	}
}

func opened(t *testing.T) (*fake, send.Sender, *sendtest.Clock) {
	t.Helper()
	clock := sendtest.NewClock()
	f := newFake(t, clock, flavour{})
	return f, sendtest.Open(t, Network, f, clock), clock
}

func found(t *testing.T, s send.Sender, j send.Job) (ledger.Remote, bool) {
	t.Helper()
	remote, ok, err := s.(send.Finder).Find(t.Context(), j)
	if err != nil {
		t.Fatal(err)
	}
	return remote, ok
}

func TestFindsItsPostByTextAmongOthers(t *testing.T) {
	t.Parallel()
	f, s, clock := opened(t)
	job := sendtest.Job(f, sendtest.Story(1), 1, ledger.Create, `ours <b> & "so"`, ledger.Remote{}, clock)
	// The same link under other words, as another channel of this account may post it.
	other := sendtest.Job(f, sendtest.Story(1), 1, ledger.Create, "theirs", ledger.Remote{}, clock)
	for _, j := range []send.Job{job, other} {
		if _, err := s.Send(t.Context(), j); err != nil {
			t.Fatal(err)
		}
	}
	for n := range 60 { // on the second page by now
		if _, err := s.Send(t.Context(), sendtest.Job(f, sendtest.Story(100+n), 1, ledger.Create, fmt.Sprint("other ", n), ledger.Remote{}, clock)); err != nil {
			t.Fatal(err)
		}
	}
	clock.Add(time.Minute)
	if remote, ok := found(t, s, job); !ok || remote.ID != "101" || !strings.HasSuffix(remote.URL, "/@news/101") {
		t.Errorf("found %v: %+v", ok, remote)
	}
	job.Started = clock.Now().Add(time.Hour)
	if remote, ok := found(t, s, job); ok {
		t.Errorf("found a post from before the request: %+v", remote)
	}
}

func TestFindsByLinkWhenTheServerChangedTheWords(t *testing.T) {
	t.Parallel()
	f, s, clock := opened(t)
	job := sendtest.Job(f, sendtest.Story(1), 1, ledger.Create, "ours", ledger.Remote{}, clock)
	if _, err := s.Send(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	f.statuses[0].Content = strings.Replace(f.statuses[0].Content, "ours", "OURS, improved", 1)
	if _, ok := found(t, s, job); !ok {
		t.Error("not found by its link")
	}
	absent := sendtest.Job(f, sendtest.Story(2), 1, ledger.Create, "absent", ledger.Remote{}, clock)
	if remote, ok := found(t, s, absent); ok {
		t.Errorf("found what was never posted: %+v", remote)
	}
}

func TestLongPagesAreReadInParts(t *testing.T) {
	t.Parallel()
	f, s, clock := opened(t)
	job := sendtest.Job(f, sendtest.Story(1), 1, ledger.Create, "ours", ledger.Remote{}, clock)
	if _, err := s.Send(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	for n := range 20 {
		if _, err := s.Send(t.Context(), sendtest.Job(f, sendtest.Story(100+n), 1, ledger.Create, fmt.Sprint("other ", n), ledger.Remote{}, clock)); err != nil {
			t.Fatal(err)
		}
		f.statuses[len(f.statuses)-1].Padding = strings.Repeat("x", 8<<10)
	}
	if _, ok := found(t, s, job); !ok {
		t.Error("not found behind a page that is longer than an answer may be")
	}
}

func TestAnEditOfWhatIsGoneIsGone(t *testing.T) {
	t.Parallel()
	f, s, clock := opened(t)
	_, err := send.Do(t.Context(), s, sendtest.Job(f, sendtest.Story(1), 2, ledger.Edit, "new", ledger.Remote{ID: "999"}, clock))
	if fault.KindOf(err) != fault.Gone || send.Status(err) != http.StatusNotFound {
		t.Errorf("%q, status %d", fault.KindOf(err), send.Status(err))
	}
	for _, id := range []string{"", "../accounts", "1/2", "1?x", strings.Repeat("1", 65)} {
		if _, err := send.Do(t.Context(), s, sendtest.Job(f, sendtest.Story(1), 3, ledger.Delete, "", ledger.Remote{ID: id}, clock)); fault.KindOf(err) != fault.Invalid {
			t.Errorf("the id %q is asked for: %v", id, err)
		}
	}
}

func TestScheduledPostsAreNeverMade(t *testing.T) {
	t.Parallel()
	f, s, clock := opened(t)
	job := sendtest.Job(f, sendtest.Story(1), 1, ledger.Create, "now", ledger.Remote{}, clock)
	job.Post.Request.Body = []byte(`{"status":"now","scheduled_at":"2030-01-01T00:00:00Z"}`)
	if _, err := s.Send(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{"", "[]", `"x"`, `{}`} {
		job.Post.Request.Body = []byte(body)
		if _, err := s.Send(t.Context(), job); fault.KindOf(err) != fault.Invalid {
			t.Errorf("the payload %q: %v", body, err)
		}
	}
	if n := len(f.server.Calls()); n != 1 {
		t.Errorf("%d requests", n)
	}
}

func TestPicturesAreLeftOutAndNamed(t *testing.T) {
	t.Parallel()
	f, s, clock := opened(t)
	job := sendtest.Job(f, sendtest.Story(1), 1, ledger.Create, "x", ledger.Remote{}, clock)
	job.Post.Request.Body = []byte(`{"status":"with a picture","media_ids":[{"$media":"image"}]}`)
	job.Post.Media = []event.Asset{{Name: "image", URL: "https://example.org/a.png"}}
	got, err := s.Send(t.Context(), job)
	if err != nil || len(got.Dropped) != 1 || got.Dropped[0] != "image" || got.Remote.ID == "" {
		t.Errorf("receipt %+v, %v", got, err)
	}
	if body := f.server.Calls()[0].Body; strings.Contains(body, "media") {
		t.Errorf("body %s", body)
	}
}

func TestProbe(t *testing.T) {
	t.Parallel()
	_, s, _ := opened(t)
	who, err := s.(send.Prober).Probe(t.Context())
	if err != nil || who != (send.Identity{ID: "42", Name: "news"}) {
		t.Errorf("%+v, %v", who, err)
	}
}

func TestLimitsAreTheServers(t *testing.T) {
	t.Parallel()
	f, s, _ := opened(t)
	for said, want := range map[string]map[string]int{
		`{"configuration":{"statuses":{"max_characters":1000,"characters_reserved_per_url":25}}}`: {"limit": 1000, "url_length": 25},
		`{"configuration":{"statuses":{"max_characters":5000}}}`:                                  {"limit": 5000},
		`{"configuration":{}}`: nil,
		`no JSON`:              nil,
	} {
		f.instance = said
		got, err := s.(send.Measurer).Limits(t.Context())
		if !maps.Equal(got, want) || (err == nil) != (want != nil) {
			t.Errorf("%s: %v, %v", said, got, err)
		}
	}
}

func TestSurvivesEveryCrash(t *testing.T) {
	t.Parallel()
	for name, of := range flavours() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sendtest.Survive(t, sendtest.Case{
				Network: Network, Repeats: of.honours,
				New: func(t *testing.T, clock *sendtest.Clock) sendtest.Fake { return newFake(t, clock, of) },
			})
		})
	}
}

func TestAReceiptThatCannotBeReadIsLookedUp(t *testing.T) {
	t.Parallel()
	r := sendtest.NewRig(t, sendtest.Case{Network: Network, New: func(t *testing.T, clock *sendtest.Clock) sendtest.Fake {
		return newFake(t, clock, flavour{honours: true})
	}})
	p := r.Start("")
	if err := p.Take(r.Post(sendtest.Story(1), 1, ledger.Create, "one")); err != nil {
		t.Fatal(err)
	}
	r.Server().Next(sendtest.Step{Act: true, Status: http.StatusOK, Body: "<html>"})
	p.Work(time.Minute)
	if row := r.Row(sendtest.Story(1)); row.State != ledger.Sent || row.Remote.ID == "" {
		t.Errorf("%s with receipt %+v", row.State, row.Remote)
	}
}

func TestATokenOfAnotherAccountPausesTheChannel(t *testing.T) {
	t.Parallel()
	var f *fake
	r := sendtest.NewRig(t, sendtest.Case{Network: Network, New: func(t *testing.T, clock *sendtest.Clock) sendtest.Fake {
		f = newFake(t, clock, flavour{honours: true})
		return f
	}})
	p := r.Start("")
	if err := p.Take(r.Post(sendtest.Story(1), 1, ledger.Create, "one")); err != nil {
		t.Fatal(err)
	}
	p.Work(time.Minute)
	p.Stop()
	f.account = "43"
	p = r.Start("")
	if err := p.Take(r.Post(sendtest.Story(2), 1, ledger.Create, "two")); err != nil {
		t.Fatal(err)
	}
	p.Work(time.Hour)
	if p.Paused() != ledger.AccountChanged || len(r.Made()) != 1 || r.Row(sendtest.Story(2)).State != ledger.Planned {
		t.Errorf("paused %q, made %q, %s", p.Paused(), r.Made(), r.Row(sendtest.Story(2)).State)
	}
}
