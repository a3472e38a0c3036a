// Package mailtest is a mail server that does what a test tells it: it refuses at any verb, cuts the connection before or after the dot of
// a mail, and keeps what it delivered. It is an SMTP server of go-smtp on loopback; what a script says in its place is put in below it.
package mailtest

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// Mail is one that was delivered.
type Mail struct {
	From, To string
	Raw      []byte
	UTF8     bool
}

// Config is how a server is made. The zero value offers STARTTLS and SMTPUTF8 and wants no login.
type Config struct {
	// Implicit speaks TLS from the first byte; Plain offers no STARTTLS.
	Implicit, Plain bool
	// NoUTF8 offers no SMTPUTF8.
	NoUTF8 bool
	// Username and Password are what it wants to know, nothing when both are empty.
	Username, Password string
}

// Server is a mail server on loopback.
type Server struct {
	Host string
	Port int
	// Roots trust its certificate.
	Roots *x509.CertPool

	config Config
	mu     sync.Mutex
	script map[string][]string
	mails  []Mail
	heard  []string
	broken int
	opened int
}

// The verbs of [Server.Say] that no client says.
const (
	// Greeting is the first line of a connection.
	Greeting = "GREETING"
	// Body is what comes after DATA, up to the dot.
	Body = "BODY"
	// Dot is the reply to a mail.
	Dot = "DOT"
)

// Cut in place of a reply cuts the connection. At [Body] it does so in the middle of the mail, at [Dot] after the mail was delivered.
const Cut = "cut"

// New starts a server that ends with the test.
func New(t testing.TB, c Config) *Server {
	t.Helper()
	// Its certificate is one for 127.0.0.1 that needs no making.
	web := httptest.NewTLSServer(nil)
	certificate, pool := web.TLS.Certificates[0], x509.NewCertPool()
	pool.AddCert(web.Certificate())
	web.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, Roots: pool, config: c, script: map[string][]string{}}
	server := smtp.NewServer(smtp.BackendFunc(s.session))
	server.Domain, server.ReadTimeout, server.WriteTimeout = "mx.example.net", time.Minute, time.Minute
	server.EnableSMTPUTF8 = !c.NoUTF8
	server.ErrorLog = log.New(io.Discard, "", 0)
	keys := &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	var outer net.Listener = &listener{l, s}
	switch {
	case c.Implicit:
		outer = tls.NewListener(outer, keys)
	case !c.Plain:
		server.TLSConfig = keys
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(outer) // ends with Close
	}()
	t.Cleanup(func() {
		server.Close()
		l.Close() // the server may not have come to it
		<-done
	})
	return s
}

// Say puts replies in place of those to a verb, each for one time, in their order: a line such as "450 4.2.1 later", [Cut], or "" for
// what the server itself says. EHLO, STARTTLS, DATA and RSET are heard in the clear only.
func (s *Server) Say(verb string, replies ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script[verb] = append(s.script[verb], replies...)
}

// Mails are those that were delivered so far.
func (s *Server) Mails() []Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.mails)
}

// Heard are the verbs so far; those within TLS are only MAIL, RCPT, BODY and AUTH.
func (s *Server) Heard() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.heard)
}

// Broken is how many mails broke off before their dot, and Opened how many connections were made.
func (s *Server) Broken() (broken, opened int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.broken, s.opened
}

// next takes the reply that the script has for a verb.
func (s *Server) next(verb string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard = append(s.heard, verb)
	left := s.script[verb]
	if len(left) == 0 {
		return ""
	}
	s.script[verb] = left[1:]
	return left[0]
}

// session is one connection, after EHLO.
func (s *Server) session(c *smtp.Conn) (smtp.Session, error) {
	return &session{server: s, conn: c}, nil
}

type session struct {
	server *Server
	conn   *smtp.Conn
	in     bool
	mail   Mail
}

var errCut = errors.New("cut")

// scripted does what the script has for a verb.
func (s *session) scripted(verb string) error { return s.act(s.server.next(verb)) }

// act returns the error by which go-smtp says a line.
func (s *session) act(line string) error {
	switch line {
	case "":
		return nil
	case Cut:
		s.conn.Close()
		return errCut
	}
	e := &smtp.SMTPError{EnhancedCode: smtp.NoEnhancedCode, Message: line[4:]}
	for _, digit := range line[:3] {
		e.Code = e.Code*10 + int(digit-'0')
	}
	return e
}

func (s *session) AuthMechanisms() []string {
	if s.server.config.Username == "" {
		return nil
	}
	return []string{sasl.Plain}
}

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, username, password string) error {
		if err := s.scripted("AUTH"); err != nil {
			return err
		}
		if username != s.server.config.Username || password != s.server.config.Password {
			return smtp.ErrAuthFailed
		}
		s.in = true
		return nil
	}), nil
}

func (s *session) Mail(from string, o *smtp.MailOptions) error {
	if s.server.config.Username != "" && !s.in {
		return &smtp.SMTPError{Code: 530, EnhancedCode: smtp.EnhancedCode{5, 7, 0}, Message: "log in first"}
	}
	s.mail = Mail{From: from, UTF8: o.UTF8}
	return s.scripted("MAIL")
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.mail.To = to
	return s.scripted("RCPT")
}

func (s *session) Data(r io.Reader) error {
	if s.server.next(Body) == Cut {
		_, _ = bufio.NewReader(r).ReadString('\n')
		s.conn.Close()
	}
	raw, err := io.ReadAll(r)
	if err != nil {
		s.server.mu.Lock()
		s.server.broken++
		s.server.mu.Unlock()
		return err
	}
	s.mail.Raw = raw
	line := s.server.next(Dot)
	if line == "" || line == Cut { // delivered before the client hears, or does not hear, of it
		s.server.mu.Lock()
		s.server.mails = append(s.server.mails, s.mail)
		s.server.mu.Unlock()
	}
	return s.act(line)
}

func (s *session) Reset()        {}
func (s *session) Logout() error { return nil }

// listener puts the script below the server.
type listener struct {
	net.Listener
	server *Server
}

func (l *listener) Accept() (net.Conn, error) {
	for {
		nc, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		l.server.mu.Lock()
		l.server.opened++
		l.server.mu.Unlock()
		if line := l.server.next(Greeting); line == "" {
			return &conn{nc, l.server}, nil
		} else if line != Cut {
			_, _ = io.WriteString(nc, line+"\r\n")
		}
		nc.Close()
	}
}

// conn answers commands in place of the server. A client waits for each answer, so each read is one command.
type conn struct {
	net.Conn
	server *Server
}

func (c *conn) Read(b []byte) (int, error) {
	for {
		n, err := c.Conn.Read(b)
		line := strings.TrimRight(string(b[:n]), "\r\n")
		verb, _, _ := strings.Cut(line, " ")
		if err != nil || !slices.Contains([]string{"EHLO", "STARTTLS", "DATA", "RSET"}, verb) {
			return n, err
		}
		switch said := c.server.next(verb); said {
		case "":
			return n, nil
		case Cut:
			c.Conn.Close()
			return 0, io.EOF
		default:
			if _, err := io.WriteString(c.Conn, said+"\r\n"); err != nil {
				return 0, err
			}
		}
	}
}
