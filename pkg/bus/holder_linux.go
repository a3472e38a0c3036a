package bus

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// thisProcess names this process so that no other ever has the same name: boot, process namespace, number, and the time
// it was started in ticks since the boot (proc(5), stat field 22), since numbers come again.
func thisProcess() string {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	space, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return ""
	}
	start, err := startOf(os.Getpid())
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%s/%s/%d/%s", bytes.TrimSpace(boot), space, os.Getpid(), start)
}

// ended reports whether a process is certainly over: one of this boot and namespace whose number is free or belongs to
// another now. Of any other process nothing can be said.
func ended(process string) bool {
	own, theirs := strings.Split(thisProcess(), "/"), strings.Split(process, "/")
	if len(own) != 4 || len(theirs) != 4 || own[0] != theirs[0] || own[1] != theirs[1] {
		return false
	}
	pid, err := strconv.Atoi(theirs[2])
	if err != nil || pid <= 0 {
		return false
	}
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return true
	}
	start, err := startOf(pid)
	return err == nil && start != theirs[3]
}

// startOf gives the start of a process. The name of the program, in brackets, may hold anything, so what counts comes
// after its end.
func startOf(pid int) (string, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", err
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 20 {
		return "", errors.New("the file is too short")
	}
	return fields[19], nil
}
