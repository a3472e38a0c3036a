package e2e

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/natstest"
	"tidings.internal/pkg/run"
	enrich "tidings.internal/services/enrich/app"
	publish "tidings.internal/services/publish/app"
)

// A thousand articles are tagged anew by a changed taxonomy: each gets the new tag, none another story or revision, and no
// post is composed for anybody.
func TestTaggingAThousandAnewMovesNoStoryAndPostsNothing(t *testing.T) {
	t.Parallel()
	const articles = 1000
	s := natstest.Listening(t)
	b := s.Bus(t, "tidings")
	doc := func() *config.Doc { // a document is read by one program
		return config.New("test.yaml", fmt.Appendf(nil, `
admin: {listen: "127.0.0.1:0"}
nats: {url: %q}
enrich: {step_budget: 30s, article_budget: 2m}
publish: {listen: "127.0.0.1:0"}
channels: [{id: short, network: x, emit: only}]
`, s.URL()), nil)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	t.Cleanup(func() { cancel(); group.Wait() })
	ready := make(chan struct{}, 2)
	for _, p := range []run.Program{enrich.Program(), publish.Program()} {
		group.Go(func() {
			o := run.Options{Doc: doc(), Data: t.TempDir(), Stdout: io.Discard, Stderr: io.Discard, Ready: func(string) { ready <- struct{}{} }}
			if err := run.Start(ctx, p, o); err != nil {
				t.Errorf("%s ended: %v", p.Name, err)
			}
		})
	}
	for range 2 {
		select {
		case <-ready:
		case <-time.After(40 * time.Second):
			t.Fatal("not both programs are ready")
		}
	}
	sendArticles(t, b, articles)
	// The composer is done once it has taken every article.
	quiet := func(what string) {
		within(t, 2*time.Minute, what, func() (bool, string) {
			raws, err := b.Backlog(t.Context(), event.StreamRaw, event.ConsumerEnrich)
			if err != nil || raws.Lag() > 0 {
				return false, fmt.Sprint(raws, err)
			}
			posts, err := b.Backlog(t.Context(), event.StreamArticles, event.ConsumerComposer)
			return err == nil && posts.Lag() == 0, fmt.Sprint(posts, err)
		})
	}
	quiet("all to be composed")
	before, posts := articlesOf(t, b), state(t, b, event.StreamPosts)
	if len(before) != articles || posts.Messages < articles/2 {
		t.Fatalf("%d articles, %d posts", len(before), posts.Messages)
	}

	book, err := enrich.OpenTaxonomy(t.Context(), b, doc())
	if err != nil {
		t.Fatal(err)
	}
	file := t.TempDir() + "/in.csv"
	write(t, file, "id,lang,pref,alt\nkuchen,de,Kuchen,Feuerwehrkuchen\n")
	if _, err := book.Import(t.Context(), []string{file}, false); err != nil {
		t.Fatal(err)
	}
	// An article that comes from now on shows when the change is in force.
	more := 0
	within(t, 30*time.Second, "the change", func() (bool, string) {
		more++
		m := rawMessage(t, articles+more)
		if err := b.Append(t.Context(), []event.Message{m}); err != nil {
			return false, err.Error()
		}
		quiet("one more")
		got := articlesOf(t, b)[article.NewID("quelle", fmt.Sprint(articles+more))]
		return hasTag(got, "kuchen"), fmt.Sprint(got.Tags)
	})
	posts = state(t, b, event.StreamPosts)
	if _, err := b.StartReplay(t.Context(), event.Replay{Since: time.Now().Add(-time.Hour)}); err != nil {
		t.Fatal(err)
	}
	within(t, 2*time.Minute, "the end of the replay", func() (bool, string) {
		r, found, err := b.Replaying(t.Context())
		return err == nil && found && r.Finished(), fmt.Sprint(r, err)
	})
	if err := b.EndReplay(t.Context()); err != nil {
		t.Fatal(err)
	}
	quiet("the replay to be composed")
	after := articlesOf(t, b)
	for id, was := range before {
		is := after[id]
		if is.Story.ID != was.Story.ID || is.Story.Relation != was.Story.Relation || is.Revision != was.Revision {
			t.Errorf("article %s: story %+v of revision %d became %+v of %d", id, was.Story, was.Revision, is.Story, is.Revision)
		}
		if !hasTag(is, "kuchen") || is.Versions.Vocabulary <= was.Versions.Vocabulary {
			t.Fatalf("article %s was not tagged anew: %+v, %+v", id, is.Versions, is.Tags)
		}
	}
	if now := state(t, b, event.StreamPosts); now.Messages != posts.Messages || now.Last != posts.Last {
		t.Errorf("the replay composed posts: %+v, before %+v", now, posts)
	}
}

func hasTag(a article.Article, id string) bool {
	for _, t := range a.Tags {
		if t.ID == id {
			return true
		}
	}
	return false
}

func state(t *testing.T, b *bus.Bus, stream string) bus.StreamState {
	t.Helper()
	s, err := b.StreamState(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// articlesOf reads all articles by their ids.
func articlesOf(t *testing.T, b *bus.Bus) map[string]article.Article {
	t.Helper()
	list := map[string]article.Article{}
	err := b.Read(t.Context(), event.StreamArticles, func(r bus.Record) error {
		_, a, err := event.DecodeEnriched(r.Message)
		list[a.ID] = a
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// sendArticles puts raw articles on the bus, every fifth a copy of the one before under an address of its own.
func sendArticles(t *testing.T, b *bus.Bus, n int) {
	t.Helper()
	var list []event.Message
	for i := range n {
		list = append(list, rawMessage(t, i))
		if len(list) == 100 || i == n-1 {
			if err := b.Append(t.Context(), list); err != nil {
				t.Fatal(err)
			}
			list = nil
		}
	}
}

func rawMessage(t *testing.T, i int) event.Message {
	t.Helper()
	report := i
	if i%5 == 4 {
		report--
	}
	now := time.Now().UTC().Truncate(time.Second)
	var text strings.Builder
	for k := range 40 {
		fmt.Fprintf(&text, "Satz%d%c über Ort%d. ", report*31+k*k, 'a'+rune(k%26), report*17+k)
	}
	key := fmt.Sprint(i)
	r := article.Raw{
		ID: article.NewID("quelle", key), Revision: 1, Source: article.Source{ID: "quelle", Partition: article.Partition("example.org"), Language: "de"},
		URL: "https://example.org/" + key, GUID: key, Title: fmt.Sprintf("Feuerwehrkuchen, Folge %d", report), Fetched: now, FirstSeen: now,
		Content: &article.Text{Type: article.TextHTML, Value: "<p>Am Samstag gab es Feuerwehrkuchen, und der Feuerwehrkuchen war gut. " + text.String() + "</p>"},
	}
	subject, err := event.RawSubject(r.Source.Partition, r.Source.ID, false)
	if err != nil {
		t.Fatal(err)
	}
	body, err := event.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return event.EncodeBody(subject, event.Envelope{Type: event.TypeRaw, ID: event.RawID(r.ID, 1, event.Hash(body)), Source: "ingest", Time: now, Subject: r.URL, Article: r.ID,
		Version: event.Version{Revision: 1, Fence: 1}}, body)
}
