package send

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/web"
)

// Reacher is a sender whose network answers no question without a post, so that only the way to it can be tried.
type Reacher interface {
	Reach(ctx context.Context) error
}

// reachLimit bounds the look at a server.
const reachLimit = 15 * time.Second

// Reach tries the way to the server of an address: its name, the guard, the connection, its certificate. It asks for the root
// of the server and not for the address, which often is a secret and may take any request for a post. Any answer is good.
func Reach(ctx context.Context, c *web.Client, address *url.URL, o web.Options) error {
	root := url.URL{Scheme: address.Scheme, Host: address.Host, Path: "/"}
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, root.String(), nil)
	if err != nil {
		return fault.Errorf(fault.Invalid, "reach %s: %w", root.Host, err)
	}
	o.Timeout, o.Idempotent = reachLimit, true
	_, err = c.Do(ctx, req, o)
	return err
}
