package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/netip"
	"strconv"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"tidings.internal/pkg/config"
	"tidings.internal/pkg/fault"
)

// The ways to a server.
const (
	// TLSRequired speaks STARTTLS (RFC 3207), and nothing without it.
	TLSRequired = "required"
	// TLSImplicit speaks TLS from the first byte (RFC 8314).
	TLSImplicit = "implicit"
	// TLSNone speaks in the clear, to loopback alone.
	TLSNone = "none"
)

// Server is where mails are handed in.
type Server struct {
	Host string
	Port int
	// TLS is one of the three ways.
	TLS string
	// Username is empty for a server that wants no login. A login is only sent over TLS.
	Username string
	Password config.Secret
	// Name is what we call ourselves (EHLO): a domain of ours, such as that of the sender.
	Name string
	// Roots are the certificate authorities that are trusted; nil for the system's.
	Roots *x509.CertPool
	// Dial makes connections under the guard: the method of package web.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// NewClient checks a server and opens nothing. A server that cannot be is [fault.Invalid].
func NewClient(s Server) (*Client, error) {
	wrong := ""
	switch {
	case s.Host == "" || s.Dial == nil:
		wrong = "host is missing"
	case s.Port < 1 || s.Port > 65535:
		wrong = "port is not within 1 and 65535"
	case s.TLS != TLSRequired && s.TLS != TLSImplicit && s.TLS != TLSNone:
		wrong = "tls is none of required, implicit and none"
	case s.TLS == TLSNone && s.Username != "":
		wrong = "username needs tls: a login is not sent in the clear"
	case s.Username != "" && s.Password.IsZero():
		wrong = "username has no password"
	case s.Name == "" || !domainForm.MatchString(s.Name):
		wrong = "our own name is no domain"
	default:
		return &Client{server: s}, nil
	}
	return nil, fault.Errorf(fault.Invalid, "make mail client: %s", wrong)
}

// opening bounds everything up to the first mail: connection, handshake, two EHLO, login.
const opening = 2 * time.Minute

// open makes a connection that is ready for the first mail.
func (c *Client) open(ctx context.Context) *Reply {
	ctx, cancel := context.WithTimeout(ctx, opening)
	defer cancel()
	host := net.JoinHostPort(c.server.Host, strconv.Itoa(c.server.Port))
	nc, err := c.server.Dial(ctx, "tcp", host)
	if err != nil {
		r := c.failure(Connect, err)
		if fault.KindOf(err) == fault.Invalid {
			r.kind = fault.Refused // the guard: no mail of the list would pass
		}
		return r
	}
	if c.server.TLS == TLSNone && !loopback(nc.RemoteAddr()) {
		nc.Close()
		return &Reply{Stage: Security, Text: "tls is none, which is for a server on this machine; set it to required or implicit", kind: fault.Refused}
	}
	c.wire = &wire{Conn: nc}
	defer context.AfterFunc(ctx, func() { nc.Close() })()
	r := c.greet(ctx)
	if r != nil {
		c.drop()
		nc.Close()
	}
	c.mails = 0
	return r
}

// greet says who we are, turns TLS on and logs in.
func (c *Client) greet(ctx context.Context) *Reply {
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.server.Host, RootCAs: c.server.Roots}
	stage := Connect
	switch c.server.TLS {
	case TLSImplicit:
		secured := tls.Client(c.wire, config)
		if err := secured.HandshakeContext(ctx); err != nil {
			return c.failure(Security, err)
		}
		c.smtp = smtp.NewClient(secured)
	case TLSRequired:
		// Its first EHLO, in the clear, is that of localhost: go-smtp asks for no name there.
		client, err := smtp.NewClientStartTLS(c.wire, config)
		if err != nil {
			r := c.failure(Connect, err)
			if err.Error() == noStartTLS {
				r.Stage, r.kind, r.Text = Security, fault.Refused, "the server offers no STARTTLS, and tls is required"
			}
			return r
		}
		c.smtp, stage = client, Security // the handshake comes with the next command
	default:
		c.smtp = smtp.NewClient(c.wire)
	}
	c.smtp.CommandTimeout, c.smtp.SubmissionTimeout = command, submission
	if err := c.smtp.Hello(c.server.Name); err != nil {
		return c.failure(stage, err)
	}
	if c.server.Username == "" {
		return nil
	}
	if !c.smtp.SupportsAuth(sasl.Plain) {
		return &Reply{Stage: Login, Text: "the server offers no login by PLAIN", kind: fault.Refused}
	}
	if err := c.smtp.Auth(sasl.NewPlainClient("", c.server.Username, c.server.Password.Reveal())); err != nil {
		return c.failure(Login, err)
	}
	return nil
}

// noStartTLS is the only error of go-smtp v0.25.1 without a type that we must know.
const noStartTLS = "smtp: server doesn't support STARTTLS"

func loopback(a net.Addr) bool {
	at, err := netip.ParseAddrPort(a.String())
	return err == nil && at.Addr().Unmap().IsLoopback()
}
