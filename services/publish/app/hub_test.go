package app

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/natstest"
)

const withHub = `
site: {title: Kundennah, language: de, id: news.example.org}
publish: {listen: "127.0.0.1:0", base_url: "https://news.example.org", hub: true}
feeds:
  - {id: crm, hubs: ["https://hub.example/"]}
`

// subscribe asks the hub of a service.
func (s *service) subscribe(topic, callback string) (status int, header http.Header) {
	s.t.Helper()
	form := url.Values{"hub.mode": {"subscribe"}, "hub.topic": {topic}, "hub.callback": {callback}, "hub.secret": {"a-secret"}}
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.base+"/hub", strings.NewReader(form.Encode()))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil {
		s.t.Fatal(err)
	}
	return res.StatusCode, res.Header
}

func requests(t *testing.T, b *bus.Bus) (list []event.HubRequest) {
	t.Helper()
	entries, err := b.Bucket(event.BucketRequests).Entries(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		var r event.HubRequest
		if err := json.Unmarshal(e.Value, &r); err != nil || e.Key != event.RequestsOfSites+r.ID {
			t.Fatal(e.Key, err)
		}
		list = append(list, r)
	}
	return list
}

func TestTheHubPromisesOnlyWhatIsStored(t *testing.T) {
	t.Parallel()
	server := natstest.Run(t)
	b := server.Bus(t, "publish")
	s := start(t, b, withHub)
	if status, _ := s.subscribe("https://news.example.org/feeds/crm.atom", "https://site.example/cb"); status != http.StatusAccepted {
		t.Fatalf("the answer is %d", status)
	}
	// At the moment of the answer it is there, whatever becomes of either service.
	list := requests(t, b)
	if len(list) != 1 || list[0].Feed != "crm" || list[0].Callback != "https://site.example/cb" || list[0].Secret != "a-secret" {
		t.Fatalf("there are %d requests", len(list))
	}
	server.Stop()
	status, header := s.subscribe("https://news.example.org/feeds/crm.atom", "https://site.example/cb")
	if status != http.StatusServiceUnavailable || header.Get("Retry-After") == "" {
		t.Errorf("without the broker the answer is %d, %v", status, header)
	}
}

func TestFeedsNameTheHub(t *testing.T) {
	t.Parallel()
	b := natstest.Run(t).Bus(t, "publish")
	s := start(t, b, withHub)
	emit(t, b, news("1", "Eins"))
	const own, other = "https://news.example.org/hub", "https://hub.example/"
	for path, words := range map[string][]string{
		"/feeds/crm.rss":  {`<atom:link href="` + own + `" rel="hub"`, other, `href="https://news.example.org/feeds/crm.rss" rel="self"`},
		"/feeds/crm.atom": {`href="` + own + `"`, other},
		"/feeds/crm.json": {`"hubs":[{"type":"WebSub","url":"` + own + `"},{"type":"WebSub","url":"` + other + `"}]`},
		"/feeds/crm":      {`<link rel="hub" href="` + own + `">`},
		"/feeds/all.json": {`"hubs":[{"type":"WebSub","url":"` + own + `"}]`},
		// Who filters has a document that nobody is told of.
		"/feeds/all.json?limit=5": {"-" + own},
	} {
		s.shows(path, words...)
		res, _ := s.get(path)
		want := `<` + own + `>; rel="hub", <` + other + `>; rel="hub", <https://news.example.org` + path + `>; rel="self"`
		if strings.HasPrefix(path, "/feeds/crm.") && (res.Header.Get("Link") != want || len(res.Header.Values("Link")) != 1) {
			t.Errorf("%s: Link is %q", path, res.Header.Values("Link"))
		}
	}
	off := start(t, b, sample)
	off.shows("/feeds/all.json", "Eins", "-/hub")
	if status, _ := off.subscribe("https://news.example.org/feeds/all.rss", "https://site.example/cb"); status != http.StatusNotFound {
		t.Errorf("a hub that is off answers %d", status)
	}
}

// announced waits for the announcement of a feed that is later than a place.
func announced(t *testing.T, b *bus.Bus, id string, after event.Applied) (f event.FeedChanged) {
	t.Helper()
	subject, err := event.FeedSubject(id)
	if err != nil {
		t.Fatal(err)
	}
	until(t, "the announcement of "+id, func() (bool, string) {
		r, err := b.Last(t.Context(), subject)
		if err != nil || r == nil {
			return false, fmt.Sprint(r, err)
		}
		_, f, err = event.DecodeFeedChanged(r.Message)
		return err == nil && f.Applied.After(after), fmt.Sprint(f.Applied, err)
	})
	return f
}

func TestWhatNobodyToldIsToldAfterAStart(t *testing.T) {
	t.Parallel()
	server := natstest.Run(t)
	b := server.Bus(t, "publish")
	s := start(t, b, withHub)
	emit(t, b, news("1", "Eins"))
	before := announced(t, b, "all", event.Applied{})
	s.stop()
	emit(t, b, news("2", "Zwei")) // as if publish had been killed before it told of it
	start(t, b, withHub)
	after := announced(t, b, "all", before.Applied)
	if d := after.Documents[0]; d.Hub != "https://news.example.org/hub" || d.SHA256 == before.Documents[0].SHA256 {
		t.Errorf("announced %+v", d)
	}
}

func TestAnOperatorSeesAFeedAsItIsServed(t *testing.T) {
	t.Parallel()
	b := natstest.Run(t).Bus(t, "publish")
	s := start(t, b, withHub+`  - {id: mine, private: true, tokens: [{name: anna, sha256: "`+strings.Repeat("ab", 32)+`"}]}`+"\n")
	emit(t, b, news("1", "Eins"))
	body := s.shows("/feeds/all.atom", "Eins")
	ask := func(r event.FeedRequest) (reply event.FeedReply, err error) {
		return reply, b.Ask(t.Context(), "publish", event.VerbFeed, r, &reply)
	}
	until(t, "questions to be answered", func() (bool, string) {
		_, err := ask(event.FeedRequest{Feed: "all", Format: "atom", Look: true})
		return fault.KindOf(err) != fault.Unreachable, fmt.Sprint(err)
	})
	reply, err := ask(event.FeedRequest{Feed: "all", Format: "atom"})
	if err != nil || reply.SHA256 != event.Hash([]byte(body)) || reply.Bytes != len(body) || reply.Self != "https://news.example.org/feeds/all.atom" || len(reply.Gzip) != reply.Packed {
		t.Errorf("%+v, %v", reply, err)
	}
	if reply, err := ask(event.FeedRequest{Feed: "mine", Format: "json", Look: true}); err != nil || reply.Gzip != nil || reply.Self != "https://news.example.org/t/TOKEN/feeds/mine.json" {
		t.Errorf("a private feed: %+v, %v", reply, err)
	}
	for kind, r := range map[fault.Kind]event.FeedRequest{fault.Gone: {Feed: "nothing", Format: "rss"}, fault.Invalid: {Feed: "all", Format: "html"}} {
		if _, err := ask(r); fault.KindOf(err) != kind {
			t.Errorf("%+v: %v, want it to be %s", r, err, kind)
		}
	}
}

func TestDeliverIsGivenTheDocumentsThatItIsToPush(t *testing.T) {
	t.Parallel()
	b := natstest.Run(t).Bus(t, "publish")
	s := start(t, b, withHub+`  - {id: mine, private: true, tokens: [{name: anna, sha256: "`+strings.Repeat("ab", 32)+`"}]}`+"\n")
	emit(t, b, news("1", "Eins"))
	f := announced(t, b, "all", event.Applied{})
	body := s.shows("/feeds/all.rss", "Eins")
	ask := func(r event.DocumentRequest) (reply event.DocumentReply) {
		t.Helper()
		if err := b.Ask(t.Context(), "publish", event.VerbDocument, r, &reply); err != nil {
			t.Fatal(err)
		}
		return reply
	}
	good := event.DocumentRequest{Feed: "all", Format: "rss", SHA256: f.Documents[0].SHA256, Applied: f.Applied}
	until(t, "questions to be answered", func() (bool, string) { // which begins beside everything else
		err := b.Ask(t.Context(), "publish", event.VerbDocument, good, new(event.DocumentReply))
		return fault.KindOf(err) != fault.Unreachable, fmt.Sprint(err)
	})
	reply := ask(good)
	z, err := gzip.NewReader(bytes.NewReader(reply.Gzip))
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(z)
	if err != nil || string(got) != body || reply.State != event.DocumentHere || reply.SHA256 != event.Hash(got) {
		t.Errorf("%s, %d bytes, %v; readers get %d", reply.State, len(got), err, len(body))
	}
	for want, change := range map[string]func(*event.DocumentRequest){
		"here: it shows a later place":     func(r *event.DocumentRequest) { r.SHA256, r.Applied = event.Hash(nil), event.Applied{} },
		"not_yet: it shows an earlier one": func(r *event.DocumentRequest) { r.SHA256, r.Applied.Sequence = event.Hash(nil), 1000 },
		"here: a look":                     func(r *event.DocumentRequest) { r.Look, r.Applied.Sequence = true, 1000 },
		"gone: no such feed":               func(r *event.DocumentRequest) { r.Feed = "none" },
		"gone: no such format":             func(r *event.DocumentRequest) { r.Format = "html5" },
		"gone: a private feed":             func(r *event.DocumentRequest) { r.Feed = "mine" },
	} {
		r := good
		change(&r)
		if got := ask(r); !strings.HasPrefix(want, got.State+":") || (got.Gzip != nil) != (got.State == event.DocumentHere && !r.Look) {
			t.Errorf("want %s: got %s with %d bytes", want, got.State, len(got.Gzip))
		}
	}
}

// Every replica renders every change and would tell of it; the bus holds one word for each.
func TestTwoReplicasTellOfAChangeOnce(t *testing.T) {
	t.Parallel()
	server := natstest.Run(t)
	b := server.Bus(t, "publish")
	replicas := []*service{start(t, server.Bus(t, "publish"), withHub), start(t, server.Bus(t, "publish"), withHub)}
	for _, s := range replicas {
		s.shows("/feeds/crm.rss", "<rss")
	}
	var at event.Applied
	for i := range 5 {
		title := fmt.Sprint("Neu ", i)
		emit(t, b, news(title, title))
		for _, id := range []string{"all", "crm"} {
			f := announced(t, b, id, at)
			if id == "crm" {
				at = f.Applied
			}
		}
		for _, s := range replicas {
			s.shows("/feeds/all.rss", title)
			s.shows("/feeds/crm.rss", title)
		}
	}
	for _, s := range replicas { // what they had to say is said when they have stopped
		s.stop()
	}
	state, err := b.StreamState(t.Context(), event.StreamFeeds)
	if err != nil || state.Last != 10 {
		t.Errorf("%d announcements of five changes of two feeds, %v", state.Last, err)
	}
}
