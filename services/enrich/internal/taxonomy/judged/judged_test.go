package judged

import (
	"testing"

	"tidings.internal/services/enrich/internal/taxonomy"
)

// Only the errors of articles with an odd number were looked at when the figures of the matcher were chosen; the others
// show how it does on what it never met.
func TestTagsOfSixtyArticles(t *testing.T) {
	t.Parallel()
	v, err := taxonomy.Starter()
	if err != nil {
		t.Fatal(err)
	}
	list, err := Articles()
	if err != nil || len(list) != 60 {
		t.Fatalf("%d articles, %v", len(list), err)
	}
	m := taxonomy.NewMatcher(v)
	parts := map[string]*Tally{"de": {}, "en": {}, "odd": {}, "even": {}, "all": {}}
	for i, a := range list {
		n, wrong, missed := a.Count(m)
		for _, part := range []string{a.Lang, []string{"odd", "even"}[i%2], "all"} {
			parts[part].Add(n)
		}
		if i%2 == 0 && len(wrong)+len(missed) > 0 {
			t.Logf("%s: wrong %v, missed %v", a.ID, wrong, missed)
		}
	}
	for part, n := range parts {
		t.Logf("%s: precision %.3f of %v tags, recall %.3f of %v", part, n.Precision(), n.Kept, n.Recall(), n.Wanted)
	}
	if all := parts["all"]; all.Precision() < 0.90 || all.Recall() < 0.75 {
		t.Errorf("precision %.3f of %v tags, recall %.3f of %v; want 0.90 and 0.75", all.Precision(), all.Kept, all.Recall(), all.Wanted)
	}
}

func TestWordsOfManyMeanings(t *testing.T) {
	t.Parallel()
	list, v, err := Sentences()
	if err != nil || len(list) != 40 {
		t.Fatalf("%d sentences, %v", len(list), err)
	}
	m, right := taxonomy.NewMatcher(v), 0
	for _, s := range list {
		if got := s.Meant(m); got == s.Sense {
			right++
		} else {
			t.Logf("%q: %q, want %q", s.Text, got, s.Sense)
		}
	}
	if share := float64(right) / 40; share < 0.85 {
		t.Errorf("%d of 40 are right, %.2f; want 0.85", right, share)
	}
}
