package trace

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	common "go.opentelemetry.io/proto/slim/otlp/common/v1"
	resource "go.opentelemetry.io/proto/slim/otlp/resource/v1"
	wire "go.opentelemetry.io/proto/slim/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"tidings.internal/pkg/fault"
)

const (
	// queueSize is how many spans wait at most, some 600 bytes each; more are dropped.
	queueSize = 2048
	// batchSize is how many travel in one request.
	batchSize = 512
	// batchWait is how long a span waits for others.
	batchWait = 2 * time.Second
	// sendLimit bounds a request; closeLimit the last ones, at the end of the process.
	sendLimit  = 5 * time.Second
	closeLimit = 2 * time.Second
	// tellEvery is how often at most a full queue is told of.
	tellEvery = time.Minute
)

// Config says where spans go.
type Config struct {
	// URL is the collector's address; /v1/traces is appended (OTLP 1.x, section OTLP/HTTP).
	URL string
	// Sample is the part of all traces that is exported, from 0 to 1.
	Sample float64
	// Version is that of the build.
	Version string
	Log     *slog.Logger
}

// Exporter sends spans to a collector.
type Exporter struct {
	sample    float64
	url       string
	version   string
	log       *slog.Logger
	transport *http.Transport
	queue     chan *Span
	lost      atomic.Uint64 // since they were last told of
	broken    bool          // what was logged last
	told      time.Time     // when a full queue was
	stop      context.CancelFunc
	end       chan struct{}
	group     sync.WaitGroup
}

// Open starts an exporter.
func Open(c Config) *Exporter {
	ctx, stop := context.WithCancel(context.Background())
	e := &Exporter{
		sample: c.Sample, url: strings.TrimSuffix(c.URL, "/") + "/v1/traces", version: c.Version, log: c.Log,
		// No proxy: the collector is the operator's own.
		transport: &http.Transport{
			DialContext: (&net.Dialer{Timeout: sendLimit}).DialContext, TLSHandshakeTimeout: sendLimit, MaxConnsPerHost: 1, IdleConnTimeout: time.Minute,
		},
		queue: make(chan *Span, queueSize), stop: stop, end: make(chan struct{}),
	}
	e.group.Go(func() { e.run(ctx) })
	return e
}

// Tracer gives the tracer of a service.
func (e *Exporter) Tracer(service string) *Tracer { return &Tracer{e, service} }

// Close sends what waits, within two seconds, and ends. No span may end afterwards.
func (e *Exporter) Close() {
	bound := time.AfterFunc(closeLimit, e.stop)
	defer bound.Stop()
	close(e.end)
	e.group.Wait()
	e.stop()
	e.transport.CloseIdleConnections()
}

// put hands a span over, or drops it.
func (e *Exporter) put(s *Span) {
	select {
	case e.queue <- s:
	default:
		e.lost.Add(1)
	}
}

// run collects and sends until the end.
func (e *Exporter) run(ctx context.Context) {
	tick := time.NewTicker(batchWait)
	defer tick.Stop()
	var batch []*Span
	flush := func() {
		if len(batch) > 0 {
			e.send(ctx, batch)
			batch = nil
		}
	}
	for {
		select {
		case s := <-e.queue:
			if batch = append(batch, s); len(batch) >= batchSize {
				flush()
			}
		case <-tick.C:
			flush()
			e.tell()
		case <-e.end:
			for len(e.queue) > 0 {
				if batch = append(batch, <-e.queue); len(batch) >= batchSize {
					flush()
				}
			}
			flush()
			e.tell()
			return
		}
	}
}

// tell says what was lost though the collector answers. While it does not, that was said, and the number follows when it
// answers again.
func (e *Exporter) tell() {
	if e.broken || e.lost.Load() == 0 || time.Since(e.told) < tellEvery {
		return
	}
	e.told = time.Now()
	e.log.Warn("spans are lost: more come than the collector takes; a smaller tracing.sample sends fewer", "lost", e.lost.Swap(0))
}

// send makes one request. Spans that cannot be delivered are lost: keeping them would take memory from the work for as long
// as the collector is away.
func (e *Exporter) send(ctx context.Context, batch []*Span) {
	err := e.post(ctx, batch)
	if err != nil {
		e.lost.Add(uint64(len(batch)))
	}
	switch {
	case err != nil && !e.broken:
		e.broken = true
		e.log.Warn("spans cannot be exported and are lost", "err", err.Error(), "kind", string(fault.KindOf(err)))
	case err == nil && e.broken:
		e.broken = false
		e.log.Info("spans are exported again", "lost", e.lost.Swap(0))
	}
}

func (e *Exporter) post(ctx context.Context, batch []*Span) error {
	body, err := proto.Marshal(e.encode(batch))
	if err != nil {
		return fault.Errorf(fault.Internal, "encode spans: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, sendLimit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url, bytes.NewReader(body))
	if err != nil {
		return fault.Errorf(fault.Invalid, "export spans: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-protobuf")
	req.Header.Set("User-Agent", "tidings/"+e.version)
	res, err := e.transport.RoundTrip(req)
	if err != nil {
		return fault.Errorf(fault.Unreachable, "export spans: %w", err)
	}
	defer func() { _ = res.Body.Close() }() // what it says does not matter
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 1<<20))
	if res.StatusCode/100 != 2 {
		return fault.Errorf(fault.Refused, "export spans: the collector answered %d", res.StatusCode)
	}
	return nil
}

// encode groups spans by service.
func (e *Exporter) encode(batch []*Span) *wire.TracesData {
	byService := map[string]*wire.ScopeSpans{}
	data := &wire.TracesData{}
	for _, s := range batch {
		group := byService[s.tracer.service]
		if group == nil {
			group = &wire.ScopeSpans{Scope: &common.InstrumentationScope{Name: "tidings", Version: e.version}}
			byService[s.tracer.service] = group
			data.ResourceSpans = append(data.ResourceSpans, &wire.ResourceSpans{
				Resource: &resource.Resource{Attributes: []*common.KeyValue{
					text("service.name", s.tracer.service), text("service.namespace", "tidings"), text("service.version", e.version),
				}},
				ScopeSpans: []*wire.ScopeSpans{group},
			})
		}
		group.Spans = append(group.Spans, s.wire())
	}
	return data
}

func (s *Span) wire() *wire.Span {
	w := &wire.Span{
		TraceId: s.trace[:], SpanId: s.id[:], Name: s.name, Kind: wire.Span_SPAN_KIND_INTERNAL, Flags: 1,
		StartTimeUnixNano: uint64(s.began.UnixNano()), EndTimeUnixNano: uint64(s.ended.UnixNano()),
	}
	if s.parent != [8]byte{} {
		w.ParentSpanId = s.parent[:]
	}
	for _, a := range s.attributes {
		w.Attributes = append(w.Attributes, text("tidings."+a.Key, a.Value))
	}
	if s.fault != "" {
		w.Status = &wire.Status{Code: wire.Status_STATUS_CODE_ERROR}
		w.Attributes = append(w.Attributes, text("error.type", string(s.fault)))
	}
	return w
}

func text(key, value string) *common.KeyValue {
	return &common.KeyValue{Key: key, Value: &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: strings.ToValidUTF8(value, "")}}}
}
