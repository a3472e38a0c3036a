package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
)

// store puts an article into RAW, with what enrich made of it, and returns its id.
func store(t *testing.T, b *bus.Bus, key, title string) string {
	t.Helper()
	id := article.NewID("blog", key)
	subject, err := event.RawSubject("0a", "blog", false)
	if err != nil {
		t.Fatal(err)
	}
	raw := article.Raw{ID: id, Revision: 1, Source: article.Source{ID: "blog", Partition: "0a"}, Title: title + " <b>", URL: "https://example.org/" + key, Categories: []article.Category{{Term: "crm"}}}
	m, err := event.Encode(subject, event.Envelope{
		Type: event.TypeRaw, ID: event.RawID(id, 1, "00000000"), Source: "ingest", Time: time.Unix(1, 0), Article: id, Version: event.Version{Revision: 1},
		Traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
	}, raw)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Append(t.Context(), []event.Message{m}); err != nil {
		t.Fatal(err)
	}
	if subject, err = event.EnrichedSubject("0a", "blog", id); err != nil {
		t.Fatal(err)
	}
	v := event.Version{Revision: 1, RawSequence: 1, Generation: 7}
	m, err = event.Encode(subject, event.Envelope{Type: event.TypeEnriched, ID: event.EnrichedID(id, v), Source: "enrich", Time: time.Unix(1, 0), Article: id, Version: v},
		article.Article{ID: id, Revision: 1, Source: raw.Source, Title: title, URL: raw.URL, Tags: []article.Tag{{ID: "crm"}}, Story: article.Story{ID: id}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Emit(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	return id
}

func TestAnArticleIsShownAndTakenDown(t *testing.T) {
	t.Parallel()
	data, b := running(t)
	id := store(t, b, "1", "A title")
	code, out, errs := command(t, data, "articles", "show", id)
	if code != fault.ExitOK {
		t.Fatalf("exit code %d: %s", code, errs)
	}
	for _, want := range []string{"raw ", "RAW 1", "enriched ", "ARTICLES 1", "0af7651916cd43dd8448eb211c80319c", "A title <b>", "CHANGED", "yes", "crm"} {
		if !strings.Contains(out, want) {
			t.Errorf("it says nothing of %q:\n%s", want, out)
		}
	}
	unknown := article.NewID("blog", "unknown")
	for _, c := range []struct {
		code int
		args []string
	}{
		{fault.ExitUsage, []string{"articles", "takedown", id}},
		{fault.ExitUsage, []string{"articles", "takedown", id, "--reason", " "}},
		{1, []string{"articles", "takedown", unknown, "--reason", "court order"}},
		{1, []string{"articles", "show", unknown}},
		{1, []string{"articles", "show", "*"}},
		{fault.ExitPartial, []string{"articles", "takedown", id, unknown, "--reason", "court order"}},
		{fault.ExitOK, []string{"articles", "takedown", id, "--reason", "court order"}},
	} {
		if code, _, errs := command(t, data, c.args...); code != c.code {
			t.Errorf("%v: exit code %d, want %d: %s", c.args, code, c.code, errs)
		}
	}
	if _, out, _ = command(t, data, "articles", "show", id, "--json"); strings.Contains(out, "A title") || !strings.Contains(out, `"deleted": "takedown"`) {
		t.Errorf("after the takedown:\n%s", out)
	}
	told := 0
	if err := b.Read(t.Context(), event.StreamEvents, func(r bus.Record) error {
		if _, n, err := event.DecodeNotice(r.Message); err == nil && n.Type == "article_taken_down" && n.Article == id && n.Text == "court order" {
			told++
		}
		return nil
	}); err != nil || told != 2 {
		t.Errorf("%d events tell of it, %v; want one for each takedown", told, err)
	}
}

func TestAReplayCountsRunsAndEnds(t *testing.T) {
	t.Parallel()
	data, b := running(t)
	for n := range 3 {
		store(t, b, fmt.Sprint(n), "x")
	}
	if code, out, errs := command(t, data, "replay", "--since", "1h", "--dry-run"); code != 0 || out != "3 messages would go through enrich again\n" {
		t.Errorf("dry run: %d, %q, %s", code, out, errs)
	}
	for _, args := range [][]string{{"replay"}, {"replay", "--since", "yesterday"}, {"replay", "--since", "1h", "--rate", "fast"}, {"replay", "--stop", "--since", "1h"}} {
		if code, _, errs := command(t, data, args...); code != fault.ExitUsage {
			t.Errorf("%v: exit code %d, want %d: %s", args, code, fault.ExitUsage, errs)
		}
	}
	if code, _, errs := command(t, data, "replay", "--since", "1h", "--until", "2h"); code != 1 {
		t.Errorf("it ends before it begins: exit code %d: %s", code, errs)
	}
	// One that a kill left behind.
	if _, err := b.StartReplay(t.Context(), event.Replay{Since: time.Now().Add(-time.Hour)}); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := command(t, data, "replay", "--since", "2h"); code != 1 || !strings.Contains(errs, "3 messages are left") {
		t.Errorf("a second replay: exit code %d: %s", code, errs)
	}
	if code, _, errs := command(t, data, "replay", "--stop"); code != 0 {
		t.Errorf("stop: exit code %d: %s", code, errs)
	}
	if code, _, errs := command(t, data, "replay", "--since", "2999-01-01"); code != 1 {
		t.Errorf("it begins in the future: exit code %d: %s", code, errs)
	}
	// A source without articles: there is nothing to do, and it ends by itself.
	code, out, errs := command(t, data, "replay", "--since", "1h", "--source", "press", "--json")
	var done struct {
		Messages *uint64 `json:"messages"`
	}
	if err := json.Unmarshal([]byte(out), &done); code != 0 || err != nil || done.Messages == nil || *done.Messages != 0 {
		t.Errorf("an empty replay: %d, %q, %s", code, out, errs)
	}
	if _, found, err := b.Replaying(t.Context()); found || err != nil {
		t.Errorf("a replay is left: %v", err)
	}
}

func TestABackupIsRestoredIntoAnotherDirectory(t *testing.T) {
	t.Parallel()
	data, b := running(t)
	store(t, b, "1", "A title")
	dir := t.TempDir()
	file := filepath.Join(dir, "tidings.tar")
	if code, out, errs := command(t, data, "backup", file, "--json"); code != 0 || !strings.Contains(out, `"format": 1`) || errs != "" {
		t.Fatalf("backup: exit code %d: %s%s", code, out, errs)
	}
	if code, _, errs := command(t, data, "restore", file); code != 1 || !strings.Contains(errs, "was used") {
		t.Errorf("restore over what is there: exit code %d: %s", code, errs)
	}
	// Nothing runs in the other directory: the verb starts its server for itself.
	other := filepath.Join(dir, "other")
	if code, out, errs := command(t, other, "restore", file); code != 0 || !strings.Contains(out, "restored the backup of") {
		t.Fatalf("restore: exit code %d: %s%s", code, out, errs)
	}
	again := filepath.Join(dir, "again.tar")
	if code, _, errs := command(t, other, "backup", again); code != 0 {
		t.Fatalf("backup of the other: exit code %d: %s", code, errs)
	}
	first, err := bus.ReadManifest(file)
	if err != nil {
		t.Fatal(err)
	}
	second, err := bus.ReadManifest(again)
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range first.Members {
		if n := second.Members[i]; m.Name != event.StreamEvents && (n.Messages != m.Messages || n.Last != m.Last) {
			t.Errorf("%s has %d messages up to %d, had %d up to %d", m.Name, n.Messages, n.Last, m.Messages, m.Last)
		}
	}
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, whole[:len(whole)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := command(t, filepath.Join(dir, "third"), "restore", file); code != 1 || !strings.Contains(errs, "cut") {
		t.Errorf("restore of half a file: exit code %d: %s", code, errs)
	}
}
