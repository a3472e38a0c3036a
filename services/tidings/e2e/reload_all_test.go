package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tidings.internal/pkg/hosttest"
	"tidings.internal/pkg/natstest"
	"tidings.internal/pkg/run"
	deliver "tidings.internal/services/deliver/app"
	enrich "tidings.internal/services/enrich/app"
	ingest "tidings.internal/services/ingest/app"
	publish "tidings.internal/services/publish/app"
)

// apart are services as processes of their own, with one file and one NATS server.
type apart struct {
	dir, file, feeds string
	logs             map[string]*lockedBuffer
}

type lockedBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// split starts all four, enrich twice.
func split(t *testing.T) *apart {
	t.Helper()
	s := natstest.Listening(t)
	w := &apart{dir: t.TempDir(), feeds: hosttest.Address(t), logs: map[string]*lockedBuffer{}}
	w.file = filepath.Join(w.dir, "tidings.yaml")
	w.write(t, s.URL(), "feeds: [{id: one, title: One}]")
	verb(t, w.dir, 0, "topology", "apply")
	programs := map[string]run.Program{"ingest": ingest.Program(), "enrich": enrich.Program(), "enrich-2": enrich.Program(), "publish": publish.Program(), "deliver": deliver.Program()}
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	t.Cleanup(func() { cancel(); group.Wait() })
	ready := make(chan string, len(programs))
	for name, p := range programs {
		w.logs[name] = &lockedBuffer{}
		o := run.Options{
			Config: w.file, Data: t.TempDir(), Environ: []string{"TIDINGS_ADMIN__LISTEN=127.0.0.1:0"}, Stdout: io.Discard, Stderr: w.logs[name], Ready: func(string) { ready <- name },
		}
		group.Go(func() {
			if err := run.Start(ctx, p, o); err != nil {
				t.Errorf("%s ended: %v", name, err)
			}
		})
	}
	for range programs {
		select {
		case <-ready:
		case <-time.After(time.Minute):
			t.Fatalf("not all are ready: %v", w.logs)
		}
	}
	return w
}

func (w *apart) write(t *testing.T, nats, more string) {
	t.Helper()
	text := fmt.Sprintf("site: {title: Test, url: \"http://127.0.0.1:1\", language: en}\nnats: {url: %q}\npublish: {listen: %q}\n%s\n", nats, w.feeds, more)
	if err := os.WriteFile(w.file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// change puts one text of the file in the place of another.
func (w *apart) change(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(w.file)
	if err != nil || !strings.Contains(string(text), from) {
		t.Fatalf("%v: no %q in %s", err, from, text)
	}
	if err := os.WriteFile(w.file, []byte(strings.Replace(string(text), from, to, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
}

type reloaded struct{ Service, Process, Outcome, Reason string }

// outcomes has all reload and returns what became of each, in order.
func (w *apart) outcomes(t *testing.T, code int) []string {
	t.Helper()
	var list []reloaded
	decode(t, []byte(verb(t, w.dir, code, "reload", "--json")), &list)
	var all []string
	for _, r := range list {
		all = append(all, r.Service+" "+r.Outcome)
	}
	slices.Sort(all)
	return all
}

// reloads counts what the logs say of reloads.
func (w *apart) reloads() (begun int) {
	for _, l := range w.logs {
		begun += strings.Count(l.String(), `"msg":"reloading"`)
	}
	return begun
}

// All processes take a file over, or none does: each is asked first, and what only one of them finds holds up the others.
func TestAReloadOfAllTakesTwoSteps(t *testing.T) {
	t.Parallel()
	w := split(t)
	status := func(path string) int {
		code, _, _ := get("http://" + w.feeds + path)
		return code
	}
	w.change(t, "One}", "One}, {id: two, title: Two}")
	want := []string{"deliver reloaded", "enrich reloaded", "enrich reloaded", "ingest reloaded", "publish reloaded"}
	if got := w.outcomes(t, 0); !slices.Equal(got, want) {
		t.Errorf("a good file: %q, want %q", got, want)
	}
	within(t, 30*time.Second, "the second feed", func() (bool, string) {
		return status("/feeds/two.rss") == http.StatusOK, w.logs["publish"].String()
	})
	before := w.reloads()

	// A mistake that publish alone looks for.
	w.change(t, "title: Two}", "title: Two, select: {languages: [english]}}")
	want = []string{"deliver unchanged", "enrich unchanged", "enrich unchanged", "ingest unchanged", "publish refused"}
	if got := w.outcomes(t, 1); !slices.Equal(got, want) {
		t.Errorf("a bad file: %q, want %q", got, want)
	}
	if after := w.reloads(); after != before {
		t.Errorf("%d processes reloaded a bad file", after-before)
	}
	// A section that only a restart changes.
	w.change(t, ", select: {languages: [english]}}]", "}]\nlog: {level: debug}")
	want = []string{"deliver refused", "enrich refused", "enrich refused", "ingest refused", "publish refused"}
	if got := w.outcomes(t, 1); !slices.Equal(got, want) {
		t.Errorf("a file that wants a restart: %q, want %q", got, want)
	}
	// What only shows when a service opens: the port is taken. It goes on as before, the others go on with the new file.
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }() // nobody was to be answered
	busy := taken.Addr().String()
	w.change(t, "log: {level: debug}", "")
	w.change(t, w.feeds, busy)
	want = []string{"deliver reloaded", "enrich reloaded", "enrich reloaded", "ingest reloaded", "publish refused"}
	if got := w.outcomes(t, 4); !slices.Equal(got, want) {
		t.Errorf("a busy port: %q, want %q", got, want)
	}
	within(t, 30*time.Second, "the former feeds", func() (bool, string) {
		return status("/feeds/two.rss") == http.StatusOK, w.logs["publish"].String()
	})
}

// Services whose admin ports nobody else reaches, as in containers, show themselves over the bus.
func TestABundleHoldsWhatEveryProcessShows(t *testing.T) {
	t.Parallel()
	w := split(t)
	verb(t, w.dir, 0, "support", "help.zip")
	found := map[string]int{}
	for name, text := range unzip(t, filepath.Join(w.dir, "help.zip")) {
		service, _, of := strings.Cut(name, "-")
		if !of || service == "process" {
			continue
		}
		_, page, _ := strings.Cut(name, "/")
		for want, holds := range map[string]string{
			"log.txt": `"msg":"ready"`, "metrics.txt": "tidings_nats_connected 1", "readyz.json": `"service": "` + service, "version.json": "go1.", "healthz.json": "alive",
		} {
			if page == want && strings.Contains(text, holds) {
				found[service+" "+page]++
			}
		}
	}
	for _, page := range []string{"log.txt", "metrics.txt", "readyz.json", "version.json", "healthz.json"} {
		for service, n := range map[string]int{"ingest": 1, "enrich": 2, "publish": 1, "deliver": 1} {
			if found[service+" "+page] != n {
				t.Errorf("%d of %s show %s, want %d", found[service+" "+page], service, page, n)
			}
		}
	}
}
