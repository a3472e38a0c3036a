package bounce

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"

	"tidings.internal/pkg/config"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/web"
	"tidings.internal/services/deliver/internal/bounce/bouncetest"
)

const password = "hunter2-hunter2"

func mailbox(t *testing.T, s *bouncetest.Server) Mailbox {
	t.Helper()
	c, err := web.New(web.Config{UserAgent: "Tidings/test", AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	if err != nil {
		t.Fatal(err)
	}
	return Mailbox{
		Host: s.Host, Port: s.Port, Username: "bounces", Password: config.NewSecret(password), Domain: domain, Roots: s.Roots, Dial: c.DialContext,
	}
}

// notes collects them.
func notes(list *[]Note) func(context.Context, Note) error {
	return func(_ context.Context, n Note) error { *list = append(*list, n); return nil }
}

func TestMailboxIsReadAndEmptied(t *testing.T) {
	t.Parallel()
	s := bouncetest.New(t, "bounces", password)
	s.Put(dsn(verp, "Action: failed\nStatus: 5.1.1"), "Subject: spam\r\n\r\n.\r\n..dots\r\n", arf("abuse", ""), "X: "+strings.Repeat("x", maxMail))
	var got []Note
	tally, err := mailbox(t, s).Poll(t.Context(), notes(&got))
	if err != nil || tally != (Tally{Mails: 4, Notes: 2}) || len(got) != 2 || s.Left() != 0 {
		t.Fatalf("%+v, %+v, %d left: %v", tally, got, s.Left(), err)
	}
	if got[0].Verdict != Hard || got[1].Verdict != Complaint || got[0].Token != token {
		t.Errorf("%+v", got)
	}
	if tally, err := mailbox(t, s).Poll(t.Context(), notes(&got)); err != nil || tally != (Tally{}) {
		t.Errorf("an empty mailbox: %+v, %v", tally, err)
	}
}

func TestNoteThatCannotBeStoredStays(t *testing.T) {
	t.Parallel()
	s := bouncetest.New(t, "bounces", password)
	s.Put(dsn(verp, "Action: failed\nStatus: 5.1.1"), arf("abuse", ""), dsn(verp, "Action: failed\nStatus: 5.2.2"))
	full := fault.Errorf(fault.Unreachable, "the bucket is full")
	tally, err := mailbox(t, s).Poll(t.Context(), func(_ context.Context, n Note) error {
		if n.Verdict == Complaint {
			return full
		}
		return nil
	})
	if !errors.Is(err, full) || tally != (Tally{Mails: 1, Notes: 1, Left: 2}) || s.Left() != 2 {
		t.Errorf("%+v, %d left: %v", tally, s.Left(), err)
	}
}

func TestMailThatTheServerCannotGiveHidesNone(t *testing.T) {
	t.Parallel()
	s := bouncetest.New(t, "bounces", password)
	s.Put(arf("abuse", ""), arf("opt-out", ""), arf("fraud", ""))
	s.Say("LIST 1", "-ERR no")
	s.Say("RETR 2", "-ERR no")
	var got []Note
	if tally, err := mailbox(t, s).Poll(t.Context(), notes(&got)); err != nil || tally != (Tally{Mails: 1, Notes: 1, Left: 2}) || s.Left() != 2 {
		t.Errorf("%+v, %d left: %v", tally, s.Left(), err)
	}
}

// A visit that breaks off deletes nothing, so its notes come again, under the ids that they had.
func TestVisitThatBreaksOffIsRepeated(t *testing.T) {
	t.Parallel()
	s := bouncetest.New(t, "bounces", password)
	s.Put(dsn(verp, "Action: failed\nStatus: 5.2.2"), arf("abuse", ""))
	var first, second []Note
	for _, command := range []string{"DELE 2", "RETR 2", "LIST 1", "STAT", "QUIT"} {
		s.Say(command, bouncetest.Cut)
		first = nil
		if _, err := mailbox(t, s).Poll(t.Context(), notes(&first)); fault.KindOf(err) != fault.Unreachable || s.Left() != 2 {
			t.Errorf("cut at %s: %v, %d left", command, err, s.Left())
		}
	}
	if _, err := mailbox(t, s).Poll(t.Context(), notes(&second)); err != nil || s.Left() != 0 {
		t.Fatalf("%v, %d left", err, s.Left())
	}
	if len(first) != 2 || len(second) != 2 || first[0] != second[0] || first[1] != second[1] {
		t.Errorf("notes %+v, then %+v", first, second)
	}
}

func TestMailboxThatCannotBeReadHasItsKind(t *testing.T) {
	t.Parallel()
	s := bouncetest.New(t, "bounces", password)
	for _, c := range []struct {
		name          string
		command, said string
		change        func(*Mailbox)
		want          fault.Kind
	}{
		{"wrong password", "", "", func(m *Mailbox) { m.Password = config.NewSecret("wrong-" + password) }, fault.Refused},
		{"a password with a command", "", "", func(m *Mailbox) { m.Password = config.NewSecret("x\r\nDELE 1") }, fault.Refused},
		{"in use", "PASS", "-ERR [IN-USE] another one reads", nil, fault.Throttled},
		{"passing fault", "PASS", "-ERR [SYS/TEMP] later", nil, fault.Throttled},
		{"no count", "STAT", "+OK many", nil, fault.Unreachable},
		{"no POP3", "USER", "550 what", nil, fault.Unreachable},
		{"an endless line", "USER", "+OK" + strings.Repeat("x", 1<<20), nil, fault.Unreachable},
		{"a certificate of nobody", "", "", func(m *Mailbox) { m.Roots = nil }, fault.Unreachable},
		{"no such port", "", "", func(m *Mailbox) { m.Port = 1 }, fault.Unreachable},
		{"the guard", "", "", func(m *Mailbox) { m.Dial = closed(t) }, fault.Refused},
	} {
		m := mailbox(t, s)
		if c.change != nil {
			c.change(&m)
		}
		if c.command != "" {
			s.Say(c.command, c.said)
		}
		_, err := m.Poll(t.Context(), func(context.Context, Note) error { return nil })
		if fault.KindOf(err) != c.want || err != nil && strings.Contains(err.Error(), password) {
			t.Errorf("%s: %v (%s), want %s without the password", c.name, err, fault.KindOf(err), c.want)
		}
	}
}

// closed is the guard as it is without an operator's word.
func closed(t *testing.T) func(context.Context, string, string) (net.Conn, error) {
	c, err := web.New(web.Config{UserAgent: "Tidings/test"})
	if err != nil {
		t.Fatal(err)
	}
	return c.DialContext
}

func TestPollEndsWithItsContext(t *testing.T) {
	t.Parallel()
	s := bouncetest.New(t, "bounces", password)
	s.Put(arf("abuse", ""), arf("opt-out", ""))
	ctx, cancel := context.WithCancel(t.Context())
	_, err := mailbox(t, s).Poll(ctx, func(context.Context, Note) error { cancel(); return nil })
	if err == nil || s.Left() != 2 {
		t.Errorf("%v, %d left", err, s.Left())
	}
}
