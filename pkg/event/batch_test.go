package event_test

import (
	"encoding/json"
	"fmt"
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
