package mail

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/emersion/go-smtp"

	"tidings.internal/pkg/fault"
)

const (
	// perConnection is how many mails one connection carries, a limit of ours below those of common servers.
	perConnection = 100
	// farewell bounds QUIT: nothing depends on its answer.
	farewell = 5 * time.Second
)

// Client sends mails to one server, one after the other over one connection that it opens when needed. It is not safe for
// concurrent use; who wants ten connections makes ten.
type Client struct {
	server Server
	smtp   *smtp.Client // nil without connection
	wire   *wire
	mails  int // carried by the connection
	// hidden are the texts that no error about the present mail may show.
	hidden []string
}

// Close ends the connection, if there is one. The client may be used again.
func (c *Client) Close() {
	if c.smtp == nil {
		return
	}
	c.smtp.CommandTimeout = farewell
	if c.smtp.Quit() != nil {
		c.drop()
	}
	c.smtp = nil
}

// drop cuts the connection. Without the dot nothing of an open mail is delivered.
func (c *Client) drop() {
	if c.smtp != nil {
		c.smtp.Close()
	}
	c.smtp = nil
}

// Send hands one mail in. commit is called when the body is on its way and before the final dot, with which alone the mail counts:
// what it stores says that the mail is out. When it fails the connection is cut, nothing is delivered, and its error is returned.
// A crash before commit delivered nothing; after it the mail counts as sent and is not repeated, whether it left or not.
//
// from is the envelope's sender, to which bounces go, and to the recipient. Any other error is a [*Reply]; of those after commit only
// uncertain leaves a doubt. When ctx ends the connection is cut.
func (c *Client) Send(ctx context.Context, from, to string, raw []byte, commit func(context.Context) error) error {
	from, err := route("envelope sender", from)
	if err != nil {
		return &Reply{Stage: Address, Text: err.Error(), kind: fault.Refused, cause: err}
	}
	to, err = route("recipient", to)
	if err != nil {
		return &Reply{Stage: Address, Text: err.Error(), kind: fault.Invalid, cause: err}
	}
	c.hide(from, to)
	r := c.begin(ctx, from, to, len(raw))
	if r == nil {
		var cause error
		if r, cause = c.hand(ctx, to, raw, commit); cause != nil {
			return fmt.Errorf("send mail: store that it is out: %w", cause)
		}
	}
	if r != nil {
		c.settle(ctx, r)
		return r
	}
	if c.mails++; c.mails >= perConnection {
		c.Close()
	}
	return nil
}

// begin says from whom a mail is, over a new connection if there is none. A kept connection that the server has ended meanwhile
// is replaced once: nothing was said on it.
func (c *Client) begin(ctx context.Context, from, to string, size int) *Reply {
	for {
		kept := c.smtp != nil
		if !kept {
			if r := c.open(ctx); r != nil {
				return r
			}
		}
		r := c.mail(ctx, from, !ascii(from) || !ascii(to), size)
		if r == nil || !kept || !r.broken || ctx.Err() != nil {
			return r
		}
		c.drop()
	}
}

func (c *Client) mail(ctx context.Context, from string, utf8 bool, size int) *Reply {
	defer context.AfterFunc(ctx, c.cut())()
	if ok, _ := c.smtp.Extension("SMTPUTF8"); utf8 && !ok {
		return &Reply{Stage: Sender, Text: ErrNoUTF8.Error(), kind: fault.Invalid, cause: ErrNoUTF8}
	}
	if err := c.smtp.Mail(from, &smtp.MailOptions{Size: int64(size), UTF8: utf8}); err != nil {
		return c.failure(Sender, err)
	}
	return nil
}

// hand says to whom the mail is, and hands it over. The second error is that of commit.
func (c *Client) hand(ctx context.Context, to string, raw []byte, commit func(context.Context) error) (*Reply, error) {
	defer context.AfterFunc(ctx, c.cut())()
	if err := c.smtp.Rcpt(to, nil); err != nil {
		return c.failure(Recipient, err), nil
	}
	body, err := c.smtp.Data()
	if err != nil {
		return c.failure(Data, err), nil
	}
	if _, err := body.Write(raw); err != nil {
		return c.failure(Data, err), nil
	}
	if err := commit(ctx); err != nil {
		c.drop()
		return nil, err
	}
	c.wire.watch()
	if err := body.Close(); err != nil {
		r := c.failure(Dot, err)
		if r.Code == 0 && c.wire.lost {
			r.kind = fault.Unreachable // the dot did not leave
		}
		return r, nil
	}
	return nil, nil
}

// cut is what the end of a context does to the connection of now.
func (c *Client) cut() func() {
	wire := c.wire
	return func() { wire.Close() }
}

// settle leaves the connection ready for the next mail after a failure, or cuts it.
func (c *Client) settle(ctx context.Context, r *Reply) {
	if c.smtp == nil {
		return
	}
	if ctx.Err() != nil || r.broken {
		c.drop()
		return
	}
	defer context.AfterFunc(ctx, c.cut())()
	if c.smtp.Reset() != nil {
		c.drop()
	}
}

// hide keeps addresses out of the errors about a mail, whole and in their parts: servers quote the part before the at alone, too.
func (c *Client) hide(addresses ...string) {
	c.hidden = c.hidden[:0]
	for _, a := range addresses {
		local, _, _ := strings.Cut(a, "@")
		c.hidden = append(c.hidden, a, local)
	}
}
