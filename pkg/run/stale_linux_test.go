package run

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A mounted file that was replaced has no name any more. So has one that is only held open, under the name that its
// descriptor gives it.
func TestAReloadSeesThatTheFileWasReplaced(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "tidings.yaml")
	if err := os.WriteFile(file, []byte("site: {title: A}"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	opened := make(chan string, 10)
	r := begin(t, titled(opened), Options{Config: fmt.Sprintf("/proc/self/fd/%d", f.Fd())}, time.Minute)
	if err := AskReload(t.Context(), r.url); err != nil {
		t.Errorf("before: %v", err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := AskReload(t.Context(), r.url); err == nil || !strings.Contains(err.Error(), `was replaced on the host; run "docker compose restart"`) {
		t.Errorf("after: %v", err)
	}
	if err := r.end(t); err != nil {
		t.Error(err)
	}
}
