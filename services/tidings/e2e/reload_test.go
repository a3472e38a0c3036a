package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"tidings.internal/pkg/hosttest"
)

// A changed file is in force after a reload; a wrong one changes nothing; nothing is posted twice and nothing is lost.
func TestAReloadTakesTheFileOverAsAWhole(t *testing.T) {
	t.Parallel()
	dir, _, f, hook := scene(t)
	file := filepath.Join(dir, "tidings.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	publish, admin := hosttest.Address(t), hosttest.Address(t)
	p := start(t, dir, []string{"TIDINGS_PUBLISH__LISTEN=" + publish, "TIDINGS_ADMIN__LISTEN=" + admin}, "run")
	p.awaitReady(t)
	f.Add(item(1))
	titles(t, p, item(0).Title, item(1).Title)
	posted(t, hook, p, 1)
	status := func(path string) int {
		code, _, _ := get("http://" + publish + path)
		return code
	}
	ready := func() {
		t.Helper()
		within(t, 30*time.Second, "readiness", func() (bool, string) {
			code, body, _ := get("http://" + admin + "/readyz")
			return code == http.StatusOK, string(body) + p.errors()
		})
	}
	if code := status("/feeds/second.rss"); code != http.StatusNotFound {
		t.Errorf("before: %d", code)
	}

	write(t, file, string(text)+"\nfeeds: [{id: second, titel: x}]\n")
	if out := verb(t, dir, 1, "reload", "http://"+admin); out != "" {
		t.Errorf("a wrong file is taken over: %s", out)
	}
	if code := status("/feeds/all.rss"); code != http.StatusOK {
		t.Errorf("after a wrong file: %d", code)
	}
	write(t, file, string(text)+"\nfeeds: [{id: second, title: Second}]\n")
	if out := verb(t, dir, 0, "reload", "http://"+admin); !strings.Contains(out, "reloaded") {
		t.Errorf("reload prints %q", out)
	}
	ready()
	if code := status("/feeds/second.rss"); code != http.StatusOK {
		t.Errorf("after a reload: %d\n%s", code, p.errors())
	}
	f.Add(item(2))
	titles(t, p, item(0).Title, item(1).Title, item(2).Title)
	posted(t, hook, p, 2)

	write(t, file, string(text)+"\nfeeds: [{id: third, title: Third, was: [second]}]\n")
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	within(t, 30*time.Second, "the third feed", func() (bool, string) { return status("/feeds/third.rss") == http.StatusOK, p.errors() })
	ready()
	f.Add(item(3))
	posted(t, hook, p, 3)
	if got := hook.published(); len(got) != 3 {
		t.Errorf("posted %q", got)
	}
	if code := p.stop(t); code != 0 {
		t.Errorf("exit code %d\n%s", code, p.errors())
	}
}
