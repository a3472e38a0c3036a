package event_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
)

const (
	rawSubject = "article.raw.0a.crm-blog"
	rawID      = "c2d3bbuui5k3qeapeinjszimbg.3.0badcafe"
)

func envelope() event.Envelope {
	return event.Envelope{
		Type: event.TypeRaw, ID: event.RawID(someID, 3, "0badcafe99"), Source: "ingest", Time: time.Date(2026, 5, 1, 12, 0, 0, 123456789, time.UTC),
		Subject: `https://blog.example.com/ä "x" 100%?q=1`, Article: someID,
		Version:     event.Version{Revision: 3, Fence: 17, RawSequence: 99, Generation: 1<<32 | 7},
		Traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", Tracestate: "a=b",
	}
}

func rawMessage(t *testing.T) event.Message {
	t.Helper()
	m, err := event.Encode(rawSubject, envelope(), article.Raw{ID: someID, Revision: 3, Source: article.Source{ID: "crm-blog", Partition: "0a"}, Title: `<b>"Käse" & Öl</b>`})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestEnvelopeRoundTrips(t *testing.T) {
	t.Parallel()
	m := rawMessage(t)
	got, err := event.Decode(m)
	if err != nil {
		t.Fatal(err)
	}
	want := envelope()
	want.Hash = event.Hash(m.Body)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the envelope changed on its way (-want +got):\n%s", diff)
	}
	if !strings.Contains(string(m.Body), `<b>\"Käse\" & Öl</b>`) {
		t.Errorf("the payload is escaped for HTML: %s", m.Body)
	}
	if env, raw, err := event.DecodeRaw(m); err != nil || env.ID != rawID || raw.Title != `<b>"Käse" & Öl</b>` {
		t.Errorf("DecodeRaw = %+v, %+v, %v", env, raw, err)
	}
}

// What stands in a header on the wire is printable ASCII without space and quotation mark, whatever a source wrote.
func TestHeadersArePercentEncoded(t *testing.T) {
	t.Parallel()
	for text, wire := range map[string]string{
		"plain-text_1.2~":       "plain-text_1.2~",
		`a "b" 100%`:            "a%20%22b%22%20100%25",
		"Käse€😀":                "K%C3%A4se%E2%82%AC%F0%9F%98%80",
		"x\r\nNats-Stream: RAW": "x%0D%0ANats-Stream:%20RAW",
		"\x00\x7f\xff":          "%00%7F%FF",
		"%41":                   "%2541",
	} {
		h := event.Header{}
		h.Set("ce-subject", text)
		if got := h["ce-subject"][0]; got != wire {
			t.Errorf("%q is written as %q, want %q", text, got, wire)
		}
		if got := h.Value("ce-subject"); got != text {
			t.Errorf("%q is read as %q", text, got)
		}
	}
	// What is no escape stays as it is: other writers encode less.
	for wire, text := range map[string]string{"100%": "100%", "%": "%", "%4": "%4", "%zz": "%zz", "%+1": "%+1", "a b": "a b", "%e4": "\xe4"} {
		if got := (event.Header{"x": {wire}}).Value("x"); got != text {
			t.Errorf("the wire's %q is read as %q, want %q", wire, got, text)
		}
	}
	if got := (event.Header{"x": {}}).Value("x"); got != "" {
		t.Errorf("a header without values reads %q", got)
	}
}

func TestForeignMessagesAreRefused(t *testing.T) {
	t.Parallel()
	if _, err := event.Decode(rawMessage(t)); err != nil {
		t.Fatalf("the message that is spoilt below is bad already: %v", err)
	}
	drop := func(name string) func(*event.Message) { return func(m *event.Message) { delete(m.Header, name) } }
	set := func(name, value string) func(*event.Message) {
		return func(m *event.Message) { m.Header.Set(name, value) }
	}
	move := func(subject string) func(*event.Message) { return func(m *event.Message) { m.Subject = subject } }
	for name, spoil := range map[string]func(*event.Message){
		"no type":                          drop(event.HeaderType),
		"no id":                            drop(event.HeaderID),
		"no hash":                          drop(event.HeaderHash),
		"no headers at all":                func(m *event.Message) { m.Header = nil },
		"empty type":                       set(event.HeaderType, ""),
		"a type of no meaning":             set(event.HeaderType, "article.raw.v2"),
		"a type of another subject":        set(event.HeaderType, event.TypePost),
		"the type in another case":         func(m *event.Message) { delete(m.Header, event.HeaderType); m.Header.Set("Ce-Type", event.TypeRaw) },
		"a wrong hash":                     set(event.HeaderHash, event.Hash([]byte("x"))),
		"another body":                     func(m *event.Message) { m.Body = append(m.Body, ' ') },
		"Nats-Stream":                      set("Nats-Stream", "RAW"),
		"Nats-Subject":                     set("Nats-Subject", "x"),
		"Nats-Sequence":                    set("Nats-Sequence", "1"),
		"Nats-Time-Stamp":                  set("Nats-Time-Stamp", "2026-05-01T12:00:00Z"),
		"Nats-Stream without a value":      func(m *event.Message) { m.Header["Nats-Stream"] = nil },
		"a time of another form":           set(event.HeaderTime, "yesterday"),
		"a negative revision":              set(event.HeaderRevision, "-1"),
		"a revision past 64 bits":          set(event.HeaderRevision, "18446744073709551616"),
		"a fence in words":                 set(event.HeaderFence, "seven"),
		"a hexadecimal raw sequence":       set(event.HeaderRawSequence, "0x10"),
		"a generation with a point":        set(event.HeaderGeneration, "1.5"),
		"no article":                       drop(event.HeaderArticle),
		"an article of another form":       set(event.HeaderArticle, "../etc"),
		"a subject that is none of ours":   move("foo.bar"),
		"a wildcard subject":               move("article.raw.0a.>"),
		"a subject of another space":       move("feed.changed.all"),
		"the payload of another article":   set(event.HeaderArticle, otherID),
		"the payload of another source":    move("article.raw.0a.other"),
		"the payload of another partition": move("article.raw.0b.crm-blog"),
		"the payload of another revision":  set(event.HeaderRevision, "4"),
		"a batch that is an object": func(m *event.Message) {
			m.Subject = "article.backfill.0a.crm-blog"
			m.Header.Set(event.HeaderType, event.TypeBatch)
		},
		"a body that is no JSON":            body(`{`),
		"an empty body":                     body(``),
		"a body with a second value":        func(m *event.Message) { body(string(m.Body) + `{}`)(m) },
		"a body with a brace too many":      func(m *event.Message) { body(string(m.Body) + `}`)(m) },
		"a body of another type":            body(`[]`),
		"a body with a number for a string": body(`{"id":1}`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := rawMessage(t)
			spoil(&m)
			if _, _, err := event.DecodeRaw(m); fault.KindOf(err) != fault.Malformed {
				t.Errorf("DecodeRaw = %v; want malformed", err)
			}
		})
	}
}

func body(text string) func(*event.Message) {
	return func(m *event.Message) {
		m.Body = []byte(text)
		m.Header.Set(event.HeaderHash, event.Hash(m.Body))
	}
}

// Each space has ids of its own that must agree between subject, envelope and payload.
func TestIDsMustAgree(t *testing.T) {
	t.Parallel()
	now := time.Unix(1, 0).UTC()
	v := event.Version{Revision: 1}
	encode := func(subject string, env event.Envelope, payload any) event.Message {
		env.Time = now
		m, err := event.Encode(subject, env, payload)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	enriched := func(subject, id string, a article.Article) error {
		_, _, err := event.DecodeEnriched(encode(subject, event.Envelope{Type: event.TypeEnriched, ID: "x", Article: id, Version: v}, a))
		return err
	}
	post := func(subject, id string, p event.Post) error {
		_, _, err := event.DecodePost(encode(subject, event.Envelope{Type: event.TypePost, ID: id, Version: v}, p))
		return err
	}
	withdrawn := func(id string, w event.Withdrawn) error {
		_, _, err := event.DecodeWithdrawn(encode("post.masto."+someID, event.Envelope{Type: event.TypeWithdrawn, ID: id, Version: v}, w))
		return err
	}
	deleted := func(id string, d event.Deleted) error {
		_, _, err := event.DecodeDeleted(encode("article.enriched.0a.blog."+id, event.Envelope{Type: event.TypeDeleted, ID: "x", Article: id, Version: v}, d))
		return err
	}
	feed := func(f event.FeedChanged) error {
		_, _, err := event.DecodeFeedChanged(encode("feed.changed.all", event.Envelope{Type: event.TypeFeedChanged, ID: "x"}, f))
		return err
	}
	notice := func(subject, typ string) error {
		_, _, err := event.DecodeNotice(encode(subject, event.Envelope{Type: typ, ID: "x"}, event.Notice{}))
		return err
	}
	onBlog := "article.enriched.0a.blog." + someID
	for name, c := range map[string]struct {
		err error
		ok  bool
	}{
		"enriched":                         {enriched(onBlog, someID, article.Article{ID: someID, Source: article.Source{ID: "blog"}}), true},
		"enriched, other envelope":         {enriched(onBlog, otherID, article.Article{ID: otherID, Source: article.Source{ID: "blog"}}), false},
		"enriched, other payload":          {enriched(onBlog, someID, article.Article{ID: otherID, Source: article.Source{ID: "blog"}}), false},
		"enriched, other source":           {enriched(onBlog, someID, article.Article{ID: someID, Source: article.Source{ID: "press"}}), false},
		"post":                             {post("post.masto."+someID, "masto:"+someID+":1", event.Post{Channel: "masto", Story: someID, Revision: 1}), true},
		"post, other story":                {post("post.masto."+someID, "masto:"+otherID+":1", event.Post{Channel: "masto", Story: otherID, Revision: 1}), false},
		"post, other channel":              {post("post.masto."+someID, "press:"+someID+":1", event.Post{Channel: "press", Story: someID, Revision: 1}), false},
		"post, other payload":              {post("post.masto."+someID, "masto:"+someID+":1", event.Post{Channel: "press", Story: someID, Revision: 1}), false},
		"post, other revision":             {post("post.masto."+someID, "masto:"+someID+":1", event.Post{Channel: "masto", Story: someID, Revision: 2}), false},
		"withdrawn":                        {withdrawn("masto:"+someID+":2", event.Withdrawn{Channel: "masto", Story: someID, Revision: 2}), true},
		"withdrawn, other revision":        {withdrawn("masto:"+someID+":2", event.Withdrawn{Channel: "masto", Story: someID, Revision: 3}), false},
		"deleted":                          {deleted(someID, event.Deleted{ID: someID}), true},
		"deleted, other payload":           {deleted(someID, event.Deleted{ID: otherID}), false},
		"feed":                             {feed(event.FeedChanged{Feed: "all"}), true},
		"feed, other payload":              {feed(event.FeedChanged{Feed: "some"}), false},
		"notice":                           {notice("event.ingest.source_failing", "event.source_failing.v1"), true},
		"notice under another type":        {notice("event.ingest.source_failing", "event.source_added.v1"), false},
		"notice under a type of a message": {notice("event.ingest.source_failing", event.TypeRaw), false},
	} {
		switch {
		case c.ok && c.err != nil:
			t.Errorf("%s is refused: %v", name, c.err)
		case !c.ok && fault.KindOf(c.err) != fault.Malformed:
			t.Errorf("%s: %v; want malformed", name, c.err)
		}
	}
}

// A decoder refuses a message of another type that may stand on the same subject.
func TestDecodersRefuseOtherTypes(t *testing.T) {
	t.Parallel()
	m, err := event.Encode("article.enriched.0a.blog."+someID, event.Envelope{Type: event.TypeDeleted, ID: "x", Article: someID, Time: time.Unix(1, 0)}, event.Deleted{ID: someID})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := event.DecodeEnriched(m); fault.KindOf(err) != fault.Malformed {
		t.Errorf("a tombstone was read as an article: %v", err)
	}
}

func TestIDsOfMessages(t *testing.T) {
	t.Parallel()
	if got := event.RawID(someID, 3, "0badcafe99"); got != rawID {
		t.Errorf("RawID = %q, want %q", got, rawID)
	}
	if got := event.RawID("a", 1, "0b"); got != "a.1.0b" {
		t.Errorf("RawID with a short fingerprint = %q", got)
	}
	if got := event.EnrichedID("a", event.Version{Revision: 1, Fence: 2, RawSequence: 3, Generation: 4}); got != "a.1.2.3.4" {
		t.Errorf("EnrichedID = %q", got)
	}
	if got := event.PostID("masto", "s", 7); got != "masto:s:7" {
		t.Errorf("PostID = %q", got)
	}
}

func TestCloneLeavesTheOriginalAlone(t *testing.T) {
	t.Parallel()
	m := rawMessage(t)
	before := maps.Clone(m.Header)
	c := m.Clone()
	c.Header.Set("x", "y")
	if diff := cmp.Diff(before, m.Header); diff != "" {
		t.Errorf("the original changed (-want +got):\n%s", diff)
	}
	(event.Message{}).Clone().Header.Set("x", "y") // a message without headers can be given one
}

func TestWhatIsNoJSONIsNotEncoded(t *testing.T) {
	t.Parallel()
	if _, err := event.Encode(rawSubject, envelope(), func() {}); fault.KindOf(err) != fault.Internal {
		t.Errorf("a function was encoded: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(rawSubject, event.TypeRaw, rawID, "3", someID, []byte(`{"id":"x"}`))
	f.Add("article.backfill.0a.crm-blog", event.TypeBatch, "x", "", "", []byte(`[{"id":"a","article":{"id":"b"}},{}]`))
	f.Add("post.masto."+someID, event.TypePost, "masto:"+someID+":1", "1", "", []byte(`{"request":{"body":{"$media":"m0"}}}`))
	f.Add("feed.changed.all", event.TypeFeedChanged, "%zz", "", "", []byte(`null`))
	f.Add("dead.enrich.malformed", "\xff", "x", "", "", []byte("\x00"))
	f.Fuzz(func(t *testing.T, subject, typ, id, revision, art string, body []byte) {
		m := event.Message{Subject: subject, Header: event.Header{}, Body: body}
		for name, value := range map[string]string{
			event.HeaderType: typ, event.HeaderID: id, event.HeaderRevision: revision, event.HeaderArticle: art, event.HeaderHash: event.Hash(body),
		} {
			m.Header.Set(name, value)
		}
		env, err := event.Decode(m)
		if err == nil {
			again, err := event.Decode(event.EncodeBody(m.Subject, env, m.Body))
			if diff := cmp.Diff(env, again); diff != "" || err != nil {
				t.Errorf("the envelope is not the same after another trip: %v\n%s", err, diff)
			}
		} else if fault.KindOf(err) != fault.Malformed {
			t.Errorf("refused as %q, want malformed: %v", fault.KindOf(err), err)
		}
		_, _, _ = event.DecodeRaw(m)
		_, _, _ = event.DecodePost(m)
		members, _ := event.DecodeBatch(m)
		for _, one := range members {
			if _, _, err := event.DecodeRaw(one); err != nil && fault.KindOf(err) != fault.Malformed {
				t.Errorf("a bad member is %q, want malformed: %v", fault.KindOf(err), err)
			}
		}
	})
}
