package bus_test

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/natstest"
)

// rewritten is a copy of a backup whose files a function has changed, in order; one that it empties is left out.
func rewritten(t *testing.T, file string, change func(name string, body []byte) (string, []byte)) []byte {
	t.Helper()
	in, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close() }()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for r := tar.NewReader(in); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if h.Name, body = change(h.Name, body); body == nil {
			continue
		}
		h.Size = int64(len(body))
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// claims rewrites the manifest and its digest.
func claims(t *testing.T, file string, change func(map[string]any)) []byte {
	t.Helper()
	var sum string
	return rewritten(t, file, func(name string, body []byte) (string, []byte) {
		switch name {
		case "manifest.json":
			var m map[string]any
			if err := json.Unmarshal(body, &m); err != nil {
				t.Fatal(err)
			}
			change(m)
			out, err := json.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			sum = event.Hash(out)
			return name, out
		case "manifest.json.sha256":
			return name, []byte(sum + "  manifest.json\n")
		}
		return name, body
	})
}

func TestABadBackupIsRefusedUntouched(t *testing.T) {
	t.Parallel()
	b := natstest.Run(t).Bus(t, "tidings")
	furnish(t, b)
	file, _ := backUp(t, b)
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	flipped := func(at int) []byte {
		c := bytes.Clone(whole)
		c[at] ^= 0x10
		return c
	}
	same := func(name string, body []byte) (string, []byte) { return name, body }
	if got := rewritten(t, file, same); !bytes.Equal(got, whole) {
		t.Error("a backup is not the tar file that the standard library writes")
	}
	bad := map[string][]byte{
		"empty":              {},
		"no backup":          []byte(strings.Repeat("no tar ", 200)),
		"flipped at the end": flipped(len(whole) - 1),
		"a newer format":     claims(t, file, func(m map[string]any) { m["format"] = 2 }),
		"no format":          claims(t, file, func(m map[string]any) { delete(m, "format") }),
		"a member missing in the manifest": claims(t, file, func(m map[string]any) {
			list := m["members"].([]any)
			m["members"] = list[1:]
		}),
		"the settings of another stream": claims(t, file, func(m map[string]any) {
			list := m["members"].([]any)
			list[0].(map[string]any)["config"].(map[string]any)["name"] = "RAW"
		}),
		"a file missing": rewritten(t, file, func(name string, body []byte) (string, []byte) {
			if name == "streams/RAW" {
				return name, nil
			}
			return name, body
		}),
		"two files exchanged": rewritten(t, file, func(name string, body []byte) (string, []byte) {
			switch name {
			case "streams/RAW":
				return "streams/DEAD", body
			case "streams/DEAD":
				return "streams/RAW", body
			}
			return name, body
		}),
		"another manifest": rewritten(t, file, func(name string, body []byte) (string, []byte) {
			if name == "manifest.json" {
				body = append(body, ' ')
			}
			return name, body
		}),
	}
	for at := len(whole) - 3*512; at < len(whole)-2*512; at += 16 { // the digest of the manifest, and what pads it
		bad[fmt.Sprint("flipped at ", at)] = flipped(at)
	}
	for at := 0; at < len(whole); at += 997 { // whatever stands there: a header, a body, or nothing
		bad[fmt.Sprint("flipped at ", at)] = flipped(at)
	}
	for _, part := range []int{1, 100, 512, 1000, len(whole) / 2, len(whole) - 2*512 - 600, len(whole) - 2*512 - 1} {
		bad["cut"+strings.Repeat(" ", len(bad))] = whole[:part]
	}
	r := natstest.Bare(t).Bus(t, "tidings")
	before, err := r.Plan(t.Context(), topology(t))
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "bad.tar")
	for what, content := range bad {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := r.Restore(t.Context(), name, topology(t), nil, nil)
		if fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s (%d bytes): %v; want a refusal", what, len(content), err)
		}
	}
	if _, err := r.Restore(t.Context(), filepath.Join(t.TempDir(), "none"), topology(t), nil, nil); fault.KindOf(err) != fault.Invalid {
		t.Errorf("no file: %v; want a refusal", err)
	}
	after, err := r.Plan(t.Context(), topology(t))
	if err != nil || len(after.Changes) != len(before.Changes) {
		t.Errorf("something was written: %d changes are left of %d, %v", len(after.Changes), len(before.Changes), err)
	}
}

func TestAUsedInstanceIsRefusedUntouched(t *testing.T) {
	t.Parallel()
	b := natstest.Run(t).Bus(t, "tidings")
	furnish(t, b)
	file, _ := backUp(t, b)
	for what, use := range map[string]func(t *testing.T, s *natstest.Server, b *bus.Bus) func(){
		"an article": func(t *testing.T, _ *natstest.Server, b *bus.Bus) func() {
			if err := b.Append(t.Context(), []event.Message{raw(t, article.NewID("blog", "1"), 1, "x")}); err != nil {
				t.Fatal(err)
			}
			return func() {}
		},
		"a row that is gone by now": func(t *testing.T, _ *natstest.Server, b *bus.Bus) func() {
			rows := b.Bucket(event.BucketDeliveries)
			if _, err := rows.Put(t.Context(), "c.hook", []byte("{}")); err != nil {
				t.Fatal(err)
			}
			if err := rows.Purge(t.Context(), "c.hook"); err != nil {
				t.Fatal(err)
			}
			return func() {}
		},
		"a service with a lease": func(t *testing.T, _ *natstest.Server, b *bus.Bus) func() {
			l, err := b.Acquire(t.Context(), "deliver.channel.hook")
			if err != nil {
				t.Fatal(err)
			}
			return func() { _ = l.Release(context.WithoutCancel(t.Context())) }
		},
		"a service that reads": func(t *testing.T, s *natstest.Server, b *bus.Bus) func() {
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() {
				done <- b.Consume(ctx, bus.Consume{Stream: event.StreamRaw, Consumer: event.ConsumerEnrich, Handle: func(context.Context, *bus.Delivery) error { return nil }})
			}()
			js := operator(t, s)
			eventually(t, "the service to wait for messages", func() bool {
				c, err := js.Consumer(t.Context(), event.StreamRaw, event.ConsumerEnrich)
				return err == nil && c.CachedInfo().NumWaiting > 0
			})
			return func() { cancel(); <-done }
		},
	} {
		t.Run(what, func(t *testing.T) {
			s := natstest.Run(t)
			r := s.Bus(t, "tidings")
			defer use(t, s, r)()
			before := contents(t, r, members(t)...)
			if _, err := r.Restore(t.Context(), file, topology(t), nil, nil); fault.KindOf(err) != fault.Invalid {
				t.Errorf("restore: %v; want a refusal", err)
			}
			if diff := cmp.Diff(before, contents(t, r, members(t)...)); diff != "" {
				t.Errorf("something was written:\n%s", diff)
			}
		})
	}
}

func TestABackupThatDoesNotFitIsRefusedUntouched(t *testing.T) {
	t.Parallel()
	b := natstest.Run(t).Bus(t, "tidings")
	furnish(t, b)
	file, _ := backUp(t, b)
	small := topology(t)
	for i := range small.Streams {
		if small.Streams[i].Name == event.StreamRaw {
			small.Streams[i].MaxBytes = 1000
		}
	}
	r := natstest.Bare(t).Bus(t, "tidings")
	_, err := r.Restore(t.Context(), file, small, nil, nil)
	if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "nats.max_file") {
		t.Errorf("restore: %v; want a refusal that names the setting", err)
	}
	if _, err := r.StreamState(t.Context(), "KV_"+event.BucketSourceState); err == nil {
		t.Error("something was written")
	}
	// Less room than before is fine as long as everything fits.
	for i := range small.Streams {
		small.Streams[i].MaxBytes = 8 << 20
	}
	if _, err := r.Restore(t.Context(), file, small, nil, nil); err != nil {
		t.Fatal(err)
	}
	if s, err := r.StreamState(t.Context(), event.StreamRaw); err != nil || s.MaxBytes != 8<<20 {
		t.Errorf("RAW may have %d bytes, %v; want what the settings here say", s.MaxBytes, err)
	}
}

// A restore that is killed is given again, whatever it had made by then, and an instance that it left half made is never
// taken for ready.
func TestARestoreThatIsKilledIsMadeAgain(t *testing.T) {
	t.Parallel()
	b := natstest.Run(t).Bus(t, "tidings")
	furnish(t, b)
	file, _ := backUp(t, b)
	want := contents(t, b, members(t)...)
	s := natstest.Bare(t)
	r := s.Bus(t, "tidings")
	ready := func() bool { return r.ProbeTopology(t.Context(), members(t)...) == nil }
	kills := 0
	// Each kill comes later than the one before; each next try begins with what that one left.
	for n := 5; ; n += 11 {
		reconciled := false
		died := killed(t, s, "tidings", n, func(ctx context.Context, b *bus.Bus) error {
			_, err := b.Restore(ctx, file, topology(t), func(context.Context) error { reconciled = true; return nil }, nil)
			return err
		})
		if !died {
			break
		}
		kills++
		if !reconciled && ready() {
			t.Errorf("killed at write %d: the instance counts as ready", n)
		}
	}
	if kills < 5 {
		t.Errorf("the restore was killed %d times only", kills)
	}
	if !ready() {
		t.Error("the instance is not ready")
	}
	if diff := cmp.Diff(want, contents(t, r, members(t)...)); diff != "" {
		t.Errorf("after %d kills (-want +got):\n%s", kills, diff)
	}
	if _, err := r.Restore(t.Context(), file, topology(t), nil, nil); fault.KindOf(err) != fault.Invalid {
		t.Errorf("restored once more: %v; want a refusal, the instance is in use", err)
	}
}

// A tombstone that nothing can outdo is one after a restore, too.
func TestATakedownSurvivesARestore(t *testing.T) {
	t.Parallel()
	b := natstest.Run(t).Bus(t, "tidings")
	id := article.NewID("blog", "gone")
	if _, err := b.Emit(t.Context(), enriched(t, id, event.Version{Revision: 1}, "SECRET")); err != nil {
		t.Fatal(err)
	}
	takeDown(t, b, id)
	file, _ := backUp(t, b)
	s := natstest.Bare(t)
	r := s.Bus(t, "tidings")
	if _, err := r.Restore(t.Context(), file, topology(t), nil, nil); err != nil {
		t.Fatal(err)
	}
	if outcome, err := r.Emit(t.Context(), enriched(t, id, event.Version{Revision: 2}, "SECRET")); err != nil || outcome != bus.Skipped {
		t.Errorf("a new offer is %q, %v; want skipped", outcome, err)
	}
	js := operator(t, s)
	stream, err := js.Stream(t.Context(), event.StreamArticles)
	if err != nil {
		t.Fatal(err)
	}
	short := stream.CachedInfo().Config
	short.MaxAge, short.SubjectDeleteMarkerTTL, short.Duplicates = time.Second, time.Second, time.Second
	if _, err := js.UpdateStream(t.Context(), short); err != nil {
		t.Fatal(err)
	}
	probe := enriched(t, article.NewID("blog", "probe"), event.Version{Revision: 1}, "x")
	if _, err := r.Emit(t.Context(), probe); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a younger article to expire", func() bool {
		m, err := r.Last(t.Context(), probe.Subject)
		return err == nil && (m == nil || m.Marker)
	})
	if m, err := r.Last(t.Context(), enriched(t, id, event.Version{}, "").Subject); err != nil || m == nil || m.Marker {
		t.Errorf("the tombstone is %v, %v", m, err)
	}
}

// In a cluster the server that we talk to may hear late where another listens for the chunks of a restore.
func TestAChunkForWhichNobodyListensYetIsSentAgain(t *testing.T) {
	t.Parallel()
	s := natstest.With(t, func(o *server.Options) { o.JetStream = false })
	b := s.Bus(t, "tidings")
	sent := make(chan error, 1)
	go func() { sent <- b.SendChunk(t.Context(), "RAW", "late", []byte("chunk")) }()
	eventually(t, "a second attempt", func() bool { return b.Conn().Stats().OutMsgs >= 2 })
	listener := s.Bus(t, "tidings").Conn()
	got := make(chan string, 8)
	if _, err := listener.Subscribe("late", func(m *nats.Msg) {
		got <- string(m.Data)
		_ = m.Respond(nil) // whoever asked has gone if it fails
	}); err != nil {
		t.Fatal(err)
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || <-got != "chunk" {
		t.Error("the chunk came not once")
	}
}
