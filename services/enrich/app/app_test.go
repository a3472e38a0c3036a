package app

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/natstest"
	"tidings.internal/pkg/run"
	"tidings.internal/services/enrich/internal/pipeline"
)

// patience bounds every wait of a test on a busy machine.
const patience = 60 * time.Second

var at = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// start runs a replica of the service until the returned function is called or the test ends.
func start(t *testing.T, s *natstest.Server, more ...pipeline.Step) (stop func()) {
	t.Helper()
	return startBy(t, s, config.New("test.yaml", []byte("enrich: {workers: 4, step_budget: 30s, article_budget: 2m}\n"), nil), more...)
}

// startBy goes by a configuration of the test's own.
func startBy(t *testing.T, s *natstest.Server, doc *config.Doc, more ...pipeline.Step) (stop func()) {
	t.Helper()
	set := read(doc)
	if err := doc.Err(); err != nil {
		t.Fatal(err)
	}
	a, err := build(Deps{Config: doc, Bus: s.Bus(t, Name), Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(), Checks: &run.Checks{}}, set, more)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	stopped := false
	stop = func() {
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
		case <-time.After(patience):
			t.Error("the service did not stop")
		}
	}
	t.Cleanup(stop)
	return stop
}

// raw makes an article of a source.
func raw(source, key string, revision uint64, change func(*article.Raw)) article.Raw {
	r := article.Raw{
		ID: article.NewID(source, key), Revision: revision, Source: article.Source{ID: source, Partition: article.Partition("example.org"), Language: "de", Tags: []string{"CRM", "presse"}},
		URL: "https://example.org/" + source + "/" + key, GUID: key, Title: "Künstliche Intelligenz verändert die Unternehmenskultur",
		Content: &article.Text{Type: article.TextHTML, Value: "<p onclick=x>Die Künstliche Intelligenz ist im Mittelstand angekommen, sagt Eva Muster. <script>alert(1)</script></p><p>Unternehmen brauchen dafür eine neue Unternehmenskultur und Vertrauen.</p>"},
		Fetched: at, FirstSeen: at,
	}
	if change != nil {
		change(&r)
	}
	return r
}

func message(t *testing.T, r article.Raw) event.Message {
	t.Helper()
	subject, err := event.RawSubject(r.Source.Partition, r.Source.ID, r.Backfill)
	if err != nil {
		t.Fatal(err)
	}
	body, err := event.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return event.EncodeBody(subject, event.Envelope{
		Type: event.TypeRaw, ID: event.RawID(r.ID, r.Revision, event.Hash(body)), Source: "ingest", Time: at, Subject: r.URL, Article: r.ID,
		Version: event.Version{Revision: r.Revision, Fence: 1},
	}, body)
}

func send(t *testing.T, b *bus.Bus, messages ...event.Message) {
	t.Helper()
	if err := b.Append(t.Context(), messages); err != nil {
		t.Fatal(err)
	}
}

func subjectOf(t *testing.T, r article.Raw) string {
	t.Helper()
	subject, err := event.EnrichedSubject(r.Source.Partition, r.Source.ID, r.ID)
	if err != nil {
		t.Fatal(err)
	}
	return subject
}

// wait asks until the answer is yes.
func wait(t *testing.T, what string, ask func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(patience)
	for !ask() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// enriched waits for a revision of an article.
func enriched(t *testing.T, b *bus.Bus, r article.Raw) (article.Article, *bus.Record) {
	t.Helper()
	var found *bus.Record
	var a article.Article
	wait(t, "the enriched article "+r.ID, func() bool {
		m, err := b.Last(t.Context(), subjectOf(t, r))
		if err != nil || m == nil || m.Header.Value(event.HeaderType) != event.TypeEnriched {
			return false
		}
		_, x, err := event.DecodeEnriched(m.Message)
		if err != nil {
			t.Fatal(err)
		}
		found, a = m, x
		return a.Revision >= r.Revision
	})
	return a, found
}

func dead(t *testing.T, b *bus.Bus, n int) []bus.DeadLetter {
	t.Helper()
	var list []bus.DeadLetter
	wait(t, fmt.Sprintf("%d dead letters", n), func() bool {
		var err error
		list, err = b.DeadList(t.Context(), bus.DeadFilter{})
		return err == nil && len(list) >= n
	})
	return list
}

// settled waits until every message of RAW was handled.
func settled(t *testing.T, b *bus.Bus) {
	t.Helper()
	wait(t, "RAW to be handled", func() bool {
		for _, c := range []string{event.ConsumerEnrich, event.ConsumerBackfill} {
			if l, err := b.Backlog(t.Context(), event.StreamRaw, c); err != nil || l.Lag() > 0 {
				return false
			}
		}
		return true
	})
}

func TestAnArticleIsEnriched(t *testing.T) {
	t.Parallel()
	s := natstest.Run(t)
	b := s.Bus(t, "ingest")
	start(t, s)
	r := raw("quelle", "1", 1, nil)
	send(t, b, message(t, r))
	a, m := enriched(t, b, r)

	if a.Language.Code != "de" || a.Language.Confidence < 0.9 {
		t.Errorf("language %+v", a.Language)
	}
	if strings.Contains(a.HTML, "script") || strings.Contains(a.HTML, "onclick") || !strings.HasPrefix(a.HTML, "<p>Die Künstliche") {
		t.Errorf("html %q", a.HTML)
	}
	if a.Story.ID != a.ID || a.Story.Relation != article.RelationNew || !a.Story.FirstSeen.Equal(at) {
		t.Errorf("story %+v", a.Story)
	}
	have := map[string]article.Tag{}
	for _, tag := range a.Tags {
		have[tag.ID] = tag
	}
	for _, id := range []string{"crm", "presse", "kuenstliche-intelligenz", "unternehmenskultur"} {
		if _, ok := have[id]; !ok {
			t.Errorf("tag %s is missing from %v", id, have)
		}
	}
	if diff := cmp.Diff([]string{"technologie"}, have["kuenstliche-intelligenz"].Broader); diff != "" {
		t.Error(diff)
	}
	if have["crm"].Kind != article.KindConcept || have["presse"].Kind != article.KindPhrase {
		t.Errorf("kinds of source tags: %s, %s", have["crm"].Kind, have["presse"].Kind)
	}
	if a.Summary == "" || a.ReadingTime == 0 || a.Degraded != nil || a.Extract != "feed" {
		t.Errorf("summary %q, %d s, degraded %v, from %s", a.Summary, a.ReadingTime, a.Degraded, a.Extract)
	}
	env, err := event.Decode(m.Message)
	if err != nil {
		t.Fatal(err)
	}
	want := event.Version{Revision: 1, Fence: 1, RawSequence: 1, Generation: a.Versions.Generation()}
	if env.Version != want || env.ID != event.EnrichedID(r.ID, want) || a.Versions.Vocabulary != 1 {
		t.Errorf("envelope %+v, versions %+v", env, a.Versions)
	}
}

func TestRedeliveryIsIdempotent(t *testing.T) {
	t.Parallel()
	s := natstest.Run(t)
	b := s.Bus(t, "ingest")
	stop := start(t, s)
	r := raw("quelle", "1", 1, nil)
	send(t, b, message(t, r))
	_, first := enriched(t, b, r)
	stop()

	// A replica that never saw the article before handles the very same delivery.
	a := direct(t, s)
	d := &bus.Delivery{Message: message(t, r), Stream: event.StreamRaw, Sequence: 1, Deliveries: 2, Time: at}
	for range 2 {
		if err := a.handle(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	_, second := enriched(t, b, r)
	if second.Sequence != first.Sequence || !bytes.Equal(second.Body, first.Body) {
		t.Errorf("handled again, the article was stored again: sequence %d, then %d", first.Sequence, second.Sequence)
	}
}

// direct makes a service whose handler a test calls itself.
func direct(t testing.TB, s *natstest.Server) *App {
	t.Helper()
	return directWith(t, s, "")
}

// directWith has further keys in the section enrich.
func directWith(t testing.TB, s *natstest.Server, more string) *App {
	t.Helper()
	return directBy(t, s, config.New("test.yaml", []byte("enrich: {step_budget: 30s, article_budget: 2m, "+more+"}\n"), nil), slog.New(slog.DiscardHandler))
}

// directBy goes by a configuration of the test's own.
func directBy(t testing.TB, s *natstest.Server, doc *config.Doc, log *slog.Logger) *App {
	t.Helper()
	a, err := New(t.Context(), Deps{Config: doc, Bus: s.Bus(t, Name), Log: log, Metrics: prometheus.NewRegistry(), Checks: &run.Checks{}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var group errgroup.Group
	group.Go(func() error { return a.stories.Watch(ctx) })
	book := newBook(a)
	group.Go(func() error { return book.follow(ctx) })
	t.Cleanup(func() {
		cancel()
		if err := group.Wait(); err != nil {
			t.Error(err)
		}
	})
	if err := book.ready(ctx); err != nil {
		t.Fatal(err)
	}
	return a
}

func TestTwoReplicasGiveTheSameStory(t *testing.T) {
	t.Parallel()
	s := natstest.Run(t)
	b := s.Bus(t, "ingest")
	start(t, s)
	start(t, s)
	text := strings.Repeat("Am Dienstag hat der Rat beschlossen, den Bahnhof im nächsten Jahr umzubauen und die Gleise zu erneuern. ", 3)
	var list []article.Raw
	var messages []event.Message
	for i := range 20 {
		for _, source := range []string{"eins", "zwei", "drei"} {
			r := raw(source, fmt.Sprint(i), 1, func(r *article.Raw) {
				r.Title = fmt.Sprintf("Bericht %d über den Bahnhof", i)
				r.Content.Value = fmt.Sprintf("<p>Nummer %d. %s</p>", i, text)
			})
			list = append(list, r)
			messages = append(messages, message(t, r))
		}
	}
	send(t, b, messages...)
	stories := map[string]map[string]bool{}
	for _, r := range list {
		a, _ := enriched(t, b, r)
		if stories[r.Title] == nil {
			stories[r.Title] = map[string]bool{}
		}
		stories[r.Title][a.Story.ID] = true
	}
	for title, ids := range stories {
		if len(ids) != 1 {
			t.Errorf("%s has the stories %v", title, ids)
		}
	}
}

func TestAnEditKeepsItsStoryAndLeavesOneClaim(t *testing.T) {
	t.Parallel()
	s := natstest.Run(t)
	b := s.Bus(t, "ingest")
	start(t, s)
	first := raw("quelle", "1", 1, nil)
	send(t, b, message(t, first))
	enriched(t, b, first)
	second := raw("quelle", "1", 2, func(r *article.Raw) {
		r.Title, r.URL = "Ganz anders", "https://example.org/neu"
		r.Content.Value = "<p>Ein völlig anderer Text.</p>"
	})
	send(t, b, message(t, second))
	a, _ := enriched(t, b, second)
	if a.Story.ID != first.ID || a.Title != "Ganz anders" {
		t.Errorf("story %s of revision %d, title %q", a.Story.ID, a.Revision, a.Title)
	}
	settled(t, b)
	entries, err := b.Bucket(event.BucketStories).Entries(t.Context(), "claim.>")
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 || !strings.HasSuffix(entries[0].Key, ".2") {
		t.Errorf("claims left: %v", entries)
	}
	copied := raw("andere", "9", 1, func(r *article.Raw) { r.URL = first.URL })
	send(t, b, message(t, copied))
	if a, _ := enriched(t, b, copied); a.Story.ID != first.ID || a.Story.Relation != article.RelationExact {
		t.Errorf("a copy under the old URL has the story %+v", a.Story)
	}
}

func TestTombstonePassesThrough(t *testing.T) {
	t.Parallel()
	s := natstest.Run(t)
	b := s.Bus(t, "ingest")
	start(t, s)
	r := raw("quelle", "1", 1, nil)
	send(t, b, message(t, r))
	enriched(t, b, r)
	subject, err := event.RawSubject(r.Source.Partition, r.Source.ID, false)
	if err != nil {
		t.Fatal(err)
	}
	m, err := event.Encode(subject, event.Envelope{Type: event.TypeDeleted, ID: event.RawID(r.ID, 2, "deleted0"), Source: "ingest", Time: at, Article: r.ID,
		Version: event.Version{Revision: 2, Fence: 1}}, event.Deleted{ID: r.ID, Source: r.Source.ID, Revision: 2, Reason: event.DeletedBySource, Time: at})
	if err != nil {
		t.Fatal(err)
	}
	send(t, b, m)
	var last *bus.Record
	wait(t, "the tombstone", func() bool {
		last, err = b.Last(t.Context(), subjectOf(t, r))
		return err == nil && last != nil && last.Header.Value(event.HeaderType) == event.TypeDeleted
	})
	_, gone, err := event.DecodeDeleted(last.Message)
	if err != nil || gone.Story != r.ID || gone.Reason != event.DeletedBySource {
		t.Errorf("tombstone %+v, %v", gone, err)
	}
	back := raw("quelle", "neu", 1, func(o *article.Raw) { o.URL = r.URL })
	send(t, b, message(t, back))
	if a, _ := enriched(t, b, back); a.Story.ID != r.ID {
		t.Errorf("the same report came back as a new story %s", a.Story.ID)
	}
}

func TestPoisonBecomesADeadLetter(t *testing.T) {
	t.Parallel()
	s := natstest.Run(t)
	b := s.Bus(t, "ingest")
	start(t, s)
	good := raw("quelle", "gut", 1, nil)
	bad := message(t, raw("quelle", "schlecht", 1, nil))
	bad.Body = []byte(`{"id":`)
	bad.Header.Set(event.HeaderHash, event.Hash(bad.Body))
	send(t, b, bad, message(t, good))
	enriched(t, b, good)
	if list := dead(t, b, 1); len(list) != 1 || list[0].Service != Name || list[0].Reason != deadEnvelope {
		t.Errorf("dead letters %+v", list)
	}
}

// The broker hands a message out six times, in three and a half minutes: here the handler is called as it would be then.
func TestAMissingBlobBecomesADeadLetterAtLast(t *testing.T) {
	t.Parallel()
	s := natstest.Run(t)
	b := s.Bus(t, "ingest")
	a := direct(t, s)
	text := "<p>Ein langer Text, der erst später da ist.</p>"
	gone := article.Blob{Name: "2026w18-" + strings.Repeat("0", 64), Bytes: 5, SHA256: strings.Repeat("0", 64)}
	for name, m := range map[string]event.Message{
		"alone": message(t, raw("quelle", "1", 1, func(r *article.Raw) { r.Content = &article.Text{Type: article.TextHTML, Blob: &gone} })),
		"page":  message(t, raw("quelle", "2", 1, func(r *article.Raw) { r.Page = &article.Page{URL: r.URL, Status: 200, Blob: &gone} })),
	} {
		d := &bus.Delivery{Message: m, Stream: event.StreamRaw, Sequence: 1, Time: at}
		for d.Deliveries = 1; d.Deliveries < blobTries; d.Deliveries++ {
			if err := a.handle(t.Context(), d); fault.KindOf(err) != fault.Unreachable {
				t.Fatalf("%s, delivery %d: %v", name, d.Deliveries, err)
			}
		}
		if err := a.handle(t.Context(), d); fault.KindOf(err) != fault.Gone {
			t.Errorf("%s, delivery %d: %v", name, d.Deliveries, err)
		}
	}
	// In a batch it alone becomes one, and only then.
	r := raw("quelle", "4", 1, func(r *article.Raw) {
		r.Backfill, r.Content = true, &article.Text{Type: article.TextHTML, Blob: &gone}
	})
	body, err := event.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	subject, err := event.RawSubject(r.Source.Partition, "quelle", true)
	if err != nil {
		t.Fatal(err)
	}
	member := event.BatchMember{ID: event.RawID(r.ID, 1, event.Hash(body)), Revision: 1, Fence: 1, Hash: event.Hash(body), Article: body}
	m, err := event.Encode(subject, event.Envelope{Type: event.TypeBatch, ID: member.ID + ".batch", Source: "ingest", Time: at}, event.Batch{member})
	if err != nil {
		t.Fatal(err)
	}
	d := &bus.Delivery{Message: m, Stream: event.StreamRaw, Sequence: 2, Deliveries: blobTries - 1, Time: at}
	if err := a.handle(t.Context(), d); fault.KindOf(err) != fault.Unreachable {
		t.Errorf("in a batch: %v", err)
	}
	d.Deliveries++
	if err := a.handle(t.Context(), d); err != nil {
		t.Errorf("in a batch: %v", err)
	}
	if list := dead(t, b, 1); len(list) != 1 || list[0].Reason != deadBlob {
		t.Errorf("dead letters %+v", list)
	}
	// One that comes late is taken.
	ref, err := b.PutBlob(t.Context(), []byte(text), at)
	if err != nil {
		t.Fatal(err)
	}
	r = raw("quelle", "3", 1, func(r *article.Raw) { r.Content = &article.Text{Type: article.TextHTML, Blob: &ref} })
	if err := a.handle(t.Context(), &bus.Delivery{Message: message(t, r), Stream: event.StreamRaw, Sequence: 3, Deliveries: 3, Time: at}); err != nil {
		t.Fatal(err)
	}
	if x, _ := enriched(t, b, r); !strings.Contains(x.Text, "erst später") {
		t.Errorf("text %q", x.Text)
	}
}

func TestLongTextsTravelAsBlobs(t *testing.T) {
	t.Parallel()
	s := natstest.Run(t)
	b := s.Bus(t, "ingest")
	start(t, s)
	long := strings.Repeat("<p>Ein langer Absatz über die Bahn, der sich oft wiederholt.</p>", 6000)
	ref, err := b.PutBlob(t.Context(), []byte(long), at)
	if err != nil {
		t.Fatal(err)
	}
	r := raw("quelle", "1", 1, func(r *article.Raw) { r.Content = &article.Text{Type: article.TextHTML, Blob: &ref} })
	send(t, b, message(t, r))
	a, _ := enriched(t, b, r)
	if a.HTML != "" || a.HTMLBlob == nil || a.TextBlob == nil {
		t.Fatalf("html %d bytes inline, blob %v", len(a.HTML), a.HTMLBlob)
	}
	data, err := b.ReadBlob(t.Context(), *a.HTMLBlob)
	if err != nil || string(data) != long {
		t.Errorf("the blob holds %d bytes, want %d: %v", len(data), len(long), err)
	}
}

func TestABatchLosesItsBadMemberOnly(t *testing.T) {
	t.Parallel()
	s := natstest.Run(t)
	b := s.Bus(t, "ingest")
	start(t, s)
	var batch event.Batch
	var list []article.Raw
	for i := range 3 {
		r := raw("quelle", fmt.Sprint(i), 1, func(r *article.Raw) { r.Backfill, r.Title = true, fmt.Sprintf("Artikel Nummer %d", i) })
		body, err := event.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		one := event.BatchMember{ID: event.RawID(r.ID, 1, event.Hash(body)), Revision: 1, Fence: 1, Hash: event.Hash(body), Article: body}
		if i == 1 {
			one.Hash = event.Hash([]byte("another"))
		}
		list, batch = append(list, r), append(batch, one)
	}
	subject, err := event.RawSubject(list[0].Source.Partition, "quelle", true)
	if err != nil {
		t.Fatal(err)
	}
	m, err := event.Encode(subject, event.Envelope{Type: event.TypeBatch, ID: batch[0].ID + ".batch", Source: "ingest", Time: at}, batch)
	if err != nil {
		t.Fatal(err)
	}
	send(t, b, m)
	for _, i := range []int{0, 2} {
		if a, _ := enriched(t, b, list[i]); !a.Backfill {
			t.Errorf("member %d lost its mark", i)
		}
	}
	letters := dead(t, b, 1)
	if len(letters) != 1 || letters[0].Reason != deadEnvelope {
		t.Errorf("dead letters %+v", letters)
	}
}

// faulty is a step that fails as it is told.
type faulty struct{ run func(context.Context) error }

func (faulty) Name() string                                       { return "faulty" }
func (f faulty) Run(ctx context.Context, _ *pipeline.Draft) error { return f.run(ctx) }
func (faulty) Degrade(*pipeline.Draft)                            {}

func TestAnOlderRevisionDoesNotComeBack(t *testing.T) {
	t.Parallel()
	s := natstest.Run(t)
	b := s.Bus(t, "ingest")
	start(t, s)
	second := raw("quelle", "1", 2, nil)
	send(t, b, message(t, second))
	_, stored := enriched(t, b, second)
	send(t, b, message(t, raw("quelle", "1", 1, nil)))
	settled(t, b)
	a, last := enriched(t, b, second)
	if a.Revision != 2 || last.Sequence != stored.Sequence {
		t.Errorf("revision %d at sequence %d, was at %d", a.Revision, last.Sequence, stored.Sequence)
	}
}

func TestTheServiceOutlivesItsBroker(t *testing.T) {
	t.Parallel()
	s := natstest.Run(t)
	b := s.Bus(t, "ingest")
	start(t, s)
	first := raw("quelle", "1", 1, nil)
	send(t, b, message(t, first))
	enriched(t, b, first)
	s.Stop()
	s.Start(t)
	second := raw("quelle", "2", 1, func(r *article.Raw) { r.Title = "Nach dem Neustart" })
	wait(t, "the broker to take a message", func() bool { return b.Append(t.Context(), []event.Message{message(t, second)}) == nil })
	enriched(t, b, second)
}

// What the page of an article says is judged by the rules of its source, too; the rules are handed on to nobody.
func TestAnArticleIsLeftOutOnceItsWholeTextIsThere(t *testing.T) {
	t.Parallel()
	s := natstest.Run(t)
	b := s.Bus(t, "ingest")
	start(t, s)
	rules := func(r *article.Raw) { r.Source.Filters = &article.Filters{Drop: []string{"content ~ gesponsert"}} }
	page := func(text string) func(*article.Raw) {
		return func(r *article.Raw) {
			rules(r)
			r.Content = &article.Text{Type: article.TextHTML, Value: "<p>Künstliche Intelligenz verändert die Unternehmenskultur …</p>"}
			body := "<p>" + strings.Repeat("Die Künstliche Intelligenz ist im Mittelstand angekommen, sagt Eva Muster. ", 8) + "</p><p>" + text + "</p>"
			r.Page = &article.Page{URL: r.URL, Status: 200, ContentType: "text/html; charset=utf-8", Body: "<!doctype html><html><body><article><h1>" + r.Title + "</h1>" + body + "</article></body></html>"}
		}
	}
	paid, free := raw("blog", "paid", 1, page("Der Hersteller Nord hat die Reise und den Text gesponsert, wie die Redaktion dazu schreibt.")), raw("blog", "free", 1, page("Die Redaktion hat die Reise selbst bezahlt und ist frei von fremden Mitteln geblieben."))
	send(t, b, message(t, paid), message(t, free))
	var m *bus.Record
	wait(t, "the one that is free", func() bool {
		var err error
		m, err = b.Last(t.Context(), subjectOf(t, free))
		return err == nil && m != nil
	})
	_, a, err := event.DecodeEnriched(m.Message)
	if err != nil || a.Source.Filters != nil || !strings.Contains(a.Text, "fremden Mitteln") {
		t.Errorf("the article is %+v, %v", a, err)
	}
	wait(t, "both to be handled", func() bool {
		backlog, err := b.Backlog(t.Context(), event.StreamRaw, event.ConsumerEnrich)
		return err == nil && backlog.Lag() == 0
	})
	if m, err := b.Last(t.Context(), subjectOf(t, paid)); err != nil || m != nil {
		t.Errorf("the sponsored article is there: %v, %v", m, err)
	}
}
