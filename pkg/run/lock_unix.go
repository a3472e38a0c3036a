//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package run

import (
	"errors"
	"os"
	"syscall"
)

// errLocked means that somebody else holds the lock.
var errLocked error = syscall.EWOULDBLOCK

// flock takes the lock of f or says at once that it is taken. It belongs to the open file, so a second call for the
// same name conflicts within one process too, and children do not inherit it (Go opens files close-on-exec).
func flock(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
