package readers

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tidings.internal/pkg/event"
	"tidings.internal/services/deliver/internal/ledger"
	"tidings.internal/services/deliver/internal/mail/mailtest"
)

func TestAMailThatIsPutOffIsOneMail(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.desk()
	w.list()
	w.mail.Say("RCPT", "451 4.2.0 come again")
	w.mail.Say(mailtest.Dot, "452 4.3.1 no room")
	w.subscribe("a@example.org", daily(7))
	for attempt := 1; attempt <= 2; attempt++ {
		r := w.row("a@example.org", "the refusal", func(r *Reader) bool { return r.Mail != nil && r.Mail.Attempt == attempt && r.Mail.Sending.IsZero() })
		if wait := r.Mail.Due.Sub(w.now()); wait < retries()[attempt-1]-time.Minute || wait > retries()[attempt-1] || len(r.Tokens) != 0 {
			t.Errorf("after try %d it waits %v, with %d tokens", attempt, wait, len(r.Tokens))
		}
		if n := len(w.mails("a@example.org")); n != 0 {
			t.Fatalf("%d mails", n)
		}
		w.pass(retries()[attempt-1])
	}
	w.row("a@example.org", "the mail", func(r *Reader) bool { return r.Mail == nil })
	w.tally(map[string]int{"confirm " + Waits: 2})
	if n := len(w.mails("a@example.org")); n != 1 {
		t.Errorf("%d mails", n)
	}
}

// A greylist that never opens is given up after two days, and three such mails in a row are enough.
func TestAMailIsTriedForTwoDays(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	r := &Reader{State: Confirmed, Cursor: 1}
	start := now
	for mail := 1; mail <= softLimit; mail++ {
		r = r.begin(fmt.Sprint("2026-11-2", mail), now, uint64(mail+1), now)
		first := now
		var waits []time.Duration
		for r.Mail != nil {
			if wait := r.Mail.Due.Sub(now); wait > 0 {
				waits = append(waits, wait)
				now = r.Mail.Due
			}
			r = r.postpone("rcpt 451", true, now)
		}
		if now.Sub(first) > giveUp || now.Sub(first) < giveUp-lastRetry {
			t.Errorf("mail %d was tried for %v", mail, now.Sub(first))
		}
		if !slices.Equal(waits[:6], retries()) || waits[6] != lastRetry {
			t.Errorf("waits %v", waits)
		}
		if r.Soft != mail || r.Cursor != uint64(mail+1) {
			t.Errorf("after mail %d: %+v", mail, r)
		}
	}
	if r.State != Suppressed || r.Reason != "soft" {
		t.Errorf("after three mails in %v: %s", now.Sub(start), r.State)
	}
}

func TestAnAddressThatIsGoneIsSuppressedEverywhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.desk()
	_, stop := w.list()
	r := w.reader("a@example.org", event.Wishes{Period: event.Immediate})
	w.mail.Say("RCPT", "550 5.1.1 no such user")
	w.publish(1, 1, "story-one")
	got := w.row("a@example.org", "the end", func(r *Reader) bool { return r.State == Suppressed })
	w.tally(map[string]int{"bounce hard": 1, "immediate " + Barred: 1})
	if got.Reason != "refused" {
		t.Errorf("the row is %+v", got)
	}
	store := NewStore(w.server.Bus(t, "deliver").Bucket(event.BucketSubscribers), w.keys)
	until(t, "the suppression", func() bool { _, yes, err := store.suppressed(t.Context(), "a@example.org"); return err == nil && yes })
	if err := store.erase(t.Context(), got); err != nil {
		t.Fatal(err)
	}
	w.subscribe("A@example.org", daily(7)) // the suppression survives the erasure, and knows the address in any case
	w.quiet()
	if len(w.rows()) != 0 {
		t.Error("a suppressed address has a row again")
	}
	stop()
	// One that was suppressed between the key and the row: every mail looks.
	if _, err := store.put(t.Context(), r, 0); err != nil {
		t.Fatal(err)
	}
	w.publish(2, 1, "story-two")
	w.list()
	w.row("a@example.org", "the end", func(r *Reader) bool { return r.State == Suppressed })
	if n := len(w.mails("a@example.org")); n != 1 { // the confirmation
		t.Errorf("%d mails", n)
	}
}

func TestRefusalsThatSayNothingOfTheAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.desk()
	w.list()
	w.reader("a@example.org", event.Wishes{Period: event.Immediate})
	for i, c := range []struct {
		verb, said string
		soft       int
	}{
		{"RCPT", "550 5.7.1 policy", 0}, {"RCPT", "552 5.2.2 full", 1}, {"RCPT", "552 5.3.4 too long", 2}, {"RCPT", "", 2}, {mailtest.Dot, "554 5.6.0 spam", 2}, {"RCPT", "", 0},
	} {
		if c.said != "" {
			w.mail.Say(c.verb, c.said)
		}
		w.publish(i+1, 1, fmt.Sprint("story-", i+1))
		until(t, fmt.Sprint("mail ", i+1), func() bool { return w.counted("immediate sent")+w.counted("immediate failed") == i+1 })
		r := w.rows()["a@example.org"]
		if r.State != Confirmed || r.Soft != c.soft {
			t.Errorf("after %q: %s, %d soft", c.said, r.State, r.Soft)
		}
	}
	if n := len(w.mails("a@example.org")); n != 3 {
		t.Errorf("%d mails", n)
	}
}

func TestALostReplyIsAtMostOneMail(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.desk()
	_, stop := w.list()
	w.reader("a@example.org", daily(7))
	w.publish(1, 1, "story-one")
	w.mail.Say(mailtest.Dot, mailtest.Cut)
	w.pass(20 * time.Hour)
	w.row("a@example.org", "the end of the mail", func(r *Reader) bool { return r.Period == "2026-11-24" })
	stop()
	w.list()
	w.pass(time.Hour)
	w.publish(2, 1, "story-two")
	w.pass(24 * time.Hour)
	until(t, "the next mail", func() bool { return len(w.mails("a@example.org")) == 3 })
	w.tally(map[string]int{"daily " + Lost: 1})
	if got := titles(w.mails("a@example.org")[2]); !slices.Equal(got, []string{"story-two"}) {
		t.Errorf("it tells %q", got)
	}
}

// A connection that breaks before the dot delivers nothing, and the mail goes when the server is back.
func TestABrokenConnectionIsNoMail(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.desk()
	w.list()
	w.mail.Say("DATA", mailtest.Cut)
	w.subscribe("a@example.org", daily(7))
	until(t, "the broken mail", func() bool { return w.counted("confirm "+Waits) == 1 })
	until(t, "the mail", func() bool { w.pass(time.Minute); return len(w.mails("a@example.org")) == 1 })
	if r := w.row("a@example.org", "the end", func(r *Reader) bool { return r.Mail == nil }); r.Soft != 0 {
		t.Errorf("the row is %+v", r)
	}
}

func TestAWrongLoginPausesTheListUntilItIsAnother(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.desk()
	_, stop := w.list()
	w.mail.Say("MAIL", "530 5.7.0 log in")
	w.subscribe("a@example.org", daily(7))
	book := ledger.New(w.server.Bus(t, "deliver").Bucket(event.BucketDeliveries))
	until(t, "the pause", func() bool {
		c, _, err := book.Channel(t.Context(), "letter")
		return err == nil && c.Pause != nil && c.Pause.Reason == "refused"
	})
	w.subscribe("b@example.org", daily(7))
	w.quiet()
	w.pass(time.Hour)
	stop()
	if n := len(w.mail.Mails()); n != 0 {
		t.Errorf("%d mails by a list that is paused", n)
	}
	w.list(func(l *List) { l.Credential = "another" })
	until(t, "what waited", func() bool { return len(w.mail.Mails()) == 2 })
}

// Ten mails in a row that are refused after they were read say that something is wrong with the list.
func TestTenBadMailsPauseTheList(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.desk()
	w.list()
	for i := range 12 {
		w.mail.Say(mailtest.Dot, "554 5.7.1 spam")
		w.subscribe(fmt.Sprintf("r%d@d%d.example.org", i, i), daily(7))
	}
	book := ledger.New(w.server.Bus(t, "deliver").Bucket(event.BucketDeliveries))
	until(t, "the pause", func() bool {
		c, _, err := book.Channel(t.Context(), "letter")
		return err == nil && c.Pause != nil && strings.Contains(c.Pause.Text, "ten mails")
	})
}

// A server that relays for us no more refuses every recipient: that ends some subscriptions, and not all.
func TestTenReadersInARowThatAreTurnedAwayPauseTheList(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.desk()
	w.list()
	const readers = 18
	for i := range readers {
		w.reader(fmt.Sprintf("r%d@d%d.example.org", i, i), event.Wishes{Period: event.Immediate})
	}
	for range readers {
		w.mail.Say("RCPT", "550 relay not permitted")
	}
	w.publish(1, 1, "story-one")
	book := ledger.New(w.server.Bus(t, "deliver").Bucket(event.BucketDeliveries))
	until(t, "the pause", func() bool {
		c, _, err := book.Channel(t.Context(), "letter")
		return err == nil && c.Pause != nil && strings.Contains(c.Pause.Text, "ten mails")
	})
	left := 0
	until(t, "the end of ten subscriptions", func() bool {
		left = 0
		for _, r := range w.rows() {
			if r.State == Confirmed {
				left++
			}
		}
		return left <= readers-refusedInARow
	})
	if onTheirWay := 3; left < readers-refusedInARow-onTheirWay {
		t.Errorf("%d readers are left of %d", left, readers)
	}
}

// Anybody can make up addresses: they stop no list.
func TestInventedAddressesPauseNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.desk()
	w.list()
	const invented = refusedInARow + 5
	for i := range invented {
		w.mail.Say("RCPT", "550 5.1.1 no such user")
		w.subscribe(fmt.Sprintf("r%d@d%d.example.org", i, i), daily(7))
	}
	until(t, "the refusals", func() bool { return w.counted("confirm "+Barred) == invented })
	w.reader("a@example.org", daily(7))
}

// Old servers say that a mailbox is full without an enhanced code.
func TestAFullMailboxOfAnOldServerIsASoftBounce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.desk()
	w.list()
	w.reader("a@example.org", event.Wishes{Period: event.Immediate})
	w.mail.Say("RCPT", "552 mailbox full")
	w.publish(1, 1, "story-one")
	r := w.row("a@example.org", "the refusal", func(r *Reader) bool { return r.Cursor > 0 && r.Soft == 1 || r.State != Confirmed })
	w.tally(map[string]int{"bounce soft": 1})
	if r.State != Confirmed {
		t.Errorf("the row is %+v", r)
	}
}

func TestUnsubscribingBetweenTwoMailsOfARunIsInEffect(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.desk()
	_, stop := w.list(func(l *List) { l.Mailers = l.Mailers[:1] })
	first, second := w.reader("a@example.org", daily(7)), w.reader("b@example.org", daily(7))
	stop()
	w.publish(1, 1, "story-one")
	w.pass(20 * time.Hour)
	reached, goes := make(chan string), make(chan struct{})
	_, stop = w.list(func(l *List) {
		l.Mailers = []Mailer{hook{l.Mailers[0], func(to string) { reached <- to; <-goes }}}
	})
	to := <-reached // both are due, and one is under way
	other := map[string]*Reader{"a@example.org": second, "b@example.org": first}[to]
	mine := map[string]*Reader{"a@example.org": first, "b@example.org": second}[to]
	w.unsubscribe(w.keys.Token("letter", other.ID))
	w.unsubscribe(w.keys.Token("letter", mine.ID)) // even of the one whose body is written: its dot has not left
	w.quiet()
	close(goes)
	w.row(string(mine.Address), "the end", func(r *Reader) bool { return r.State == Left })
	until(t, "the list to rest", func() bool { broken, _ := w.mail.Broken(); return broken == 1 })
	w.pass(time.Hour)
	stop()
	if n := len(w.mail.Mails()); n != 2 { // the confirmations
		t.Errorf("%d mails were delivered", n)
	}
}

// hook is a mailer that tells when the body of a mail is written.
type hook struct {
	Mailer
	body func(to string)
}

func (h hook) Send(ctx context.Context, from, to string, raw []byte, commit func(context.Context) error) error {
	return h.Mailer.Send(ctx, from, to, raw, func(ctx context.Context) error {
		h.body(to)
		return commit(ctx)
	})
}

func TestADailyDigestIsOneADayOverBothSwitches(t *testing.T) {
	t.Parallel()
	for _, begin := range []time.Time{time.Date(2026, 10, 23, 12, 0, 0, 0, time.UTC), time.Date(2027, 3, 26, 12, 0, 0, 0, time.UTC)} {
		t.Run(begin.Format(time.DateOnly), func(t *testing.T) {
			t.Parallel()
			w := newWorldAt(t, begin)
			w.desk()
			w.list()
			wishes := event.Wishes{Period: event.Daily, Hour: 2, Zone: "Europe/Berlin"}
			w.reader("a@example.org", wishes)
			for i := range 4 {
				w.publish(i+1, 1, fmt.Sprint("story-", i+1))
				for hours := range 24 {
					w.pass(time.Hour)
					if hours%4 == 0 {
						w.subscribe("b@example.org", daily(7)) // something to do, and to wait for
						w.quiet()
					}
				}
				until(t, "the digest of the day", func() bool { return len(w.mails("a@example.org")) == i+2 })
			}
			for i, m := range w.mails("a@example.org")[1:] {
				if got := titles(m); !slices.Equal(got, []string{fmt.Sprint("story-", i+1)}) {
					t.Errorf("digest %d tells %q", i+1, got)
				}
			}
		})
	}
}

func TestAnEmptyDayHasNoMailAndMissedOnesAreOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.desk()
	_, stop := w.list()
	w.reader("a@example.org", daily(7))
	w.publish(1, 1, "story-one")
	w.withdraw(1, 2)
	w.pass(20 * time.Hour)
	w.row("a@example.org", "the empty day", func(r *Reader) bool { return r.Period == "2026-11-24" && r.Mail == nil })
	if n := len(w.mails("a@example.org")); n != 1 {
		t.Errorf("%d mails", n)
	}
	stop()
	for day := range 3 { // nobody works
		w.publish(day+2, 1, fmt.Sprint("story-", day+2))
		w.pass(24 * time.Hour)
	}
	w.publish(2, 2, "story-second")
	w.list()
	until(t, "the digest", func() bool { return len(w.mails("a@example.org")) == 2 })
	if got := titles(w.mails("a@example.org")[1]); !slices.Equal(got, []string{"story-4", "story-3", "story-second"}) {
		t.Errorf("it tells %q", got)
	}
}

// The desk may be in other hands that are just changing: who was told that no mail comes gets none.
func TestAnUnsubscriptionNeedsNoDesk(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, stop := w.desk()
	w.list()
	r := w.reader("a@example.org", event.Wishes{Period: event.Immediate})
	w.quiet()
	stop()
	w.subscribe("a@example.org", daily(7)) // an earlier wish that is still on the desk
	w.unsubscribe(w.keys.Token("letter", r.ID))
	w.row("a@example.org", "the end", func(r *Reader) bool { return r.State == Left })
	w.publish(1, 1, "story-one")
	w.desk()
	w.quiet()
	if got := w.rows()["a@example.org"]; got.State != Left || w.counted("immediate "+Sent) != 0 {
		t.Errorf("the reader is %s and has %d mails", got.State, len(w.mails("a@example.org")))
	}
}
