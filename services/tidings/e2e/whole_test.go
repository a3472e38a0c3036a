package e2e

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tidings.internal/pkg/feedcheck"
)

// samples is how many articles the demo has.
func samples(t *testing.T) int {
	t.Helper()
	files, err := filepath.Glob("../internal/demo/articles/*.txt")
	if err != nil || len(files) < 14 {
		t.Fatalf("%d sample articles, %v; want at least 14", len(files), err)
	}
	return len(files)
}

// feed is as much of a JSON Feed as the tests look at.
type feed struct {
	Items []struct {
		ID       string   `json:"id"`
		URL      string   `json:"url"`
		Title    string   `json:"title"`
		HTML     string   `json:"content_html"`
		Text     string   `json:"content_text"`
		Summary  string   `json:"summary"`
		Tags     []string `json:"tags"`
		Language string   `json:"language"`
	} `json:"items"`
}

// entries counts the elements of a name, and fails on what is not well-formed.
func entries(body []byte, name string) (int, error) {
	n, dec := 0, xml.NewDecoder(bytes.NewReader(body))
	for {
		token, err := dec.Token()
		if token == nil {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		if s, ok := token.(xml.StartElement); ok && s.Name.Local == name {
			n++
		}
	}
}

// awaitSamples waits until all samples are in the three formats of the feed with everything.
func awaitSamples(t *testing.T, p *process, limit time.Duration) feed {
	t.Helper()
	want := samples(t)
	var f feed
	within(t, limit, "the samples in all.json", func() (bool, string) {
		status, body, _ := get(p.address(t, "/feeds/all.json"))
		if status != http.StatusOK {
			return false, fmt.Sprintf("status %d", status)
		}
		f = feed{}
		decode(t, body, &f)
		return len(f.Items) == want, fmt.Sprintf("%d items\n%s", len(f.Items), p.errors())
	})
	for part, name := range map[string]string{"/feeds/all.rss": "item", "/feeds/all.atom": "entry"} {
		within(t, limit, part, func() (bool, string) {
			_, body, _ := get(p.address(t, part))
			n, err := entries(body, name)
			return n == want && err == nil, fmt.Sprintf("%d of %s, %v", n, name, err)
		})
	}
	valid(t, p)
	return f
}

// valid holds the sample feeds to the rules of the W3C feed validator, RFC 4287 and JSON Feed 1.1.
func valid(t *testing.T, p *process) {
	t.Helper()
	base, _ := strings.CutSuffix(p.address(t, "/feeds/all.rss"), "all.rss")
	checks := map[string]func([]byte, feedcheck.Expect) []feedcheck.Problem{"rss": feedcheck.RSS, "atom": feedcheck.Atom, "json": feedcheck.JSON}
	for _, id := range []string{"all", "de", "en", "fr", "es", "pl"} {
		for format, check := range checks {
			self := base + id + "." + format
			_, body, _ := get(self)
			for _, problem := range check(body, feedcheck.Expect{Self: self, Now: time.Now()}) {
				t.Errorf("%s: %v", self, problem)
			}
		}
	}
}

// call is a line of the sink's log.
type call struct {
	ID    string `json:"webhook_id"`
	Valid bool   `json:"signature_valid"`
	Event struct {
		ID   string          `json:"id"`
		Type string          `json:"type"`
		Data json.RawMessage `json:"data"`
	} `json:"event"`
}

// calls reads what the demo's sink has got. A kill may cut the last line.
func calls(t *testing.T, data string) []call {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(data, "demo", "webhooks.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var list []call
	for line := range bytes.Lines(text) {
		var c call
		if json.Unmarshal(line, &c) == nil {
			list = append(list, c)
		}
	}
	return list
}

// stories maps each article that was announced to the ids under which it was.
func stories(t *testing.T, list []call) map[string][]string {
	t.Helper()
	m := map[string][]string{}
	for _, c := range list {
		if !c.Valid || c.ID != c.Event.ID {
			t.Errorf("call %s: signature valid %v, event id %s", c.ID, c.Valid, c.Event.ID)
		}
		var d struct {
			ID string `json:"id"`
		}
		decode(t, c.Event.Data, &d)
		if !slices.Contains(m[d.ID], c.ID) {
			m[d.ID] = append(m[d.ID], c.ID)
		}
	}
	return m
}

func TestDemoReachesItsFeedsAndItsSink(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	began := time.Now()
	p := start(t, dir, anyPort())
	p.awaitReady(t)
	f := awaitSamples(t, p, 10*time.Second)
	t.Logf("samples were in the feeds %v after the start", time.Since(began).Round(time.Millisecond))

	languages := map[string]int{}
	for _, i := range f.Items {
		languages[i.Language]++
		if len(i.Tags) == 0 {
			t.Errorf("%q has no tags", i.Title)
		}
		if i.Summary == "" {
			t.Errorf("%q has no summary", i.Title)
		}
	}
	if diff := cmp.Diff(map[string]int{"de": 6, "en": 6, "fr": 2, "es": 1, "pl": 2}, languages); diff != "" {
		t.Error(diff)
	}
	for l, n := range languages {
		within(t, 10*time.Second, "the feed of "+l, func() (bool, string) {
			status, body, _ := get(strings.Replace(p.address(t, "/feeds/all.json"), "/all.", "/"+l+".", 1))
			var one feed
			if status == http.StatusOK {
				decode(t, body, &one)
			}
			return len(one.Items) == n, fmt.Sprintf("status %d, %d items", status, len(one.Items))
		})
	}
	tellGuest(t, f)
	tellHostile(t, p, f)
	titles := func() []string {
		var list []string
		for _, i := range f.Items {
			list = append(list, i.Title)
		}
		return list
	}()
	if want := "Warum 5 < 7 ist & Müllers Söhne das Zählen üben: Kundenpflege für Anfänger 🎉"; !slices.Contains(titles, want) {
		t.Errorf("no title %q in %q", want, titles)
	}

	data := filepath.Join(dir, ".tidings")
	within(t, 20*time.Second, "every story at the sink", func() (bool, string) {
		n := len(stories(t, calls(t, data)))
		return n == samples(t), fmt.Sprintf("%d stories\n%s", n, p.errors())
	})
	lines := p.lines()
	if code := p.stop(t); code != 0 {
		t.Errorf("SIGTERM ends it with %d, want 0\n%s", code, p.errors())
	}
	if diff := cmp.Diff(lines, p.lines()); diff != "" {
		t.Errorf("it printed more after it was ready:\n%s", diff)
	}
	if _, err := os.Stat(filepath.Join(data, "demo", "nats.json")); !os.IsNotExist(err) {
		t.Errorf("the address of the server is left behind: %v", err)
	}
}

// The demo goes on: what is new comes, is edited, comes a second time elsewhere and is taken back, and nobody hears twice of one.
func TestTheDemoGoesOn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tell(t, dir, 5*time.Second)
	p := start(t, dir, anyPort())
	p.awaitReady(t)
	data := filepath.Join(dir, ".tidings")
	kinds := func() map[string]int {
		m := map[string]int{}
		for _, c := range calls(t, data) {
			m[c.Event.Type]++
		}
		return m
	}
	within(t, 2*time.Minute, "a new article, an edit and a deletion at the sink", func() (bool, string) {
		m := kinds()
		return m["article.published"] > samples(t)+3 && m["article.updated"] > 0 && m["article.removed"] > 0, fmt.Sprintf("%v\n%s", m, p.errors())
	})
	for id, ids := range stories(t, slices.DeleteFunc(calls(t, data), func(c call) bool { return c.Event.Type != "article.published" })) {
		if len(ids) != 1 {
			t.Errorf("article %s was posted as %q", id, ids)
		}
	}
	valid(t, p)
}

// tellGuest looks at the guest article: its body is there, and what stood around it is not.
func tellGuest(t *testing.T, f feed) {
	t.Helper()
	for _, i := range f.Items {
		if !strings.HasPrefix(i.Title, "Warum gute Teams den Widerspruch brauchen") {
			continue
		}
		body := i.HTML + i.Text
		for _, want := range []string{"Pumpen für Brunnen", "Mit dem eigenen Irrtum anfangen", "ohne Hefe geht er gar nicht"} {
			if !strings.Contains(body, want) {
				t.Errorf("the guest article lacks %q", want)
			}
		}
		for _, not := range []string{"Newsletter abonnieren", "Begleitheft", "Hansa Maschinen"} {
			if strings.Contains(body, not) {
				t.Errorf("the guest article still has %q", not)
			}
		}
		for _, tag := range i.Tags {
			if strings.Contains(tag, "Vogelsang") || strings.Contains(tag, "Nordlicht") {
				t.Errorf("the author's bio became the tag %q", tag)
			}
		}
		return
	}
	t.Error("there is no guest article")
}

// tellHostile looks for what the hostile article tried, in every format.
func tellHostile(t *testing.T, p *process, f feed) {
	t.Helper()
	found := false
	for _, i := range f.Items {
		found = found || strings.Contains(i.HTML+i.Text, "the library had eleven minutes")
	}
	if !found {
		t.Error("the text of the hostile article is lost")
	}
	for _, part := range []string{"/feeds/all.rss", "/feeds/all.atom", "/feeds/all.json"} {
		_, body, _ := get(p.address(t, part))
		for _, not := range []string{"<script", "&lt;script", "javascript:", "onerror", "onload", "onmouseover", "onclick", "evil.example", "must never be published", "<iframe", "&lt;iframe"} {
			if bytes.Contains(bytes.ToLower(body), []byte(not)) {
				t.Errorf("%s holds %q", part, not)
			}
		}
	}
}

// The process is killed again and again while the articles are on their way, and once after they have arrived.
func TestKilledDemoLosesNothingAndPostsNothingTwice(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	data := filepath.Join(dir, ".tidings")
	// The moments after "ready" at which it is killed: spread over the time that the samples need.
	for _, after := range []time.Duration{0, 150, 400, 800, 1500} {
		p := start(t, dir, anyPort())
		p.awaitReady(t)
		<-time.After(after * time.Millisecond)
		p.kill()
	}
	p := start(t, dir, anyPort())
	p.awaitReady(t)
	before := awaitSamples(t, p, 30*time.Second)
	within(t, 30*time.Second, "every story at the sink", func() (bool, string) {
		n := len(stories(t, calls(t, data)))
		return n == samples(t), fmt.Sprintf("%d stories\n%s", n, p.errors())
	})
	_, document, header := get(p.address(t, "/feeds/all.rss"))
	p.kill()
	p = start(t, dir, anyPort())
	p.awaitReady(t)
	after := awaitSamples(t, p, 30*time.Second)
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("the feed is another one after the restart:\n%s", diff)
	}
	_, again, headerAgain := get(p.address(t, "/feeds/all.rss"))
	if !bytes.Equal(document, again) || header.Get("ETag") != headerAgain.Get("ETag") {
		t.Errorf("the document is not the same: ETag %s, then %s\n%s", header.Get("ETag"), headerAgain.Get("ETag"), cmp.Diff(string(document), string(again)))
	}
	for id, ids := range stories(t, calls(t, data)) {
		if len(ids) != 1 {
			t.Errorf("article %s was posted as %q", id, ids)
		}
	}
	if letters := verb(t, dir, 0, "dead", "list", "--json"); !strings.Contains(letters, `"letters": []`) {
		t.Errorf("dead letters: %s", letters)
	}
}

func TestDataDirectoryHasOneProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := start(t, dir, anyPort())
	p.awaitReady(t)
	second := start(t, dir, anyPort())
	if code := second.exit(t, 20*time.Second); code != 1 {
		t.Errorf("the second ends with %d, want 1", code)
	}
	if text := second.errors(); !strings.Contains(text, "is in use by process") || strings.Contains(text, "goroutine") {
		t.Errorf("it says %q, want one sentence about the directory", text)
	}
	within(t, time.Minute, "the first to be ready after that", func() (bool, string) {
		status, body, _ := get(p.address(t, "admin") + "/readyz")
		return status == http.StatusOK, string(body)
	})
}

func TestOperatorSeesARunningTidings(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := start(t, dir, anyPort())
	p.awaitReady(t)
	awaitSamples(t, p, 20*time.Second)

	within(t, time.Minute, "health to say ready", func() (bool, string) { // on a busy machine a question may take too long for once
		out, err := exec.CommandContext(t.Context(), binary, "health", p.address(t, "admin")).CombinedOutput()
		return err == nil && string(out) == "ready\n", string(out)
	})
	if got := verb(t, dir, 0, "topology", "plan"); got != "nothing to change\n" {
		t.Errorf("after a start the topology differs: %s", got)
	}
	var sources []map[string]any
	decode(t, []byte(verb(t, dir, 0, "sources", "list", "--json")), &sources)
	if len(sources) != 3 {
		t.Errorf("%d sources, want 3", len(sources))
	}
	for _, s := range sources {
		if s["state"] != "active" {
			t.Errorf("source %v is %v, want active", s["id"], s["state"])
		}
	}
	verb(t, dir, 0, "sources", "refresh", "notebook")
	verb(t, dir, 1, "sources", "refresh", "nowhere")
	var status struct {
		Dead   int      `json:"dead_letters"`
		Drift  []string `json:"drift"`
		Stages []struct {
			Name string `json:"name"`
		} `json:"stages"`
	}
	decode(t, []byte(verb(t, dir, 0, "status", "--json")), &status)
	if status.Dead != 0 || len(status.Drift) != 0 || len(status.Stages) < 3 {
		t.Errorf("status is %+v, want no dead letter, no drift, every stage", status)
	}
	for _, args := range [][]string{{"status"}, {"sources", "list"}, {"dead", "list"}, {"topology", "plan", "--json"}} {
		if verb(t, dir, 0, args...) == "" {
			t.Errorf("%v prints nothing", args)
		}
	}
	verb(t, dir, 1, "dead", "show", "12345")
	verb(t, dir, 1, "dead", "retry", "12345")

	tail := start(t, dir, nil, "tail", "article.enriched.>", "--since", "1h", "--json")
	within(t, 10*time.Second, "the events of all samples", func() (bool, string) {
		return len(tail.lines()) >= samples(t), strings.Join(tail.lines(), "\n") + tail.errors()
	})
	for _, l := range tail.lines() {
		var e struct {
			Type    string `json:"type"`
			Subject string `json:"subject"`
		}
		decode(t, []byte(l), &e)
		if e.Type != "article.enriched.v1" || !strings.HasPrefix(e.Subject, "article.enriched.") {
			t.Errorf("tail shows %s", l)
		}
	}
	if err := tail.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if code := tail.exit(t, 10*time.Second); code != 0 {
		t.Errorf("tail ends with %d after SIGINT, want 0: %s", code, tail.errors())
	}
}
