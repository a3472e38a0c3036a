package app

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/natstest"
)

// opened reads the taxonomy as an operator does.
func opened(t *testing.T, b *bus.Bus) *TaxonomyBook {
	t.Helper()
	book, err := OpenTaxonomy(t.Context(), b, config.New("test.yaml", nil, nil))
	if err != nil {
		t.Fatal(err)
	}
	return book
}

func file(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// follows waits until a replica goes by another vocabulary than before.
func follows(t testing.TB, a *App, before string) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for a.current.Load().versions.VocabularyHash == before {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("a replica does not follow a change of the taxonomy")
		}
	}
}

// tagsOf has a replica handle an article as it would on a replay, and gives the concepts that it has then.
func tagsOf(t *testing.T, a *App, b *bus.Bus, r article.Raw, sequence uint64) []string {
	t.Helper()
	if err := a.handle(t.Context(), &bus.Delivery{Message: message(t, r), Stream: event.StreamRaw, Sequence: sequence, Deliveries: 1, Time: at}); err != nil {
		t.Fatal(err)
	}
	x, _ := enriched(t, b, r)
	var list []string
	for _, tag := range x.Tags {
		list = append(list, tag.ID)
	}
	return list
}

func TestAChangedTaxonomyIsInForceInEveryReplica(t *testing.T) {
	t.Parallel()
	s := natstest.Run(t)
	b := s.Bus(t, "tidings")
	one, two := direct(t, s), direct(t, s)
	r := raw("quelle", "1", 1, func(r *article.Raw) {
		r.Title = "Der Feuerwehrkuchen ist zurück"
		r.Content.Value = "<p>" + strings.Repeat("Am Samstag gab es wieder Feuerwehrkuchen auf dem Platz, und alle kamen. ", 10) + "</p>"
	})
	if got := tagsOf(t, one, b, r, 1); slices.Contains(got, "brauchtum") {
		t.Fatalf("tags %v before anything was said", got)
	}
	book := opened(t, b)
	if _, err := book.Import(t.Context(), []string{file(t, "bad.csv", "id,pref,rules\nbrauchtum,Brauchtum,a AND\n")}, false); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "bad.csv:2:21:") {
		t.Errorf("a bad file: %v", err)
	}
	in := file(t, "in.csv", "id,lang,pref,alt\nbrauchtum,de,Brauchtum,Feuerwehrkuchen\n")
	run, err := book.Try(t.Context(), []string{in}, 500)
	if err != nil || run.Articles != 1 || len(run.Changes) != 1 || run.Changes[0].ID != "brauchtum" || run.Changes[0].Added != 1 || run.Changes[0].Gains[0] != r.Title {
		t.Errorf("the dry run foretells %+v, %v", run, err)
	}
	before := one.current.Load().versions
	if done, err := book.Import(t.Context(), []string{in}, false); err != nil || len(done) != 1 || done[0].Outcome != "added" {
		t.Fatalf("import: %v %v", done, err)
	}
	follows(t, one, before.VocabularyHash)
	follows(t, two, before.VocabularyHash)
	if x, y := one.current.Load().versions, two.current.Load().versions; x != y || x.Vocabulary != before.Vocabulary+1 {
		t.Errorf("versions %+v and %+v after %+v", x, y, before)
	}
	if got := tagsOf(t, two, b, r, 1); !slices.Contains(got, "brauchtum") {
		t.Errorf("the other replica gives %v", got)
	}
	if late := direct(t, s).current.Load().versions; late != two.current.Load().versions {
		t.Errorf("one that starts later has %+v", late)
	}

	// Why, and what a person says of it.
	why, err := book.Explain(t.Context(), r.ID, nil)
	if err != nil || len(why) == 0 || why[0].ID != "brauchtum" || why[0].Evidence[0].Text != "Feuerwehrkuchen" {
		t.Errorf("why: %+v %v", why, err)
	}
	if err := book.Judge(t.Context(), "brauchtum", r.ID, false); err != nil {
		t.Fatal(err)
	}
	if err := book.Judge(t.Context(), "datenschutz", r.ID, true); err != nil {
		t.Fatal(err)
	}
	for _, v := range opened(t, b).verdicts {
		if spoke := v.Concept == "brauchtum"; (v.Sum > 0) != spoke {
			t.Errorf("for %s spoke %v", v.Concept, v.Sum)
		}
	}
	for name, err := range map[string]error{
		"an unknown concept": book.Judge(t.Context(), "nichts", r.ID, true), "an unknown tag": book.Judge(t.Context(), "nichts", r.ID, false),
		"an unknown article": book.Judge(t.Context(), "datenschutz", "nichts", true), "nothing said": book.Unjudge(t.Context(), "datenschutz", "nichts"),
	} {
		if fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	wait(t, "both verdicts", func() bool {
		got := tagsOf(t, one, b, r, 1)
		return !slices.Contains(got, "brauchtum") && slices.Contains(got, "datenschutz")
	})
	x, _ := enriched(t, b, r)
	if tag := x.Tags[slices.IndexFunc(x.Tags, func(t article.Tag) bool { return t.ID == "datenschutz" })]; tag.Evidence[len(tag.Evidence)-1].Source != "verdict" {
		t.Errorf("evidence %+v", tag.Evidence)
	}

	// Taken back.
	book = opened(t, b)
	if err := book.Unjudge(t.Context(), "datenschutz", r.ID); err != nil {
		t.Fatal(err)
	}
	if gone, err := book.Revert(t.Context(), nil); err != nil || len(gone) != 1 {
		t.Errorf("reverted %v, %v", gone, err)
	}
	wait(t, "the end of the changes", func() bool {
		_, known := two.current.Load().matcher.Vocabulary().Lookup("brauchtum")
		return !known && !slices.Contains(tagsOf(t, two, b, r, 1), "datenschutz")
	})
	for _, c := range opened(t, b).Concepts() {
		if c.Edited || c.Accepted != 0 {
			t.Errorf("%+v is left", c)
		}
	}
	// A takedown leaves no word of the article, and touches no other's.
	if err := book.Judge(t.Context(), "datenschutz", r.ID, true); err != nil {
		t.Fatal(err)
	}
	other := raw("quelle", "2", 1, nil)
	tagsOf(t, two, b, other, 2)
	if err := book.Judge(t.Context(), "datenschutz", other.ID, true); err != nil {
		t.Fatal(err)
	}
	if err := ForgetVerdicts(t.Context(), b, r.ID); err != nil {
		t.Fatal(err)
	}
	if left := opened(t, b).verdicts; len(left) != 1 || left[0].Article != other.ID {
		t.Errorf("verdicts that are left: %+v", left)
	}
}

func TestTheInboxOffersWhatNoConceptKnows(t *testing.T) {
	t.Parallel()
	s := natstest.Run(t)
	b := s.Bus(t, "tidings")
	a := direct(t, s)
	for n, source := range []string{"eins", "zwei", "eins", "zwei", "eins", "drei"} {
		r := raw(source, source+string(rune('a'+n)), 1, func(r *article.Raw) {
			r.Title = "Die Zwiebelmauer am Ort " + string(rune('A'+n))
			r.Content.Value = "<p>" + strings.Repeat("Die Zwiebelmauer steht fest. Niemand reißt die Zwiebelmauer ein. ", 8) + "</p>"
			r.FirstSeen = time.Now()
		})
		tagsOf(t, a, b, r, uint64(n+1))
	}
	book := opened(t, b)
	list, err := book.Inbox(t.Context(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(list, func(s Suggestion) bool { return s.Tag == "zwiebelmauer" })
	if i < 0 || list[i].Articles != 6 || list[i].Sources != 3 || len(list[i].Examples) != 3 {
		t.Fatalf("the inbox offers %+v", list)
	}
	if later, err := book.Inbox(t.Context(), time.Now().AddDate(0, 0, 15)); err != nil || len(later) != 0 {
		t.Errorf("after 15 days it offers %+v, %v", later, err)
	}
	if err := book.Ignore(t.Context(), []string{"Zwiebelmauer"}); err != nil {
		t.Fatal(err)
	}
	if list, err := book.Inbox(t.Context(), time.Now()); err != nil || slices.ContainsFunc(list, func(s Suggestion) bool { return s.Tag == "zwiebelmauer" }) {
		t.Errorf("after it was ignored: %+v, %v", list, err)
	}
	if id, err := book.Adopt(t.Context(), "Zwiebelmauer", "de", ""); err != nil || id != "zwiebelmauer" {
		t.Errorf("adopted as %q, %v", id, err)
	}
	if _, err := book.Adopt(t.Context(), "zwiebelmauer", "de", ""); fault.KindOf(err) != fault.Conflict {
		t.Errorf("adopted twice: %v", err)
	}
	if _, err := book.Adopt(t.Context(), "Lauchwall", "de", "zwiebelmauer"); err != nil {
		t.Error(err)
	}
	if c, _ := book.inForce.Lookup("zwiebelmauer"); len(c.Labels) != 2 {
		t.Errorf("labels %+v", c.Labels)
	}
	if near := book.inForce.Nearest("hoher Lauchwall", "de"); near != "zwiebelmauer" {
		t.Errorf("the nearest is %q", near)
	}
}
