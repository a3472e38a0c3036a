package app

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/natstest"
	"tidings.internal/services/enrich/internal/taxonomy"
)

// safeLog collects what several goroutines log.
type safeLog struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *safeLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *safeLog) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.buf.String(), text)
}

const refusedEdits = "edits of the taxonomy are refused"

// doc is a configuration whose taxonomy is a file.
func docOf(t *testing.T, table string) *config.Doc {
	t.Helper()
	return config.New("test.yaml", []byte("enrich: {step_budget: 30s, article_budget: 2m}\ntaxonomy: {files: ["+file(t, "themen.csv", table)+"]}\n"), nil)
}

// A file that changed under edits may make a circle of them. They can be taken back all the same, and until then the
// service goes by the files and by what people say.
func TestEditsThatDoNotFitAreTakenBack(t *testing.T) {
	t.Parallel()
	s := natstest.Run(t)
	b := s.Bus(t, "tidings")
	before, after := docOf(t, "id,lang,pref\nwald,de,Wald\nbaum,de,Baum\n"), docOf(t, "id,lang,pref,broader\nwald,de,Wald,baum\nbaum,de,Baum,\n")
	book, err := OpenTaxonomy(t.Context(), b, before)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := book.Import(t.Context(), []string{file(t, "in.csv", "id,lang,pref,broader\nbaum,de,Baum,wald\nlaub,de,Laub,\n")}, false); err != nil {
		t.Fatal(err)
	}

	log := &safeLog{}
	a := directBy(t, s, after, slog.New(slog.NewTextHandler(log, nil)))
	r := raw("quelle", "1", 1, func(r *article.Raw) {
		r.Title, r.Content.Value = "Der Wald wächst", "<p>"+strings.Repeat("Im Wald ist es still, und der Wald wächst. ", 5)+"</p>"
	})
	if got := tagsOf(t, a, b, r, 1); !strings.Contains(strings.Join(got, " "), "wald") {
		t.Errorf("without the edits the tags are %v", got)
	}
	if _, err := OpenTaxonomy(t.Context(), b, after); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "revert") {
		t.Errorf("opened to read: %v", err)
	}
	edit, err := EditTaxonomy(t.Context(), b, after)
	if err != nil {
		t.Fatal(err)
	}
	// What people say is adopted meanwhile, and the refusal is told once.
	if err := edit.Judge(t.Context(), "wald", r.ID, false); err != nil {
		t.Fatal(err)
	}
	wait(t, "the verdict", func() bool { return a.current.Load().matcher.Rejected(r.ID, "wald") })
	if n := log.count(refusedEdits); n != 1 {
		t.Errorf("the refusal was told %d times", n)
	}
	if _, err := edit.Import(t.Context(), []string{file(t, "more.csv", "id,lang,pref\nmoos,de,Moos\n")}, false); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a change that leaves the circle: %v", err)
	}
	if gone, err := edit.Revert(t.Context(), []string{"baum"}); err != nil || len(gone) != 1 {
		t.Fatalf("reverted %v, %v", gone, err)
	}
	wait(t, "the edits that fit", func() bool {
		_, ok := a.current.Load().matcher.Vocabulary().Lookup("laub")
		return ok && a.current.Load().matcher.Rejected(r.ID, "wald")
	})
	if book, err := OpenTaxonomy(t.Context(), b, after); err != nil || len(book.edits.Concepts) != 1 {
		t.Errorf("opened to read: %v", err)
	}
	if n := log.count(refusedEdits); n != 1 {
		t.Errorf("the refusal was told %d times", n)
	}
	// The same circle again is a new refusal; the edits that were in force stay so, in a service that has them.
	book, err = EditTaxonomy(t.Context(), b, before)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := book.Import(t.Context(), []string{file(t, "in.csv", "id,lang,pref,broader\nbaum,de,Baum,wald\n")}, false); err != nil {
		t.Fatal(err)
	}
	wait(t, "the second refusal", func() bool { return log.count(refusedEdits) == 2 })
	if _, ok := a.current.Load().matcher.Vocabulary().Lookup("laub"); !ok {
		t.Error("the former edits went out of force")
	}
}

// Edits of which nothing can be read keep nobody from starting, and can be given up.
func TestEditsThatCannotBeReadAreGivenUp(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(*testing.T, *natstest.Server){
		"malformed": func(t *testing.T, s *natstest.Server) {
			if _, err := s.Bus(t, "tidings").Bucket(event.BucketTaxonomy).Put(t.Context(), taxonomy.EditsKey, []byte("{")); err != nil {
				t.Fatal(err)
			}
		},
		"gone": func(t *testing.T, s *natstest.Server) {
			b := s.Bus(t, "tidings")
			if _, err := opened(t, b).Import(t.Context(), []string{file(t, "in.csv", "id,lang,pref\nmoos,de,Moos\n")}, false); err != nil {
				t.Fatal(err)
			}
			k := b.Bucket(event.BucketTaxonomy)
			parts, err := k.Entries(t.Context(), "edits.>")
			if err != nil || len(parts) != 1 {
				t.Fatalf("parts %v, %v", parts, err)
			}
			if err := k.Purge(t.Context(), parts[0].Key); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := natstest.Run(t)
			b := s.Bus(t, "tidings")
			damage(t, s)
			log := &safeLog{}
			a := directBy(t, s, config.New("test.yaml", nil, nil), slog.New(slog.NewTextHandler(log, nil)))
			if v := a.current.Load().matcher.Vocabulary(); v.Hash() != a.base.Hash() || log.count(refusedEdits) != 1 {
				t.Errorf("started with %d concepts, %d refusals told", v.Len(), log.count(refusedEdits))
			}
			if _, err := OpenTaxonomy(t.Context(), b, config.New("test.yaml", nil, nil)); err == nil || !strings.Contains(err.Error(), "revert --all") {
				t.Errorf("opened to read: %v", err)
			}
			edit, err := EditTaxonomy(t.Context(), b, config.New("test.yaml", nil, nil))
			if err != nil {
				t.Fatal(err)
			}
			in := file(t, "in.csv", "id,lang,pref\nfarn,de,Farn\n")
			if _, err := edit.Import(t.Context(), []string{in}, false); err == nil {
				t.Error("a change wrote over edits that nobody could read")
			}
			if _, err := edit.Revert(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			if _, err := opened(t, b).Import(t.Context(), []string{in}, false); err != nil {
				t.Fatal(err)
			}
			wait(t, "the new edits", func() bool {
				_, ok := a.current.Load().matcher.Vocabulary().Lookup("farn")
				return ok
			})
		})
	}
}

func TestTheNewestAreHeldInARing(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{0: "", 2: "a b", 3: "a b c", 4: "b c d", 8: "f g h"} {
		r := ring{most: 3}
		for i := range n {
			r.add(&article.Article{ID: string(rune('a' + i))})
		}
		var got []string
		r.each(func(a *article.Article) { got = append(got, a.ID) })
		if strings.Join(got, " ") != want || len(r.list) > 3 {
			t.Errorf("of %d it holds %v, want %s", n, got, want)
		}
	}
}
