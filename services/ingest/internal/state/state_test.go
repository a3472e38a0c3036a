package state

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/natstest"
	"tidings.internal/services/ingest/internal/identity"
	"tidings.internal/services/ingest/internal/parse"
)

func filled(t testing.TB, items int) *Source {
	t.Helper()
	s := New("https://example.org/feed", "ab")
	s.ETag, s.Phase, s.Weight, s.Success = `"x"`, Failing, 2.5, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	doc := &parse.Document{}
	for i := range items {
		doc.Items = append(doc.Items, parse.Item{Raw: article.Raw{GUID: fmt.Sprint("id-", i), Link: fmt.Sprint("https://example.org/", i), Title: fmt.Sprint("Titel ", i)}})
	}
	s.Memory.Judge(doc, identity.Policy{Source: "s"}, time.Now())
	return s
}

func TestStateIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	want := filled(t, 5)
	want.Memory.Rung = identity.ByLink
	b, err := want.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestLargestStateFitsAMessageOfTheBroker(t *testing.T) {
	t.Parallel()
	s := filled(t, 0)
	for n := range 5 {
		doc := &parse.Document{}
		for i := range 2000 {
			doc.Items = append(doc.Items, parse.Item{Raw: article.Raw{GUID: fmt.Sprintf("https://example.org/?p=%d-%d&long=enough", n, i), Link: fmt.Sprintf("https://example.org/%d/%d", n, i), Title: fmt.Sprint("Titel ", n, i)}})
		}
		s.Memory.Judge(doc, identity.Policy{Source: "s"}, time.Now().Add(time.Duration(n)*time.Hour))
	}
	s.Detail, s.Title, s.Rights = strings.Repeat("x", 300), strings.Repeat("<", article.MaxTitle), strings.Repeat("\"", article.MaxTitle)
	b, err := s.Encode()
	if err != nil || len(b) > 500<<10 {
		t.Errorf("%d bytes, %v", len(b), err)
	}
}

func TestStateThatCannotBeReadIsNotTakenForNone(t *testing.T) {
	t.Parallel()
	good, err := filled(t, 3).Encode()
	if err != nil {
		t.Fatal(err)
	}
	var newer map[string]any
	if err := json.Unmarshal(good, &newer); err != nil {
		t.Fatal(err)
	}
	newer["v"] = version + 1
	b, err := json.Marshal(newer)
	if err != nil {
		t.Fatal(err)
	}
	newer["v"], newer["items"] = version, "/////w=="
	damaged, err := json.Marshal(newer)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string][]byte{"newer": b, "damaged": damaged, "no JSON": []byte("{"), "empty": nil} {
		if _, err := Decode(value); fault.KindOf(err) != fault.Malformed {
			t.Errorf("%s: %v, want malformed", name, err)
		}
	}
}

func TestOfTwoWritersOneLoses(t *testing.T) {
	t.Parallel()
	b := natstest.Run(t).Bus(t, "ingest").Bucket(event.BucketSourceState)
	ctx := t.Context()
	if s, rev, err := Load(ctx, b, "s"); s != nil || rev != 0 || err != nil {
		t.Fatalf("%v, %d, %v", s, rev, err)
	}
	rev, err := Save(ctx, b, "s", filled(t, 1), 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Save(ctx, b, "s", filled(t, 1), 0); fault.KindOf(err) != fault.Conflict {
		t.Errorf("created twice: %v", err)
	}
	if _, err := Save(ctx, b, "s", filled(t, 2), rev); err != nil {
		t.Fatal(err)
	}
	if _, err := Save(ctx, b, "s", filled(t, 3), rev); fault.KindOf(err) != fault.Conflict {
		t.Errorf("the second writer won: %v", err)
	}
	if s, _, err := Load(ctx, b, "s"); err != nil || len(s.Memory.Rows) != 2 {
		t.Errorf("%+v, %v", s, err)
	}
}
