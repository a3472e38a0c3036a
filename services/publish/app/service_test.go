package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/run"
)

// service is a running publish.
type service struct {
	t       testing.TB
	app     *App
	base    string
	metrics *prometheus.Registry
	checks  *run.Checks
	stop    func() // ends it and waits
}

const sample = `
site: {title: Kundennah, language: de, id: news.example.org}
publish: {listen: "127.0.0.1:0", base_url: "https://news.example.org"}
feeds:
  - {id: crm, title: CRM, select: {tags: [crm], languages: [de]}, duplicates: all}
channels:
  - {id: hook, network: webhook}
  - {id: masto, network: mastodon, select: {tags: [crm]}}
`

func start(t testing.TB, b *bus.Bus, text string) *service {
	t.Helper()
	return startLogging(t, b, text, slog.New(slog.DiscardHandler))
}

func startLogging(t testing.TB, b *bus.Bus, text string, log *slog.Logger) *service {
	t.Helper()
	doc := config.New("tidings.yaml", []byte(text), nil)
	s := &service{t: t, metrics: prometheus.NewRegistry(), checks: new(run.Checks)}
	a, err := New(t.Context(), Deps{Config: doc, Bus: b, Log: log, Metrics: s.metrics, Checks: s.checks})
	if err != nil {
		t.Fatal(err)
	}
	s.app, s.base = a, "http://"+a.Addr().String()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	stopped := false
	s.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("the service ended with %v", err)
			}
		case <-time.After(20 * time.Second):
			t.Error("the service did not stop within 20 s")
		}
	}
	t.Cleanup(s.stop)
	return s
}

// get asks for a path.
func (s *service) get(path string, header ...string) (*http.Response, string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.base+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	client := http.Client{Transport: &http.Transport{DisableCompression: true, DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return res, string(body)
}

// until polls a condition; last describes the state it saw.
func until(t testing.TB, what string, ok func() (bool, string)) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	last := ""
	for {
		var done bool
		if done, last = ok(); done {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("%s did not come about; last seen: %.2000s", what, last)
		case <-tick.C:
		}
	}
}

// shows waits until a document holds some words and not others, which begin with "-".
func (s *service) shows(path string, words ...string) string {
	s.t.Helper()
	var body string
	until(s.t, path+" with "+strings.Join(words, ", "), func() (bool, string) {
		var res *http.Response
		res, body = s.get(path)
		if res.StatusCode != http.StatusOK {
			return false, res.Status + " " + body
		}
		for _, w := range words {
			absent, not := strings.CutPrefix(w, "-")
			if strings.Contains(body, absent) == not {
				return false, body
			}
		}
		return true, ""
	})
	return body
}

var seen = time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC)

func news(key, title string) article.Article {
	published := seen.Add(-time.Hour)
	return article.Article{
		ID: article.NewID("blog", key), Revision: 1, URL: "https://blog.example.org/" + key, Title: title, Summary: "Kurz gesagt.",
		HTML: "<p>Lang gesagt.</p>", Language: article.Language{Code: "de-CH"}, Published: &published, FirstSeen: seen, Fetched: seen,
		Tags:   []article.Tag{{ID: "crm-software", Label: map[string]string{"de": "CRM-Software"}, Broader: []string{"crm"}}},
		Source: article.Source{ID: "blog", Partition: article.Partition("blog.example.org"), Title: "Blog", FeedURL: "https://blog.example.org/feed"},
		Story:  article.Story{ID: article.NewID("blog", key), FirstSeen: seen},
	}
}

// emit plays enrich.
func emit(t testing.TB, b *bus.Bus, a article.Article) {
	t.Helper()
	v := event.Version{Revision: a.Revision, Fence: 1, RawSequence: a.Revision}
	put(t, b, a, event.Envelope{Type: event.TypeEnriched, ID: event.EnrichedID(a.ID, v), Version: v}, a)
}

func remove(t testing.TB, b *bus.Bus, a article.Article) {
	t.Helper()
	v := event.Version{Revision: a.Revision + 1, Fence: 1}
	put(t, b, a, event.Envelope{Type: event.TypeDeleted, ID: event.EnrichedID(a.ID, v), Version: v},
		event.Deleted{ID: a.ID, Source: a.Source.ID, Revision: v.Revision, Reason: event.DeletedTakedown, Time: seen, Story: a.Story.ID})
}

func put(t testing.TB, b *bus.Bus, a article.Article, env event.Envelope, payload any) {
	t.Helper()
	subject, err := event.EnrichedSubject(a.Source.Partition, a.Source.ID, a.ID)
	if err != nil {
		t.Fatal(err)
	}
	env.Source, env.Time, env.Subject, env.Article = "enrich", time.Now(), a.URL, a.ID
	m, err := event.Encode(subject, env, payload)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Emit(t.Context(), m); err != nil {
		t.Fatal(err)
	}
}

// post reads what stands in POSTS for a channel and story.
func post(t *testing.T, b *bus.Bus, channel, story string) *bus.Record {
	t.Helper()
	subject, err := event.PostSubject(channel, story)
	if err != nil {
		t.Fatal(err)
	}
	r, err := b.Last(t.Context(), subject)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// posted waits for a post of an action and revision.
func posted(t *testing.T, b *bus.Bus, channel, story, action string, revision uint64) event.Post {
	t.Helper()
	var p event.Post
	until(t, fmt.Sprintf("%s of revision %d for %s", action, revision, channel), func() (bool, string) {
		r := post(t, b, channel, story)
		if r == nil {
			return false, "nothing"
		}
		var err error
		if _, p, err = event.DecodePost(r.Message); err != nil {
			return false, err.Error()
		}
		return p.Action == action && p.Revision == revision, fmt.Sprintf("%s of revision %d", p.Action, p.Revision)
	})
	return p
}

func gauge(t *testing.T, r *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}

// quiet waits until the composer's consumer has nothing left.
func quiet(t *testing.T, b *bus.Bus) {
	t.Helper()
	until(t, "an idle composer", func() (bool, string) {
		l, err := b.Backlog(t.Context(), event.StreamArticles, event.ConsumerComposer)
		return err == nil && l.Lag() == 0, fmt.Sprintf("%+v %v", l, err)
	})
}
