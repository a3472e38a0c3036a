package e2e

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tidings.internal/pkg/origintest"
)

type source struct {
	ID, URL, State string
	Added          bool
	Tags           []string
}

func sourceList(t *testing.T, dir string) map[string]source {
	t.Helper()
	var list []source
	decode(t, []byte(verb(t, dir, 0, "sources", "list", "--json")), &list)
	byID := map[string]source{}
	for _, s := range list {
		byID[s.ID] = s
	}
	return byID
}

// Sources come and go while everything runs, and through a kill: what is added is polled with its tags, what is paused
// is left alone, what is removed keeps its articles.
func TestSourcesComeAndGoAtRunTime(t *testing.T) {
	t.Parallel()
	dir, origin := t.TempDir(), origintest.New(t)
	one := origin.Feed("one").Describe("One", "en").Add(item(0))
	two := origin.Feed("two").Describe("Two", "en").Add(item(1))
	three := origin.Feed("three").Describe("Three", "en").Add(item(2))
	write(t, filepath.Join(dir, "tidings.yaml"), fmt.Sprintf(`site: {title: Test, url: "http://127.0.0.1:1", language: en}
ingest: {allow_networks: [127.0.0.0/8], revision_gap: 0s, default_every: 1s, hosts: {%q: {concurrency: 4, gap: 0s}}}
sources: [{id: declared, url: %q, every: 300ms}]
`, origin.Addr(), one.URL(origintest.RSS)))
	p := start(t, dir, anyPort(), "run")
	p.awaitReady(t)
	titles(t, p, item(0).Title)

	if out := verb(t, dir, 0, "sources", "add", two.URL(origintest.Atom), "--id", "second", "--tags", "harbour", "--every", "300ms"); out != "added second\n" {
		t.Errorf("add prints %q", out)
	}
	titles(t, p, item(0).Title, item(1).Title)
	tagged(t, p, item(1).Title, "harbour")
	if out := verb(t, dir, 0, "sources", "add", two.URL(origintest.Atom)); out != "it is there already: second\n" {
		t.Errorf("a second add prints %q", out)
	}
	origin.Serve("/home", "text/html", []byte(`<html><head><link rel="alternate" type="application/atom+xml" title="News of two" href="`+two.URL(origintest.Atom)+`"></head></html>`))
	if out := both(t, dir, 1, "sources", "add", origin.URL("/home")); !strings.Contains(out, "is a page") || !strings.Contains(out, two.URL(origintest.Atom)+"  News of two") {
		t.Errorf("add of a page prints %q", out)
	}
	for want, args := range map[string][]string{
		"stands in the configuration":                                  {"add", three.URL(origintest.RSS), "--id", "declared"},
		"there is a source second":                                     {"add", three.URL(origintest.RSS), "--id", "second"},
		"url: \"ftp://example.org/feed\" begins with none of https://": {"add", "ftp://example.org/feed"},
		"is not a duration":                                            {"add", three.URL(origintest.RSS), "--every", "soon"},
		"take it out there":                                            {"remove", "declared"},
		"there is no source":                                           {"remove", "nowhere"},
		"sources list":                                                 {"pause", "nowhere"},
	} {
		if out := both(t, dir, 1, append([]string{"sources"}, args...)...); !strings.Contains(out, want) {
			t.Errorf("sources %v prints %q without %q", args, out, want)
		}
	}

	verb(t, dir, 0, "sources", "pause", "declared")
	verb(t, dir, 0, "sources", "pause", "second")
	within(t, 10*time.Second, "both to be paused", func() (bool, string) {
		l := sourceList(t, dir)
		return l["declared"].State == "paused" && l["second"].State == "paused" && l["second"].Added && !l["declared"].Added, fmt.Sprint(l)
	})
	p.kill() // what was wished stands in the bucket
	one.Add(item(3))
	two.Add(item(4))
	p = start(t, dir, anyPort(), "run")
	p.awaitReady(t)

	list := filepath.Join(dir, "list.opml")
	write(t, list, fmt.Sprintf(`<opml version="2.0"><body><outline text="glaciers"><outline text="Three" xmlUrl=%q/></outline>
<outline text="Two" xmlUrl=%q/><outline text="bad" xmlUrl="gopher://example.org/"/></body></opml>`, three.URL(origintest.JSON), two.URL(origintest.Atom)))
	if out := both(t, dir, 4, "sources", "import", list, "--dry-run"); !strings.Contains(out, "added") || len(sourceList(t, dir)) != 2 {
		t.Errorf("a dry run prints %q and leaves %v", out, sourceList(t, dir))
	}
	out := both(t, dir, 4, "sources", "import", list)
	for _, word := range []string{"added", "updated", "error", "gopher://example.org/", "done for 2, failed for 1"} {
		if !strings.Contains(out, word) {
			t.Errorf("import prints %q without %q", out, word)
		}
	}
	// The third is polled after the restart, the paused ones are not, though they have news.
	titles(t, p, item(0).Title, item(1).Title, item(2).Title)
	tagged(t, p, item(2).Title, "glaciers")
	verb(t, dir, 0, "sources", "resume", "second")
	titles(t, p, item(0).Title, item(1).Title, item(2).Title, item(4).Title)
	verb(t, dir, 0, "sources", "resume", "declared")
	titles(t, p, item(0).Title, item(1).Title, item(2).Title, item(3).Title, item(4).Title)

	// Only a source that was added is edited here; show tells what became of it.
	verb(t, dir, 0, "sources", "edit", "second", "tags=pier,quay", "rights=© Two", "drop=title ~ (?i)advert")
	if out := both(t, dir, 1, "sources", "edit", "declared", "tags=x"); !strings.Contains(out, "change it there") {
		t.Errorf("edit of a declared source prints %q", out)
	}
	within(t, 10*time.Second, "the edited source to be polled", func() (bool, string) {
		out := verb(t, dir, 0, "sources", "show", "second")
		return strings.Contains(out, "every 300ms, as the operator fixed it") && strings.Contains(out, "POLL"), out
	})
	moveHouse(t, dir)

	verb(t, dir, 0, "sources", "remove", "second")
	if l := sourceList(t, dir); l["second"].URL != "" || len(l) != 2 {
		t.Errorf("after the removal there are %v", l)
	}
	two.Add(item(5))
	three.Add(item(6)) // when it has come, a poll of the removed one would have, too
	titles(t, p, item(0).Title, item(1).Title, item(2).Title, item(3).Title, item(4).Title, item(6).Title)
	id := ""
	for _, s := range sourceList(t, dir) {
		if s.ID != "declared" {
			id = s.ID
		}
	}
	if out := verb(t, dir, 0, "sources", "export"); !strings.Contains(out, three.URL(origintest.JSON)) || !strings.Contains(out, `category="glaciers"`) {
		t.Errorf("export prints %s", out)
	}
	if out := verb(t, dir, 0, "sources", "remove", id, "--takedown", "the licence ended"); strings.Count(out, "erased") != 2 {
		t.Errorf("remove with a takedown prints %s", out)
	}
	titles(t, p, item(0).Title, item(1).Title, item(3).Title, item(4).Title)
}

// moveHouse puts an export of all sources into another instance, whose own export is then the same to the byte.
func moveHouse(t *testing.T, dir string) {
	t.Helper()
	exported := verb(t, dir, 0, "sources", "export")
	there := t.TempDir()
	list := filepath.Join(there, "list.opml")
	write(t, list, exported)
	write(t, filepath.Join(there, "tidings.yaml"), "site: {title: Test, url: \"http://127.0.0.1:1\", language: en}\n")
	start(t, there, anyPort(), "run").awaitReady(t)
	if out := both(t, there, 0, "sources", "import", list); strings.Count(out, "added") != 3 {
		t.Errorf("import of an export prints %s", out)
	}
	// Nothing is polled there, so what the feeds call themselves is not known.
	names := regexp.MustCompile(` text="[^"]*" title="[^"]*"`)
	if diff := cmp.Diff(names.ReplaceAllString(exported, ""), names.ReplaceAllString(verb(t, there, 0, "sources", "export"), "")); diff != "" {
		t.Errorf("what was exported and imported is not the same:\n%s", diff)
	}
	if out := both(t, there, 0, "sources", "import", list); strings.Count(out, "exists") != 3 {
		t.Errorf("a second import prints %s", out)
	}
}
