// Package list is the network of newsletters: whom their mails come from, and which server takes them.
//
// No post of a list is sent by itself. It is kept for the mails of each reader, which package readers makes and sends; what
// is here is the configuration of that, and the way to the server.
package list

import (
	"context"
	"fmt"
	"net"
	"strconv"

	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/web"
	"tidings.internal/services/deliver/internal/bounce"
	"tidings.internal/services/deliver/internal/mail"
	"tidings.internal/services/deliver/internal/send"
)

// Network is the network of list channels.
var Network = send.Network{
	Name:     "list",
	Settings: func() any { return Defaults() },
	Others:   others,
	Example:  example,
	Traits:   send.Traits{Listed: true},
	Open:     open,
}

type sender struct {
	channel string
	*Settings
	server mail.Server
}

func open(o send.Options) (send.Sender, error) {
	s, ok := o.Channel.Settings.(*Settings)
	if !ok {
		return nil, fault.Errorf(fault.Internal, "open channel %s: it has the settings of another network", o.Channel.ID)
	}
	return &sender{channel: o.Channel.ID, Settings: s, server: s.Server(o.Client, o.Channel.AllowPrivate)}, nil
}

// Server is the one that takes the mails. A private one is reached only where the channel allows it.
func (s *Settings) Server(c *web.Client, private bool) mail.Server {
	server := mail.Server{Host: s.SMTP.Host, Port: s.SMTP.Port, TLS: s.SMTP.TLS, Username: s.SMTP.Username, Password: s.SMTP.Password, Name: s.Host(), Dial: c.DialContext}
	if private {
		server.Dial = c.DialTrusting(net.JoinHostPort(s.SMTP.Host, strconv.Itoa(s.SMTP.Port)))
	}
	return server
}

// Mailbox is where bounces arrive, if there is one.
func (s *Settings) Mailbox(c *web.Client, private bool) (box bounce.Mailbox, ok bool) {
	b := s.Bounces
	box = bounce.Mailbox{Host: b.Host, Port: b.Port, Username: b.Username, Password: b.Password, Domain: b.Domain, Dial: c.DialContext}
	if private {
		box.Dial = c.DialTrusting(net.JoinHostPort(b.Host, strconv.Itoa(b.Port)))
	}
	return box, b.Domain != ""
}

// Reach implements [send.Reacher]: it connects and logs in.
func (s *sender) Reach(ctx context.Context) error {
	client, err := mail.NewClient(s.server)
	if err != nil {
		return err
	}
	if err := client.Reach(ctx); err != nil {
		return fmt.Errorf("reach the mail server of channel %s: %w", s.channel, err)
	}
	return nil
}

// Account is the list itself: its readers stay whoever sends the mails.
func (s *sender) Account() string { return "list " + s.channel }

// Credential changes with the server and its login.
func (s *sender) Credential() string { return s.Settings.Credential(s.channel) }

// Credential is a digest by which servers and logins can be told apart.
func (s *Settings) Credential(channel string) string {
	return send.Digest(channel, s.SMTP.Host, strconv.Itoa(s.SMTP.Port), s.SMTP.TLS, s.SMTP.Username, s.SMTP.Password.Reveal(), s.Address())
}

// Send refuses: nothing plans a post of a list.
func (s *sender) Send(context.Context, send.Job) (send.Receipt, error) {
	return send.Receipt{}, fault.Errorf(fault.Invalid, "send to channel %s: a post of a list is told in mails, and not sent by itself", s.channel)
}
