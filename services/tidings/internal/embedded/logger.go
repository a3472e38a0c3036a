package embedded

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats-server/v2/server"
)

// logger turns what the server says into our log. Its notices are of no use to an operator of Tidings; its warnings
// and errors are.
type logger struct {
	log *slog.Logger

	started atomic.Bool

	mu    sync.Mutex
	first string // what made the start fail
}

var _ server.Logger = (*logger)(nil)

// Noticef is what the server tells of its normal life.
func (l *logger) Noticef(format string, v ...any) { l.say(slog.LevelDebug, format, v) }

// Warnf is what the server finds worth a look. While it starts it warns of every index that a kill left outdated and
// that it makes anew, which nobody need act on.
func (l *logger) Warnf(format string, v ...any) {
	if l.started.Load() {
		l.say(slog.LevelWarn, format, v)
	} else {
		l.say(slog.LevelInfo, format, v)
	}
}

// Errorf is what went wrong, a disk that is full for instance.
func (l *logger) Errorf(format string, v ...any) { l.say(slog.LevelError, format, v) }

// Fatalf is what the server would end its process for. This process decides for itself.
func (l *logger) Fatalf(format string, v ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.first == "" {
		l.first = fmt.Sprintf(format, v...)
	}
}

// Debugf and Tracef are off.
func (l *logger) Debugf(string, ...any) {}

// Tracef is off.
func (l *logger) Tracef(string, ...any) {}

func (l *logger) fatal() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.first
}

func (l *logger) say(level slog.Level, format string, v []any) {
	if l.log != nil {
		l.log.Log(context.Background(), level, "heard from the embedded NATS server", "text", fmt.Sprintf(format, v...))
	}
}
