package app

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/origintest"
	"tidings.internal/services/ingest/internal/engine"
	"tidings.internal/services/ingest/internal/state"
)

// outcomes adds sources and gives what became of each in one line.
func (w *world) outcomes(dry bool, list ...Definition) []string {
	w.t.Helper()
	done, err := AddSources(w.t.Context(), w.bus, w.doc(), list, dry)
	if err != nil {
		w.t.Fatal(err)
	}
	var lines []string
	for _, d := range done {
		lines = append(lines, strings.TrimSpace(fmt.Sprint(d.ID, " ", d.Outcome, " ", d.Why)))
	}
	return lines
}

// stored gives the definitions that the bucket holds, by id.
func (w *world) stored() map[string]Definition {
	w.t.Helper()
	c, err := openCatalogue(w.t.Context(), w.bus, w.doc())
	if err != nil {
		w.t.Fatal(err)
	}
	all := map[string]Definition{}
	for id, wish := range c.wishes {
		if wish.Source != nil {
			all[id] = *wish.Source
		}
	}
	return all
}

func TestWhatBecomesOfASourceThatIsAdded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.configure("", `id: mine, url: "https://example.org/mine"`)
	a := Definition{ID: "a", URL: "https://example.org/a", Tags: []string{"x"}, Every: "15m"}
	if diff := cmp.Diff([]string{"a added"}, w.outcomes(true, a)); diff != "" || len(w.stored()) != 0 {
		t.Errorf("a dry run:\n%s leaves %v", diff, w.stored())
	}
	want := []string{
		"a added",
		"a exists",
		"a updated",
		"a exists there is a source of this feed with another id",
		"mine exists it stands in the configuration and is changed there",
		"mine error source mine stands in the configuration; change it there",
		"a error there is a source a already, with the address https://example.org/a; give another --id, or remove that one first",
		"b error url: \"gopher://example.org/\" begins with none of https://, http://",
		"c added",
		"a exists",
		"a updated",
	}
	got := w.outcomes(false, a,
		Definition{URL: "https://EXAMPLE.org:443/a"},
		Definition{URL: "https://example.org/a", Tags: []string{"y"}, Rights: "©", Filters: &article.Filters{Drop: []string{"title ~ x"}}},
		Definition{ID: "other", URL: "https://example.org/a"},
		Definition{ID: "mine", URL: "https://example.org/mine", Tags: []string{"x"}},
		Definition{ID: "mine", URL: "https://example.org/b"},
		Definition{ID: "a", URL: "https://example.org/b"},
		Definition{ID: "b", URL: "gopher://example.org/"},
		Definition{ID: "c", URL: "https://example.org/c", Fulltext: "never"},
		Definition{URL: "https://example.org/a", Every: "1h", Tags: []string{"y"}, Filters: &article.Filters{}, Fill: true},
		Definition{URL: "https://example.org/a", Rights: "none", Title: "A", Tags: []string{"z"}, Fill: true},
	)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	merged := Definition{ID: "a", URL: "https://example.org/a", Title: "A", Tags: []string{"y", "z"}, Every: "15m", Rights: "©", Filters: &article.Filters{Drop: []string{"title ~ x"}}}
	if diff := cmp.Diff(map[string]Definition{"a": merged, "c": {ID: "c", URL: "https://example.org/c", Fulltext: "never"}}, w.stored()); diff != "" {
		t.Errorf("stored:\n%s", diff)
	}
	// Somebody else who judged before us gets no other feed under the same id.
	if err := write(t.Context(), w.bus, Definition{ID: "a", URL: "https://example.org/z"}); fault.KindOf(err) != fault.Invalid {
		t.Errorf("an id was given to another feed: %v", err)
	}
}

func TestWhatIsSaidOfASourceIsEdited(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.configure("", `id: mine, url: "https://example.org/mine"`)
	w.outcomes(false, Definition{ID: "a", URL: "https://example.org/a", Title: "A", Tags: []string{"x"}, Every: "15m", Filters: &article.Filters{Drop: []string{"title ~ x"}, Keep: []string{"tag ~ y"}}})
	edit := func(id string, changes ...string) error { return EditSource(t.Context(), w.bus, w.doc(), id, changes) }
	if err := edit("a", "title=", "tags= y, z ,", "every=1h", "drop=title ~ a=b", "drop=url ~ c", "keep=", "url=https://example.org/a2"); err != nil {
		t.Fatal(err)
	}
	want := Definition{ID: "a", URL: "https://example.org/a2", Tags: []string{"y", "z"}, Every: "1h", Filters: &article.Filters{Drop: []string{"title ~ a=b", "url ~ c"}}}
	if diff := cmp.Diff(want, w.stored()["a"]); diff != "" {
		t.Error(diff)
	}
	for says, c := range map[string][]string{
		"is not KEY=VALUE":                     {"a", "title"},
		"is none of url, title":                {"a", "colour=red"},
		"is not a duration":                    {"a", "every=soon"},
		"is no regular expression":             {"a", "drop=title ~ ("},
		"can be set to 0 only":                 {"a", "identity=2"},
		"stands in the configuration":          {"mine", "title=x"},
		"there is no source \"nobody\"":        {"nobody", "title=x"},
		"source mine polls https://example.or": {"a", "url=https://example.org/mine"},
	} {
		if err := edit(c[0], c[1:]...); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), says) {
			t.Errorf("edit %v: %v, want it to say %q", c, err, says)
		}
	}
	if diff := cmp.Diff(want, w.stored()["a"]); diff != "" {
		t.Errorf("after refused changes:\n%s", diff)
	}
}

// A source that was demoted goes by its ids again once an operator wishes so, and its articles stay the same.
func TestASourceGoesByItsIDsAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	feed := w.origin.Feed("f")
	for i := range 4 {
		it := news("same", fmt.Sprint("Titel ", i))
		it.URL = fmt.Sprint("https://news.example.org/", i)
		feed.Add(it)
	}
	w.configure("", fmt.Sprintf("id: f, url: %q, every: 100ms", feed.URL(origintest.RSS)))
	w.start(nil)
	w.messages(4)
	detail := func() SourceDetail {
		d, err := ShowSource(t.Context(), w.bus, w.doc(), "f")
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	w.until("the source to be demoted", func() (bool, string) { d := detail(); return d.Rung == 1, fmt.Sprint(d.Rung) })
	for i := range 4 {
		feed.Edit("same", func(it *origintest.Item) { it.ID = fmt.Sprint("id-", i) })
	}
	if err := EditSource(t.Context(), w.bus, w.doc(), "f", []string{"identity=0"}); err != nil {
		t.Fatal(err)
	}
	w.until("the source to go by its ids", func() (bool, string) { d := detail(); return d.Rung == 0, fmt.Sprint(d.Rung) })
	w.messages(4)
}

func TestAnEntryThatCannotBeUsedIsShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.configure("")
	bucket := w.bus.Bucket(event.BucketSourceConfig)
	for key, text := range map[string]string{"damaged": "{", "bad": `{"source":{"id":"bad","url":"ftp://x/"}}`, "stray": `{"source":{"id":"other","url":"https://example.org/"}}`} {
		if _, err := bucket.Put(t.Context(), key, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	list, err := Sources(t.Context(), w.bus, w.doc())
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, s := range list {
		if s.State == string(state.Failing) && s.Sentence != "" && s.Detail != "" {
			ids = append(ids, s.ID)
		}
	}
	if diff := cmp.Diff([]string{"bad", "damaged", "stray"}, ids); diff != "" {
		t.Error(diff)
	}
	if _, err := ShowSource(t.Context(), w.bus, w.doc(), "bad"); fault.KindOf(err) != fault.Malformed {
		t.Errorf("show of a damaged one: %v", err)
	}
	for _, id := range []string{"bad", "damaged", "stray"} {
		if err := RemoveSource(t.Context(), w.bus, w.doc(), id); err != nil {
			t.Errorf("remove %s: %v", id, err)
		}
	}
}

func TestShowExplainsTheNextPollOfEveryState(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	says := map[state.Phase]string{
		state.Waiting: "never polled", state.Active: "at 2026-05-04 13:00:00 UTC: it is polled every 1h0m0s, which is half",
		state.Failing: "3 failures in a row stretch its interval to 1h0m0s", state.Dormant: "every 30 days; one success", state.Gone: "gone for good",
		state.Ended: "looked at daily", state.Paused: "until it is resumed",
	}
	for phase, want := range says {
		st := state.New("https://example.org/", "")
		st.Phase, st.Interval = phase, time.Hour
		if phase == state.Failing {
			st.Reason, st.Failures = "timeout", 3
		}
		d := SourceDetail{SourceStatus: SourceStatus{State: string(phase), NextPoll: now.Add(time.Hour)}}
		if got := why(d, 0, st, now); !strings.Contains(got, want) {
			t.Errorf("%s: %q does not say %q", phase, got, want)
		}
	}
	for phase, want := range map[state.Phase]string{state.Waiting: "it failed once, which stretches", state.Failing: "it failed once, which stretches"} {
		once := state.New("https://example.org/", "")
		once.Phase, once.Reason, once.Failures, once.Interval, once.Polled = phase, "http_not_found", 1, time.Hour, now.Add(-time.Minute)
		if got := why(SourceDetail{SourceStatus: SourceStatus{State: string(phase), NextPoll: now.Add(time.Hour)}}, 0, once, now); !strings.Contains(got, want) {
			t.Errorf("%s after its first failure: %q", phase, got)
		}
	}
	forgiven := state.New("https://example.org/", "")
	forgiven.Phase, forgiven.Reason = state.Active, "connect"
	if got := why(SourceDetail{SourceStatus: SourceStatus{State: "active"}}, 0, forgiven, now); !strings.Contains(got, "cut off") {
		t.Errorf("after an outage of our own: %q", got)
	}
	st := state.New("https://example.org/", "")
	st.Phase, st.Interval = state.Active, 90*time.Second
	d := SourceDetail{SourceStatus: SourceStatus{State: "active", NextPoll: now}}
	if got := why(d, 90*time.Second, st, now); got != "as soon as its turn comes: it is polled every 1m30s, as the operator fixed it" {
		t.Errorf("a fixed interval, due: %q", got)
	}
}

// The owner's answer is there for the polls of which nothing was written, and for one source it has the last polls.
func TestAnOwnerKnowsMoreThanTheBucket(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	feed := w.origin.Feed("f").Add(news("1", "Eins"))
	w.configure("", fmt.Sprintf("id: f, url: %q, every: 100ms", feed.URL(origintest.RSS)), `id: other, url: "http://127.0.0.1:1/"`)
	w.start(nil)
	w.polled("/f.rss", 4)
	w.until("the last polls to be shown", func() (bool, string) {
		d, err := ShowSource(t.Context(), w.bus, w.doc(), "f")
		if err != nil {
			return false, err.Error()
		}
		unchanged := func(l engine.Look) bool { return l.Outcome == "unchanged" && l.Took > 0 && l.Published == 0 }
		return len(d.Recent) > 3 && d.Recent[0].Outcome == "ok" && d.Recent[0].Published == 1 && slices.ContainsFunc(d.Recent, unchanged) &&
			d.Day == 1 && d.Items == 1 && d.Definition.URL == d.URL && d.Why != "", fmt.Sprintf("%+v", d)
	})
	before := w.status("f", "polled", func(s SourceStatus) bool { return !s.LastPoll.IsZero() })
	w.status("f", "polled again, though nothing was written", func(s SourceStatus) bool { return s.LastPoll.After(before.LastPoll) })
}

// A thousand sources are added within what one would wait for, and the list of them is no message that the broker refuses.
func TestManySources(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.configure("")
	var list []Definition
	for i := range 3000 {
		list = append(list, Definition{URL: fmt.Sprintf("http://host-%d.invalid/a-rather-long-path-of-a-feed/%s", i, strings.Repeat("x", 100)), Title: "T"})
	}
	done, err := AddSources(t.Context(), w.bus, w.doc(), list, false)
	if err != nil {
		t.Fatal(err)
	}
	for i, d := range done {
		if d.Outcome != Added {
			t.Fatalf("source %d: %+v", i, d)
		}
	}
	a, _ := w.start(nil)
	w.until("all to be known", func() (bool, string) { n := len(a.engine.Status()); return n == len(list), fmt.Sprint(n) })
	all, err := Sources(t.Context(), w.bus, w.doc())
	if err != nil || len(all) != len(list) {
		t.Errorf("%d sources are listed: %v", len(all), err)
	}
	if n := len(slices.Collect(maps.Keys(w.stored()))); n != len(list) {
		t.Errorf("%d sources are stored", n)
	}
}
