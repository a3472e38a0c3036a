package run

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"tidings.internal/pkg/fault"
)

// lockName is the file in a data directory that its process holds locked.
const lockName = "lock"

// LockData makes the data directory if it is missing, with mode 0700, and takes it for this process alone. The kernel
// drops the lock when the process ends, however it ends, so a crash leaves nothing to clear away. The file itself
// stays: removing it would let two processes lock two files of one name.
func LockData(dir string) (unlock func() error, err error) {
	if err := makeData(dir); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, dataError(dir, err)
	}
	if err := flock(f); err != nil {
		holder := readHolder(f)
		err = errors.Join(err, f.Close())
		if errors.Is(err, errLocked) {
			return nil, fault.Errorf(fault.Invalid, "data directory %s is in use by %s; stop it, or choose another directory with --data or TIDINGS_DATA", dir, holder)
		}
		return nil, dataError(dir, err)
	}
	if err := writeHolder(f); err != nil {
		return nil, dataError(dir, errors.Join(err, f.Close()))
	}
	// Closing is what unlocks. The number goes first, so that nobody is named who holds nothing.
	return func() error { return errors.Join(f.Truncate(0), f.Close()) }, nil
}

func writeHolder(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

// readHolder names the process that holds the lock. The number is missing for the moment between its lock and its
// write.
func readHolder(f *os.File) string {
	b := make([]byte, 32)
	n, _ := f.ReadAt(b, 0)
	pid, err := strconv.Atoi(string(bytes.TrimSpace(b[:n])))
	if err != nil || pid <= 0 {
		return "another process"
	}
	return fmt.Sprintf("process %d", pid)
}

// makeData makes the data directory and proves that a file can be written there.
func makeData(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return dataError(dir, err)
	}
	f, err := os.CreateTemp(dir, ".writable-*")
	if err != nil {
		return dataError(dir, err)
	}
	_, err = f.Write([]byte{'\n'}) // an empty file still fits on a full disk
	if err := errors.Join(err, f.Close(), os.Remove(f.Name())); err != nil {
		return dataError(dir, err)
	}
	return nil
}

// dataError is the sentence for what is wrong with a data directory.
func dataError(dir string, err error) error {
	const other = "or choose another directory with --data or TIDINGS_DATA"
	switch {
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return fault.Errorf(fault.Invalid, "data directory %s cannot be written to: %w; give uid %d the right to, %s", dir, err, os.Getuid(), other)
	case errors.Is(err, syscall.ENOTDIR):
		return fault.Errorf(fault.Invalid, "data directory %s is not a directory: %w; move the file away, %s", dir, err, other)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fault.Errorf(fault.Invalid, "data directory %s has no space left: %w; make room, %s", dir, err, other)
	default:
		return fault.Errorf(fault.Invalid, "open data directory %s: %w", dir, err)
	}
}
