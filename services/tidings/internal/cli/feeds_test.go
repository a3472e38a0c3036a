package cli

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"strings"
	"testing"

	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
)

// publishes answers as a publish would that serves broken documents.
func publishes(t *testing.T, data string) {
	t.Helper()
	b := joined(t, data, "publish")
	stop, err := b.Serve(t.Context(), "1.0.0", event.VerbFeed, func(_ context.Context, request []byte) (any, error) {
		var r event.FeedRequest
		if err := json.Unmarshal(request, &r); err != nil {
			return nil, err
		}
		var z bytes.Buffer
		w := gzip.NewWriter(&z)
		if _, err := w.Write([]byte(`<rss version="2.0"><channel><title>No link</title></channel></rss>`)); err != nil {
			return nil, err
		}
		if err := w.Close(); err != nil {
			return nil, err
		}
		return event.FeedReply{Self: "https://news.example.org/feeds/all." + r.Format, Bytes: 66, Gzip: z.Bytes()}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
}

func TestACheckOfAFeedNamesTheRulesThatItBreaks(t *testing.T) {
	t.Parallel()
	data, _ := running(t)
	if code, _, errs := command(t, data, "feeds", "check", "all"); code != fault.Unreachable.Row().Exit || !strings.Contains(errs, "no publish is running") {
		t.Errorf("without publish: exit code %d, %s", code, errs)
	}
	publishes(t, data)
	code, out, errs := command(t, data, "feeds", "check", "all")
	if code != 1 || !strings.Contains(errs, "feed all breaks rules") {
		t.Errorf("exit code %d, %s", code, errs)
	}
	for _, want := range []string{"https://news.example.org/feeds/all.json", "breaks ", "MissingElement"} {
		if !strings.Contains(out, want) {
			t.Errorf("without %q:\n%s", want, out)
		}
	}
	code, out, _ = command(t, data, "feeds", "check", "all", "--json")
	var list []struct {
		Format   string
		Problems []struct{ Rule string }
	}
	if err := json.Unmarshal([]byte(out), &list); err != nil || code != 1 || len(list) != 3 || len(list[0].Problems) == 0 {
		t.Errorf("exit code %d, %v: %s", code, err, out)
	}
}
