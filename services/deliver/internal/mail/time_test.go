package mail

import (
	"bufio"
	"context"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tidings.internal/pkg/fault"
)

// here is a pipe that looks like a connection to this machine.
type here struct{ net.Conn }

func (here) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 25} }

// slow answers each command at once but one, and that one after a time.
func slow(nc net.Conn, verb string, after time.Duration) {
	defer nc.Close()
	lines := bufio.NewReader(nc)
	say := func(line string) { _, _ = nc.Write([]byte(line + "\r\n")) }
	say("220 mx.example.net")
	for body := false; ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		said, _, _ := strings.Cut(line, " ")
		switch {
		case body && line != ".":
			continue
		case body:
			said, body = "DOT", false
		}
		if said == verb {
			time.Sleep(after)
		}
		if said == "DATA" {
			body = true
			say("354 go on")
		} else {
			say("250 mx.example.net")
		}
	}
}

func TestSlowServersAreWaitedForAsLongAsItSays(t *testing.T) {
	for _, c := range []struct {
		verb  string
		after time.Duration
		want  fault.Kind // "" for success
		took  time.Duration
	}{
		{"MAIL", 59 * time.Second, "", 59 * time.Second},
		{"MAIL", 61 * time.Second, fault.Unreachable, time.Minute},
		{"RCPT", 61 * time.Second, fault.Unreachable, time.Minute},
		{"DATA", 61 * time.Second, fault.Unreachable, time.Minute},
		{"EHLO", 61 * time.Second, fault.Unreachable, time.Minute},
		{"DOT", 9 * time.Minute, "", 9 * time.Minute},
		{"DOT", 11 * time.Minute, fault.Uncertain, 10 * time.Minute},
	} {
		synctest.Test(t, func(t *testing.T) {
			var server sync.WaitGroup
			cl, err := NewClient(Server{Host: "127.0.0.1", Port: 25, TLS: TLSNone, Name: "news.example.org", Dial: func(context.Context, string, string) (net.Conn, error) {
				ours, theirs := net.Pipe()
				server.Go(func() { slow(theirs, c.verb, c.after) })
				return here{ours}, nil
			}})
			if err != nil {
				t.Fatal(err)
			}
			start, commits := time.Now(), 0
			err = cl.Send(t.Context(), bounceTo, reader, compose(t, sample()), note(&commits))
			if fault.KindOf(err) != c.want || time.Since(start) != c.took || (commits == 1) != (c.verb == "DOT" || c.want == "") {
				t.Errorf("%s after %v: %v after %v and %d commits, want %q after %v", c.verb, c.after, err, time.Since(start), commits, c.want, c.took)
			}
			cl.Close()
			server.Wait()
		})
	}
}
