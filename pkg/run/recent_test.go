package run

import (
	"bytes"
	"context"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestTheLastLinesOfTheLogAreKept(t *testing.T) {
	t.Parallel()
	r := new(recent)
	for i := range recentLines + 5 {
		if _, err := r.Write([]byte(strconv.Itoa(i) + "\n")); err != nil {
			t.Fatal(err)
		}
	}
	lines := strings.Split(strings.TrimSpace(string(r.text())), "\n")
	if len(lines) != recentLines || lines[0] != "5" || lines[len(lines)-1] != strconv.Itoa(recentLines+4) {
		t.Errorf("%d lines, %s to %s", len(lines), lines[0], lines[len(lines)-1])
	}
	long := bytes.Repeat([]byte("x"), 3*recentLine)
	for range recentLines {
		if n, err := r.Write(long); n != len(long) || err != nil {
			t.Fatal(n, err)
		}
	}
	if got := len(r.text()); got > recentBytes || got < recentBytes-recentLine-1 {
		t.Errorf("%d bytes are kept", got)
	}
}

func TestTheAdminPortShowsTheLastLines(t *testing.T) {
	t.Parallel()
	p := begin(t, Program{Name: "probe", Open: func(_ context.Context, env *Env) (App, error) {
		env.Log.Warn("a word to the wise")
		return appFunc(obedient), nil
	}}, Options{}, time.Minute)
	p.readyz(t, 200, Ready)
	if code, body := p.get(t, http.MethodGet, "/-/log"); code != 200 || !strings.Contains(body, "a word to the wise") {
		t.Errorf("%d %s", code, body)
	}
	if text, err := Look(t.Context(), p.url, "/-/log"); err != nil || !bytes.Contains(text, []byte("a word to the wise")) {
		t.Errorf("%s, %v", text, err)
	}
	if _, err := Look(t.Context(), p.url, "/nothing"); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("a page that is not there: %v", err)
	}
	if err := p.end(t); err != nil {
		t.Error(err)
	}
}
