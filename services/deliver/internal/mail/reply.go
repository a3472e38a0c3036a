package mail

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/emersion/go-smtp"

	"tidings.internal/pkg/fault"
	"tidings.internal/services/deliver/internal/send"
)

// Stage is the part of an exchange that failed.
type Stage string

// The stages, in their order.
const (
	Connect   Stage = "connect"   // name, connection, greeting and EHLO
	Security  Stage = "tls"       // STARTTLS and the handshake
	Login     Stage = "auth"      // AUTH
	Sender    Stage = "mail"      // MAIL FROM
	Recipient Stage = "rcpt"      // RCPT TO
	Data      Stage = "data"      // DATA and the body, up to the last byte before the dot
	Dot       Stage = "dot"       // the dot and the reply to it
	Address   Stage = "addresses" // before anything was said
)

// Reply is why a mail was not sent, or may not have been. [fault.KindOf] tells what follows:
//
//   - throttled: a reply of 4xx; nothing was delivered, and it is worth trying again later.
//   - invalid: a 5xx to the recipient, to the body or after the dot, or a mail that this server cannot take; nothing was delivered,
//     and nothing will be. Stage tells a bad recipient from a bad mail.
//   - too_large: the server takes no mail of this size.
//   - refused: the server wants nothing from us, whoever the recipient is: login or TLS are missing or wrong, or the sender is.
//   - unreachable: no connection, or one that broke before the dot was out; nothing was delivered.
//   - uncertain: the reply to the dot was lost or meant nothing. It counts as sent.
type Reply struct {
	Stage Stage
	// Code is the server's, 0 when there was no reply, and Enhanced its code of RFC 3463, such as 5.1.1, empty without one.
	Code     int
	Enhanced string
	// Text is what the server said, or what went wrong without it: one line, at most 1 KB, without addresses and secrets.
	Text string

	kind fault.Kind
	// broken tells that nothing more can be said on the connection.
	broken bool
	// cause is kept for errors.Is; its text may hold an address and is never printed.
	cause error
}

// ErrNoUTF8 is in the chain of an error about an address that only servers with SMTPUTF8 (RFC 6531) take.
var ErrNoUTF8 = errors.New("the server has no SMTPUTF8, which the address needs")

// Error names the stage and the server's words.
func (r *Reply) Error() string {
	code := strings.TrimSpace(fmt.Sprintf("%d %s", r.Code, r.Enhanced))
	if r.Code == 0 {
		return fmt.Sprintf("send mail: %s: %s", r.Stage, r.Text)
	}
	return fmt.Sprintf("send mail: %s: %s", r.Stage, strings.TrimSpace(code+" "+r.Text))
}

// Unwrap gives the fault, and below it the cause.
func (r *Reply) Unwrap() error {
	return fault.Errorf(r.kind, "%w", cmp.Or(r.cause, errors.New(r.Text)))
}

// failure makes a reply of what go-smtp returned.
func (c *Client) failure(stage Stage, err error) *Reply {
	r := &Reply{Stage: stage, cause: err, Text: c.redact(err.Error())}
	said, ok := errors.AsType[*smtp.SMTPError](err)
	if ok {
		r.Code, r.Text = said.Code, c.redact(said.Message)
		if e := said.EnhancedCode; e[0] >= 2 && e[0] <= 5 && e[1] >= 0 && e[2] >= 0 {
			r.Enhanced = fmt.Sprintf("%d.%d.%d", e[0], e[1], e[2])
		}
	}
	r.kind = kind(stage, r.Code, r.Enhanced)
	r.broken = r.Code < 400 || r.Code == 421 // 421 ends the connection (RFC 5321 section 3.8)
	return r
}

// kind is what a code means where it was said; 0 is no reply at all.
func kind(stage Stage, code int, enhanced string) fault.Kind {
	// RFC 4954 section 6 and RFC 3207 section 4: log in, or speak TLS, first.
	credentials := code == 530 || code == 534 || code == 535 || code == 538
	switch {
	case code >= 400 && code < 500:
		return fault.Throttled
	case code >= 500 && code < 600 && credentials:
		return fault.Refused
	case code >= 500 && code < 600 && (stage == Recipient || stage == Data || stage == Dot):
		return fault.Invalid
	case stage == Sender && (code == 552 || enhanced == "5.3.4"): // RFC 1870 section 6.1: the declared size
		return fault.TooLarge
	case code >= 500 && code < 600:
		return fault.Refused
	case stage == Dot:
		return fault.Uncertain
	}
	return fault.Unreachable
}

// anAddress is what looks like one in a server's words, by which it often repeats whom it refuses.
var anAddress = regexp.MustCompile(`[^\s<>"'(),;:]+@[^\s<>"'(),;:]+`)

// redact takes addresses, ours and the reader's, and the password out of a text.
func (c *Client) redact(text string) string {
	return send.Redact(anAddress.ReplaceAllString(text, "***"), append(c.hidden, c.server.Username, c.server.Password.Reveal())...)
}
