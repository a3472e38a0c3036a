// Package bouncetest is a mailbox that a test fills: a POP3S server on loopback with what such a server needs for bounces.
package bouncetest

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// Server is a mailbox. A deletion is in force with QUIT only, as RFC 1939 has it.
type Server struct {
	Host string
	Port int
	// Roots trust its certificate.
	Roots *x509.CertPool

	username, password string
	mu                 sync.Mutex
	mails              []string
	script             map[string]string
	conns              map[net.Conn]bool
}

// Cut in place of an answer cuts the connection.
const Cut = "cut"

// New starts a mailbox that ends with the test.
func New(t testing.TB, username, password string) *Server {
	t.Helper()
	web := httptest.NewTLSServer(nil) // for its certificate
	certificate, pool := web.TLS.Certificates[0], x509.NewCertPool()
	pool.AddCert(web.Certificate())
	web.Close()
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12})
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{
		Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, Roots: pool,
		username: username, password: password, script: map[string]string{}, conns: map[net.Conn]bool{},
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns[nc] = true
			s.mu.Unlock()
			all.Go(func() { s.serve(nc) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		s.mu.Lock()
		for nc := range s.conns {
			nc.Close()
		}
		s.mu.Unlock()
		all.Wait()
	})
	return s
}

// Put adds mails.
func (s *Server) Put(raw ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mails = append(s.mails, raw...)
}

// Left is how many mails there are.
func (s *Server) Left() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.mails)
}

// Say puts a line, or [Cut], in place of the next answer to a command such as "PASS" or "DELE 2".
func (s *Server) Say(command, line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script[command] = line
}

func (s *Server) serve(nc net.Conn) {
	defer nc.Close()
	s.mu.Lock()
	mails := slices.Clone(s.mails)
	s.mu.Unlock()
	fmt.Fprint(nc, "+OK ready\r\n")
	gone, user := map[int]bool{}, false
	for r := textproto.NewReader(bufio.NewReader(nc)); ; {
		line, err := r.ReadLine()
		if err != nil {
			return
		}
		if said := s.scripted(line); said == Cut {
			return
		} else if said != "" {
			fmt.Fprint(nc, said+"\r\n")
			continue
		}
		verb, argument, _ := strings.Cut(line, " ")
		n, _ := strconv.Atoi(argument)
		known := n >= 1 && n <= len(mails) && !gone[n]
		switch {
		case verb == "USER":
			user = argument == s.username
			fmt.Fprint(nc, "+OK\r\n")
		case verb == "PASS" && user && argument == s.password:
			fmt.Fprint(nc, "+OK\r\n")
		case verb == "PASS":
			fmt.Fprintf(nc, "-ERR [AUTH] %s with %s is nobody\r\n", s.username, argument)
		case verb == "STAT":
			fmt.Fprintf(nc, "+OK %d 0\r\n", len(mails))
		case verb == "LIST" && known:
			fmt.Fprintf(nc, "+OK %d %d\r\n", n, len(mails[n-1]))
		case verb == "RETR" && known:
			fmt.Fprint(nc, "+OK\r\n")
			w := textproto.NewWriter(bufio.NewWriter(nc)).DotWriter()
			_, _ = io.WriteString(w, mails[n-1])
			w.Close()
		case verb == "DELE" && known:
			gone[n] = true
			fmt.Fprint(nc, "+OK\r\n")
		case verb == "QUIT":
			s.mu.Lock()
			var left []string
			for i, m := range s.mails {
				if !gone[i+1] {
					left = append(left, m)
				}
			}
			s.mails = left
			s.mu.Unlock()
			fmt.Fprint(nc, "+OK bye\r\n")
			return
		default:
			fmt.Fprint(nc, "-ERR what\r\n")
		}
	}
}

func (s *Server) scripted(line string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	verb, _, _ := strings.Cut(line, " ")
	for _, command := range []string{line, verb} {
		if said, ok := s.script[command]; ok {
			delete(s.script, command)
			return said
		}
	}
	return ""
}
