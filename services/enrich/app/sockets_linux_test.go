package app

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"tidings.internal/pkg/natstest"
)

// peers lists what a process is connected to, or talks to without a connection, as "tcp 4222".
func peers(t *testing.T, pid int) []string {
	t.Helper()
	own := map[string]bool{}
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		if to, err := os.Readlink(filepath.Join(dir, e.Name())); err == nil && strings.HasPrefix(to, "socket:[") {
			own[strings.Trim(to, "socket:[]")] = true
		}
	}
	var found []string
	for _, kind := range []string{"tcp", "tcp6", "udp", "udp6"} {
		table, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", pid, kind))
		if err != nil {
			continue // no such family on this machine
		}
		for line := range strings.Lines(string(table)) {
			f := strings.Fields(line)
			const listening = "0A"
			if len(f) < 10 || !own[f[9]] || strings.HasPrefix(kind, "tcp") && f[3] == listening {
				continue
			}
			_, hex, _ := strings.Cut(f[2], ":")
			port, err := strconv.ParseUint(hex, 16, 16)
			if err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			found = append(found, fmt.Sprint(strings.TrimSuffix(kind, "6"), " ", port))
		}
	}
	return found
}

// With a model the program is connected to it and to NATS, which shows that the look at the sockets sees what there is;
// without one it is connected to NATS alone.
func TestWithoutAModelNoSocketButThatOfNATSIsOpened(t *testing.T) {
	t.Parallel()
	model, asked := fickle(t)
	for _, rerank := range []string{"", rerankBy(model)} {
		s := natstest.Listening(t)
		b := s.Bus(t, "ingest")
		broker, err := url.Parse(s.URL())
		if err != nil {
			t.Fatal(err)
		}
		conf := file(t, "tidings.yaml", fmt.Sprintf("admin: {listen: \"127.0.0.1:0\"}\nnats: {url: %q}\nenrich: {step_budget: 30s, article_budget: 2m, %s}\n", s.URL(), rerank))
		cmd := exec.Command(os.Args[0], "--config", conf)
		cmd.Env = append(os.Environ(), asProgram+"=1")
		cmd.Dir = t.TempDir()
		var log strings.Builder
		cmd.Stdout, cmd.Stderr = &log, &log
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		look := func() {
			for _, p := range peers(t, cmd.Process.Pid) {
				seen[p] = true
			}
		}
		for n := range 3 {
			r := raw("quelle", fmt.Sprint(n), 1, nil)
			send(t, b, message(t, r))
			wait(t, "an enriched article", func() bool {
				look()
				m, err := b.Last(t.Context(), subjectOf(t, r))
				return err == nil && m != nil
			})
			look()
		}
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Error(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		select {
		case <-ended:
		case <-time.After(patience):
			_ = cmd.Process.Kill()
			<-ended
			t.Errorf("the program did not end:\n%s", log.String())
		}
		want := []string{"tcp " + broker.Port()}
		if rerank != "" {
			u, err := url.Parse(model)
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, "tcp "+u.Port())
		}
		for p := range seen {
			if !slices.Contains(want, p) {
				t.Errorf("with %q the program talks to %s", rerank, p)
			}
		}
		if len(seen) != len(want) {
			t.Errorf("with %q the sockets go to %v, want %v\n%s", rerank, seen, want, log.String())
		}
	}
	if asked.Load() == 0 {
		t.Error("the model was never asked")
	}
}
