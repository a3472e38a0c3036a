//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package run

import (
	"os"
	"syscall"
)

// replaced reports whether a file has no name any more where it comes from. A container keeps the file that was mounted into
// it: an editor that puts a new one in its place leaves the old one here, which a reload would read for ever.
func replaced(file string) bool {
	info, err := os.Stat(file)
	if err != nil {
		return false // whoever reads it says so
	}
	s, ok := info.Sys().(*syscall.Stat_t)
	return ok && s.Nlink == 0
}
