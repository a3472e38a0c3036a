package app

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/natstest"
)

const withLetter = `
site: {title: Kundennah, language: de-CH, id: news.example.org}
publish: {listen: "127.0.0.1:0", base_url: "https://news.example.org/a", trusted_proxies: [127.0.0.0/8]}
sources: [{id: blog, title: Das Blog, url: "https://blog.example.org/feed"}]
channels:
  - {id: letter, network: list, title: Der Brief, description: Jeden Morgen., tags: [crm-software], sources: [blog], from: "News <news@example.org>"}
  - {id: silent, network: list, emit: only}
`

const token = "planted-token_7"

// send posts a form to a page of the newsletters, as a client behind the proxy.
func (s *service) send(path string, form url.Values, header ...string) (*http.Response, string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.base+"/newsletter/"+path, strings.NewReader(form.Encode()))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("X-Forwarded-For", "2001:db8:1:2:3::4")
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	client := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	res, err := client.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil {
		s.t.Fatal(err)
	}
	return res, string(body)
}

// asked reads what readers asked for.
func asked(t *testing.T, b *bus.Bus) (list []event.ReaderRequest) {
	t.Helper()
	entries, err := b.Bucket(event.BucketRequests).Entries(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		var r event.ReaderRequest
		if err := json.Unmarshal(e.Value, &r); err != nil || e.Key != event.RequestsOfReaders+r.ID {
			t.Fatal(e.Key, err)
		}
		list = append(list, r)
	}
	slices.SortFunc(list, func(a, b event.ReaderRequest) int { return a.Time.Compare(b.Time) })
	return list
}

// readers plays deliver.
func readers(t *testing.T, server *natstest.Server) (stop func()) {
	t.Helper()
	b := server.Bus(t, event.UserDeliver)
	stop, err := b.Serve(t.Context(), "0.1.0", event.VerbPreferences, func(_ context.Context, request []byte) (any, error) {
		var q event.PreferencesQuestion
		if err := json.Unmarshal(request, &q); err != nil || q.Token != token {
			return nil, fault.Errorf(fault.Gone, "nobody has this token")
		}
		return event.Preferences{List: "letter", Address: "r***@example.org", Wishes: event.Wishes{Period: event.Weekly, Weekday: 2, Hour: 9}, Language: "de"}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return stop
}

// posts are the forms that are sent, by the path of their page.
func forms() map[string]url.Values {
	return map[string]url.Values{
		"letter":               {"address": {"planted@example.org"}, "period": {"weekly"}, "weekday": {"3"}, "hour": {"18"}, "zone": {"Europe/Zurich"}, "tag": {"crm-software"}, "source": {"blog"}, "lang": {"de"}},
		"confirm/" + token:     {"lang": {"de"}},
		"preferences/" + token: {"lang": {"en"}, "list": {"letter"}, "period": {"daily"}, "hour": {"6"}, "zone": {"UTC"}},
		"unsubscribe/" + token: {},
		"one-click/" + token:   {"List-Unsubscribe": {"One-Click"}},
	}
}

func TestWhatReadersAskForIsStoredBeforeTheyAreTold(t *testing.T) {
	t.Parallel()
	server := natstest.Run(t)
	b := server.Bus(t, "publish")
	s := start(t, b, withLetter)
	chosen := &event.Wishes{Period: "weekly", Weekday: 3, Hour: 18, Zone: "Europe/Zurich", Tags: []string{"crm-software"}, Sources: []string{"blog"}}
	want := map[string]event.ReaderRequest{
		"letter":               {Mode: "subscribe", List: "letter", Address: "planted@example.org", Wishes: chosen, Language: "de"},
		"confirm/" + token:     {Mode: "confirm", Token: token, Language: "de"},
		"preferences/" + token: {Mode: "prefer", Token: token, Wishes: &event.Wishes{Period: "daily", Hour: 6, Zone: "UTC"}, Language: "en"},
		"unsubscribe/" + token: {Mode: "unsubscribe", Token: token, Language: "de"},
		"one-click/" + token:   {Mode: "unsubscribe", Token: token, Language: "de"},
	}
	n := 0
	for path, form := range forms() { // no deliver is running
		before := time.Now().Add(-time.Second)
		res, body := s.send(path, form)
		if n++; res.StatusCode != http.StatusOK || len(res.Cookies()) > 0 || strings.Contains(body, "planted") {
			t.Fatalf("%s: %s %v %s", path, res.Status, res.Header, body)
		}
		// At the moment of the answer it is there, whatever becomes of either service.
		list := asked(t, b)
		if len(list) != n {
			t.Fatalf("%s: there are %d requests, want %d", path, len(list), n)
		}
		got, w := list[n-1], want[path]
		if got.Time.Before(before) || got.Check() != nil {
			t.Errorf("%s: %v, %v", path, got.Time, got.Check())
		}
		w.ID, w.Time, w.Form, w.Client = got.ID, got.Time, got.Form, "2001:db8:1:2:3::4"
		if diff := cmp.Diff(w, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
	// One click, once more: as harmless as the first.
	if res, _ := s.send("one-click/"+token, forms()["one-click/"+token]); res.StatusCode != http.StatusOK || len(asked(t, b)) != n+1 {
		t.Errorf("the second click: %s", res.Status)
	}
	server.Stop()
	for path, form := range forms() {
		res, _ := s.send(path, form, "X-Forwarded-For", "192.0.2.9")
		if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" {
			t.Errorf("%s without the broker: %s %v", path, res.Status, res.Header)
		}
	}
}

func TestToLookAtAPageChangesNothing(t *testing.T) {
	t.Parallel()
	server := natstest.Run(t)
	b := server.Bus(t, "publish")
	stop := readers(t, server)
	s := start(t, b, withLetter)
	for path := range forms() {
		for _, method := range []string{"", "?lang=en", "?List-Unsubscribe=One-Click"} {
			res, body := s.get("/newsletter/"+path+method, "User-Agent", "a scanner of mail")
			if res.StatusCode != http.StatusOK || !strings.Contains(body, `<form method="post"`) || res.Header.Get("Access-Control-Allow-Origin") != "" || len(res.Cookies()) > 0 {
				t.Errorf("%s: %s %v %s", path, res.Status, res.Header, body)
			}
		}
	}
	if res, body := s.get("/newsletter/preferences/" + token); !strings.Contains(body, "r***@example.org") || !strings.Contains(body, `<option value="2" selected>Dienstag`) {
		t.Errorf("%s %s", res.Status, body)
	}
	if res, _ := s.get("/newsletter/preferences/nobodys"); res.StatusCode != http.StatusNotFound {
		t.Errorf("a token of nobody: %s", res.Status)
	}
	stop()
	until(t, "deliver to be away", func() (bool, string) {
		res, body := s.get("/newsletter/preferences/" + token)
		return res.StatusCode == http.StatusServiceUnavailable && res.Header.Get("Retry-After") != "", res.Status + body
	})
	state, err := b.StreamState(t.Context(), "KV_"+event.BucketRequests)
	if err != nil || state.Last != 0 || len(asked(t, b)) != 0 {
		t.Errorf("something was written: %+v, %v", state, err)
	}
}

// syncBuffer is a log that is read while it is written.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func TestTokensAndAddressesStayOutOfLogsAndMetrics(t *testing.T) {
	t.Parallel()
	server := natstest.Run(t)
	b := server.Bus(t, "publish")
	log := &syncBuffer{}
	s := startLogging(t, b, withLetter, slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	send := func() {
		for path, form := range forms() {
			s.get("/newsletter/" + path)
			s.send(path, form)
			s.send(path, url.Values{"address": {"planted@example.org", "planted@example.org"}})
		}
	}
	send()
	server.Stop()
	send()
	families, err := s.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counted := map[string]bool{}
	for _, f := range families {
		if f.GetName() == "tidings_publish_requests_total" {
			for _, m := range f.GetMetric() {
				for _, l := range m.GetLabel() {
					if l.GetName() == "format" {
						counted[l.GetValue()] = true
					}
				}
			}
		}
		if text := f.String(); strings.Contains(text, "planted") || strings.Contains(text, "2001:db8") {
			t.Errorf("metric %s", text)
		}
	}
	if got := slices.Sorted(maps.Keys(counted)); !slices.Equal(got, []string{"confirm", "one_click", "preferences", "subscribe", "unsubscribe"}) {
		t.Errorf("counted are %v", got)
	}
	s.stop()
	text := log.String()
	if strings.Contains(text, "planted") || strings.Contains(text, "2001:db8") || strings.Contains(text, "%40") || !strings.Contains(text, "could not leave a request of a reader") {
		t.Errorf("the log:\n%s", text)
	}
}

func TestTheIndexLeadsToTheNewsletters(t *testing.T) {
	t.Parallel()
	b := natstest.Run(t).Bus(t, "publish")
	s := start(t, b, withLetter)
	s.shows("/", `<a href="newsletter/letter">Der Brief</a>`, "Jeden Morgen.", "-silent")
	s.shows("/robots.txt", "Disallow: /a/newsletter/")
	s.shows("/newsletter/letter", "Das Blog", `value="crm-software"`, `<html lang="de">`)
	a := news("1", "Neu")
	a.Tags[0].Kind = article.KindConcept
	emit(t, b, a)
	s.shows("/newsletter/letter", "<span>CRM-Software</span>") // as articles call it
	if res, _ := s.get("/newsletter/silent"); res.StatusCode != http.StatusNotFound {
		t.Errorf("a list that stays on the bus has a page: %s", res.Status)
	}
	none := start(t, b, sample)
	none.shows("/", "-Newsletters")
	for path, form := range forms() {
		if res, _ := none.send(path, form); res.StatusCode == http.StatusOK {
			t.Errorf("%s without a list: %s", path, res.Status)
		}
	}
}

func TestAListWithPagesLacksNothing(t *testing.T) {
	t.Parallel()
	home := "site: {url: \"https://news.example.org\"}\nsources: [{id: blog, url: \"https://blog.example.org/feed\"}]\nchannels:\n  - "
	for text, want := range map[string]string{
		home + "{id: letter, network: list}":                                                       "tidings.yaml:4:5: channels[0].title: is missing",
		home + "{id: letter, network: list, title: ' '}":                                           "tidings.yaml:4:40: channels[0].title: is missing",
		home + "{id: letter, network: list, title: A, approve: manual}":                            "tidings.yaml:4:52: channels[0].approve: manual has no meaning for a list",
		home + "{id: letter, network: list, title: A, approve: hold 10m}":                          "tidings.yaml:4:52: channels[0].approve: hold has no meaning",
		home + "{id: letter, network: list, title: A, sources: [blgo]}":                            `tidings.yaml:4:53: channels[0].sources[0]: there is no source "blgo"`,
		home + "{id: letter, network: list, title: A, template: x}":                                "tidings.yaml:4:53: channels[0].template: a channel of network list has none",
		"channels:\n  - {id: letter, network: list, title: A}":                                     "tidings.yaml:2:27: channels[0].network: list needs publish.base_url or site.url",
		home + "{id: letter, network: list, title: A, sources: [blog], smtp: {}}":                  "",
		"channels:\n  - {id: letter, network: list, emit: only, approve: manual}":                  "",
		"publish: {base_url: \"https://x.example\"}\nchannels: [{id: a, network: list, title: A}]": "",
	} {
		doc := config.New("tidings.yaml", []byte(text+"\n"), nil)
		Check(doc)
		if err := doc.Err(); (err == nil) != (want == "") || err != nil && !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
