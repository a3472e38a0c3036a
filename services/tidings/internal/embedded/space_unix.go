//go:build unix

package embedded

import (
	"context"
	"syscall"

	"tidings.internal/pkg/fault"
)

// reserve is how much free disk the store needs: with less, a write may fail at any moment, and then the stream takes
// nothing more until a restart.
const reserve = 64 << 20

// ProbeSpace tells when the disk of the data directory is about to be full. JetStream itself says nothing then:
// whoever publishes sees only time-outs.
func (s *Server) ProbeSpace(context.Context) error {
	var st syscall.Statfs_t
	if err := syscall.Statfs(s.data, &st); err != nil {
		return nil // a file system that cannot say is no reason to stop
	}
	if free := uint64(st.Bavail) * uint64(st.Bsize); free < reserve {
		return fault.Errorf(fault.Invalid, "data directory %s has %d MB left on its disk; make room, then restart if writes have failed: new articles wait, what was acknowledged is safe", s.data, free>>20)
	}
	return nil
}
