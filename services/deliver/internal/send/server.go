package send

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/web"
)

// Server is what all senders have that speak HTTP: for which channel, to which address and how. They embed it.
type Server struct {
	Client  *web.Client
	Options web.Options
	Channel string
	// Address is that of a server, or one of a webhook, which may be a secret.
	Address *url.URL
}

// Own returns the settings of a channel as those of the network that opens it.
func Own[T any](o Options) (*T, error) {
	s, ok := o.Channel.Settings.(*T)
	if !ok {
		return nil, fault.Errorf(fault.Internal, "open channel %s: it has the settings of another network", o.Channel.ID)
	}
	return s, nil
}

// At makes the server of a channel. The host of the address is opened for it where the channel allows private ones. what
// names the address in the error, in which it does not stand.
func At(o Options, what, address string) (Server, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return Server{}, fault.Errorf(fault.Invalid, "open channel %s: its %s is not an address", o.Channel.ID, what)
	}
	s := Server{Client: o.Client, Options: web.Options{Timeout: o.Channel.Timeout}, Channel: o.Channel.ID, Address: u}
	if o.Channel.AllowPrivate {
		s.Options.Private = web.HostPort(u)
	}
	return s, nil
}

// Reacher is a sender that can try the way to its network. Where the network answers no question without a post, it is
// all that can be tried.
type Reacher interface {
	Reach(ctx context.Context) error
}

// reachLimit bounds the look at a server.
const reachLimit = 15 * time.Second

// Reach implements [Reacher]: it tries the name of the server, the guard, the connection, its certificate. It asks for the
// root of the server, without credentials, and not for the address, which may take any request for a post. Any answer is
// good.
func (s *Server) Reach(ctx context.Context) error {
	root := url.URL{Scheme: s.Address.Scheme, Host: s.Address.Host, Path: "/"}
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, root.String(), nil)
	if err != nil {
		return fault.Errorf(fault.Invalid, "reach %s: %w", root.Host, err)
	}
	_, err = s.Client.Do(ctx, req, web.Options{Private: s.Options.Private, Timeout: reachLimit, Idempotent: true})
	return err
}
