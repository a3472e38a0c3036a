// Package tracetest is a collector of OTLP that a test can look into. It is for tests alone.
package tracetest

import (
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	common "go.opentelemetry.io/proto/slim/otlp/common/v1"
	wire "go.opentelemetry.io/proto/slim/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// Span is a span as the collector has got it. Ids are hexadecimal.
type Span struct {
	Service, Name, Trace, ID, Parent string
	Attributes                       map[string]string
	Failed                           bool
	// Began and Ended are in nanoseconds since 1970.
	Began, Ended uint64
}

// Collector takes spans.
type Collector struct {
	URL string

	mu    sync.Mutex
	spans []Span
	calls int
	code  int
}

// New starts a collector and stops it when the test ends.
func New(t testing.TB) *Collector {
	c := &Collector{code: http.StatusOK}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Method != http.MethodPost || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/x-protobuf" {
			t.Errorf("the collector was asked %s %s as %q: %v", r.Method, r.URL.Path, r.Header.Get("Content-Type"), err)
		}
		var data wire.TracesData // on the wire the same as ExportTraceServiceRequest
		if err := proto.Unmarshal(body, &data); err != nil {
			t.Errorf("the collector cannot read %d bytes: %v", len(body), err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.calls++
		if c.code == http.StatusOK {
			c.take(&data)
		}
		w.WriteHeader(c.code)
	}))
	t.Cleanup(s.Close)
	c.URL = s.URL
	return c
}

func (c *Collector) take(data *wire.TracesData) {
	for _, r := range data.ResourceSpans {
		service := texts(r.Resource.GetAttributes())["service.name"]
		for _, scope := range r.ScopeSpans {
			for _, s := range scope.Spans {
				c.spans = append(c.spans, Span{
					Service: service, Name: s.Name, Trace: hex.EncodeToString(s.TraceId), ID: hex.EncodeToString(s.SpanId), Parent: hex.EncodeToString(s.ParentSpanId),
					Attributes: texts(s.Attributes), Failed: s.Status.GetCode() == wire.Status_STATUS_CODE_ERROR, Began: s.StartTimeUnixNano, Ended: s.EndTimeUnixNano,
				})
			}
		}
	}
}

func texts(list []*common.KeyValue) map[string]string {
	m := map[string]string{}
	for _, a := range list {
		m[a.Key] = a.Value.GetStringValue()
	}
	return m
}

// Answer sets the status of all answers from now on; spans are taken with 200 alone.
func (c *Collector) Answer(code int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.code = code
}

// Spans are those taken so far.
func (c *Collector) Spans() []Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.spans)
}

// Calls counts the requests.
func (c *Collector) Calls() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls
}
