//go:build !unix

package embedded

import "context"

// ProbeSpace knows nothing about disks on this system.
func (s *Server) ProbeSpace(context.Context) error { return nil }
