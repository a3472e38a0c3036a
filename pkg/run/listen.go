package run

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"

	"tidings.internal/pkg/fault"
)

// Listen binds a TCP address that came from a configuration key such as "admin.listen". What goes wrong becomes a
// sentence that names the key and the environment variable to change it with.
func Listen(ctx context.Context, key, address string) (net.Listener, error) {
	var c net.ListenConfig
	l, err := c.Listen(ctx, "tcp", address)
	if err == nil {
		return l, nil
	}
	env := "TIDINGS_" + strings.ToUpper(strings.ReplaceAll(key, ".", "__"))
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, addressFault(key, fault.Invalid, "%s: address %s is in use by another process; stop it, or set %s or %s to a free address", key, address, key, env)
	case errors.Is(err, fs.ErrPermission):
		return nil, addressFault(key, fault.Invalid, "%s: address %s needs rights that uid %d lacks; set %s or %s to a port from 1024 up", key, address, os.Getuid(), key, env)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return nil, addressFault(key, fault.Invalid, "%s: address %s is not one of this machine; set %s or %s to one that is", key, address, key, env)
	default:
		return nil, addressFault(key, fault.Invalid, "%s: listen on %q: %w; set %s or %s to HOST:PORT", key, address, err, key, env)
	}
}

// addressError is what is wrong with an address of the configuration.
type addressError struct {
	key string
	error
}

func (e *addressError) Unwrap() error { return e.error }

func addressFault(key string, kind fault.Kind, format string, args ...any) error {
	return fault.Errorf(kind, "%w", &addressError{key, fmt.Errorf(format, args...)})
}

// AddressKey names the key of the address that could not be listened on, if that is what an error is about.
func AddressKey(err error) string {
	if e, ok := errors.AsType[*addressError](err); ok {
		return e.key
	}
	return ""
}

// BaseURL is where a process that listens on an address is reached from its own machine: an unspecified host, which
// means every interface, becomes the loopback address of its family.
func BaseURL(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "http://" + address
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		if ip != nil && ip.To4() == nil {
			host = "::1"
		} else {
			host = "127.0.0.1"
		}
	}
	return "http://" + net.JoinHostPort(host, port)
}

// isLoopback reports whether only this machine reaches an address.
func isLoopback(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}
