package run

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tidings.internal/pkg/fault"
)

func TestSecondLockNamesTheHolder(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new", "data")
	unlock, err := LockData(dir)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("data directory: %v, %v; want mode 0700", info, err)
	}
	_, err = LockData(dir)
	want := fmt.Sprintf("data directory %s is in use by process %d; stop it, or choose another directory with --data or TIDINGS_DATA", dir, os.Getpid())
	if err == nil || fault.KindOf(err) != fault.Invalid {
		t.Fatalf("second lock: %v", err)
	}
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Error(diff)
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	again, err := LockData(dir)
	if err != nil {
		t.Fatalf("the lock is not free after unlock: %v", err)
	}
	if err := again(); err != nil {
		t.Error(err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 || left[0].Name() != lockName {
		t.Errorf("left in the directory: %v, %v", left, err)
	}
}

// What a killed process leaves is a file with a number in it and no lock.
func TestLockOfADeadProcessIsFree(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, lockName), []byte("4194304999\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	unlock, err := LockData(dir)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, lockName))
	if diff := cmp.Diff(fmt.Sprintf("%d\n", os.Getpid()), string(b)); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	if err := unlock(); err != nil {
		t.Error(err)
	}
}

func TestDataDirectoryThatIsAFile(t *testing.T) {
	t.Parallel()
	file := write(t, "x")
	for _, dir := range []string{file, filepath.Join(file, "below")} {
		_, err := LockData(dir)
		if err == nil || !strings.Contains(err.Error(), "data directory "+dir+" is not a directory") {
			t.Errorf("LockData(%s) = %v", dir, err)
		}
	}
}

func TestDataDirectorySentences(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		part string
	}{
		{&fs.PathError{Op: "mkdir", Path: "/d", Err: syscall.EACCES}, "cannot be written to"},
		{&fs.PathError{Op: "open", Path: "/d", Err: syscall.EROFS}, "cannot be written to"},
		{&fs.PathError{Op: "write", Path: "/d", Err: syscall.ENOSPC}, "has no space left"},
		{&fs.PathError{Op: "open", Path: "/d", Err: syscall.EIO}, "open data directory /d"},
	} {
		err := dataError("/d", c.err)
		if !strings.Contains(err.Error(), c.part) || !errors.Is(err, c.err) || fault.KindOf(err) != fault.Invalid {
			t.Errorf("%v: %v", c.err, err)
		}
	}
}
