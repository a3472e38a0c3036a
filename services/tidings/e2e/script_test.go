package e2e

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"tidings.internal/pkg/hosttest"
)

// TestScripts runs the command line as a user does. Own commands:
//
//	exits CODE tidings ARGS...   run the binary, want the exit code; stdout and stderr can be looked at afterwards
//	until REGEXP tidings ARGS... run it until stdout matches, which is left to be looked at
//	watch REGEXP tidings ARGS... run it until it prints a line that matches, then interrupt it; want the exit code 0
//	busy NAME                    listen on a free port of loopback and put the address into the variable
//	free NAME...                 put an address of loopback into each variable on which nobody listens
//	site NAME DIR                answer requests with the files DIR/METHOD/PATH, and put the address into the variable
//	form URL NAME=VALUE...       send a form as anybody could, want a status below 300
//	fill FILE...                 replace $NAME in files by the variable
//	keep NAME REGEXP             put what the group matches in the last stdout into the variable
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("PATH", filepath.Dir(binary)+string(os.PathListSeparator)+os.Getenv("PATH"))
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits": exits, "until": until, "watch": watch, "busy": busy, "site": site, "form": form, "fill": fill, "keep": keep,
			"free": func(ts *testscript.TestScript, _ bool, names []string) {
				for _, name := range names {
					ts.Setenv(name, hosttest.Address(t))
				}
			},
		},
	})
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND ARGS...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		e, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = e.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// until has three minutes: the machine that runs this may be slow, and what is waited for does come.
func until(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || args[1] != "tidings" {
		ts.Fatalf("usage: until REGEXP tidings ARGS...")
	}
	want, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	ctx, stop := context.WithTimeout(context.Background(), 3*time.Minute)
	defer stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		// Only the call that had it goes into the log.
		cmd := exec.CommandContext(ctx, binary, args[2:]...)
		cmd.Dir, cmd.Env = ts.MkAbs("."), environ()
		out, err := cmd.CombinedOutput()
		if err == nil && want.Match(out) && ts.Exec(args[1], args[2:]...) == nil && want.MatchString(ts.ReadFile("stdout")) {
			return
		}
		select {
		case <-ctx.Done():
			ts.Fatalf("waited in vain for %q; last seen: %v\n%s", args[0], err, out)
		case <-tick.C:
		}
	}
}

// watch runs what only a signal ends, as an operator does who has seen enough.
func watch(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || args[1] != "tidings" {
		ts.Fatalf("usage: watch REGEXP tidings ARGS...")
	}
	want, err := regexp.Compile(args[0])
	ts.Check(err)
	ctx, stop := context.WithTimeout(context.Background(), 3*time.Minute)
	defer stop()
	cmd := exec.CommandContext(ctx, binary, args[2:]...)
	var errs bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stderr = ts.MkAbs("."), environ(), &errs
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	seen, lines := false, bufio.NewScanner(out)
	for lines.Scan() {
		ts.Logf("%s", lines.Text())
		if !seen && want.MatchString(lines.Text()) {
			seen = true
			ts.Check(cmd.Process.Signal(os.Interrupt))
		}
	}
	err = cmd.Wait()
	if err != nil || !seen {
		ts.Fatalf("seen a line with %q: %v; it ended with %v\n%s", args[0], seen, err, errs.String())
	}
}

func busy(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: busy NAME")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { ts.Check(l.Close()) })
	ts.Setenv(args[0], l.Addr().String())
}

// site is an origin, or a network. What it has no file for is not there; an empty file is a connection that ends without an
// answer, one with a number an answer with that status; a challenge of a hub is answered.
func site(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: site NAME DIR")
	}
	files := os.DirFS(ts.MkAbs(args[1]))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then it can be cut after the whole request
		if challenge := r.URL.Query().Get("hub.challenge"); challenge != "" {
			_, _ = io.WriteString(w, challenge) // who does not hear it asks again
			return
		}
		text, err := fs.ReadFile(files, r.Method+r.URL.Path)
		status, number := strconv.Atoi(strings.TrimSpace(string(text)))
		switch {
		case err != nil:
			http.NotFound(w, r)
		case len(text) == 0:
			panic(http.ErrAbortHandler)
		case number == nil:
			http.Error(w, http.StatusText(status), status)
		default:
			_, _ = w.Write(text) // who does not hear it asks again
		}
	}))
	ts.Defer(s.Close)
	ts.Setenv(args[0], s.Listener.Addr().String())
}

func form(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: form URL NAME=VALUE...")
	}
	fields := url.Values{}
	for _, field := range args[1:] {
		name, value, _ := strings.Cut(field, "=")
		fields.Add(name, value)
	}
	client := &http.Client{Timeout: time.Minute}
	defer client.CloseIdleConnections()
	res, err := client.PostForm(args[0], fields)
	ts.Check(err)
	ts.Check(res.Body.Close())
	if res.StatusCode >= http.StatusMultipleChoices {
		ts.Fatalf("answered by %s", res.Status)
	}
}

func fill(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: fill FILE...")
	}
	for _, name := range args {
		ts.Check(os.WriteFile(ts.MkAbs(name), []byte(os.Expand(ts.ReadFile(name), ts.Getenv)), 0o600))
	}
}

func keep(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: keep NAME REGEXP")
	}
	want, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	found := want.FindStringSubmatch(ts.ReadFile("stdout"))
	if len(found) != 2 {
		ts.Fatalf("no %q with one group in the last output", args[1])
	}
	ts.Setenv(args[0], found[1])
}
