package event_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/event"
)

// payloads are the Go types behind the types of messages. The batch is spelled by hand: its members hold articles.
func payloads() map[string]any {
	return map[string]any{
		event.TypeRaw: article.Raw{}, event.TypeBatch: event.Batch{}, event.TypeEnriched: article.Article{}, event.TypeDeleted: event.Deleted{},
		event.TypePost: event.Post{}, event.TypeWithdrawn: event.Withdrawn{}, event.TypeFeedChanged: event.FeedChanged{}, event.NoticeType("{type}"): event.Notice{},
	}
}

// spaces are the parts of the subject tree in the order of the pipeline.
var spaces = []struct {
	space               event.Space
	tokens              []string
	writer, about, key  string
	consumers, followed []string
}{
	{event.SpaceRaw, []string{"pp", "source"}, "ingest", "Articles as their sources offered them, each revision once.", "raw", []string{event.ConsumerEnrich}, nil},
	{event.SpaceBackfill, []string{"pp", "source"}, "ingest", "Articles that were old when their source was first seen, alone or in batches.", "backfill", []string{event.ConsumerBackfill}, nil},
	{event.SpaceEnriched, []string{"pp", "source", "article"}, "enrich", "The newest revision of each article: cleaned, tagged, told apart by story. Or its tombstone.", "enriched", []string{event.ConsumerComposer}, []string{"publish"}},
	{event.SpacePost, []string{"channel", "story"}, "publish", "The newest post of each story for each channel: a request to the network without credentials.", "post", []string{"ch_{channel}"}, nil},
	{event.SpaceFeed, []string{"feed"}, "publish", "The last change of each feed. It holds no document: who wants one asks for it.", "feed", []string{event.ConsumerWebSub}, nil},
	{event.SpaceDead, []string{"service", "reason"}, "any", "Messages that no handler could take, with the story of their death in Tidings-Dead-* headers.", "dead", nil, nil},
	{event.SpaceEvent, []string{"service", "type"}, "any", "What happened, for operators and their programs. No content, no personal data.", "event", nil, nil},
}

var tokens = map[string]string{
	"pp":      "partition of the source: two hex digits of the SHA-256 of its first host",
	"source":  "id of the source",
	"article": "id of the article, 26 characters of base32",
	"story":   "id of the story: the article id of its first member",
	"channel": "id of the channel",
	"feed":    "id of the feed",
	"service": "ingest, enrich, publish, deliver or tidings",
	"reason":  "a kind of fault or the service's own word",
	"type":    "the type of the event",
}

// component is a type as a key of AsyncAPI, which allows letters, digits, point, hyphen and underscore only.
func component(typ string) string { return strings.NewReplacer("{", "", "}", "").Replace(typ) }

func asyncAPI(t *testing.T, s *schemas) object {
	t.Helper()
	top := topology(t, event.DefaultSettings())
	var channels, operations object
	for _, sp := range spaces {
		address, params := string(sp.space), object{}
		for _, token := range sp.tokens {
			address += ".{" + token + "}"
			params = params.with(token, object{{"description", tokens[token]}})
		}
		types := event.TypesOn(sp.space)
		switch sp.space {
		case event.SpaceDead:
			types = slices.Sorted(maps.Keys(payloads()))
		case event.SpaceEvent:
			types = []string{event.NoticeType("{type}")}
		}
		var messages object
		for _, typ := range types {
			messages = messages.with(component(typ), object{{"$ref", "#/components/messages/" + component(typ)}})
		}
		stream, _ := top.Find(event.StreamOf(sp.space))
		channels = channels.with(sp.key, object{{"address", address}, {"description", sp.about}, {"parameters", params}, {"messages", messages},
			{"x-jetstream-stream", stream.Name}, {"x-jetstream-max-msgs-per-subject", int(stream.PerSubject)}, {"x-jetstream-max-age", stream.MaxAge.String()}})
		ref := object{{"$ref", "#/channels/" + sp.key}}
		operations = operations.with("write-"+sp.key, object{{"action", "send"}, {"channel", ref}, {"x-tidings-service", sp.writer}})
		for _, name := range sp.consumers {
			operations = operations.with(component(name)+"-"+sp.key, object{{"action", "receive"}, {"channel", ref}, {"x-jetstream-consumer", name}})
		}
		for _, name := range sp.followed {
			operations = operations.with("follow-"+sp.key, object{{"action", "receive"}, {"channel", ref}, {"x-tidings-service", name}, {"x-tidings-projection", true}})
		}
	}
	var messages object
	for _, typ := range slices.Sorted(maps.Keys(payloads())) {
		payload := s.of(reflect.TypeOf(payloads()[typ]))
		messages = messages.with(component(typ), object{{"name", typ}, {"contentType", event.ContentType},
			{"headers", object{{"$ref", "#/components/schemas/Headers"}}}, {"payload", payload}})
	}
	named := object{{"Headers", headers()}}
	for _, name := range slices.Sorted(maps.Keys(s.named)) {
		named = named.with(name, s.named[name])
	}
	return object{
		{"asyncapi", "3.0.0"},
		{"info", object{{"title", "Tidings"}, {"version", fmt.Sprint("topology ", top.Number)}, {"description",
			"What the services of Tidings say to each other and to anyone who listens. CloudEvents 1.0 in NATS binary mode over JetStream. Payloads only grow: ignore what you do not know."}}},
		{"defaultContentType", event.ContentType},
		{"channels", channels}, {"operations", operations},
		{"components", object{{"messages", messages}, {"schemas", named}}},
		{"x-tidings-streams", streamList(top)}, {"x-tidings-consumers", consumerList(top)},
	}
}

func headers() object {
	text := func(about string) object { return object{{"type", "string"}, {"description", about}} }
	number := func(about string) object {
		return object{{"type", "string"}, {"pattern", "^[0-9]+$"}, {"description", about}}
	}
	o := object{{"type", "object"}, {"description", "Values are percent-encoded outside of U+0021 to U+007E, and so are quotation marks and per cent signs. A message with one of " +
		strings.Join(event.Forged(), ", ") + " is refused."}}
	return o.with("required", []any{event.HeaderSpecVersion, event.HeaderType, event.HeaderSource, event.HeaderID, event.HeaderTime, event.HeaderContentType, event.HeaderHash}).
		with("properties", object{
			{event.HeaderSpecVersion, object{{"const", "1.0"}}}, {event.HeaderType, text("the type of the message")}, {event.HeaderSource, text("/tidings/ and the service")},
			{event.HeaderID, text("the same for the same event, whoever emits it again")}, {event.HeaderTime, object{{"type", "string"}, {"format", "date-time"}}},
			{event.HeaderSubject, text("the URL that the event is about")}, {event.HeaderSchema, text("urn:tidings: and the type")}, {event.HeaderContentType, object{{"const", event.ContentType}}},
			{event.HeaderTraceparent, text("W3C trace context")}, {event.HeaderTracestate, text("W3C trace context")}, {event.HeaderArticle, text("the article's id")},
			{event.HeaderHash, object{{"type", "string"}, {"pattern", "^[0-9a-f]{64}$"}, {"description", "SHA-256 of the body"}}},
			{event.HeaderRevision, number("first part of the version: what changed at the source")}, {event.HeaderFence, number("second part: which owner of the source saw it")},
			{event.HeaderRawSequence, number("third part: which of two contents under one revision came later")}, {event.HeaderGeneration, number("fourth part: engine and vocabulary of enrich")},
			{event.HeaderDeadSubject, text("of a dead letter: where it came from")}, {event.HeaderDeadStream, text("of a dead letter")}, {event.HeaderDeadSequence, number("of a dead letter: its place there")},
			{event.HeaderDeadDeliveries, number("of a dead letter: how often it was tried")}, {event.HeaderDeadKind, text("of a dead letter: the kind of the fault")},
			{event.HeaderDeadError, text("of a dead letter: the error, at most 1 KB")}, {event.HeaderDeadTime, object{{"type", "string"}, {"format", "date-time"}}},
		})
}

func streamList(top event.Topology) (list []any) {
	for _, s := range top.Streams {
		var subjects []any
		for _, subject := range s.StreamSubjects() {
			subjects = append(subjects, subject)
		}
		list = append(list, object{{"name", s.StreamName()}, {"kind", string(s.Kind)}, {"description", s.About}, {"x-jetstream-subjects", subjects},
			{"x-jetstream-max-age", s.MaxAge.String()}, {"x-jetstream-max-msgs-per-subject", int(s.PerSubject)}})
	}
	return list
}

func consumerList(top event.Topology) (list []any) {
	for _, c := range append(top.Consumers, event.ChannelConsumer("{channel}")) {
		list = append(list, object{{"name", c.Name}, {"x-jetstream-stream", c.Stream}, {"x-jetstream-filter-subject", c.Filter}, {"x-jetstream-max-deliver", c.MaxDeliver},
			{"x-jetstream-max-ack-pending", c.MaxAckPending}, {"x-jetstream-ack-wait", c.AckWait.String()}, {"x-tidings-attempts", c.Attempts}})
	}
	return list
}

func TestAsyncAPIIsCurrent(t *testing.T) {
	t.Parallel()
	s := newSchemas(t, ".", "../article")
	var b strings.Builder
	b.WriteString("# Written by go test ./pkg/event -update from the Go types. Do not edit.")
	writeYAML(&b, asyncAPI(t, s), "")
	golden(t, "asyncapi.yaml", []byte(b.String()))
	if strings.Contains(b.String(), "additionalProperties: false") {
		t.Error("a contract that only grows must not forbid further properties")
	}
	if diff := cmp.Diff(append(slices.Sorted(slices.Values(event.Types())), event.NoticeType("{type}")), slices.Sorted(maps.Keys(payloads())), cmp.Transformer("sorted", func(v []string) []string { slices.Sort(v); return v })); diff != "" {
		t.Errorf("types without a schema (-types +schemas):\n%s", diff)
	}
}

// What the schema says is what the samples hold.
func TestSamplesAreAsTheSchemaSays(t *testing.T) {
	t.Parallel()
	s := newSchemas(t, ".", "../article")
	for _, smp := range samples() {
		m := readSample(t, smp.name)
		typ := m.Header.Value(event.HeaderType)
		if strings.HasPrefix(m.Subject, "event.") {
			typ = event.NoticeType("{type}")
		}
		var v any
		if err := json.Unmarshal(m.Body, &v); err != nil {
			t.Fatal(err)
		}
		for _, bad := range s.valid(s.of(reflect.TypeOf(payloads()[typ])), v, "$") {
			t.Errorf("%s: %s", smp.name, bad)
		}
		head := map[string]any{}
		for name := range m.Header {
			head[name] = m.Header.Value(name)
		}
		for _, bad := range s.valid(headers(), head, "header") {
			t.Errorf("%s: %s", smp.name, bad)
		}
	}
	v := map[string]any{"id": 1.0, "of_tomorrow": true}
	want := []string{"$.id is 1, no string", "$.of_tomorrow is not declared", "$.source is missing", "$.rev is missing", "$.reason is missing", "$.time is missing"}
	if diff := cmp.Diff(want, s.valid(s.of(reflect.TypeFor[event.Deleted]()), v, "$")); diff != "" {
		t.Errorf("the check of this test is blind (-want +got):\n%s", diff)
	}
}
