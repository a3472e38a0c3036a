package cli

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"

	"tidings.internal/pkg/fault"
)

func TestStatusWaitsUntilNothingIsLeftToDo(t *testing.T) {
	t.Parallel()
	data, b := running(t)
	if code, out, errs := command(t, data, "status", "--wait", "30s"); code != 0 || !strings.Contains(out, "RAW") {
		t.Errorf("nothing to do: exit code %d, %s%s", code, out, errs)
	}
	store(t, b, "1", "One")
	if code, out, errs := command(t, data, "status", "--wait", "600ms", "--json"); code != 1 || !strings.Contains(out, `"stages"`) || !strings.Contains(errs, "after 600ms") {
		t.Errorf("with an article that nobody takes: exit code %d, %s%s", code, out, errs)
	}
	if code, _, errs := command(t, t.TempDir(), "status", "--wait", "300ms"); code != fault.Unreachable.Row().Exit {
		t.Errorf("where nothing runs: exit code %d, %s", code, errs)
	}
	if code, _, _ := command(t, data, "status", "--wait", "1s", "--watch"); code != fault.ExitUsage {
		t.Errorf("both at once: exit code %d", code)
	}
}

// counting calls done with the second line that begins with a mark.
type counting struct {
	bytes.Buffer
	mark string
	done func()
}

func (c *counting) Write(p []byte) (int, error) {
	n, err := c.Buffer.Write(p)
	if strings.Count(c.String(), c.mark) == 2 {
		c.done()
	}
	return n, err
}

func TestStatusIsWatchedUntilStopped(t *testing.T) {
	t.Parallel()
	data, _ := running(t)
	for mark, args := range map[string][]string{"--- ": {"status", "--watch"}, `{"time"`: {"status", "--watch", "--json"}} {
		ctx, stop := context.WithCancel(t.Context())
		out := &counting{mark: mark, done: stop}
		if code := Command(ctx, append(args, "--data", data), nil, out, io.Discard); code != 0 || strings.Count(out.String(), "RAW") < 2 {
			t.Errorf("%v: exit code %d, %s", args, code, out)
		}
		stop()
	}
}
