package pipeline

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"tidings.internal/pkg/hosttest"
)

// BenchmarkStart measures from the start of the program with its sample source, on a machine that never saw it, until
// /readyz says yes, and until a first article was delivered. The baseline is a bare nats-server on an empty store.
func BenchmarkStart(b *testing.B) {
	dir := b.TempDir()
	tidings, nats := filepath.Join(dir, "tidings"), filepath.Join(dir, "nats-server")
	for to, from := range map[string]string{tidings: "tidings.internal/services/tidings", nats: "github.com/nats-io/nats-server/v2"} {
		if out, err := exec.CommandContext(b.Context(), "go", "build", "-trimpath", "-ldflags=-s -w", "-o", to, from).CombinedOutput(); err != nil {
			b.Fatalf("build %s: %v\n%s", from, err, out)
		}
	}
	b.Run("ours", func(b *testing.B) {
		var ready, delivered time.Duration
		for b.Loop() {
			home, admin := b.TempDir(), hosttest.Address(b)
			cmd := exec.CommandContext(b.Context(), tidings)
			cmd.Dir, cmd.Env = home, append(os.Environ(), "TIDINGS_ADMIN__LISTEN="+admin, "TIDINGS_PUBLISH__LISTEN=127.0.0.1:0")
			began := launch(b, cmd)
			await(b, func() bool { return answers(b, "http://"+admin+"/readyz") })
			ready += time.Since(began)
			await(b, func() bool {
				found, err := filepath.Glob(filepath.Join(home, "*", "demo", "webhooks.jsonl"))
				if err != nil || len(found) == 0 {
					return false
				}
				info, err := os.Stat(found[0])
				return err == nil && info.Size() > 0
			})
			delivered += time.Since(began)
			end(b, cmd)
		}
		b.ReportMetric(ready.Seconds()/float64(b.N), "ready-s")
		b.ReportMetric(delivered.Seconds()/float64(b.N), "delivered-s")
	})
	b.Run("baseline", func(b *testing.B) {
		var ready time.Duration
		for b.Loop() {
			home, monitor := b.TempDir(), hosttest.Address(b)
			file := filepath.Join(home, "nats.conf")
			if err := os.WriteFile(file, fmt.Appendf(nil, "listen: \"127.0.0.1:-1\"\nhttp: %q\njetstream { store_dir: %q, sync_interval: always }\n", monitor, home), 0o600); err != nil {
				b.Fatal(err)
			}
			cmd := exec.CommandContext(b.Context(), nats, "-c", file)
			began := launch(b, cmd)
			await(b, func() bool { return answers(b, "http://"+monitor+"/healthz") })
			ready += time.Since(began)
			end(b, cmd)
		}
		b.ReportMetric(ready.Seconds()/float64(b.N), "ready-s")
	})
}

func launch(b *testing.B, cmd *exec.Cmd) (began time.Time) {
	began = time.Now()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	return began
}

func end(b *testing.B, cmd *exec.Cmd) {
	if err := cmd.Process.Kill(); err != nil {
		b.Fatal(err)
	}
	_ = cmd.Wait() // it says that it was killed
}

func answers(b *testing.B, url string) bool {
	request, err := http.NewRequestWithContext(b.Context(), http.MethodGet, url, nil)
	if err != nil {
		b.Fatal(err)
	}
	answer, err := new(http.Client).Do(request)
	if err != nil {
		return false
	}
	defer answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}
