package trace

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"math"
	"strings"
	"time"

	"tidings.internal/pkg/fault"
)

// Tracer begins spans for one service. A nil Tracer exports nothing and hands ids on all the same.
type Tracer struct {
	exporter *Exporter
	service  string
}

// As gives the tracer of another service of the process.
func (t *Tracer) As(service string) *Tracer {
	if t == nil {
		return nil
	}
	return &Tracer{t.exporter, service}
}

// Attribute is a fact about a span: an id or a closed word, never a text of others.
type Attribute struct{ Key, Value string }

// Span is one stage's work on one thing. A nil Span does nothing.
type Span struct {
	tracer      *Tracer // nil when it is not exported
	traceparent string
	trace       [16]byte
	id, parent  [8]byte
	name        string
	began       time.Time
	ended       time.Time
	attributes  []Attribute
	fault       fault.Kind
}

// Begin starts a span below what a traceparent names, now. Where it names nothing the span begins a trace of its own.
func (t *Tracer) Begin(parent, name string, attributes ...Attribute) *Span {
	return t.BeginAt(time.Time{}, parent, name, attributes...)
}

// BeginAt is Begin for a span that began before; the zero time is now.
func (t *Tracer) BeginAt(began time.Time, parent, name string, attributes ...Attribute) *Span {
	trace, above, sampled, known := parse(parent)
	if known && (t == nil || !sampled) {
		return &Span{traceparent: parent} // the id of the stage before stands for this one, too
	}
	s := &Span{trace: trace, parent: above, name: name, began: began, attributes: attributes}
	if !known {
		_, _ = rand.Read(s.trace[:]) // never fails (crypto/rand)
		sampled = t != nil && t.exporter.takes(s.trace)
	}
	_, _ = rand.Read(s.id[:])
	flags := "-00"
	if sampled {
		flags, s.tracer = "-01", t
		if s.began.IsZero() {
			s.began = time.Now()
		}
	}
	s.traceparent = "00-" + hex.EncodeToString(s.trace[:]) + "-" + hex.EncodeToString(s.id[:]) + flags
	return s
}

// Traceparent is what the next stage gets as its parent.
func (s *Span) Traceparent() string {
	if s == nil {
		return ""
	}
	return s.traceparent
}

// ID is the id of the trace that a traceparent names, for the log; empty where it names none.
func ID(traceparent string) string {
	id, _, _, known := parse(traceparent)
	if !known {
		return ""
	}
	return hex.EncodeToString(id[:])
}

// Set adds a fact.
func (s *Span) Set(key, value string) {
	if s != nil && s.tracer != nil {
		s.attributes = append(s.attributes, Attribute{key, value})
	}
}

// End ends a span with what came of it and hands it to the exporter, without waiting. It is called once.
func (s *Span) End(err error) {
	if s == nil || s.tracer == nil {
		return
	}
	s.ended = time.Now()
	if err != nil {
		s.fault = fault.KindOf(err)
	}
	s.tracer.exporter.put(s)
}

// Sampled reports whether what a traceparent names is exported.
func Sampled(traceparent string) bool {
	_, _, sampled, known := parse(traceparent)
	return known && sampled
}

// parse reads version 00 of a traceparent: 00, 32 digits of the trace, 16 of the span, 2 of flags (W3C Trace Context, section
// 3.2). A later version begins with the same; ids of zeros are none.
func parse(text string) (trace [16]byte, span [8]byte, sampled, known bool) {
	if len(text) < 55 || len(text) > 55 && text[55] != '-' || text[2] != '-' || text[35] != '-' || text[52] != '-' {
		return trace, span, false, false
	}
	var version, flags [1]byte
	for _, part := range []struct {
		into []byte
		text string
	}{{version[:], text[:2]}, {trace[:], text[3:35]}, {span[:], text[36:52]}, {flags[:], text[53:55]}} {
		if strings.ToLower(part.text) != part.text {
			return trace, span, false, false
		}
		if _, err := hex.Decode(part.into, []byte(part.text)); err != nil {
			return trace, span, false, false
		}
	}
	known = version[0] != 0xff && (version[0] != 0 || len(text) == 55) && trace != [16]byte{} && span != [8]byte{}
	return trace, span, flags[0]&1 == 1, known
}

// takes decides by the id of a trace alone, so that every process decides the same.
func (e *Exporter) takes(trace [16]byte) bool {
	return e.sample >= 1 || float64(binary.BigEndian.Uint64(trace[8:])) < e.sample*math.MaxUint64
}
