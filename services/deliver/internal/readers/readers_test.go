package readers

import (
	"slices"
	"testing"
	"time"

	"tidings.internal/pkg/event"
)

func TestDoubleOptInEndToEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.desk()
	w.list()
	w.publish(1, 1, "story-old")
	w.subscribe("a@example.org", daily(7))
	until(t, "the confirmation mail", func() bool { return len(w.mails("a@example.org")) == 1 })
	r := w.row("a@example.org", "the mail to be settled", func(r *Reader) bool { return r.Mail == nil })
	if r.State != Pending || r.Asked.Form != "form-1" || r.Asked.Client != "192.0.2.7" || len(r.Tokens) != 1 {
		t.Fatalf("the row is %+v", r)
	}
	w.confirm(tokenOf(t, w.mails("a@example.org")[0]))
	r = w.row("a@example.org", "the confirmation", func(r *Reader) bool { return r.State == Confirmed })
	if r.Agreed.Client != "192.0.2.7" || r.Tokens != nil || r.Cursor == 0 {
		t.Errorf("the row is %+v", r)
	}
	w.publish(2, 1, "story-new")
	w.pass(20 * time.Hour) // 08:00 on Tuesday
	until(t, "the first digest", func() bool { return len(w.mails("a@example.org")) == 2 })
	if got := titles(w.mails("a@example.org")[1]); !slices.Equal(got, []string{"story-new"}) {
		t.Errorf("the digest tells %q: what was there before is no news", got)
	}
	w.row("a@example.org", "the digest to be settled", func(r *Reader) bool { return r.Mail == nil && r.Period == "2026-11-24" })
	w.unsubscribe(w.keys.Token("letter", r.ID))
	w.row("a@example.org", "the end", func(r *Reader) bool { return r.State == Left })
	w.publish(3, 1, "story-late")
	w.pass(48 * time.Hour)
	w.unsubscribe(w.keys.Token("letter", r.ID)) // twice is harmless
	w.quiet()
	if n := len(w.mails("a@example.org")); n != 2 || w.counted("daily "+Sent) != 1 {
		t.Errorf("%d mails", n)
	}
}

func TestImmediateReadersGetEachStoryOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.desk()
	_, stop := w.list()
	w.reader("a@example.org", event.Wishes{Period: event.Immediate, Tags: []string{"crm"}})
	w.publish(1, 1, "story-one", "crm")
	w.publish(2, 1, "story-two", "erp")
	w.publish(3, 1, "story-three", "crm", "erp")
	until(t, "the mails", func() bool { return len(w.mails("a@example.org")) == 3 })
	stop()
	w.list()
	w.publish(1, 2, "story-again", "crm")
	w.publish(4, 1, "story-four", "crm")
	until(t, "the next mail", func() bool { return len(w.mails("a@example.org")) >= 4 })
	var got []string
	for _, m := range w.mails("a@example.org")[1:] {
		got = append(got, titles(m)...)
	}
	if !slices.Equal(got, []string{"story-one", "story-three", "story-four"}) {
		t.Errorf("told %q", got)
	}
}
