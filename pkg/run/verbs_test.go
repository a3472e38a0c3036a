package run

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// offering is an app that hands out the verbs that it was offered.
func offering(out chan<- map[string]Verb) Program {
	return Program{Name: "test", Open: func(_ context.Context, env *Env) (App, error) {
		verbs := map[string]Verb{}
		err := env.Offer(func(name string, v Verb) error { verbs[name] = v; return nil })
		out <- verbs
		return appFunc(func(ctx context.Context) error { <-ctx.Done(); return nil }), err
	}}
}

func TestVerbsTellAndReload(t *testing.T) {
	t.Parallel()
	out := make(chan map[string]Verb, 4)
	file := filepath.Join(t.TempDir(), "tidings.yaml")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("site: {title: A}")
	r := begin(t, offering(out), Options{Config: file}, time.Minute)
	verbs := <-out
	stands := func(name string) Standing {
		t.Helper()
		v, err := verbs[name](t.Context(), nil)
		s, ok := v.(Standing)
		if err != nil || !ok || s.Service != "test" || s.Process == "" {
			t.Fatalf("%s: %+v %v", name, v, err)
		}
		return s
	}
	first := stands(VerbCheck)
	if first.Problem != "" || first.Reloads != 0 {
		t.Errorf("at first: %+v", first)
	}
	write("sight: {title: A}")
	if s := stands(VerbCheck); !strings.Contains(s.Problem, "tidings.yaml:1:1") || s.Reloads != 0 {
		t.Errorf("a bad file: %+v", s)
	}
	write("site: {title: B}")
	stands(VerbReload)
	verbs = <-out
	limit, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		s := stands(VerbCheck)
		if s.Reloads == 1 {
			if s.Failed != "" || s.Process != first.Process {
				t.Errorf("after a reload: %+v", s)
			}
			break
		}
		select {
		case <-limit.Done():
			t.Fatalf("the reload does not end: %+v", s)
		case <-time.After(10 * time.Millisecond):
		}
	}
	v, err := verbs[VerbStatus](t.Context(), nil)
	if p, ok := v.(Pages); err != nil || !ok || !strings.Contains(p.Pages["metrics.txt"], "tidings_build_info") || !strings.Contains(p.Pages["readyz.json"], `"service": "test"`) {
		t.Errorf("status: %+v %v", v, err)
	}
	if err := r.end(t); err != nil {
		t.Error(err)
	}
}

// A log that is longer than a message may be is shown from its end, in whole lines.
func TestLogsFitAMessage(t *testing.T) {
	t.Parallel()
	p := &process{recent: new(recent)}
	for i := range recentLines {
		if _, err := fmt.Fprintf(p.recent, "{\"n\":%d,\"text\":%q}\n", i, strings.Repeat(`"`, 1000)); err != nil {
			t.Fatal(err)
		}
	}
	v, err := p.verbLogs(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(v)
	if err != nil || len(body) > 1<<20 {
		t.Errorf("%d bytes, %v", len(body), err)
	}
	lines := strings.Split(strings.TrimSpace(v.(Pages).Pages["log.txt"]), "\n")
	if !strings.HasPrefix(lines[0], `{"n":`) || !strings.HasPrefix(lines[len(lines)-1], `{"n":999,`) {
		t.Errorf("from %.20s to %.20s", lines[0], lines[len(lines)-1])
	}
}
