package mail

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"tidings.internal/pkg/config"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/web"
	"tidings.internal/services/deliver/internal/mail/mailtest"
)

const (
	bounceTo = "bounce+abcdefghijkl@news.example.org"
	reader   = "maria.reader@example.net"
	password = "hunter2-hunter2"
)

// dialer is the guard, with this machine opened.
func dialer(t testing.TB) func(context.Context, string, string) (net.Conn, error) {
	t.Helper()
	c, err := web.New(web.Config{UserAgent: "Tidings/test", AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	if err != nil {
		t.Fatal(err)
	}
	return c.DialContext
}

// client is one for a server of the tests.
func client(t testing.TB, s *mailtest.Server, c mailtest.Config, change ...func(*Server)) *Client {
	t.Helper()
	server := Server{Host: s.Host, Port: s.Port, TLS: TLSRequired, Name: "news.example.org", Roots: s.Roots, Dial: dialer(t)}
	switch {
	case c.Implicit:
		server.TLS = TLSImplicit
	case c.Plain:
		server.TLS = TLSNone
	}
	if c.Username != "" {
		server.Username, server.Password = c.Username, config.NewSecret(c.Password)
	}
	for _, f := range change {
		f(&server)
	}
	out, err := NewClient(server)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(out.Close)
	return out
}

// note is a commit that counts.
func note(n *int) func(context.Context) error {
	return func(context.Context) error { *n++; return nil }
}

func TestMailArrivesOverEachWay(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]mailtest.Config{
		"required":       {},
		"implicit":       {Implicit: true},
		"none":           {Plain: true},
		"login":          {Username: "news", Password: password},
		"implicit login": {Implicit: true, Username: "news", Password: password},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := mailtest.New(t, c)
			cl := client(t, s, c)
			raw, commits := compose(t, sample()), 0
			if err := cl.Send(t.Context(), bounceTo, reader, raw, note(&commits)); err != nil {
				t.Fatal(err)
			}
			got := s.Mails()
			if len(got) != 1 || commits != 1 || got[0].From != bounceTo || got[0].To != reader || !bytes.Equal(got[0].Raw, raw) {
				t.Errorf("%d commits, delivered %+v", commits, got)
			}
		})
	}
}

// Each reply at each verb: what it means, whether the mail counts as out, and that the next mail passes.
func TestEachReplyHasItsKind(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		verb, reply string
		kind        fault.Kind
		stage       Stage
		code        int
		enhanced    string
		commits     int
		same        bool // the connection is kept
	}{
		{mailtest.Greeting, "421 4.3.2 closing", fault.Throttled, Connect, 421, "4.3.2", 0, false},
		{mailtest.Greeting, "554 5.7.1 no", fault.Refused, Connect, 554, "5.7.1", 0, false},
		{mailtest.Greeting, mailtest.Cut, fault.Unreachable, Connect, 0, "", 0, false},
		{"EHLO", "421 later", fault.Throttled, Connect, 421, "", 0, false},
		{"EHLO", "550 5.7.0 no", fault.Refused, Connect, 550, "5.7.0", 0, false},
		{"EHLO", mailtest.Cut, fault.Unreachable, Connect, 0, "", 0, false},
		{"MAIL", "451 4.3.0 later", fault.Throttled, Sender, 451, "4.3.0", 0, true},
		{"MAIL", "421 4.3.0 later", fault.Throttled, Sender, 421, "4.3.0", 0, false},
		{"MAIL", "550 5.1.7 bad sender", fault.Refused, Sender, 550, "5.1.7", 0, true},
		{"MAIL", "530 5.7.0 log in", fault.Refused, Sender, 530, "5.7.0", 0, true},
		{"MAIL", "552 5.3.4 too large", fault.TooLarge, Sender, 552, "5.3.4", 0, true},
		{"MAIL", mailtest.Cut, fault.Unreachable, Sender, 0, "", 0, false},
		{"RCPT", "450 4.2.1 later", fault.Throttled, Recipient, 450, "4.2.1", 0, true},
		{"RCPT", "550 5.1.1 <" + reader + "> unknown", fault.Invalid, Recipient, 550, "5.1.1", 0, true},
		{"RCPT", "552 5.2.2 full", fault.Invalid, Recipient, 552, "5.2.2", 0, true},
		{"RCPT", "550 no such user", fault.Invalid, Recipient, 550, "", 0, true},
		{"RCPT", "535 5.7.8 who are you", fault.Refused, Recipient, 535, "5.7.8", 0, true},
		{"RCPT", mailtest.Cut, fault.Unreachable, Recipient, 0, "", 0, false},
		{"DATA", "451 4.3.0 later", fault.Throttled, Data, 451, "4.3.0", 0, true},
		{"DATA", "554 5.5.1 no", fault.Invalid, Data, 554, "5.5.1", 0, true},
		{"DATA", "250 what", fault.Unreachable, Data, 250, "", 0, false},
		{"DATA", mailtest.Cut, fault.Unreachable, Data, 0, "", 0, false},
		{mailtest.Dot, "451 4.3.0 later", fault.Throttled, Dot, 451, "4.3.0", 1, true},
		{mailtest.Dot, "554 5.7.1 spam", fault.Invalid, Dot, 554, "5.7.1", 1, true},
		{mailtest.Dot, "421 4.3.0 closing", fault.Throttled, Dot, 421, "4.3.0", 1, false},
	} {
		t.Run(c.verb+" "+c.reply, func(t *testing.T) {
			t.Parallel()
			way := mailtest.Config{Plain: true}
			s := mailtest.New(t, way)
			cl := client(t, s, way)
			s.Say(c.verb, c.reply)
			commits := 0
			raw := compose(t, sample())
			err := cl.Send(t.Context(), bounceTo, reader, raw, note(&commits))
			r, ok := errors.AsType[*Reply](err)
			if !ok {
				t.Fatalf("%v is no reply", err)
			}
			if fault.KindOf(err) != c.kind || r.Stage != c.stage || r.Code != c.code || r.Enhanced != c.enhanced || commits != c.commits || len(s.Mails()) != 0 {
				t.Errorf("%s %s %d %q after %d commits, %d delivered; want %+v", fault.KindOf(err), r.Stage, r.Code, r.Enhanced, commits, len(s.Mails()), c)
			}
			if err := cl.Send(t.Context(), bounceTo, reader, raw, note(&commits)); err != nil || len(s.Mails()) != 1 {
				t.Errorf("the next mail: %v, %d delivered", err, len(s.Mails()))
			}
			if _, opened := s.Broken(); (opened == 1) != c.same {
				t.Errorf("%d connections, kept: want %v", opened, c.same)
			}
		})
	}
}

func never(t testing.TB) func(context.Context) error {
	return func(context.Context) error {
		t.Error("a mail that did not leave counts as out")
		return nil
	}
}

// silent fails when an error shows an address, a token or a password.
func silent(t *testing.T, err error) {
	t.Helper()
	for _, text := range []string{reader, "maria", bounceTo, "abcdefghijkl", password, "aHVudGVyMi1odW50ZXIy"} {
		if err != nil && strings.Contains(err.Error(), text) {
			t.Errorf("%q stands in %v", text, err)
		}
	}
}

func TestServersWordsAreFitForALog(t *testing.T) {
	t.Parallel()
	way := mailtest.Config{Username: "news", Password: password}
	s := mailtest.New(t, way)
	cl := client(t, s, way)
	s.Say("RCPT", "550 5.1.1 <"+reader+">: no maria.reader here, from "+bounceTo+" with "+password+" \x1b[31m\x07 "+strings.Repeat("x", 1500))
	err := cl.Send(t.Context(), bounceTo, reader, compose(t, sample()), never(t))
	silent(t, err)
	r, ok := errors.AsType[*Reply](err)
	if !ok || len(r.Text) > 1024 || strings.ContainsAny(r.Text, "\x1b\x07\r\n") || !strings.Contains(r.Text, "<***>: no *** here") {
		t.Errorf("%v", err)
	}
}

func TestMailThatBreaksOffBeforeTheDotIsNotDelivered(t *testing.T) {
	t.Parallel()
	for _, way := range []mailtest.Config{{Plain: true}, {}, {Implicit: true}} {
		s := mailtest.New(t, way)
		cl := client(t, s, way)
		lost := fault.Errorf(fault.Conflict, "another one was faster")
		err := cl.Send(t.Context(), bounceTo, reader, compose(t, sample()), func(context.Context) error { return lost })
		if !errors.Is(err, lost) || fault.KindOf(err) != fault.Conflict {
			t.Errorf("%v, want the error of commit", err)
		}
		await(t, func() bool { broken, _ := s.Broken(); return broken == 1 })
		if n := len(s.Mails()); n != 0 {
			t.Errorf("%d mails were delivered without their dot", n)
		}
		// A context that ends in commit is a crash in the small.
		ctx, cancel := context.WithCancel(t.Context())
		err = cl.Send(ctx, bounceTo, reader, compose(t, sample()), func(context.Context) error {
			cancel()
			await(t, func() bool { broken, _ := s.Broken(); return broken == 2 })
			return nil
		})
		if fault.KindOf(err) != fault.Unreachable || len(s.Mails()) != 0 {
			t.Errorf("%v, %d delivered; want unreachable and none", err, len(s.Mails()))
		}
	}
}

// await waits for a condition of the server, which works beside the test.
func await(t *testing.T, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for !ok() {
		select {
		case <-ctx.Done():
			t.Fatal("the server did not come to it")
		case <-time.After(time.Millisecond):
		}
	}
}

func TestServerThatEndsInTheBodyDeliversNothing(t *testing.T) {
	t.Parallel()
	way := mailtest.Config{Plain: true}
	s := mailtest.New(t, way)
	cl := client(t, s, way)
	s.Say(mailtest.Body, mailtest.Cut)
	m := sample()
	m.Text = strings.Repeat("a long line of a long mail\n", 1<<18) // more than what the system takes without a reader
	commits := 0
	err := cl.Send(t.Context(), bounceTo, reader, compose(t, m), note(&commits))
	if fault.KindOf(err) != fault.Unreachable || commits != 0 || len(s.Mails()) != 0 {
		t.Errorf("%v after %d commits, %d delivered", err, commits, len(s.Mails()))
	}
}

func TestLostReplyToTheDotIsUncertain(t *testing.T) {
	t.Parallel()
	for _, way := range []mailtest.Config{{Plain: true}, {}, {Implicit: true}} {
		s := mailtest.New(t, way)
		cl := client(t, s, way)
		s.Say(mailtest.Dot, mailtest.Cut)
		commits := 0
		err := cl.Send(t.Context(), bounceTo, reader, compose(t, sample()), note(&commits))
		if fault.KindOf(err) != fault.Uncertain || commits != 1 || len(s.Mails()) != 1 {
			t.Errorf("%v after %d commits, %d delivered; want uncertain", err, commits, len(s.Mails()))
		}
	}
}

func TestConnectionIsKeptForAHundredMails(t *testing.T) {
	t.Parallel()
	way := mailtest.Config{Plain: true}
	s := mailtest.New(t, way)
	cl := client(t, s, way)
	raw, commits := compose(t, sample()), 0
	for range 150 {
		if err := cl.Send(t.Context(), bounceTo, reader, raw, note(&commits)); err != nil {
			t.Fatal(err)
		}
	}
	if _, opened := s.Broken(); opened != 2 || len(s.Mails()) != 150 {
		t.Errorf("%d connections for %d mails, want 2", opened, len(s.Mails()))
	}
}

func TestKeptConnectionThatTheServerEndedIsReplaced(t *testing.T) {
	t.Parallel()
	way := mailtest.Config{Plain: true}
	s := mailtest.New(t, way)
	cl := client(t, s, way)
	raw, commits := compose(t, sample()), 0
	for _, ends := range []string{"", mailtest.Cut, "421 4.4.2 idle too long"} {
		s.Say("MAIL", ends)
		if err := cl.Send(t.Context(), bounceTo, reader, raw, note(&commits)); err != nil {
			t.Fatal(err)
		}
	}
	if _, opened := s.Broken(); opened != 3 || len(s.Mails()) != 3 || commits != 3 {
		t.Errorf("%d connections, %d commits, %d mails; want 3 of each", opened, commits, len(s.Mails()))
	}
}

func TestAddressBeyondASCIINeedsAServerForIt(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		to   string
		no   bool
		want error
		utf8 bool
	}{
		{"jürgen@example.net", true, ErrNoUTF8, false},
		{"jürgen@example.net", false, nil, true},
		{"reader@bücher.example", true, nil, false},
	} {
		way := mailtest.Config{Plain: true, NoUTF8: c.no}
		s := mailtest.New(t, way)
		cl := client(t, s, way)
		m, commits := sample(), 0
		m.To = c.to
		err := cl.Send(t.Context(), bounceTo, c.to, compose(t, m), note(&commits))
		if !errors.Is(err, c.want) || c.want != nil && fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v, want %v", c.to, err, c.want)
		}
		if got := s.Mails(); c.want == nil && (len(got) != 1 || got[0].UTF8 != c.utf8) {
			t.Errorf("%s: delivered %+v", c.to, got)
		}
		// The connection is as good as before.
		if err := cl.Send(t.Context(), bounceTo, reader, compose(t, sample()), note(&commits)); err != nil {
			t.Errorf("the next mail: %v", err)
		}
		if _, opened := s.Broken(); opened != 1 {
			t.Errorf("%d connections", opened)
		}
	}
}

func TestEnvelopeHoldsNoCommand(t *testing.T) {
	t.Parallel()
	way := mailtest.Config{Plain: true}
	s := mailtest.New(t, way)
	cl := client(t, s, way)
	for _, to := range []string{"a@example.org>\r\nRCPT TO:<b@example.org", "a@example.org SIZE=1", "a@example.org, b@example.org", ""} {
		if err := cl.Send(t.Context(), bounceTo, to, compose(t, sample()), never(t)); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%q: %v, want invalid", to, err)
		}
		if err := cl.Send(t.Context(), to, reader, compose(t, sample()), never(t)); fault.KindOf(err) != fault.Refused {
			t.Errorf("from %q: %v, want refused", to, err)
		}
	}
	if n := len(s.Mails()); n != 0 {
		t.Errorf("%d mails were delivered", n)
	}
}
