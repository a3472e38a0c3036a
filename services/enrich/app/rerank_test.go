package app

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/natstest"
	"tidings.internal/services/enrich/internal/pipeline"
	"tidings.internal/services/enrich/internal/pipeline/pipelinetest"
	"tidings.internal/services/enrich/internal/rerank"
	"tidings.internal/services/enrich/internal/taxonomy"
)

// fickle is a model that never gives the same answer twice in a row: it turns the list round by one more each time.
func fickle(t *testing.T) (url string, asked *atomic.Int64) {
	t.Helper()
	asked = new(atomic.Int64)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var q struct {
			Messages []struct{ Content string } `json:"messages"`
		}
		var seen struct {
			Candidates []struct{ ID string } `json:"candidates"`
		}
		err := json.NewDecoder(r.Body).Decode(&q)
		if err == nil && len(q.Messages) == 2 {
			err = json.Unmarshal([]byte(q.Messages[1].Content), &seen)
		}
		if err != nil || len(seen.Candidates) == 0 {
			t.Errorf("the model was asked %+v, %v", q, err)
		}
		n := int(asked.Add(1))
		var ids []string
		for i := range seen.Candidates {
			ids = append(ids, seen.Candidates[(i+n)%len(seen.Candidates)].ID)
		}
		said, _ := json.Marshal(map[string]any{"ids": ids})
		_ = json.NewEncoder(w).Encode(map[string]any{"choices": []any{map[string]any{"finish_reason": "stop", "message": map[string]any{"content": string(said)}}}})
	}))
	t.Cleanup(s.Close)
	return s.URL + "/v1", asked
}

// reversing is a model that turns the list round and drops its last.
func reversing(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var q struct {
			Format struct {
				Schema struct {
					Schema struct {
						Properties struct {
							IDs struct{ Items struct{ Enum []string } }
						}
					}
				} `json:"json_schema"`
			} `json:"response_format"`
		}
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
			t.Error(err)
		}
		ids := q.Format.Schema.Schema.Properties.IDs.Items.Enum
		slices.Reverse(ids)
		said, _ := json.Marshal(map[string]any{"ids": ids[:max(1, len(ids)-1)]})
		_ = json.NewEncoder(w).Encode(map[string]any{"choices": []any{map[string]any{"message": map[string]any{"content": string(said)}}}})
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func TestRankingConforms(t *testing.T) {
	t.Parallel()
	v, err := taxonomy.Starter()
	if err != nil {
		t.Fatal(err)
	}
	m := taxonomy.NewMatcher(v)
	var answered atomic.Int64
	r, err := rerank.New(rerank.Options{Config: rerank.Config{URL: reversing(t), Model: "m", PerHour: 1000}, UserAgent: "Tidings/test", Log: slog.New(slog.DiscardHandler), Now: time.Now,
		Observe: func(outcome string) {
			if outcome != rerank.Answered {
				t.Errorf("outcome %s", outcome)
			}
			answered.Add(1)
		}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if r.Close(); answered.Load() == 0 {
			t.Error("the model was never asked")
		}
	})
	pipelinetest.Conform(t, rerank.Step{Ranker: r}, Steps(func() *taxonomy.Matcher { return m }, nil, nil)...)
}

func rerankBy(url string) string {
	return fmt.Sprintf("rerank: {url: %q, model: m}", url)
}

func tagIDs(a article.Article) string {
	var list []string
	for _, t := range a.Tags {
		list = append(list, t.ID)
	}
	return strings.Join(list, " ")
}

func TestReplicasAgreeAboutWhatAModelSaid(t *testing.T) {
	t.Parallel()
	s := natstest.Run(t)
	b := s.Bus(t, "tidings")
	url, asked := fickle(t)
	one, two := directWith(t, s, rerankBy(url)), directWith(t, s, rerankBy(url))
	r := raw("quelle", "1", 1, nil)
	d := &bus.Delivery{Message: message(t, r), Stream: event.StreamRaw, Sequence: 1, Deliveries: 1, Time: at}
	// Both have the message at the same moment, as after a redelivery that came too early.
	ended := make(chan error, 2)
	for _, a := range []*App{one, two} {
		go func() { ended <- a.handle(t.Context(), d) }()
	}
	for range 2 {
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
	}
	a, first := enriched(t, b, r)
	if n := asked.Load(); n < 1 || n > 2 {
		t.Errorf("%d questions", n)
	}
	if a.Reranked == nil || len(a.Reranked.Order) < 3 || !strings.HasSuffix(tagIDs(a), strings.Join(a.Reranked.Order, " ")) || !strings.HasPrefix(tagIDs(a), "crm presse ") {
		t.Fatalf("tags %q, answer %+v", tagIDs(a), a.Reranked)
	}
	last := a.Tags[len(a.Tags)-1]
	if e := last.Evidence[len(last.Evidence)-1]; e.Source != "llm" || e.Rule != "rerank:m" {
		t.Errorf("evidence %+v", last.Evidence)
	}
	// Handled again it is the same; and a replay under another number of the taxonomy asks nothing, in any replica.
	before := asked.Load()
	for _, a := range []*App{one, two} {
		if err := a.handle(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	if _, m := enriched(t, b, r); m.Sequence != first.Sequence {
		t.Error("handled again, the article was stored again")
	}
	book := opened(t, b)
	hash := one.current.Load().versions.VocabularyHash
	if _, err := book.Import(t.Context(), []string{file(t, "in.csv", "id,lang,pref\nbergbau,de,Bergbau\n")}, false); err != nil {
		t.Fatal(err)
	}
	follows(t, one, hash)
	follows(t, two, hash)
	for _, a := range []*App{one, two} {
		if err := a.handle(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	again, m := enriched(t, b, r)
	if m.Sequence == first.Sequence || again.Versions.Vocabulary <= a.Versions.Vocabulary {
		t.Errorf("the replay stored nothing: %+v", again.Versions)
	}
	if diff := cmp.Diff(a.Tags, again.Tags); diff != "" || asked.Load() != before {
		t.Errorf("%d further questions; tags:\n%s", asked.Load()-before, diff)
	}
}

func TestWithoutAnAnswerTheTagsAreAsTheyWere(t *testing.T) {
	t.Parallel()
	down := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }))
	t.Cleanup(down.Close)
	got := map[string]article.Article{}
	for _, text := range []string{"", rerankBy(down.URL)} {
		s := natstest.Run(t)
		a := directWith(t, s, text)
		r := raw("quelle", "1", 1, nil)
		if err := a.handle(t.Context(), &bus.Delivery{Message: message(t, r), Stream: event.StreamRaw, Sequence: 1, Deliveries: 1, Time: at}); err != nil {
			t.Fatal(err)
		}
		got[text], _ = enriched(t, s.Bus(t, "ingest"), r)
	}
	off, failing := got[""], got[rerankBy(down.URL)]
	if diff := cmp.Diff([]string{"rerank:failed"}, failing.Degraded); diff != "" {
		t.Error(diff)
	}
	failing.Degraded = nil
	if diff := cmp.Diff(off, failing); diff != "" {
		t.Errorf("the failure changed the article:\n%s", diff)
	}
}

func TestOfflineNoModelIsAsked(t *testing.T) {
	t.Parallel()
	list, err := chosen(append(Steps(func() *taxonomy.Matcher { return nil }, nil, nil), rerank.Step{}), "rerank")
	if err != nil || !slices.ContainsFunc(list, func(s pipeline.Step) bool { return s.Name() == "tags" }) {
		t.Errorf("--only rerank gives %d steps, %v", len(list), err)
	}
	url, asked := fickle(t)
	in := file(t, "in.jsonl", `{"id":"1","title":"Künstliche Intelligenz","text":"Die Künstliche Intelligenz verändert den Mittelstand.","language":"de"}`+"\n")
	conf := file(t, "t.yaml", "enrich: {"+rerankBy(url)+"}\n")
	var out, problems strings.Builder
	if code := Offline(t.Context(), []string{"--in", in, "--config", conf}, nil, &out, &problems); code != 0 || asked.Load() != 0 || !strings.Contains(out.String(), "kuenstliche-intelligenz") {
		t.Errorf("exit %d, %d questions, %s%s", code, asked.Load(), out.String(), problems.String())
	}
}
