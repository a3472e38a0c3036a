package readers

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"tidings.internal/pkg/fault"
	"tidings.internal/services/deliver/internal/bounce"
	"tidings.internal/services/deliver/internal/ledger"
	"tidings.internal/services/deliver/internal/mail"
)

// errorsPerHour and refusedInARow pause a list: something is wrong with it, and not with its readers.
const (
	errorsPerHour = 1_000
	refusedInARow = 10
)

// judge writes down what became of a try.
func (s *shift) judge(row *Reader, err error, now time.Time) error {
	tried := !row.Mail.Sending.IsZero()
	reply, _ := errors.AsType[*mail.Reply](err)
	if reply == nil {
		reply = &mail.Reply{}
	}
	kind := fault.KindOf(err)
	s.health(row, err, reply, now)
	reason := said(kind, reply)
	aboutReader := reply.Stage == mail.Recipient || reply.Stage == mail.Data || reply.Stage == mail.Dot
	switch {
	case err == nil:
		return s.settle(row, now, Sent, func(r *Reader) *Reader { return r.sent(Sent, now) })
	case kind == fault.Uncertain && tried:
		return s.settle(row, now, Lost, func(r *Reader) *Reader { return r.sent(Lost, now) })
	case kind == fault.Throttled && aboutReader:
		return s.settle(row, now, Waits, func(r *Reader) *Reader { return r.postpone(reason, true, now) })
	case kind == fault.Invalid && reply.Stage == mail.Recipient:
		return s.turnedAway(row, reply, reason, now)
	case kind == fault.Invalid, kind == fault.TooLarge:
		return s.settle(row, now, Failed, func(r *Reader) *Reader { return r.end(Failed, reason, now) })
	case kind == fault.Refused:
		if err := s.stop(fault.Refused, err.Error(), now); err != nil {
			return err
		}
	}
	return s.settle(row, now, Waits, func(r *Reader) *Reader { return r.postpone(reason, false, now) })
}

// said is a reason without a word of the server.
func said(kind fault.Kind, r *mail.Reply) string {
	if r.Code == 0 {
		return string(kind)
	}
	return strings.TrimSpace(fmt.Sprintf("%s %d %s", r.Stage, r.Code, r.Enhanced))
}

// turnedAway deals with a recipient whom the server does not take. Most are gone for good, and writing to them again costs
// the name of the sender; a full mailbox and a mail that is too long are of the moment (RFC 3463 section 3.3 and 3.4), and
// what is of policy says nothing of the reader (section 3.8).
func (s *shift) turnedAway(row *Reader, reply *mail.Reply, reason string, now time.Time) error {
	switch bounce.Judge(reply.Code, reply.Enhanced) {
	case bounce.Soft:
		s.Observe.Bounced(s.id, "soft")
		return s.settle(row, now, Failed, func(r *Reader) *Reader { return r.end(Failed, reason, now).softly(now) })
	case bounce.Policy:
		return s.settle(row, now, Failed, func(r *Reader) *Reader { return r.end(Failed, reason, now) })
	}
	s.Observe.Bounced(s.id, "hard")
	s.Observe.Mailed(s.id, kindOf(row), Barred)
	return s.bar(row, "refused", now)
}

// health judges the server by what it said about the mail of a row, and pauses the list where too much goes wrong.
func (s *shift) health(row *Reader, err error, reply *mail.Reply, now time.Time) {
	s.mu.Lock()
	kind := fault.KindOf(err)
	stop := ""
	switch {
	case err == nil || kind == fault.Uncertain && reply.Stage == mail.Dot:
		s.failures, s.refused, s.wait = 0, 0, time.Time{}
	case kind == fault.Unreachable, kind == fault.Throttled && reply.Stage != mail.Recipient && reply.Stage != mail.Data && reply.Stage != mail.Dot:
		s.failed(now) // it says nothing about the reader
	case kind == fault.Invalid && (reply.Stage == mail.Data || reply.Stage == mail.Dot || reply.Stage == mail.Recipient && !row.Mail.Confirm):
		// Recipients who have confirmed had mail before: a server that takes none of ten relays for us no more, and would end
		// every subscription. Others may be anybody's invention, and must not stop the list for all.
		if s.refused++; s.refused >= refusedInARow {
			stop = "the server refused ten mails in a row"
		}
	}
	if err != nil {
		for len(s.errors) > 0 && now.Sub(s.errors[0]) > time.Hour {
			s.errors = s.errors[1:]
		}
		if s.errors = append(s.errors, now); len(s.errors) >= errorsPerHour {
			stop = "a thousand mails went wrong within an hour"
		}
	}
	if stop != "" {
		s.refused, s.errors = 0, nil
	}
	s.mu.Unlock()
	if stop != "" {
		if err := s.stop(fault.Refused, stop+"; "+reply.Text, now); err != nil {
			s.Log.Warn("could not pause a list", "kind", fault.KindOf(err), "err", err)
		}
	}
}

// stop pauses the list until somebody resumes it or gives it other credentials. What is to be sent waits.
func (s *shift) stop(kind fault.Kind, text string, now time.Time) error {
	s.mu.Lock()
	s.paused = true // at once: no further mail begins while that is written. Where it cannot be, the next look takes it back
	s.mu.Unlock()
	stopped := false
	_, err := s.Ledger.ChangeChannel(s.ctx, s.id, func(c *ledger.Channel) (*ledger.Channel, error) {
		if stopped = c != nil && c.Pause == nil; !stopped {
			return nil, nil
		}
		c.Pause = &ledger.Pause{At: now.UTC(), Reason: string(kind), Text: text, Credential: s.Credential}
		return c, nil
	})
	if err != nil || !stopped {
		return err
	}
	s.Log.Warn("paused a list and kept what waits", "kind", kind, "err", text)
	s.tell("channel_paused", string(kind), nil)
	return nil
}
