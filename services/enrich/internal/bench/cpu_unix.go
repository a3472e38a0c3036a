//go:build unix

package main

import (
	"syscall"
	"time"
)

// cpu is what the process has used of the processors since its start. A neighbour on the machine does not change it.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // cannot fail with these arguments (getrusage(2))
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
