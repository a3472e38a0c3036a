package readers

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/services/deliver/internal/bounce"
	"tidings.internal/services/deliver/internal/bounce/bouncetest"
)

// report is a delivery status notification that came to an address.
func report(to, status string, n int) string {
	text := fmt.Sprintf(`From: mailer-daemon@mx.example.net
To: %s
Message-ID: <%d@mx.example.net>
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b
Content-Type: text/plain

No.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.net

Final-Recipient: rfc822; a@example.org
Action: failed
Status: %s
--b--
`, to, n, status)
	return strings.ReplaceAll(text, "\n", "\r\n")
}

func TestWhatComesBackEndsASubscription(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	box := bouncetest.New(t, "bounces", "secret")
	returns := func(l *List) {
		l.Sender.Returns = "back.example.org"
		l.Bounces = bounce.Mailbox{
			Host: box.Host, Port: box.Port, Username: "bounces", Password: config.NewSecret("secret"), Domain: "back.example.org", Roots: box.Roots, Dial: new(net.Dialer).DialContext,
		}
	}
	w.desk()
	_, stop := w.list(returns)
	now := event.Wishes{Period: event.Immediate}
	hard, soft, other := w.reader("a@example.org", now), w.reader("b@example.org", now), w.reader("c@example.org", now)
	from := ""
	for _, m := range w.mail.Mails() {
		if m.To == "a@example.org" {
			from = m.From
		}
	}
	if from != "bounce+"+w.keys.Return("letter", hard.ID)+"@back.example.org" {
		t.Errorf("the envelope's sender is %q", from)
	}
	stop()
	softly := "bounce+" + w.keys.Return("letter", soft.ID) + "@back.example.org"
	forged := "bounce+" + w.keys.Return("third", other.ID) + "@back.example.org"
	box.Put(report(from, "5.1.1", 1), report(softly, "5.2.2", 2), report(softly, "5.2.2", 3), report(forged, "5.1.1", 4))
	_, stop = w.list(returns)
	w.row("a@example.org", "the hard bounce", func(r *Reader) bool { return r.State == Suppressed && r.Reason == "hard" })
	until(t, "the mailbox to be read", func() bool { return box.Left() == 0 })
	if r := w.rows()["b@example.org"]; r.State != Confirmed || r.Soft != 1 {
		t.Errorf("two reports of one mail: %d soft", r.Soft)
	}
	for i := range softLimit - 1 {
		w.publish(i+1, 1, fmt.Sprint("story-", i+1))
		until(t, "the next mail", func() bool { return len(w.mails("b@example.org")) == i+2 })
		w.row("b@example.org", "its end", func(r *Reader) bool { return r.Mail == nil && !r.Bounced })
		stop()
		box.Put(report(softly, "5.2.2", 10+i))
		_, stop = w.list(returns)
		until(t, "the mailbox to be read", func() bool { return box.Left() == 0 })
	}
	w.row("b@example.org", "the third soft bounce", func(r *Reader) bool { return r.State == Suppressed && r.Reason == "soft" })
	if r := w.rows()["c@example.org"]; r.State != Confirmed {
		t.Error("a forged token ends a subscription")
	}
	w.tally(map[string]int{"bounce hard": 1, "bounce soft": softLimit})
}

// Two lists may share a mailbox: whichever reads it takes the bounces of both.
func TestABounceOfAnotherListInTheMailboxCounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	store := NewStore(w.server.Bus(t, "deliver").Bucket(event.BucketSubscribers), w.keys)
	const id = "0123456789abcdef0123456789abcdef"
	if _, err := store.claim(t.Context(), "other", "a@example.org", id); err != nil {
		t.Fatal(err)
	}
	row := &Reader{List: "other", ID: id, Address: "a@example.org", State: Confirmed, Wishes: daily(7)}
	if _, err := store.put(t.Context(), row, 0); err != nil {
		t.Fatal(err)
	}
	box := bouncetest.New(t, "bounces", "secret")
	box.Put(report("bounce+"+w.keys.Return("other", id)+"@back.example.org", "5.1.1", 1))
	w.list(func(l *List) {
		l.Sender.Returns = "back.example.org"
		l.Bounces = bounce.Mailbox{
			Host: box.Host, Port: box.Port, Username: "bounces", Password: config.NewSecret("secret"), Domain: "back.example.org", Roots: box.Roots, Dial: new(net.Dialer).DialContext,
		}
	})
	until(t, "the mailbox to be read", func() bool { return box.Left() == 0 })
	switch got, _, err := store.Reader(t.Context(), "other", id); {
	case err != nil:
		t.Fatal(err)
	case got.State != Suppressed || got.Reason != "hard":
		t.Errorf("the row is %+v", got)
	}
}

func TestMailsThatArriveEndARowOfSoftBounces(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	r := &Reader{State: Confirmed}
	send := func() { r = r.begin("k", now, 1, now).send("", now).sent(Sent, now) }
	bounced := func(id string) {
		if n := r.bounced(id, now); n != nil {
			r = n
		}
	}
	send()
	bounced("1")
	send()
	bounced("2")
	bounced("1") // read again
	if r.Soft != 2 {
		t.Fatalf("%d soft", r.Soft)
	}
	send()
	send() // the one before did not come back
	if r.Soft != 0 {
		t.Errorf("%d soft after a mail that arrived", r.Soft)
	}
	bounced("3")
	if r.State != Confirmed || r.Soft != 1 {
		t.Errorf("%s, %d soft", r.State, r.Soft)
	}
}
