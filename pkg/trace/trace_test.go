package trace_test

import (
	"bytes"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/trace"
	"tidings.internal/pkg/trace/tracetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// log is a buffer that may be read while it is written.
type log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *log) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.b.String(), text)
}

func open(t *testing.T, url string, sample float64) (*trace.Exporter, *log) {
	l := new(log)
	return trace.Open(trace.Config{URL: url, Sample: sample, Version: "1.0.0", Log: slog.New(slog.NewTextHandler(l, nil))}), l
}

const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

func TestStagesHangTogether(t *testing.T) {
	t.Parallel()
	c := tracetest.New(t)
	e, _ := open(t, c.URL, 1)
	fetch := e.Tracer("ingest").BeginAt(time.Now().Add(-time.Second), "", "fetch", trace.Attribute{Key: "source", Value: "blog"})
	enrich := e.Tracer("tidings").As("enrich").Begin(fetch.Traceparent(), "enrich")
	enrich.End(fault.Errorf(fault.Gone, "read blob https://user:secret@example.org/?key=secret"))
	fetch.Set("articles", "2")
	fetch.End(nil)
	e.Close()
	spans := map[string]tracetest.Span{}
	for _, s := range c.Spans() {
		spans[s.Name] = s
	}
	f, n := spans["fetch"], spans["enrich"]
	if len(spans) != 2 || f.Parent != "" || n.Parent != f.ID || n.Trace != f.Trace || len(f.Trace) != 32 || len(n.ID) != 16 {
		t.Errorf("they do not hang together: %+v", spans)
	}
	if f.Service != "ingest" || n.Service != "enrich" || f.Attributes["tidings.source"] != "blog" || f.Attributes["tidings.articles"] != "2" || f.Failed {
		t.Errorf("fetch is %+v", f)
	}
	if took := time.Duration(f.Ended - f.Began); took < time.Second || took > time.Minute {
		t.Errorf("fetch took %v, want a second", took)
	}
	if !n.Failed || n.Attributes["error.type"] != "gone" || len(n.Attributes) != 1 {
		t.Errorf("of an error more than its kind, or less, is told: %+v", n)
	}
}

func TestTheFirstStageDecidesForAll(t *testing.T) {
	t.Parallel()
	c := tracetest.New(t)
	e, _ := open(t, c.URL, 0)
	root := e.Tracer("ingest").Begin("", "fetch")
	if root.Traceparent() == "" || trace.Sampled(root.Traceparent()) {
		t.Errorf("with sample 0 it hands on %q", root.Traceparent())
	}
	root.End(nil)
	child := e.Tracer("enrich").Begin(root.Traceparent(), "enrich")
	if child.Traceparent() != root.Traceparent() {
		t.Errorf("what is not exported has a span of its own: %q", child.Traceparent())
	}
	child.End(nil)
	e.Tracer("enrich").Begin(parent, "enrich").End(nil) // another process decided
	e.Close()
	if spans := c.Spans(); len(spans) != 1 || spans[0].Parent != "b7ad6b7169203331" {
		t.Errorf("exported %+v", spans)
	}
	half, _ := open(t, c.URL, 0.5)
	n := 0
	for range 1000 {
		if trace.Sampled(half.Tracer("ingest").Begin("", "fetch").Traceparent()) {
			n++
		}
	}
	half.Close()
	if n < 400 || n > 600 { // six standard deviations
		t.Errorf("of 1000 traces %d are exported, want about 500", n)
	}
}

func TestWithoutATracerIdsAreHandedOn(t *testing.T) {
	t.Parallel()
	var off *trace.Tracer
	if got := off.As("enrich").Begin(parent, "enrich").Traceparent(); got != parent {
		t.Errorf("it hands on %q", got)
	}
	for _, text := range []string{
		"", "00", parent + "-x", "ff" + parent[2:], strings.ToUpper(parent), strings.ReplaceAll(parent, "-", "_"), parent[:54] + "g",
		"00-00000000000000000000000000000000-b7ad6b7169203331-01", "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
	} {
		s := off.Begin(text, "fetch")
		if got := s.Traceparent(); got == text || len(got) != 55 || trace.Sampled(got) || trace.Sampled(text) {
			t.Errorf("below %q it begins %q", text, got)
		}
		s.Set("a", "b")
		s.End(nil)
	}
	if later := "01" + parent[2:] + "-more"; off.Begin(later, "x").Traceparent() != later {
		t.Error("a later version, which begins with the same, is not understood")
	}
}

// Nothing waits, one line tells of it, and one of its end.
func TestACollectorThatRefusesIsToldOfOnce(t *testing.T) {
	t.Parallel()
	c := tracetest.New(t)
	c.Answer(http.StatusServiceUnavailable)
	e, l := open(t, c.URL, 1)
	batches := func(n int) {
		t.Helper()
		before := c.Calls()
		deadline := time.After(20 * time.Second)
		for c.Calls() < before+n {
			e.Tracer("ingest").Begin("", "fetch").End(nil)
			select {
			case <-deadline:
				t.Fatal("no request comes")
			case <-time.After(time.Millisecond):
			}
		}
	}
	batches(2)
	c.Answer(http.StatusOK)
	batches(2)
	e.Close()
	if lost, again := l.count("spans cannot be exported"), l.count("spans are exported again"); lost != 1 || again != 1 {
		t.Errorf("it says %d times that they are lost and %d times that they go again:\n%s", lost, again, l.b.String())
	}
	if len(c.Spans()) == 0 {
		t.Error("nothing came afterwards")
	}
}

// A collector that takes the connection and never answers holds up nobody, not even the end.
func TestAFullQueueDropsAndNobodyWaits(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close() // nothing was ever said on it
	e, l := open(t, "http://"+silent.Addr().String(), 1)
	tracer := e.Tracer("ingest")
	began := time.Now()
	for range 100_000 {
		tracer.Begin("", "fetch").End(nil)
	}
	worked := time.Since(began)
	e.Close()
	if all := time.Since(began); all > worked+10*time.Second {
		t.Errorf("the end took %v", all-worked)
	}
	if n := l.count("spans cannot be exported"); n != 1 {
		t.Errorf("it says so %d times", n)
	}
}

// A collector that answers, but too slowly, is told of once a minute at most, with the number of what was lost.
func TestALossIsToldThoughTheCollectorAnswers(t *testing.T) {
	t.Parallel()
	var gate sync.Mutex
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		gate.Lock()
		defer gate.Unlock()
		w.WriteHeader(http.StatusOK)
	}))
	defer slow.Close()
	e, l := open(t, slow.URL, 1)
	flood := func() {
		gate.Lock()
		defer gate.Unlock()
		for range 10_000 { // three times what waits and travels at most
			e.Tracer("ingest").Begin("", "fetch").End(nil)
		}
	}
	flood()
	deadline := time.After(20 * time.Second)
	for l.count("spans are lost") == 0 {
		select {
		case <-deadline:
			t.Fatal("nothing is said of what was lost")
		case <-time.After(time.Millisecond):
		}
	}
	flood()
	e.Close()
	if n, none := l.count("spans are lost"), l.count("lost=0"); n != 1 || none != 0 || l.count("level=") != 1 {
		t.Errorf("of what was lost it says:\n%s", l.b.String())
	}
}

// Off is what it costs where nothing is exported: the hand-over of a text.
func BenchmarkSpan(b *testing.B) {
	b.Run("off", func(b *testing.B) {
		var off *trace.Tracer
		for b.Loop() {
			off.Begin(parent, "enrich").End(nil)
		}
	})
	b.Run("on", func(b *testing.B) {
		c := tracetest.New(b)
		e := trace.Open(trace.Config{URL: c.URL, Sample: 1, Log: slog.New(slog.DiscardHandler)})
		t := e.Tracer("enrich")
		for b.Loop() {
			t.Begin(parent, "enrich").End(nil)
		}
		e.Close()
	})
}

func TestTheIDOfATraceIsThatOfItsTraceparent(t *testing.T) {
	t.Parallel()
	for parent, want := range map[string]string{
		"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01": "0af7651916cd43dd8448eb211c80319c",
		"": "", "nonsense": "", "00-00000000000000000000000000000000-b7ad6b7169203331-01": "",
	} {
		if got := trace.ID(parent); got != want {
			t.Errorf("%q is of trace %q, want %q", parent, got, want)
		}
	}
}
