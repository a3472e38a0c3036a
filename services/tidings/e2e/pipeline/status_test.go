package pipeline

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/origintest"
	"tidings.internal/services/tidings/internal/cli"
	"tidings.internal/services/tidings/internal/ops"
)

const sources = 10_000

// BenchmarkStatus measures "tidings status --json" beside a running Tidings of 10,000 sources, each polled once with 20
// items. The baseline reads no more than the bucket of their states.
func BenchmarkStatus(b *testing.B) {
	origin := origintest.New(b)
	feed := origin.Feed("feed").Describe("Bench", "en")
	for n := range 20 {
		feed.Add(origintest.Sample(origin.URL(""), n))
	}
	dir := b.TempDir()
	file, data := filepath.Join(dir, "tidings.yaml"), filepath.Join(dir, "data")
	var text strings.Builder
	fmt.Fprintf(&text, "nats: {sync: 10s}\nadmin: {listen: \"127.0.0.1:0\"}\npublish: {listen: \"127.0.0.1:0\"}\ningest: {allow_networks: [127.0.0.0/8]}\nsources:\n")
	for n := range sources {
		fmt.Fprintf(&text, "  - {id: s%d, url: %q, every: 24h, fulltext: never}\n", n, address(feed, n))
		if n == 0 {
			multiply(b, feed, config.New(file, []byte(text.String()), nil), data)
		}
	}
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	stop := start(b, config.New(file, []byte(text.String()), nil), data)
	defer stop()
	ask := func() (s ops.Status) {
		var out, errs bytes.Buffer
		if code := cli.Command(b.Context(), []string{"status", "--json", "--config", file, "--data", data}, os.Environ(), &out, &errs); code != 0 {
			b.Fatalf("exit code %d: %s", code, errs.String())
		}
		if err := json.Unmarshal(out.Bytes(), &s); err != nil {
			b.Fatal(err)
		}
		return s
	}
	await(b, func() bool { return ask().Sources["active"] == sources })
	b.Run("ours", func(b *testing.B) {
		for b.Loop() {
			ask()
		}
	})
	b.Run("baseline", func(b *testing.B) {
		for b.Loop() {
			c := reach(b, data)
			rows, err := c.Bucket(event.BucketSourceState).Entries(b.Context())
			if err != nil || len(rows) != sources {
				b.Fatal(len(rows), err)
			}
			if err := c.Close(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func address(feed *origintest.Feed, n int) string {
	return fmt.Sprintf("%s?%d", feed.URL(origintest.RSS), n)
}

// multiply polls the first source and gives every other the state that came of it, not due before tomorrow.
func multiply(b *testing.B, feed *origintest.Feed, doc *config.Doc, data string) {
	stop := start(b, doc, data)
	defer stop()
	c := reach(b, data)
	defer func() { _ = c.Close(b.Context()) }() // the states are stored
	states := c.Bucket(event.BucketSourceState)
	var row bus.Entry
	await(b, func() (ok bool) {
		var err error
		if row, ok, err = states.Read(b.Context(), "s0"); err != nil {
			b.Fatal(err)
		}
		return ok && bytes.Contains(row.Value, []byte(`"success"`))
	})
	var state map[string]any
	if err := json.Unmarshal(row.Value, &state); err != nil {
		b.Fatal(err)
	}
	state["next"] = time.Now().Add(24 * time.Hour)
	for n := 1; n < sources; n++ {
		state["url"] = address(feed, n)
		value, err := json.Marshal(state)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := states.Put(b.Context(), fmt.Sprintf("s%d", n), value); err != nil {
			b.Fatal(err)
		}
	}
}
