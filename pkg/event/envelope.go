package event

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/fault"
)

// The headers of a message: CloudEvents 1.0 in the binary mode of its NATS binding, and our own. The broker compares
// header names by case, so they are written exactly so.
const (
	HeaderSpecVersion = "ce-specversion"
	HeaderType        = "ce-type"
	HeaderSource      = "ce-source"
	HeaderID          = "ce-id"
	HeaderTime        = "ce-time"
	HeaderSubject     = "ce-subject"
	HeaderSchema      = "ce-dataschema"
	HeaderContentType = "Content-Type"
	HeaderTraceparent = "traceparent"
	HeaderTracestate  = "tracestate"

	HeaderRevision    = "Tidings-Revision"
	HeaderFence       = "Tidings-Fence"
	HeaderGeneration  = "Tidings-Generation"
	HeaderHash        = "Tidings-Hash"
	HeaderRawSequence = "Tidings-Raw-Sequence"
	HeaderArticle     = "Tidings-Article"
)

// The headers of a dead letter.
const (
	HeaderDeadSubject    = "Tidings-Dead-Subject"
	HeaderDeadStream     = "Tidings-Dead-Stream"
	HeaderDeadSequence   = "Tidings-Dead-Sequence"
	HeaderDeadDeliveries = "Tidings-Dead-Deliveries"
	HeaderDeadKind       = "Tidings-Dead-Kind"
	HeaderDeadError      = "Tidings-Dead-Error"
	HeaderDeadTime       = "Tidings-Dead-Time"
)

// HeaderMarker is set by the broker on the empty message that it leaves where one expired or was deleted.
const HeaderMarker = "Nats-Marker-Reason"

// HeaderMsgID is the header by which the broker drops a repeated publish.
const HeaderMsgID = "Nats-Msg-Id"

// forged lists headers that the broker adds to what it reads from a stream for somebody. On a stored message they show
// that the broker was made to publish for a user (nats-server #8274): such a message is refused.
var forged = []string{"Nats-Stream", "Nats-Subject", "Nats-Sequence", "Nats-Time-Stamp"}

// ContentType is the media type of every payload.
const ContentType = "application/json"

const specVersion = "1.0"

// Header holds the headers of a message. Names are compared by case.
type Header map[string][]string

// Value returns the first value of a header, decoded, and "" if there is none.
func (h Header) Value(name string) string {
	if v := h[name]; len(v) > 0 {
		return percentDecode(v[0])
	}
	return ""
}

// Set replaces the values of a header by one, encoded as CloudEvents asks.
func (h Header) Set(name, value string) { h[name] = []string{percentEncode(value)} }

// Message is what travels: a subject, headers and a body.
type Message struct {
	Subject string
	Header  Header
	Body    []byte
}

// Envelope is what the headers of a message say.
type Envelope struct {
	Type   string    // one of the Type constants, or [NoticeType]
	ID     string    // the same for the same event, whoever emits it again
	Source string    // the service
	Time   time.Time // when it was emitted; no part of the content
	// Subject is the URL or id that the event is about, for readers that do not open the payload.
	Subject string
	Article string
	Version Version
	// Hash is the lower-case hex SHA-256 of the body. [Encode] fills it.
	Hash        string
	Traceparent string
	Tracestate  string
}

// Hash returns the lower-case hex SHA-256 of a body, as the header Tidings-Hash holds it. The body may be given in pieces.
func Hash(body ...[]byte) string {
	sum := sha256.New()
	for _, piece := range body {
		_, _ = sum.Write(piece) // never fails
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// Encode builds a message from an envelope and a payload, which is written as JSON without escaping of HTML.
func Encode(subject string, env Envelope, payload any) (Message, error) {
	body, err := Marshal(payload)
	if err != nil {
		return Message{}, fault.Errorf(fault.Internal, "encode %s: %w", env.Type, err)
	}
	return EncodeBody(subject, env, body), nil
}

// EncodeBody is [Encode] for a payload that is JSON already.
func EncodeBody(subject string, env Envelope, body []byte) Message {
	h := Header{}
	set := func(name, value string) {
		if value != "" {
			h.Set(name, value)
		}
	}
	number := func(name string, n uint64) {
		if n != 0 {
			h.Set(name, strconv.FormatUint(n, 10))
		}
	}
	set(HeaderSpecVersion, specVersion)
	set(HeaderType, env.Type)
	set(HeaderID, env.ID)
	set(HeaderSource, "/tidings/"+env.Source)
	set(HeaderTime, env.Time.UTC().Format(time.RFC3339Nano))
	set(HeaderSubject, env.Subject)
	set(HeaderSchema, "urn:tidings:"+env.Type)
	set(HeaderContentType, ContentType)
	set(HeaderTraceparent, env.Traceparent)
	set(HeaderTracestate, env.Tracestate)
	set(HeaderArticle, env.Article)
	set(HeaderHash, Hash(body))
	number(HeaderRevision, env.Version.Revision)
	number(HeaderFence, env.Version.Fence)
	number(HeaderRawSequence, env.Version.RawSequence)
	number(HeaderGeneration, env.Version.Generation)
	return Message{Subject: subject, Header: h, Body: body}
}

// Decode reads the envelope of a message that came from the bus and refuses, as malformed, what Tidings did not write:
// a message without type or id, of an unknown type, with a body that differs from its hash, with headers that only the
// broker sets, or with ids unlike its subject.
func Decode(m Message) (Envelope, error) {
	bad := func(format string, args ...any) (Envelope, error) {
		return Envelope{}, fault.Errorf(fault.Malformed, "read message on %s: "+format, append([]any{clip(m.Subject)}, args...)...)
	}
	for _, name := range forged {
		if _, ok := m.Header[name]; ok {
			return bad("header %s shows that it was injected", name)
		}
	}
	subject, err := ParseSubject(m.Subject)
	if err != nil {
		return Envelope{}, err
	}
	env := Envelope{
		Type: m.Header.Value(HeaderType), ID: m.Header.Value(HeaderID), Subject: m.Header.Value(HeaderSubject),
		Source:  strings.TrimPrefix(m.Header.Value(HeaderSource), "/tidings/"),
		Article: m.Header.Value(HeaderArticle), Hash: m.Header.Value(HeaderHash),
		Traceparent: m.Header.Value(HeaderTraceparent), Tracestate: m.Header.Value(HeaderTracestate),
	}
	switch {
	case env.Type == "":
		return bad("header %s is missing", HeaderType)
	case env.ID == "":
		return bad("header %s is missing", HeaderID)
	case !allowed(subject, env.Type):
		return bad("type %q does not belong there", clip(env.Type))
	case env.Hash != Hash(m.Body):
		return bad("the body does not have the hash of its header")
	}
	if t := m.Header.Value(HeaderTime); t != "" {
		if env.Time, err = time.Parse(time.RFC3339Nano, t); err != nil {
			return bad("header %s is no time", HeaderTime)
		}
	}
	for name, field := range map[string]*uint64{
		HeaderRevision: &env.Version.Revision, HeaderFence: &env.Version.Fence,
		HeaderRawSequence: &env.Version.RawSequence, HeaderGeneration: &env.Version.Generation,
	} {
		if text := m.Header.Value(name); text != "" {
			if *field, err = strconv.ParseUint(text, 10, 64); err != nil {
				return bad("header %s is no number", name)
			}
		}
	}
	if err := agree(subject, env); err != nil {
		return bad("%w", err)
	}
	return env, nil
}

// allowed says which types may stand on a subject.
func allowed(s Subject, typ string) bool {
	switch s.Space {
	case SpaceEvent:
		return typ == NoticeType(s.Word)
	case SpaceDead:
		return true // any message may have died
	default:
		return slices.Contains(typesOf[s.Space], typ)
	}
}

var typesOf = map[Space][]string{
	SpaceRaw:      {TypeRaw, TypeDeleted},
	SpaceBackfill: {TypeRaw, TypeBatch},
	SpaceEnriched: {TypeEnriched, TypeDeleted},
	SpacePost:     {TypePost, TypeWithdrawn},
	SpaceFeed:     {TypeFeedChanged},
}

// agree checks the ids of an envelope against its subject.
func agree(s Subject, env Envelope) error {
	switch s.Space {
	case SpaceRaw, SpaceBackfill:
		if env.Type != TypeBatch && !article.ValidID(env.Article) {
			return fmt.Errorf("%q is no article id", clip(env.Article))
		}
	case SpaceEnriched:
		if env.Article != s.Article {
			return fmt.Errorf("article %q stands on the subject of %s", clip(env.Article), s.Article)
		}
	case SpacePost:
		if !strings.HasPrefix(env.ID, s.Channel+":"+s.Story+":") {
			return fmt.Errorf("id %q stands on the subject of %s", clip(env.ID), s)
		}
	}
	return nil
}

// Marshal writes JSON as every payload is written: compact, HTML unescaped, keys of maps sorted. The same value gives
// the same bytes.
func Marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// Clone returns a copy whose header can be changed.
func (m Message) Clone() Message {
	m.Header = maps.Clone(m.Header)
	if m.Header == nil {
		m.Header = Header{}
	}
	return m
}

// percentEncode encodes a header value as the CloudEvents HTTP and NATS bindings ask: space, quotation mark, per cent
// and everything outside U+0021..U+007E (CloudEvents NATS binding section 3.1.3.2).
func percentEncode(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c == '"' || c == '%' || c > '~' {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// percentDecode is the reverse of percentEncode. What is no escape stays as it is.
func percentDecode(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(n))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
