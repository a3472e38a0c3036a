package bounce

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strconv"
	"strings"
	"time"

	"tidings.internal/pkg/config"
	"tidings.internal/pkg/fault"
	"tidings.internal/services/deliver/internal/send"
)

// Mailbox is where reports arrive, read over POP3S (RFC 1939, RFC 8314). It belongs to us alone: what was read is deleted.
type Mailbox struct {
	Host     string
	Port     int
	Username string
	Password config.Secret
	// Domain is that of [Address].
	Domain string
	// Roots are the certificate authorities that are trusted; nil for the system's.
	Roots *x509.CertPool
	// Dial makes connections under the guard: the method of package web.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Tally is what a poll found.
type Tally struct {
	// Mails were read and deleted, Notes of them said something about a reader, Left remain for the next poll.
	Mails, Notes, Left int
}

const (
	// command is how long one command may take, visit the whole poll.
	command = time.Minute
	visit   = 10 * time.Minute
	// maxMails are taken in one poll, so that the deletions of a full mailbox are not lost together.
	maxMails = 500
	// maxMail is the largest mail in bytes that is read: a report returns the mail that it is about. Larger ones are deleted unread.
	maxMail = 8 << 20
	// maxLine bounds what a server says outside of mails.
	maxLine = 64 << 10
)

// Poll reads the mailbox. handle stores what a note says; when it fails, its mail and those behind it stay for the next poll. A mail is gone
// only with the end of the visit, so after a crash notes come again, with the same ids.
func (m Mailbox) Poll(ctx context.Context, handle func(context.Context, Note) error) (Tally, error) {
	ctx, cancel := context.WithTimeout(ctx, visit)
	defer cancel()
	p, count, err := m.enter(ctx)
	if err != nil {
		return Tally{}, err
	}
	defer p.conn.Close()
	defer context.AfterFunc(ctx, func() { p.conn.Close() })()
	tally := Tally{Left: count}
	for n := 1; n <= min(count, maxMails); n++ {
		if err := ctx.Err(); err != nil {
			return tally, fault.Errorf(fault.Unreachable, "read bounces: %w", err)
		}
		raw, err := p.mail(n)
		if errors.Is(err, errNo) {
			continue // a mail that the server cannot give must not hide those behind it
		}
		if err != nil {
			return tally, err
		}
		note, ok := Read(raw, m.Domain)
		if ok {
			if err := handle(ctx, note); err != nil {
				// What was handled before shall not come again.
				return tally, errors.Join(fmt.Errorf("read bounces: %w", err), p.quit())
			}
			tally.Notes++
		}
		if _, err := p.say("DELE " + strconv.Itoa(n)); err != nil {
			return tally, err
		}
		tally.Mails++
		tally.Left--
	}
	return tally, p.quit()
}

// pop is one visit.
type pop struct {
	conn    net.Conn
	limit   *io.LimitedReader
	text    *textproto.Reader
	secrets []string
}

// enter connects, logs in and asks how many mails there are.
func (m Mailbox) enter(ctx context.Context) (p *pop, count int, err error) {
	if strings.ContainsAny(m.Username+m.Password.Reveal(), "\r\n") {
		return nil, 0, fault.Errorf(fault.Refused, "read bounces: user name or password hold a line break")
	}
	nc, err := m.Dial(ctx, "tcp", net.JoinHostPort(m.Host, strconv.Itoa(m.Port)))
	if err != nil {
		kind := fault.Unreachable
		if fault.KindOf(err) == fault.Invalid {
			kind = fault.Refused // the guard: waiting does not help
		}
		return nil, 0, fault.Errorf(kind, "read bounces: connect: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { nc.Close() })
	defer stop()
	secured := tls.Client(nc, &tls.Config{MinVersion: tls.VersionTLS12, ServerName: m.Host, RootCAs: m.Roots})
	hurry, cancel := context.WithTimeout(ctx, command)
	defer cancel()
	if err := secured.HandshakeContext(hurry); err != nil {
		nc.Close()
		return nil, 0, fault.Errorf(fault.Unreachable, "read bounces: speak TLS: %w", err)
	}
	limit := &io.LimitedReader{R: secured}
	p = &pop{conn: secured, limit: limit, text: textproto.NewReader(bufio.NewReader(limit)), secrets: []string{m.Username, m.Password.Reveal()}}
	defer func() {
		if err != nil {
			secured.Close()
		}
	}()
	if err := p.hurry(maxLine); err != nil {
		return nil, 0, err
	}
	if _, err := p.answer("the greeting"); err != nil {
		return nil, 0, err
	}
	for _, line := range []string{"USER " + m.Username, "PASS " + m.Password.Reveal()} {
		if _, err := p.say(line); err != nil {
			return nil, 0, err
		}
	}
	said, err := p.say("STAT")
	if err != nil {
		return nil, 0, err
	}
	if count, err = number(said, 0); err != nil {
		return nil, 0, err
	}
	return p, count, nil
}

// hurry gives the next command its time and its bytes.
func (p *pop) hurry(bytes int64) error {
	p.limit.N = bytes
	if err := p.conn.SetDeadline(time.Now().Add(command)); err != nil {
		return fault.Errorf(fault.Unreachable, "read bounces: %w", err)
	}
	return nil
}

// say sends a command and returns what the server answers behind its +OK.
func (p *pop) say(line string) (string, error) {
	verb, _, _ := strings.Cut(line, " ")
	if err := p.hurry(maxLine); err != nil {
		return "", err
	}
	if _, err := io.WriteString(p.conn, line+"\r\n"); err != nil {
		return "", fault.Errorf(fault.Unreachable, "read bounces: %s: %w", verb, err)
	}
	return p.answer(verb)
}

// answer reads one line. A refusal within the login is one of the credentials, unless its code (RFC 2449, RFC 3206) says that it will pass.
func (p *pop) answer(verb string) (string, error) {
	line, err := p.text.ReadLine()
	if err != nil {
		return "", fault.Errorf(fault.Unreachable, "read bounces: %s: %w", verb, err)
	}
	if rest, ok := strings.CutPrefix(line, "+OK"); ok {
		return strings.TrimSpace(rest), nil
	}
	said := send.Redact(line, p.secrets...)
	passing := strings.Contains(line, "[IN-USE]") || strings.Contains(line, "[SYS/TEMP]") || strings.Contains(line, "[LOGIN-DELAY]")
	switch {
	case passing:
		return "", fault.Errorf(fault.Throttled, "read bounces: %s: %s", verb, said)
	case strings.HasPrefix(line, "-ERR") && (verb == "USER" || verb == "PASS"):
		return "", fault.Errorf(fault.Refused, "read bounces: %s: %s", verb, said)
	case strings.HasPrefix(line, "-ERR"):
		return "", fault.Errorf(fault.Unreachable, "read bounces: %s: %s: %w", verb, said, errNo)
	}
	return "", fault.Errorf(fault.Unreachable, "read bounces: %s: %s", verb, said)
}

// errNo is in the chain of a refusal outside of the login.
var errNo = errors.New("the server says no")

// mail returns a mail, or nothing of one that is too large.
func (p *pop) mail(n int) ([]byte, error) {
	said, err := p.say("LIST " + strconv.Itoa(n))
	if err != nil {
		return nil, err
	}
	size, err := number(said, 1)
	if err != nil || size > maxMail {
		return nil, err
	}
	if _, err := p.say("RETR " + strconv.Itoa(n)); err != nil {
		return nil, err
	}
	p.limit.N = 2 * maxMail // dots are doubled, and servers count line ends as they like
	if err := p.conn.SetDeadline(time.Now().Add(visit)); err != nil {
		return nil, fault.Errorf(fault.Unreachable, "read bounces: %w", err)
	}
	raw, err := p.text.ReadDotBytes()
	if err != nil {
		return nil, fault.Errorf(fault.Unreachable, "read bounces: RETR: %w", err)
	}
	return raw, nil
}

// quit ends the visit, with which alone what was deleted is gone.
func (p *pop) quit() error {
	_, err := p.say("QUIT")
	return err
}

// number reads the number at a place of an answer.
func number(said string, place int) (int, error) {
	fields := strings.Fields(said)
	if place < len(fields) {
		if n, err := strconv.Atoi(fields[place]); err == nil && n >= 0 {
			return n, nil
		}
	}
	return 0, fault.Errorf(fault.Unreachable, "read bounces: the server answers without a number")
}
