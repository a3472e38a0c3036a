package run

import (
	"errors"
	"io"
	"log/slog"
	"os"
	"strings"

	"tidings.internal/pkg/config"
	"tidings.internal/pkg/fault"
)

// newLogger builds the process's logger. An empty format means text on a terminal and JSON elsewhere, so that a
// person reads lines and a collector reads fields. The last lines are kept too.
func newLogger(w io.Writer, kept *recent, c config.Log) (*slog.Logger, error) {
	var level slog.Level
	if c.Level != "" {
		if err := level.UnmarshalText([]byte(c.Level)); err != nil {
			return nil, fault.Errorf(fault.Invalid, "read log.level: %q is none of debug, info, warn, error", c.Level)
		}
	}
	o := &slog.HandlerOptions{Level: level}
	// What is kept comes first: a line that the other end does not take is still there to be shown.
	out := io.MultiWriter(kept, w)
	switch strings.ToLower(c.Format) {
	case "text":
		return slog.New(slog.NewTextHandler(out, o)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(out, o)), nil
	case "", "auto":
		if terminal(w) {
			return slog.New(slog.NewTextHandler(out, o)), nil
		}
		return slog.New(slog.NewJSONHandler(out, o)), nil
	}
	return nil, fault.Errorf(fault.Invalid, "read log.format: %q is none of auto, text, json", c.Format)
}

// terminal reports whether w is a character device. /dev/null is one too, which does no harm here.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// errAttrs are the attributes of an error in a log line: its text, its kind, and the stack when it was a panic.
func errAttrs(err error) []any {
	attrs := []any{"err", err.Error(), "kind", string(fault.KindOf(err))}
	if p, ok := errors.AsType[*panicError](err); ok {
		attrs = append(attrs, "stack", string(p.stack))
	}
	return attrs
}
