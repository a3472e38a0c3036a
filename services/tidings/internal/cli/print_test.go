package cli

import (
	"bytes"
	"strconv"
	"strings"
	"testing"

	"tidings.internal/services/tidings/internal/ops"
)

func TestListsShowAHundredRowsAndCountTheOthers(t *testing.T) {
	t.Parallel()
	var rows [][]string
	for n := range 103 {
		rows = append(rows, []string{strconv.Itoa(n)})
	}
	for _, c := range []struct {
		limit       rowLimit
		lines       int
		last, notes string
	}{
		{rowLimit{}, 101, "99", "3 more are left out; --all shows them\n"},
		{rowLimit{All: true}, 104, "102", ""},
	} {
		var out, errs bytes.Buffer
		if err := c.limit.list(&world{stdout: &out, stderr: &errs}, []string{"N"}, rows); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if len(lines) != c.lines || lines[len(lines)-1] != c.last || errs.String() != c.notes {
			t.Errorf("%+v: %d lines, the last %q, %q beside them", c.limit, len(lines), lines[len(lines)-1], errs.String())
		}
	}
}

func TestAStatusNamesAHundredSourcesThatFail(t *testing.T) {
	t.Parallel()
	s := ops.Status{Failing: make([]ops.SourceStatus, 103)}
	var out bytes.Buffer
	if err := (&world{stdout: &out}).status(s); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); strings.Count(got, "\nsource ") != 100 || !strings.HasSuffix(got, "\n3 more sources are not well: tidings sources list --all\n") {
		t.Errorf("it prints\n%s", got)
	}
}

func TestTheNewestRowsAreShownAsManyAsAskedFor(t *testing.T) {
	t.Parallel()
	list := make([]int, 103)
	for _, c := range []struct {
		flags       lastRows
		shown, left int
	}{{lastRows{}, 100, 3}, {lastRows{All: true}, 103, 0}, {lastRows{Last: new(7)}, 7, 0}, {lastRows{Last: new(101)}, 101, 0}, {lastRows{Last: new(500)}, 103, 0}} {
		if shown, left := newest(c.flags, list); len(shown) != c.shown || left != c.left {
			t.Errorf("%+v shows %d and leaves %d, want %d and %d", c.flags, len(shown), left, c.shown, c.left)
		}
	}
	if err := (lastRows{Last: new(0)}).check(); err == nil {
		t.Error("--last 0 is taken")
	}
}
