package projection

import (
	"strings"
	"testing"
	"time"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/services/publish/internal/feed"
)

// TestARebuildKnowsWhatTheBodiesSay compares an index that was filled, for which bodies are left out, with one to which the
// articles came one by one.
func TestARebuildKnowsWhatTheBodiesSay(t *testing.T) {
	t.Parallel()
	untitled, long, short := sample("blog", "a", time.Hour), sample("blog", "b", 2*time.Hour), sample("blog", "c", 3*time.Hour)
	untitled.Title, untitled.Summary, untitled.Text = "\x1b ", "", "Was im Text steht, ist der Titel."
	long.HTML = "<p>\"" + strings.Repeat("Ü\n", 5000) + "</p>"
	short.Text = "Der Text nennt das Stichwort."
	searching := feed.Config{ID: "word", Select: config.Selection{Query: "stichwort"}}
	for name, configs := range map[string][]feed.Config{
		"without a query": {{ID: "all"}}, "with a query": {{ID: "all"}, searching}, "with words to avoid": {{ID: "all", Select: config.Selection{ExcludeQuery: "stichwort"}}},
	} {
		s := newStream()
		filled, _ := newProjection(s, feeds(t, configs...), nil)
		grown, _ := newProjection(s, feeds(t, configs...), nil)
		s.fold(t, grown)
		for _, a := range []article.Article{untitled, long, short} {
			if err := grown.Apply(s.put(t, a)); err != nil {
				t.Fatal(err)
			}
		}
		s.fold(t, filled)
		for subject, want := range grown.live.rows {
			got := filled.live.rows[subject]
			if got.title != want.title || got.size != want.size || len(got.shelves) != len(want.shelves) {
				t.Errorf("%s: %q of %d bytes in %d feeds, want %q of %d in %d", name, got.title, got.size, len(got.shelves), want.title, want.size, len(want.shelves))
			}
		}
		subject, err := event.EnrichedSubject(untitled.Source.Partition, untitled.Source.ID, untitled.ID)
		if err != nil {
			t.Fatal(err)
		}
		if row := filled.live.rows[subject]; row.title != untitled.Text {
			t.Errorf("%s: the title is %q", name, row.title)
		}
	}
}
