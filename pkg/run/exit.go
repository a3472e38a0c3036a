package run

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// Exit ends the process with a code. It is for a binary with commands beside those of [Main], which exits by itself;
// nothing that must be closed may be open.
func Exit(code int) { os.Exit(code) }

// KeepOnBrokenPipe lets the process live on when whoever read its standard output or its log has gone: a write fails with
// EPIPE then. By default it would end at once, a service in the middle of its work.
func KeepOnBrokenPipe() { signal.Ignore(syscall.SIGPIPE) }

// Tell prints an error for a person: what happened, what its kind means, what to do.
func Tell(w io.Writer, name string, err error) { tell(w, name, err) }

// Interruptible returns a context that ends with SIGINT or SIGTERM, for a verb that reads until it is stopped. A second
// signal ends the process at once. [Start] needs none: it handles signals itself.
func Interruptible(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}
