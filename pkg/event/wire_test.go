package event_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/event"
)

// The files in testdata/v1 are messages as earlier releases wrote them, in the order of the protocol: subject, headers,
// an empty line, body. They are only ever added. Every release must read all of them, and write the same bytes where
// it writes such a message itself.
const samplesDir = "testdata/v1"

// sample is a message of a type and shape, and how it is read.
type sample struct {
	name  string
	build func() (event.Message, error)
	// read returns the envelope and the payload, which written again must give the same bytes.
	read func(event.Message) (event.Envelope, any, error)
}

var sampleTime = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func reader[T any](decode func(event.Message) (event.Envelope, T, error)) func(event.Message) (event.Envelope, any, error) {
	return func(m event.Message) (event.Envelope, any, error) {
		env, v, err := decode(m)
		return env, v, err
	}
}

func readBatch(m event.Message) (event.Envelope, any, error) {
	env, err := event.Decode(m)
	if err != nil {
		return env, nil, err
	}
	members, err := event.DecodeBatch(m)
	for _, one := range members {
		_, _, bad := event.DecodeRaw(one)
		err = errors.Join(err, bad)
	}
	var batch event.Batch
	return env, batch, errors.Join(err, json.Unmarshal(m.Body, &batch))
}

// readAny reads what stands in DEAD: any body under the envelope that it died with.
func readAny(m event.Message) (event.Envelope, any, error) {
	env, err := event.Decode(m)
	return env, json.RawMessage(m.Body), err
}

func encode(subject string, env event.Envelope, payload any) (event.Message, error) {
	env.Time = sampleTime
	env.Traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	return event.Encode(subject, env, payload)
}

func sampleSource() article.Source {
	return article.Source{ID: "crm-blog", Partition: "0a", Title: "CRM & Co", FeedURL: "https://blog.example.com/feed", SiteURL: "https://blog.example.com/",
		Language: "de", Tags: []string{"crm"}, Syndicate: article.Full, Rights: "© Example GmbH"}
}

func sampleRaw() article.Raw {
	return article.Raw{
		ID: someID, Revision: 3, Source: sampleSource(), URL: "https://blog.example.com/2026/käse", Link: "https://blog.example.com/2026/k%C3%A4se?utm_source=rss",
		GUID: "tag:blog.example.com,2026:1", Title: `Käse & "Wein" <neu>`, Content: &article.Text{Value: "<p>Text 😀</p>", Type: article.TextHTML, Lang: "de"},
		Summary: &article.Text{Value: "Kurz", Type: article.TextPlain}, Authors: []article.Person{{Name: "Ö. Author", Email: "a@example.com"}},
		Categories: []article.Category{{Term: "CRM", Scheme: "https://example.com/s"}}, Enclosures: []article.Enclosure{{URL: "https://blog.example.com/a.mp3", Type: "audio/mpeg", Length: 1234, Duration: 61.5}},
		Media: []article.Media{{Kind: "image", URL: "https://blog.example.com/a.jpg", Width: 640, Height: 480}}, Language: "de-DE",
		Podcast: &article.Podcast{Duration: 61.5, Episode: 7}, Published: new(sampleTime.Add(-time.Hour)), UpdatedRaw: "gestern", Fetched: sampleTime, FirstSeen: sampleTime.Add(-time.Minute),
		Truncated: []string{"summary"},
	}
}

func rawEnvelope(r article.Raw) event.Envelope {
	return event.Envelope{Type: event.TypeRaw, ID: event.RawID(r.ID, r.Revision, "0badcafe"), Source: "ingest", Subject: r.URL, Article: r.ID, Version: event.Version{Revision: r.Revision, Fence: 17}}
}

func blob(week, text string) *article.Blob {
	return &article.Blob{Name: week + "-" + event.Hash([]byte(text)), Bytes: int64(len(text)), SHA256: event.Hash([]byte(text))}
}

func sampleArticle() article.Article {
	r := sampleRaw()
	return article.Article{
		ID: r.ID, Revision: 3, Source: r.Source, URL: r.URL, GUID: r.GUID, Title: r.Title, Summary: "Kurz", Summaries: map[string]string{"140": "K", "280": "Ku"},
		HTML: "<p>Text 😀</p>", Text: "Text 😀", TextBlob: blob("2026w18", "a long text"), Authors: r.Authors, Categories: r.Categories,
		Tags: []article.Tag{{ID: "crm", Label: map[string]string{"de": "Kundenpflege", "en": "CRM"}, Kind: article.KindConcept, Scheme: "topics", Broader: []string{"marketing"}, Score: 0.875, Hashtag: "CRM",
			Evidence: []article.Evidence{{Source: "label", Text: "CRM", Field: "category", Start: 0, End: 3, Kind: "pref", Weight: 1}}}},
		Keyphrases: []article.Phrase{{Text: "Käse", Score: 0.5}}, Image: &article.Image{URL: "https://blog.example.com/a.jpg", Width: 640, Height: 480, Alt: "Käse"},
		Enclosures: r.Enclosures, Media: r.Media, Rights: "© Example GmbH", Language: article.Language{Code: "de", Confidence: 0.99}, ReadingTime: 61,
		Published: r.Published, FirstSeen: r.FirstSeen, Fetched: r.Fetched, Story: article.Story{ID: r.ID, Relation: article.RelationNew, FirstSeen: r.FirstSeen},
		Extract: "feed", Degraded: []string{"entities:timeout"}, Versions: article.Versions{Engine: 2, Vocabulary: 7, VocabularyHash: "ab12"},
	}
}

func samplePost(action string, revision uint64) event.Post {
	p := event.Post{
		Channel: "masto", Network: "mastodon", Story: someID, Article: someID, Revision: revision, Action: action, FirstSeen: sampleTime, Published: sampleTime.Add(-time.Hour),
		Title: "Käse", URL: "https://blog.example.com/2026/käse", Language: "de", Text: "Käse 😀 #CRM", Count: event.Count{Used: 11, Limit: 500, Unit: "grapheme"},
		Request: event.Request{Method: "POST", Path: "/api/v1/statuses", Headers: map[string]string{"Idempotency-Key": "x"}, Body: json.RawMessage(`{"status":"Käse 😀 #CRM","media_ids":[{"$media":"m0"}]}`)},
		Media:   []event.Asset{{Name: "m0", URL: "https://blog.example.com/a.jpg", Alt: "Käse", MaxBytes: 16 << 20, Types: []string{"image/jpeg"}}}, Hash: event.Hash([]byte("x")),
	}
	if action == event.ActionEdit {
		p.Request.Method, p.Request.Path, p.Media = "PUT", "/api/v1/statuses/{remote_id}", nil
	}
	return p
}

func postEnvelope(typ string, revision uint64) event.Envelope {
	return event.Envelope{Type: typ, ID: event.PostID("masto", someID, revision), Source: "publish", Subject: "https://blog.example.com/2026/käse", Article: someID, Version: event.Version{Revision: revision, Fence: 17, RawSequence: 99, Generation: 2<<32 | 7}}
}

func samples() []sample {
	enrichedAs := func(typ string, v event.Version) event.Envelope {
		return event.Envelope{Type: typ, ID: event.EnrichedID(someID, v), Source: "enrich", Subject: "https://blog.example.com/2026/käse", Article: someID, Version: v}
	}
	const rawOn, backfillOn, enrichedOn, postOn = "article.raw.0a.crm-blog", "article.backfill.0a.crm-blog", "article.enriched.0a.crm-blog.", "post.masto."
	return []sample{
		{"article.raw", func() (event.Message, error) { return encode(rawOn, rawEnvelope(sampleRaw()), sampleRaw()) }, reader(event.DecodeRaw)},
		{"article.raw.page", func() (event.Message, error) {
			r := sampleRaw()
			r.Content = &article.Text{Type: article.TextHTML, Blob: blob("2026w18", "a long body")}
			r.Page = &article.Page{URL: r.URL, FinalURL: r.URL, Status: 200, ContentType: "text/html; charset=iso-8859-1", Fetched: sampleTime, BodyB64: []byte("K\xe4se")}
			return encode(rawOn, rawEnvelope(r), r)
		}, reader(event.DecodeRaw)},
		{"article.raw.backfill", func() (event.Message, error) {
			r := article.Raw{ID: someID, Revision: 1, Source: article.Source{ID: "crm-blog", Partition: "0a"}, Backfill: true, Fetched: sampleTime, FirstSeen: sampleTime}
			return encode(backfillOn, rawEnvelope(r), r)
		}, reader(event.DecodeRaw)},
		{"article.batch", func() (event.Message, error) {
			var b event.Batch
			for _, id := range []string{someID, otherID} {
				r := article.Raw{ID: id, Revision: 1, Source: article.Source{ID: "crm-blog", Partition: "0a"}, Backfill: true, Title: "Käse & Wein", Fetched: sampleTime, FirstSeen: sampleTime}
				text, err := event.Marshal(r)
				if err != nil {
					return event.Message{}, err
				}
				b = append(b, event.BatchMember{ID: event.RawID(id, 1, event.Hash(text)), Revision: 1, Fence: 17, Hash: event.Hash(text), Article: text})
			}
			return encode(backfillOn, event.Envelope{Type: event.TypeBatch, ID: b[0].ID + ".0badcafe", Source: "ingest", Version: event.Version{Fence: 17}}, b)
		}, readBatch},
		{"article.enriched", func() (event.Message, error) {
			return encode(enrichedOn+someID, enrichedAs(event.TypeEnriched, event.Version{Revision: 3, Fence: 17, RawSequence: 99, Generation: sampleArticle().Versions.Generation()}), sampleArticle())
		}, reader(event.DecodeEnriched)},
		{"article.enriched.blocks", func() (event.Message, error) {
			a := sampleArticle()
			a.Blocks, a.Versions.Knowledge = []byte{0, 1, 2, 3, 4, 5, 6, 254, 255, 254, 253, 252, 251, 250, 249, 1}, "0a1b2c3d4e5f6071"
			return encode(enrichedOn+someID, enrichedAs(event.TypeEnriched, event.Version{Revision: 3, Fence: 17, RawSequence: 99, Generation: a.Versions.Generation()}), a)
		}, reader(event.DecodeEnriched)},
		{"article.deleted", func() (event.Message, error) {
			return encode(enrichedOn+someID, enrichedAs(event.TypeDeleted, event.Version{Revision: 4, Fence: 17, RawSequence: 120}),
				event.Deleted{ID: someID, Source: "crm-blog", Revision: 4, Reason: event.DeletedBySource, Time: sampleTime, Story: someID})
		}, reader(event.DecodeDeleted)},
		{"article.deleted.takedown", func() (event.Message, error) {
			return encode(enrichedOn+someID, enrichedAs(event.TypeDeleted, event.Version{Revision: event.TakedownRevision}),
				event.Deleted{ID: someID, Source: "crm-blog", Revision: event.TakedownRevision, Reason: event.DeletedTakedown, Time: sampleTime})
		}, reader(event.DecodeDeleted)},
		{"post.composed.create", func() (event.Message, error) {
			return encode(postOn+someID, postEnvelope(event.TypePost, 3), samplePost(event.ActionCreate, 3))
		}, reader(event.DecodePost)},
		{"post.composed.edit", func() (event.Message, error) {
			return encode(postOn+someID, postEnvelope(event.TypePost, 4), samplePost(event.ActionEdit, 4))
		}, reader(event.DecodePost)},
		{"post.withdrawn", func() (event.Message, error) {
			return encode(postOn+someID, postEnvelope(event.TypeWithdrawn, 5), event.Withdrawn{Channel: "masto", Network: "mastodon", Story: someID, Article: someID, Revision: 5, Reason: event.DeletedBySource})
		}, reader(event.DecodeWithdrawn)},
		{"feed.changed", func() (event.Message, error) {
			return encode("feed.changed.kultur", event.Envelope{Type: event.TypeFeedChanged, ID: "kultur.99", Source: "publish"}, event.FeedChanged{
				Feed: "kultur", Applied: event.Applied{Created: sampleTime.Add(-time.Hour), Sequence: 99}, Updated: sampleTime,
				Documents: []event.Document{{Format: "atom", Topic: "https://news.example.org/kultur.atom", Hub: "https://news.example.org/hub", ContentType: "application/atom+xml", SHA256: event.Hash(nil), Bytes: 512}}})
		}, reader(event.DecodeFeedChanged)},
		{"feed.changed.hubs", func() (event.Message, error) {
			return encode("feed.changed.kultur", event.Envelope{Type: event.TypeFeedChanged, ID: "kultur.100", Source: "publish"}, event.FeedChanged{
				Feed: "kultur", Applied: event.Applied{Created: sampleTime.Add(-time.Hour), Sequence: 100}, Updated: sampleTime,
				Documents: []event.Document{{Format: "rss", Topic: "https://news.example.org/kultur.rss", ContentType: "application/rss+xml", SHA256: event.Hash(nil), Bytes: 512}},
				Hubs:      []string{"https://hub.example/"}})
		}, reader(event.DecodeFeedChanged)},
		{"event.channel_paused", func() (event.Message, error) {
			return encode("event.deliver.channel_paused", event.Envelope{Type: event.NoticeType("channel_paused"), ID: "n1", Source: "deliver"},
				event.Notice{Time: sampleTime, Service: "deliver", Type: "channel_paused", Channel: "masto", Reason: "refused", Text: "the network refused the token", Data: map[string]string{"status": "401"}})
		}, reader(event.DecodeNotice)},
		{"dead", func() (event.Message, error) {
			m, err := encode("dead.enrich.too_large", rawEnvelope(sampleRaw()), sampleRaw())
			for name, value := range map[string]string{
				event.HeaderDeadSubject: rawOn, event.HeaderDeadStream: event.StreamRaw, event.HeaderDeadSequence: "99", event.HeaderDeadDeliveries: "1",
				event.HeaderDeadKind: "too_large", event.HeaderDeadError: "clean käse: 12 MB", event.HeaderDeadTime: sampleTime.Format(time.RFC3339),
			} {
				m.Header.Set(name, value)
			}
			return m, err
		}, readAny},
	}
}

// wire writes a message as its sample holds it.
func wire(m event.Message) []byte {
	var b bytes.Buffer
	b.WriteString(m.Subject + "\n")
	names := make([]string, 0, len(m.Header))
	for name := range m.Header {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for _, v := range m.Header[name] {
			b.WriteString(name + ": " + v + "\n")
		}
	}
	b.WriteString("\n")
	b.Write(m.Body)
	b.WriteString("\n")
	return b.Bytes()
}

func unwire(t *testing.T, data []byte) event.Message {
	t.Helper()
	head, body, ok := strings.Cut(string(data), "\n\n")
	lines := strings.Split(head, "\n")
	m := event.Message{Subject: lines[0], Header: event.Header{}, Body: []byte(strings.TrimSuffix(body, "\n"))}
	for _, line := range lines[1:] {
		name, value, colon := strings.Cut(line, ": ")
		ok = ok && colon
		m.Header[name] = append(m.Header[name], value)
	}
	if !ok {
		t.Fatal("the sample is not subject, headers, empty line, body")
	}
	return m
}

func readSample(t *testing.T, name string) event.Message {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(samplesDir, name+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	return unwire(t, data)
}

func TestSamplesAreReadAndWrittenTheSame(t *testing.T) {
	t.Parallel()
	for _, s := range samples() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			built, err := s.build()
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(samplesDir, s.name+".txt")
			if _, err := os.Stat(file); *update && errors.Is(err, fs.ErrNotExist) {
				if err := os.WriteFile(file, wire(built), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			m := readSample(t, s.name)
			if diff := cmp.Diff(m, built); diff != "" {
				t.Errorf("this release writes the message in another way (-sample +now):\n%s", diff)
			}
			env, payload, err := s.read(m)
			if err != nil {
				t.Fatalf("the sample is not understood: %v", err)
			}
			again, err := event.Encode(m.Subject, env, payload)
			if err != nil {
				t.Fatal(err)
			}
			for name, values := range m.Header {
				if strings.HasPrefix(name, "Tidings-Dead-") {
					again.Header[name] = values
				}
			}
			if diff := cmp.Diff(m, again); diff != "" {
				t.Errorf("reading it loses something (-sample +written again):\n%s", diff)
			}
		})
	}
}

// Files that no entry above builds stand for writers of another release. They are read all the same.
func TestEverySampleIsRead(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(samplesDir, "*.txt"))
	if err != nil || len(files) < len(samples()) {
		t.Fatalf("%d samples, %v", len(files), err)
	}
	types := map[string]bool{}
	for _, file := range files {
		m := readSample(t, strings.TrimSuffix(filepath.Base(file), ".txt"))
		env, err := event.Decode(m)
		if err != nil {
			t.Errorf("%s: %v", file, err)
		}
		types[env.Type] = true
		if network, ok := strings.CutPrefix(strings.TrimSuffix(filepath.Base(file), ".txt"), "post.network."); ok {
			if _, p, err := event.DecodePost(m); err != nil || p.Network != network || len(p.Request.Body) == 0 {
				t.Errorf("%s: %+v, %v", file, p, err)
			}
		}
	}
	for _, typ := range event.Types() {
		if !types[typ] {
			t.Errorf("there is no sample of type %s", typ)
		}
	}
}

// A field or header that a newer writer added is no error, and stays where a message is handed on as it came.
func TestUnknownFieldsAreBorneAndPassedOn(t *testing.T) {
	t.Parallel()
	m := readSample(t, "newer.article.raw")
	env, raw, err := event.DecodeRaw(m)
	if err != nil || raw.Title == "" || env.Version.Revision != 3 {
		t.Fatalf("DecodeRaw = %+v, %+v, %v", env, raw, err)
	}
	if got := raw.Source.Syndicate.Lesser(article.Full); got != article.Full {
		t.Errorf("an unknown word for syndicate counts as %q", got)
	}
	clone := m.Clone()
	if diff := cmp.Diff(m, clone); diff != "" {
		t.Errorf("handing it on changes it:\n%s", diff)
	}
	members, err := event.DecodeBatch(readSample(t, "newer.article.batch"))
	if err != nil || len(members) != 1 {
		t.Fatalf("DecodeBatch = %v, %v", members, err)
	}
	if _, _, err := event.DecodeRaw(members[0]); err != nil || !strings.Contains(string(members[0].Body), `"of_tomorrow"`) {
		t.Errorf("the member of a newer writer became %s, %v", members[0].Body, err)
	}
}
