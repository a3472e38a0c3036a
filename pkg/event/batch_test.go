package event_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
)

// member is one article of a batch, with a field that this version does not know.
func member(t *testing.T, key string, revision uint64) event.BatchMember {
	t.Helper()
	id := article.NewID("crm-blog", key)
	body, err := event.Marshal(article.Raw{ID: id, Revision: revision, Source: article.Source{ID: "crm-blog", Partition: "0a"}, Backfill: true, Title: key})
	if err != nil {
		t.Fatal(err)
	}
	body = []byte(strings.Replace(string(body), `"title"`, `"of_tomorrow":{"a":1},"title"`, 1))
	return event.BatchMember{ID: event.RawID(id, revision, event.Hash(body)), Revision: revision, Fence: 5, Hash: event.Hash(body), Article: body}
}

func batchMessage(t *testing.T, b event.Batch) event.Message {
	t.Helper()
	subject, err := event.RawSubject("0a", "crm-blog", true)
	if err != nil {
		t.Fatal(err)
	}
	m, err := event.Encode(subject, event.Envelope{Type: event.TypeBatch, ID: "first.batch", Source: "ingest", Time: time.Unix(1, 0)}, b)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestABadMemberCostsOnlyItself(t *testing.T) {
	t.Parallel()
	good, spoilt, nameless, otherSource, empty := member(t, "1", 3), member(t, "2", 1), member(t, "3", 1), member(t, "4", 1), member(t, "5", 1)
	spoilt.Article = json.RawMessage(strings.Replace(string(spoilt.Article), `"title":"2"`, `"title":"x"`, 1))
	nameless.ID = ""
	otherSource.Article = json.RawMessage(strings.Replace(string(otherSource.Article), "crm-blog", "press", 1))
	otherSource.Hash = event.Hash(otherSource.Article)
	empty.Article, empty.Hash = json.RawMessage(`null`), event.Hash([]byte(`null`))
	last := member(t, "6", 1)
	members, err := event.DecodeBatch(batchMessage(t, event.Batch{good, spoilt, nameless, otherSource, empty, last}))
	if err != nil || len(members) != 6 {
		t.Fatalf("DecodeBatch = %d messages, %v", len(members), err)
	}
	for i, want := range []bool{true, false, false, false, false, true} {
		env, raw, err := event.DecodeRaw(members[i])
		if want != (err == nil) || !want && fault.KindOf(err) != fault.Malformed {
			t.Errorf("member %d: %v", i, err)
		}
		if i == 0 && (env.ID != good.ID || env.Version != event.Version{Revision: 3, Fence: 5} || env.Article != raw.ID || raw.Title != "1" || env.Source != "ingest") {
			t.Errorf("the first member became %+v, %+v", env, raw)
		}
	}
	if !strings.Contains(string(members[0].Body), `"of_tomorrow":{"a":1}`) {
		t.Errorf("a field that this version does not know was lost: %s", members[0].Body)
	}
	members[0].Header.Set("x", "y")
	if members[1].Header.Value("x") != "" {
		t.Error("the members share one header")
	}
}

func TestABatchIsBounded(t *testing.T) {
	t.Parallel()
	var b event.Batch
	for n := range event.MaxBatch {
		b = append(b, member(t, fmt.Sprint(n), 1))
	}
	if members, err := event.DecodeBatch(batchMessage(t, b)); err != nil || len(members) != event.MaxBatch {
		t.Errorf("a full batch gives %d messages, %v", len(members), err)
	}
	if _, err := event.DecodeBatch(batchMessage(t, append(b, member(t, "one more", 1)))); fault.KindOf(err) != fault.Malformed {
		t.Errorf("a batch of one too many: %v", err)
	}
	raw := batchMessage(t, b)
	raw.Subject = "article.raw.0a.crm-blog"
	if _, err := event.DecodeBatch(raw); fault.KindOf(err) != fault.Malformed {
		t.Errorf("a batch outside the backfill lane: %v", err)
	}
}

// alone makes a raw article of a source on a lane, with a body of about so many bytes.
func alone(t *testing.T, source, key string, backfill bool, size int) event.Message {
	t.Helper()
	id := article.NewID(source, key)
	raw := article.Raw{ID: id, Revision: 1, Source: article.Source{ID: source, Partition: "ab"}, Title: key, Content: &article.Text{Value: strings.Repeat("x", size)}}
	subject, err := event.RawSubject("ab", source, backfill)
	if err != nil {
		t.Fatal(err)
	}
	m, err := event.Encode(subject, event.Envelope{Type: event.TypeRaw, ID: event.RawID(id, 1, "0123456789"), Source: "ingest", Time: time.Unix(1, 0), Article: id, Version: event.Version{Revision: 1, Fence: 7}}, raw)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestOldArticlesOfASourceTravelTogether(t *testing.T) {
	t.Parallel()
	var in []event.Message
	for n := range event.MaxBatch + 5 {
		in = append(in, alone(t, "blog", fmt.Sprint("old", n), true, 100))
	}
	in = append(in, alone(t, "blog", "new", false, 100), alone(t, "blog", "old again", true, 100), alone(t, "other", "old", true, 100))
	for n := range 3 {
		in = append(in, alone(t, "other", fmt.Sprint("large", n), true, 120<<10))
	}
	in = append(in, alone(t, "other", "huge", true, event.MaxBatchBytes), alone(t, "other", "last", true, 10))
	out, err := event.Batches(in)
	if err != nil {
		t.Fatal(err)
	}
	var sizes []int
	var members []event.Message
	for _, m := range out {
		if len(m.Body) > event.MaxBatchBytes+8<<10 {
			t.Errorf("a message has %d bytes", len(m.Body))
		}
		if m.Header.Value(event.HeaderType) != event.TypeBatch {
			sizes, members = append(sizes, 1), append(members, m)
			continue
		}
		list, err := event.DecodeBatch(m)
		if err != nil {
			t.Fatal(err)
		}
		sizes, members = append(sizes, len(list)), append(members, list...)
	}
	if want := []int{event.MaxBatch, 5, 1, 1, 3, 1, 1, 1}; !slices.Equal(sizes, want) {
		t.Errorf("the messages hold %v articles, want %v", sizes, want)
	}
	for i, m := range members {
		want, _, errWant := event.DecodeRaw(in[i])
		got, raw, err := event.DecodeRaw(m)
		if err != nil || errWant != nil || got.ID != want.ID || got.Version != want.Version || got.Hash != want.Hash || raw.ID != want.Article {
			t.Fatalf("article %d is %+v, want %+v: %v", i, got, want, err)
		}
	}
	again, err := event.Batches(in)
	if err != nil || again[0].Header.Value(event.HeaderID) != out[0].Header.Value(event.HeaderID) || out[0].Header.Value(event.HeaderID) == out[1].Header.Value(event.HeaderID) {
		t.Errorf("the ids of batches are %q, and the next time %q: %v", out[0].Header.Value(event.HeaderID), again[0].Header.Value(event.HeaderID), err)
	}
	if none, err := event.Batches(nil); err != nil || len(none) != 0 {
		t.Errorf("of nothing: %v, %v", none, err)
	}
}
