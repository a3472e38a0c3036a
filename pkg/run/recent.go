package run

import (
	"bytes"
	"io"
	"slices"
	"sync"
)

// Bounds of what is kept of the log: 2 MB at most, and a stack of a panic fits a line.
const (
	recentLines = 1000
	recentBytes = 2 << 20
	recentLine  = 32 << 10
)

// recent keeps the last lines of the log, for GET /-/log: whoever asks for help has them at hand, whatever became of the
// standard error output.
type recent struct {
	mu    sync.Mutex
	lines [][]byte
	bytes int
}

var _ io.Writer = (*recent)(nil)

// Write takes one line, as the handlers of log/slog write it. What is beyond [recentLine] of it is cut.
func (r *recent) Write(line []byte) (int, error) {
	kept := bytes.TrimSuffix(line, []byte("\n"))
	kept = append(bytes.Clone(kept[:min(len(kept), recentLine)]), '\n')
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, kept)
	r.bytes += len(kept)
	over := 0
	for len(r.lines)-over > recentLines || r.bytes > recentBytes {
		r.bytes -= len(r.lines[over])
		over++
	}
	r.lines = slices.Delete(r.lines, 0, over)
	return len(line), nil
}

// text is what is kept, oldest first.
func (r *recent) text() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return bytes.Join(r.lines, nil)
}
