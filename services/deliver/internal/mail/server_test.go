package mail

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"

	"tidings.internal/pkg/config"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/web"
	"tidings.internal/services/deliver/internal/mail/mailtest"
)

func TestStartTLSThatIsRefusedSendsNothing(t *testing.T) {
	t.Parallel()
	s := mailtest.New(t, mailtest.Config{})
	cl := client(t, s, mailtest.Config{})
	s.Say("STARTTLS", "454 4.7.0 not now", "502 5.5.1 never", mailtest.Cut)
	for _, want := range []fault.Kind{fault.Throttled, fault.Refused, fault.Unreachable} {
		if err := cl.Send(t.Context(), bounceTo, reader, compose(t, sample()), never(t)); fault.KindOf(err) != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func TestServerThatCannotBeTrustedGetsNothing(t *testing.T) {
	t.Parallel()
	secured, plain := mailtest.New(t, mailtest.Config{}), mailtest.New(t, mailtest.Config{Plain: true})
	login := mailtest.New(t, mailtest.Config{Username: "news", Password: password})
	asked := func(s *Server) { s.Username, s.Password = "news", config.NewSecret("wrong-"+password) }
	for _, c := range []struct {
		name   string
		server *mailtest.Server
		change func(*Server)
		kind   fault.Kind
		stage  Stage
		text   string
	}{
		{"no STARTTLS", plain, func(*Server) {}, fault.Refused, Security, "offers no STARTTLS"},
		{"a certificate of nobody", secured, func(s *Server) { s.Roots = nil }, fault.Unreachable, Security, "certificate"},
		{"a certificate of another", secured, func(s *Server) { s.Host = "127.0.0.2" }, fault.Unreachable, Connect, ""},
		{"a wrong password", login, asked, fault.Refused, Login, "Authentication failed"},
		{"no login offered", secured, asked, fault.Refused, Login, "no login by PLAIN"},
		{"the guard", secured, func(s *Server) { s.Dial = closed(t) }, fault.Refused, Connect, "not public"},
		{"no such port", secured, func(s *Server) { s.Port = 1 }, fault.Unreachable, Connect, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cl := client(t, c.server, mailtest.Config{}, c.change)
			err := cl.Send(t.Context(), bounceTo, reader, compose(t, sample()), never(t))
			r, ok := errors.AsType[*Reply](err)
			if !ok || fault.KindOf(err) != c.kind || r.Stage != c.stage || !strings.Contains(r.Text, c.text) {
				t.Errorf("%v, want %s at %s: %s", err, c.kind, c.stage, c.text)
			}
			silent(t, err)
		})
	}
}

// closed is the guard as it is without an operator's word.
func closed(t testing.TB) func(context.Context, string, string) (net.Conn, error) {
	c, err := web.New(web.Config{UserAgent: "Tidings/test"})
	if err != nil {
		t.Fatal(err)
	}
	return c.DialContext
}

func TestInTheClearIsForThisMachineAlone(t *testing.T) {
	t.Parallel()
	s := mailtest.New(t, mailtest.Config{Plain: true})
	cl := client(t, s, mailtest.Config{Plain: true}, func(server *Server) {
		dial := server.Dial
		server.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			nc, err := dial(ctx, network, address)
			return elsewhere{nc}, err
		}
	})
	err := cl.Send(t.Context(), bounceTo, reader, compose(t, sample()), never(t))
	if fault.KindOf(err) != fault.Refused || !strings.Contains(err.Error(), "this machine") {
		t.Errorf("%v, want refused", err)
	}
	if heard := s.Heard(); len(heard) > 1 {
		t.Errorf("the server heard %q", heard)
	}
}

type elsewhere struct{ net.Conn }

func (elsewhere) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 25} }

func TestServersThatCannotBeAreRefused(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Server){
		"no host":              func(s *Server) { s.Host = "" },
		"no port":              func(s *Server) { s.Port = 0 },
		"another way":          func(s *Server) { s.TLS = "maybe" },
		"login in the clear":   func(s *Server) { s.TLS, s.Username, s.Password = TLSNone, "news", config.NewSecret(password) },
		"login without secret": func(s *Server) { s.Username = "news" },
		"no name of our own":   func(s *Server) { s.Name = "a b" },
		"no dialer":            func(s *Server) { s.Dial = nil },
	} {
		s := Server{Host: "mx.example.net", Port: 587, TLS: TLSRequired, Name: "news.example.org", Dial: dialer(t)}
		change(&s)
		if _, err := NewClient(s); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v, want invalid", name, err)
		}
	}
}
