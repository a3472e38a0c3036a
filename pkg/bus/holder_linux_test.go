package bus_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/natstest"
)

// A lease whose holder was killed is taken over at once; one whose holder may be alive is not.
func TestLeaseOfADeadProcessIsInherited(t *testing.T) {
	t.Parallel()
	b := natstest.Run(t).Bus(t, "ingest")
	leases := b.Bucket(event.BucketLeases)
	l, err := b.Acquire(t.Context(), "ingest.1")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Release(t.Context())
	e, _, err := leases.Read(t.Context(), "ingest.1")
	if err != nil {
		t.Fatal(err)
	}
	var mine map[string]string
	if err := json.Unmarshal(e.Value, &mine); err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(mine["process"], "/")
	if len(parts) != 4 || parts[2] != strconv.Itoa(os.Getpid()) {
		t.Fatalf("the holder is %v", mine)
	}
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$")
	if err := child.Run(); err != nil {
		t.Fatal(err)
	}
	dead := strconv.Itoa(child.Process.Pid)
	for i, c := range []struct {
		about, process string
		inherits       bool
	}{
		{"this very process", mine["process"], false},
		{"an older process of our number", strings.Join([]string{parts[0], parts[1], parts[2], "1"}, "/"), true},
		{"a process that ended", strings.Join([]string{parts[0], parts[1], dead, "1"}, "/"), true},
		{"a process of another boot", strings.Join([]string{"x", parts[1], dead, "1"}, "/"), false},
		{"a process of another namespace", strings.Join([]string{parts[0], "pid:[1]", dead, "1"}, "/"), false},
		{"nobody knows", "", false},
		{"rubbish", "a/b", false},
	} {
		name := "ingest.test" + strconv.Itoa(i)
		value, err := json.Marshal(map[string]string{"holder": "x", "process": c.process})
		if err != nil {
			t.Fatal(err)
		}
		rev, err := leases.Create(t.Context(), name, value)
		if err != nil {
			t.Fatal(err)
		}
		l, err := b.Acquire(t.Context(), name)
		switch {
		case c.inherits && err != nil:
			t.Errorf("%s: %v", c.about, err)
		case c.inherits && l.Fence() <= rev:
			t.Errorf("%s: fence %d, it was %d", c.about, l.Fence(), rev)
		case !c.inherits && fault.KindOf(err) != fault.Conflict:
			t.Errorf("%s: %v, want a conflict", c.about, err)
		}
		if err == nil {
			if err := l.Release(t.Context()); err != nil {
				t.Error(err)
			}
		}
	}
}
