package cause

import (
	"errors"
	"fmt"
	"testing"

	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/web"
)

func TestEveryReasonSaysEverything(t *testing.T) {
	t.Parallel()
	seen := map[Reason]bool{}
	for _, row := range Table() {
		if seen[row.Reason] {
			t.Errorf("%s stands twice in the table", row.Reason)
		}
		seen[row.Reason] = true
		if row.Sentence == "" || row.Kind == "" || row.Weight < 0 || row.Weight > 1 {
			t.Errorf("incomplete row %+v", row)
		}
		if row.Weight == 0 && row.Reason != Ours {
			t.Errorf("%s does not count, so a source could fail for ever at full speed", row.Reason)
		}
	}
	for _, r := range web.Reasons() {
		if !seen[Reason(r.Reason)] {
			t.Errorf("%s of package web is missing", r.Reason)
		}
	}
}

func TestReasonIsFoundInAChain(t *testing.T) {
	t.Parallel()
	deep := Errorf(TooDeep, "nest %d elements", 201)
	for _, c := range []struct {
		err  error
		want Reason
		kind fault.Kind
	}{
		{fmt.Errorf("poll: %w", deep), TooDeep, fault.TooLarge},
		{fmt.Errorf("poll: %w", &web.Error{Reason: web.Connect}), Reason(web.Connect), ""},
		{errors.New("anything"), Ours, fault.Internal},
		{nil, "", ""},
	} {
		if got := Of(c.err); got != c.want {
			t.Errorf("Of(%v) = %q, want %q", c.err, got, c.want)
		}
		if c.kind != "" && fault.KindOf(c.err) != c.kind {
			t.Errorf("kind of %v = %q, want %q", c.err, fault.KindOf(c.err), c.kind)
		}
	}
	if Reason("no such").Row().Reason != Ours {
		t.Error("an unknown reason is blamed on the source")
	}
}
