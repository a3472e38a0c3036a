package e2e

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tidings.internal/pkg/hosttest"
	"tidings.internal/pkg/origintest"
	"tidings.internal/pkg/trace/tracetest"
)

// One article is one trace, from the poll that found it to the request that told of it, each stage below the one before.
func TestOneArticleIsOneTrace(t *testing.T) {
	t.Parallel()
	dir, hook, collector := t.TempDir(), newReceiver(t), tracetest.New(t)
	origin := origintest.New(t)
	f := origin.Feed("news").Describe("News", "en")
	write(t, filepath.Join(dir, "tidings.yaml"), fmt.Sprintf(`site: {title: Test, url: "http://127.0.0.1:1", language: en}
tracing: {otlp: %q}
ingest: {allow_networks: [127.0.0.0/8], revision_gap: 0s, hosts: {%q: {concurrency: 4, gap: 0s}}}
sources: [{id: news, url: "%s?key=planted", every: 300ms}]
channels: [{id: hook, network: webhook, url: "%s/in?key=planted", allow_private: true, approve: manual}]
`, collector.URL, origin.Addr(), f.URL(origintest.RSS), hook.URL))
	p := start(t, dir, anyPort(), "run")
	p.awaitReady(t)
	awaitChannel(t, dir)
	f.Add(item(1))
	held := inState(t, dir, "held", 1)
	spans := map[string]tracetest.Span{}
	await := func(n int) {
		t.Helper()
		within(t, 20*time.Second, fmt.Sprintf("spans of %d stages", n), func() (bool, string) {
			for _, s := range collector.Spans() {
				spans[s.Name] = s
			}
			return len(spans) == n, fmt.Sprint(spans) + p.errors()
		})
	}
	await(3)
	p.kill() // the trace stands in the ledger
	p = start(t, dir, anyPort(), "run")
	p.awaitReady(t)
	verb(t, dir, 0, "deliveries", "approve", held[0])
	posted(t, hook, p, 1)

	_, article, _ := strings.Cut(held[0], "/")
	await(4)
	above := ""
	for _, stage := range []struct{ name, service string }{{"fetch", "ingest"}, {"enrich", "enrich"}, {"compose", "publish"}, {"send", "deliver"}} {
		s := spans[stage.name]
		if s.Service != stage.service || s.Trace != spans["fetch"].Trace || s.Parent != above || s.Failed || s.Ended < s.Began {
			t.Errorf("%s is %+v, want it in the trace of fetch below %q", stage.name, s, above)
		}
		if id := s.Attributes["tidings.article"]; stage.name != "fetch" && id != article {
			t.Errorf("%s names article %q, want %q", stage.name, id, article)
		}
		above = s.ID
	}
	if len(collector.Spans()) != 4 {
		t.Errorf("polls without news left spans: %+v", collector.Spans())
	}
	if all := fmt.Sprint(collector.Spans()); strings.Contains(all, "planted") || strings.Contains(all, "http") {
		t.Errorf("a span holds an address: %s", all)
	}
	if out := verb(t, dir, 0, "articles", "show", article); !strings.Contains(out, spans["fetch"].Trace) {
		t.Errorf("articles show does not name the trace %s:\n%s", spans["fetch"].Trace, out)
	}
}

// A collector that is away changes nothing but for one line in the log.
func TestACollectorThatIsAwayHoldsNothingUp(t *testing.T) {
	t.Parallel()
	dir, _, f, hook := scene(t)
	p := start(t, dir, append(anyPort(), "TIDINGS_TRACING__OTLP=http://"+hosttest.Address(t)), "run")
	p.awaitReady(t)
	f.Add(item(1))
	titles(t, p, item(0).Title, item(1).Title)
	posted(t, hook, p, 1)
	const line = "spans cannot be exported"
	within(t, 10*time.Second, "the line about it", func() (bool, string) { return strings.Contains(p.errors(), line), p.errors() })
	f.Add(item(2))
	posted(t, hook, p, 2)
	if code := p.stop(t); code != 0 {
		t.Errorf("it ends with %d", code)
	}
	if n := strings.Count(p.errors(), line); n != 1 {
		t.Errorf("it says so %d times:\n%s", n, p.errors())
	}
}

// At debug the way of an article can be followed through the log, by the id that articles show names.
func TestDebugLinesNameTheTraceOfAnArticle(t *testing.T) {
	t.Parallel()
	dir, _, f, hook := scene(t)
	p := start(t, dir, append(anyPort(), "TIDINGS_LOG__LEVEL=debug"), "run")
	p.awaitReady(t)
	awaitChannel(t, dir)
	f.Add(item(1))
	posted(t, hook, p, 1)
	traces := map[string]string{} // by the line
	within(t, 30*time.Second, "a line of each stage", func() (bool, string) {
		article := ""
		for line := range strings.Lines(p.errors()) {
			var l struct{ Msg, Article, Trace string }
			if json.Unmarshal([]byte(line), &l) == nil && l.Trace != "" {
				traces[l.Msg] = l.Trace // the last of each kind is about the news
				if l.Msg == "composed a post" {
					article = l.Article
				}
			}
		}
		return article != "" && strings.Contains(verb(t, dir, 0, "articles", "show", article), traces["composed a post"]), p.errors()
	})
	for _, msg := range []string{"published articles of a source", "enriched an article"} {
		if traces[msg] != traces["composed a post"] {
			t.Errorf("%q is of trace %q, the post of %q", msg, traces[msg], traces["composed a post"])
		}
	}
}
