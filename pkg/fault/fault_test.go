package fault

import (
	"errors"
	"fmt"
	"io"
	"testing"
	"time"
)

func TestOutermostKindWins(t *testing.T) {
	inner := Errorf(Unreachable, "dial: %w", io.EOF)
	for _, c := range []struct {
		name string
		err  error
		want Kind
	}{
		{"nil has no kind", nil, ""},
		{"an unnamed error is a bug", io.EOF, Internal},
		{"named", inner, Unreachable},
		{"wrapped by fmt", fmt.Errorf("poll: %w", inner), Unreachable},
		{"named again", Errorf(Gone, "source: %w", fmt.Errorf("poll: %w", inner)), Gone},
		{"joined", errors.Join(io.EOF, inner), Unreachable},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := KindOf(c.err); got != c.want {
				t.Errorf("KindOf(%v) = %q, want %q", c.err, got, c.want)
			}
		})
	}
	if !errors.Is(Errorf(Gone, "x: %w", inner), io.EOF) {
		t.Error("a kind hides the cause from errors.Is")
	}
}

func TestLaterKeepsKindAndTime(t *testing.T) {
	if Later(nil, time.Second) != nil {
		t.Error("Later(nil) is an error")
	}
	plain := Later(io.EOF, time.Minute)
	if KindOf(plain) != Throttled || After(plain) != time.Minute {
		t.Errorf("Later(plain) = %q after %v, want throttled after 1m", KindOf(plain), After(plain))
	}
	named := Errorf(Throttled, "post: %w", Later(Errorf(Refused, "no"), time.Hour))
	if KindOf(named) != Throttled || After(named) != time.Hour {
		t.Errorf("wrapped Later = %q after %v, want throttled after 1h", KindOf(named), After(named))
	}
	if After(io.EOF) != 0 {
		t.Error("an error without a time asks to wait")
	}
}

// Every kind must say everything: a row with a hole would leave a metric without label or an operator without a word.
func TestTableIsComplete(t *testing.T) {
	kinds := []Kind{Invalid, Malformed, TooLarge, Gone, Refused, Throttled, Unreachable, Uncertain, Conflict, Internal}
	rows := Table()
	if len(rows) != len(kinds) {
		t.Fatalf("the table has %d rows, there are %d kinds", len(rows), len(kinds))
	}
	for i, k := range kinds {
		r := rows[i]
		if r.Kind != k || k.Row() != r {
			t.Errorf("row %d is %q, want %q", i, r.Kind, k)
		}
		if r.Sentence == "" || r.Hint == "" || r.Exit == ExitOK || r.Exit == ExitUsage {
			t.Errorf("%s: incomplete row %+v", k, r)
		}
	}
	if got := Kind("no_such").Row().Kind; got != Internal {
		t.Errorf("an unknown kind has the row of %q, want internal", got)
	}
	if Exit(nil) != ExitOK || Exit(Errorf(Unreachable, "x")) != 3 || Exit(io.EOF) != 1 {
		t.Error("Exit does not follow the table")
	}
}
