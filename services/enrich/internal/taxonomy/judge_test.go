package taxonomy

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"tidings.internal/pkg/article"
)

// judged is an article with the concepts that an editor would file it under, and those that an editor would let pass.
// Whoever wrote them had the ids and their meanings only, and knew neither labels nor rules.
type judged struct {
	ID, Lang, Title, Text string
	Tags, May             []string
}

func lines[T any](t *testing.T, path string) (list []T) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(data) {
		var one T
		if err := json.Unmarshal(line, &one); err != nil {
			t.Fatal(err)
		}
		list = append(list, one)
	}
	return list
}

// tally counts the tags of articles against an editor's.
type tally struct{ kept, wrong, wanted, found float64 }

func (n tally) precision() float64 { return 1 - n.wrong/n.kept }
func (n tally) recall() float64    { return n.found / n.wanted }

func (n *tally) add(o tally) {
	n.kept, n.wrong, n.wanted, n.found = n.kept+o.kept, n.wrong+o.wrong, n.wanted+o.wanted, n.found+o.found
}

// count holds the tags of one article against the editor's. A concept that is wider than one that is wanted is let pass.
func (a *judged) count(v *Vocabulary, tags []article.Tag) (n tally, wrong, missed []string) {
	may, have := slices.Clone(a.May), map[string]bool{}
	for _, id := range a.Tags {
		may = append(may, v.Chain(id)...)
	}
	for _, tag := range tags {
		n.kept++
		have[tag.ID] = true
		if !slices.Contains(a.Tags, tag.ID) && !slices.Contains(may, tag.ID) {
			n.wrong++
			wrong = append(wrong, tag.ID)
		}
	}
	for _, id := range a.Tags {
		n.wanted++
		if have[id] {
			n.found++
		} else {
			missed = append(missed, id)
		}
	}
	return n, wrong, missed
}

// TestTagsOfSixtyArticles holds the starter against articles that were written without knowing it. Only the errors of those
// with an odd number were looked at when its figures were chosen; the others show how it does on what it never met.
func TestTagsOfSixtyArticles(t *testing.T) {
	t.Parallel()
	parts := map[string]*tally{}
	var all tally
	for i, a := range lines[judged](t, "testdata/articles.jsonl") {
		n, wrong, missed := a.count(shipped().Vocabulary(), find(t, a.Lang, a.Title, a.Text))
		all.add(n)
		for _, part := range []string{a.Lang, []string{"odd", "even"}[i%2]} {
			if parts[part] == nil {
				parts[part] = &tally{}
			}
			parts[part].add(n)
		}
		if i%2 == 0 && len(wrong)+len(missed) > 0 {
			t.Logf("%s: wrong %v, missed %v", a.ID, wrong, missed)
		}
	}
	for _, part := range []string{"de", "en", "odd", "even"} {
		t.Logf("%s: precision %.3f of %v tags, recall %.3f of %v", part, parts[part].precision(), parts[part].kept, parts[part].recall(), parts[part].wanted)
	}
	if all.precision() < 0.90 || all.recall() < 0.75 {
		t.Errorf("precision %.3f of %v tags, recall %.3f of %v; want 0.90 and 0.75", all.precision(), all.kept, all.recall(), all.wanted)
	}
}

// TestWordsOfManyMeanings asks of which concept an ambiguous label speaks, where the words beside it have to tell.
func TestWordsOfManyMeanings(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/ambiguous.ttl")
	if err != nil {
		t.Fatal(err)
	}
	v, err := Read(File{"ambiguous.ttl", data})
	if err != nil {
		t.Fatal(err)
	}
	m, right, all := NewMatcher(v), 0, 0
	for _, c := range lines[struct{ Lang, Text, Label, Sense string }](t, "testdata/ambiguous.jsonl") {
		got := ""
		for _, tag := range m.Find(draft("x", "", c.Lang, "", c.Text), nil) {
			said := slices.ContainsFunc(tag.Evidence, func(e article.Evidence) bool { return strings.EqualFold(e.Text, c.Label) })
			if said && got == "" {
				got = tag.ID
			}
		}
		all++
		if got == c.Sense {
			right++
		} else {
			t.Logf("%q: %q, want %q", c.Text, got, c.Sense)
		}
	}
	if share := float64(right) / float64(all); share < 0.85 {
		t.Errorf("%d of %d are right, %.2f; want 0.85", right, all, share)
	}
}
