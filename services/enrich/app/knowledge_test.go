package app

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/natstest"
	"tidings.internal/pkg/run"
	"tidings.internal/services/enrich/internal/pipeline"
	"tidings.internal/services/enrich/internal/repeats"
)

// promotion is what the fixture host puts into all its articles; no list of words knows it.
const promotion = "Mehr über die Arbeit der Redaktion erzählt jeden Donnerstag unsere Runde im Kulturhaus am Markt."

// visit is one of the articles of a host, each of them a report of its own.
func visit(n int) article.Raw {
	places := []string{"im Hafen", "auf dem Berg", "am Bahnhof", "in der Schule", "beim Turnverein", "auf der Insel", "im Rathaus", "an der Mühle"}
	return raw("hausblatt", fmt.Sprint(n), 1, func(r *article.Raw) {
		place := places[n%len(places)]
		r.URL = fmt.Sprintf("https://www.hausblatt.example/%d", n)
		r.Title = fmt.Sprintf("Ein Besuch %s zum %d. Mal", place, n)
		r.Content.Value = fmt.Sprintf("<p>Wer %s steht, sieht zuerst die %d alten Lampen und erst danach die Leute, die dort seit Jahren arbeiten.</p><p>Nummer %d von ihnen %s heißt Kranführer und hat nie etwas anderes werden wollen.</p><p>%s</p>",
			place, n+2, n, place, promotion)
	})
}

// learning makes a replica that does not run yet.
func learning(t *testing.T, s *natstest.Server) *App {
	t.Helper()
	doc := config.New("test.yaml", []byte("enrich: {workers: 4, step_budget: 30s, article_budget: 2m}\n"), nil)
	a, err := build(Deps{Config: doc, Bus: s.Bus(t, Name), Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(), Checks: &run.Checks{}}, read(doc), nil)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// learner runs a replica whose hours pass as fast as the test wants.
func learner(t *testing.T, s *natstest.Server, passed *atomic.Int64) (*App, func()) {
	t.Helper()
	a := learning(t, s)
	a.learnEvery = 10 * time.Millisecond
	a.now = func() time.Time { return time.Now().Add(time.Duration(passed.Load()) * time.Hour) }
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	stopped := false
	stop := func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the service ended with %v", err)
		}
	}
	t.Cleanup(stop)
	return a, stop
}

func TestReplicasAdoptWhatTheArticlesOfAHostHaveInCommon(t *testing.T) {
	t.Parallel()
	s := natstest.Run(t)
	b := s.Bus(t, "tidings")
	var passed atomic.Int64
	one, stopOne := learner(t, s, &passed)
	two, stopTwo := learner(t, s, &passed)
	for n := range 3 {
		r := visit(n)
		send(t, b, message(t, r))
		if a, _ := enriched(t, b, r); !strings.Contains(a.Text, promotion) || len(a.Blocks) == 0 || a.Versions.Knowledge != "" {
			t.Errorf("article %d, of which nothing is known: blocks %d, knowledge %q, text %q", n, len(a.Blocks), a.Versions.Knowledge, a.Text)
		}
	}
	wait(t, "both replicas to adopt the same", func() bool {
		passed.Add(1)
		x, y := one.current.Load().known, two.current.Load().known
		return x.Len() > 0 && x.Version() == y.Version()
	})
	version := one.current.Load().known.Version()
	r := visit(3)
	send(t, b, message(t, r))
	a, _ := enriched(t, b, r)
	if strings.Contains(a.Text, "Redaktion") || strings.Contains(a.HTML, "Redaktion") || !strings.Contains(a.Text, "Kranführer") {
		t.Errorf("the fourth article still has what all have, or has lost its own: %q", a.Text)
	}
	if a.Versions.Knowledge != version {
		t.Errorf("knowledge %q, want %q", a.Versions.Knowledge, version)
	}

	// A replica that starts works with what the others work with from its first article on.
	stopOne()
	stopTwo()
	three, _ := learner(t, s, &passed)
	r = visit(4)
	send(t, b, message(t, r))
	if a, _ := enriched(t, b, r); strings.Contains(a.Text, "Redaktion") || a.Versions.Knowledge == "" {
		t.Errorf("after a restart: knowledge %q, text %q", a.Versions.Knowledge, a.Text)
	}

	// A takedown empties the store. What is in force stays, and the next look writes anew.
	if _, err := b.Takedown(t.Context(), visit(0).ID); err != nil {
		t.Fatal(err)
	}
	wait(t, "the snapshot to be written anew", func() bool {
		_, ok, err := b.SnapshotTime(t.Context(), event.KnowledgeSnapshot(three.now()))
		return err == nil && ok
	})
	if three.current.Load().known.Len() == 0 {
		t.Error("what was known is gone with the store")
	}
}

func TestTheHourOfASnapshotIsWrittenOnce(t *testing.T) {
	t.Parallel()
	s := natstest.Run(t)
	b := s.Bus(t, "tidings")
	a := learning(t, s)
	k := newKnowledge(a)
	k.Reset("start")
	now := time.Now().Add(100 * time.Hour)
	if err := k.keep(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := b.SnapshotTime(t.Context(), event.KnowledgeSnapshot(now)); ok || err != nil {
		t.Errorf("a fold that is not complete was written: %v, %v", ok, err)
	}
	k.CaughtUp(event.Applied{})
	if err := k.keep(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	// It is a hundred hours old by the clock of this replica, so the next look takes it.
	if err := k.keep(t.Context(), now); err != nil || k.adopted != event.KnowledgeSnapshot(now) {
		t.Errorf("adopted %q, %v", k.adopted, err)
	}
	// A snapshot of another version is passed over, and what is in force stays.
	later := now.Add(time.Hour)
	if err := b.PutSnapshot(t.Context(), event.KnowledgeSnapshot(later), []byte(`{"format":99}`)); err != nil {
		t.Fatal(err)
	}
	before := a.current.Load()
	if err := k.keep(t.Context(), later); err == nil || a.current.Load() != before {
		t.Errorf("a snapshot of another version: %v", err)
	}
}

func TestWhatARunLearnsDoesNotDependOnItsWorkers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var in strings.Builder
	for n := range 20 {
		r := visit(n)
		line, err := json.Marshal(map[string]any{"id": fmt.Sprint(n), "url": r.URL, "title": r.Title, "html": r.Content.Value, "fetched": at})
		if err != nil {
			t.Fatal(err)
		}
		in.Write(append(line, '\n'))
	}
	file := filepath.Join(dir, "in.jsonl")
	if err := os.WriteFile(file, []byte(in.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	result := func(args ...string) string {
		var out, bad strings.Builder
		if code := Offline(t.Context(), append([]string{"--in", file}, args...), nil, &out, &bad); code != 0 {
			t.Fatalf("exit %d: %s", code, bad.String())
		}
		return out.String()
	}
	if n := strings.Count(result(), "Kulturhaus am Markt"); n < 20 {
		t.Errorf("without --learn %d of 20 articles have their paragraph", n)
	}
	one := result("--learn", "--workers", "1")
	if one != result("--learn", "--workers", "7") {
		t.Error("the number of workers changes what is learnt")
	}
	for i, line := range strings.Split(strings.TrimSpace(one), "\n") {
		var row struct{ Text string }
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatal(err)
		}
		if has := strings.Contains(row.Text, promotion); has != (i < lesson) {
			t.Errorf("row %d has the paragraph of all: %v", i, has)
		}
	}
	var out, bad strings.Builder
	if code := Offline(t.Context(), []string{"--in", file, "--learn", "--knowledge", file}, nil, &out, &bad); code != 2 {
		t.Errorf("both --learn and --knowledge: exit %d", code)
	}
	if code := Offline(t.Context(), []string{"--in", file, "--knowledge", file}, nil, &out, &bad); code != 2 || !strings.Contains(bad.String(), "read knowledge") {
		t.Errorf("a file that is no knowledge: exit %d, %s", code, bad.String())
	}
}

// wordless is an article of a source of which nothing tells the language.
func wordless(n int) article.Raw {
	return raw("funkhaus", fmt.Sprint("w", n), 1, func(r *article.Raw) {
		r.URL, r.Source.Language, r.Source.Tags = fmt.Sprintf("https://funkhaus.example/w%d", n), "", nil
		r.Title, r.Content = fmt.Sprintf("Podcast %d", n), nil
	})
}

func TestReplicasAdoptTheLanguageOfASource(t *testing.T) {
	t.Parallel()
	s := natstest.Run(t)
	b := s.Bus(t, "tidings")
	var passed atomic.Int64
	one, stopOne := learner(t, s, &passed)
	two, stopTwo := learner(t, s, &passed)
	before := wordless(1)
	send(t, b, message(t, before))
	alone, _ := enriched(t, b, before)
	if alone.Language.Code == "de" {
		t.Fatalf("%q alone is %+v", before.Title, alone.Language)
	}
	for n := range 6 {
		r := visit(n)
		r.ID, r.URL = article.NewID("funkhaus", fmt.Sprint(n)), fmt.Sprintf("https://funkhaus.example/%d", n)
		r.Source.ID, r.Source.Language = "funkhaus", ""
		send(t, b, message(t, r))
		if a, _ := enriched(t, b, r); a.Language.Code != "de" || a.Language.Confidence < 0.9 {
			t.Fatalf("article %d is %+v", n, a.Language)
		}
	}
	spoken := func(a *App) map[string]int { return a.current.Load().known.Spoken("funkhaus") }
	wait(t, "both replicas to adopt the language of the source", func() bool {
		passed.Add(1)
		return spoken(one)["de"] == 6 && spoken(two)["de"] == 6 && one.current.Load().known.Version() == two.current.Load().known.Version()
	})
	version := one.current.Load().known.Version()
	r := wordless(2)
	send(t, b, message(t, r))
	first, _ := enriched(t, b, r)
	if first.Language.Code != "de" || first.Versions.Knowledge != version {
		t.Errorf("of a source that writes German: %+v with knowledge %q, want %q", first.Language, first.Versions.Knowledge, version)
	}
	anew := func(a *App) {
		t.Helper()
		d := pipeline.NewDraft(&r, nil)
		now := a.current.Load()
		if err := now.runner.Run(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		if now.known.Version() != version || d.Article.Language != first.Language {
			t.Errorf("with the knowledge %q a replica gives %+v, with %q another gave %+v",
				now.known.Version(), d.Article.Language, version, first.Language)
		}
	}
	anew(one)
	anew(two)

	// A replica that starts folds ARTICLES anew and comes to know the same: the titles teach nothing, for they were told by
	// what was known.
	stopOne()
	stopTwo()
	passed.Add(1)
	hour := event.KnowledgeSnapshot(time.Now().Add(time.Duration(passed.Load()) * time.Hour))
	three, stopThree := learner(t, s, &passed)
	wait(t, "the third replica to write what it folded", func() bool {
		_, ok, err := b.SnapshotTime(t.Context(), hour)
		return err == nil && ok
	})
	data, err := b.ReadSnapshot(t.Context(), hour)
	if err != nil {
		t.Fatal(err)
	}
	if folded, err := repeats.Decode(data); err != nil || folded.Version() != version {
		t.Errorf("folded anew it is %q, %v; want %q", folded.Version(), err, version)
	}
	wait(t, "the third replica to work with it", func() bool { return three.current.Load().versions.Knowledge == version })
	anew(three)

	if _, err := b.Takedown(t.Context(), article.NewID("funkhaus", "0")); err != nil {
		t.Fatal(err)
	}
	wait(t, "an article that was taken down to count no more", func() bool {
		passed.Add(1)
		return spoken(three)["de"] == 5
	})
	stopThree()
}

func TestARunLearnsTheLanguagesOfItsSources(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var in strings.Builder
	memory := repeats.NewMemory()
	for n := range 3 * lesson {
		r := visit(n)
		row := map[string]any{"id": fmt.Sprint(n), "url": r.URL, "title": r.Title, "html": r.Content.Value, "source": "haus"}
		if n%lesson == lesson-1 {
			row = map[string]any{"id": fmt.Sprint(n), "url": r.URL, "title": fmt.Sprintf("Podcast %d", n), "source": "haus"}
		}
		line, err := json.Marshal(row)
		if err != nil {
			t.Fatal(err)
		}
		in.Write(append(line, '\n'))
		memory.Learn(repeats.Seen{Article: fmt.Sprint(n), Source: "haus", Sequence: uint64(n + 1), Language: "de"})
	}
	snapshot := filepath.Join(dir, "knowledge")
	if err := os.WriteFile(snapshot, memory.Known().Encode(), 0o600); err != nil {
		t.Fatal(err)
	}
	codes := func(args ...string) (list []string, whole string) {
		var out, bad strings.Builder
		if code := Offline(t.Context(), append([]string{"--in", "-"}, args...), strings.NewReader(in.String()), &out, &bad); code != 0 {
			t.Fatalf("exit %d: %s", code, bad.String())
		}
		for line := range strings.Lines(out.String()) {
			var row enrichedRow
			if err := json.Unmarshal([]byte(line), &row); err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(row.Title, "Podcast") {
				list = append(list, row.Language.Code)
			}
		}
		return list, out.String()
	}
	if got, _ := codes(); got[0] == "de" || got[2] == "de" {
		t.Errorf("without knowledge the titles are %v", got)
	}
	if got, _ := codes("--knowledge", snapshot); got[0] != "de" || got[2] != "de" {
		t.Errorf("with a snapshot the titles are %v", got)
	}
	got, one := codes("--learn", "--workers", "1")
	if got[0] == "de" || got[1] != "de" || got[2] != "de" {
		t.Errorf("with --learn the titles are %v; the first lesson knows nothing", got)
	}
	if _, seven := codes("--learn", "--workers", "7"); seven != one {
		t.Error("the number of workers changes what is learnt")
	}
}
