package readers

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/services/deliver/internal/ledger"
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
	w.tally(map[string]int{"daily " + Sent: 1})
	if n := len(w.mails("a@example.org")); n != 2 {
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

func TestPublicAnswersTellNothingAndRowsAreNeverTwo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d, _ := w.desk()
	_, stop := w.list()
	r := w.reader("a@example.org", daily(7))
	first := w.subscribe("A@Example.org", daily(9)) // who is a reader stays as he is
	w.quiet()
	value, err := json.Marshal(first) // and a request that comes again changes nothing
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.server.Bus(t, "deliver").Bucket(event.BucketRequests).Put(t.Context(), event.RequestsOfReaders+first.ID, value); err != nil {
		t.Fatal(err)
	}
	w.quiet()
	if rows := w.rows(); len(rows) != 1 || rows["a@example.org"].Wishes.Hour != 7 || len(w.mail.Mails()) != 1 {
		t.Errorf("%d rows, %d mails", len(rows), len(w.mail.Mails()))
	}
	stop()
	// Three mails a day ask an address, on whatever lists, and however often somebody asks.
	for range 5 {
		for _, list := range []string{"letter", "other"} {
			w.ask(event.ReaderSubscribe, func(r *event.ReaderRequest) {
				wishes := daily(7)
				r.List, r.Address, r.Wishes = list, "b@example.org", &wishes
			})
		}
	}
	w.quiet()
	w.list()
	for range mailsPerDay {
		until(t, "the mail", func() bool { return w.rowOf("b@example.org", "letter").Mail == nil })
		w.subscribe("b@example.org", daily(8))
		w.quiet()
	}
	w.subscribe("c@example.org", daily(8))
	until(t, "the mail to another", func() bool { return len(w.mails("c@example.org")) == 1 })
	until(t, "the last mail", func() bool { return w.rowOf("b@example.org", "letter").Mail == nil })
	if n := len(w.mails("b@example.org")); n != mailsPerDay-1 { // the third waits on the other list
		t.Errorf("%d mails asked", n)
	}
	// Tokens of nobody, of another list, of the other kind, and unknown lists.
	for _, token := range []string{"abc", w.keys.Token("letter", "00000000000000000000000000000000"), w.keys.Token("other", r.ID), confirmation("letter", r.ID, make([]byte, macLength))} {
		w.confirm(token)
		w.unsubscribe(token)
		if _, err := d.Preferences(t.Context(), event.Hidden(token)); fault.KindOf(err) != fault.Gone {
			t.Errorf("the preferences of a foreign token: %v", err)
		}
	}
	w.quiet()
	if got := w.rows()["a@example.org"]; got.State != Confirmed {
		t.Errorf("the reader is %s", got.State)
	}
}

// rowOf is the row of an address on a list.
func (w *world) rowOf(address, list string) *Reader {
	all, err := All(w.t.Context(), w.server.Bus(w.t, "deliver").Bucket(event.BucketSubscribers), list)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, r := range all {
		if string(r.Address) == address {
			return r
		}
	}
	return &Reader{}
}

func TestAConfirmationIsGoodOnceAndForAWeek(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.desk()
	w.list()
	w.subscribe("a@example.org", daily(7))
	until(t, "the mail", func() bool { return len(w.mails("a@example.org")) == 1 })
	w.row("a@example.org", "its end", func(r *Reader) bool { return r.Mail == nil })
	w.pass(tokenLife)
	late := tokenOf(t, w.mails("a@example.org")[0])
	w.confirm(late)
	w.quiet()
	if r := w.rows()["a@example.org"]; r.State != Pending {
		t.Fatalf("confirmed after a week: %s", r.State)
	}
	w.subscribe("a@example.org", daily(7))
	until(t, "the next mail", func() bool { return len(w.mails("a@example.org")) == 2 })
	token := tokenOf(t, w.mails("a@example.org")[1])
	w.confirm(token)
	r := w.row("a@example.org", "the confirmation", func(r *Reader) bool { return r.State == Confirmed })
	w.unsubscribe(w.keys.Token("letter", r.ID))
	w.row("a@example.org", "the end", func(r *Reader) bool { return r.State == Left })
	w.confirm(token) // somebody finds the old mail
	w.confirm(late)
	w.quiet()
	if r := w.rows()["a@example.org"]; r.State != Left {
		t.Errorf("an old token confirms again: %s", r.State)
	}
}

func TestWhatAReaderPrefersCountsFromThenOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d, _ := w.desk()
	w.list()
	r := w.reader("a@example.org", daily(13))
	token := event.Hidden(w.keys.Token("letter", r.ID))
	w.publish(1, 1, "story-one", "crm")
	w.publish(2, 1, "story-two", "erp")
	weekly := event.Wishes{Period: event.Weekly, Weekday: 3, Hour: 6, Zone: "Europe/Berlin", Tags: []string{"erp"}}
	w.ask(event.ReaderPrefer, func(r *event.ReaderRequest) { r.Token, r.Wishes, r.Language = token, &weekly, "de" })
	w.ask(event.ReaderPrefer, func(r *event.ReaderRequest) {
		r.Token, r.Wishes = token, &event.Wishes{Period: event.Daily, Zone: "Nowhere/Town"}
	})
	w.quiet()
	p, err := d.Preferences(t.Context(), token)
	if err != nil || p.Wishes.Period != event.Weekly || p.Language != "de" || p.Address != "a***@example.org" || p.List != "letter" {
		t.Fatalf("preferences %+v, %v", p, err)
	}
	w.pass(24 * time.Hour) // Tuesday
	w.publish(3, 1, "story-three", "erp")
	w.pass(17 * time.Hour) // Wednesday, 06:00 in Berlin
	until(t, "the weekly mail", func() bool { return len(w.mails("a@example.org")) == 2 })
	if got := titles(w.mails("a@example.org")[1]); !slices.Equal(got, []string{"story-three", "story-two"}) {
		t.Errorf("it tells %q", got)
	}
	w.tally(map[string]int{"weekly " + Sent: 1})
	if w.counted("daily "+Sent) != 0 {
		t.Error("a mail of the former wishes was sent")
	}
}

func TestOldKeysStillCount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, stopDesk := w.desk()
	_, stop := w.list()
	r := w.reader("a@example.org", daily(7))
	old := w.keys
	store := NewStore(w.server.Bus(t, "deliver").Bucket(event.BucketSubscribers), old)
	if _, err := store.bar(t.Context(), "x@example.org", "hard", w.now()); err != nil {
		t.Fatal(err)
	}
	stopDesk()
	stop()
	var err error
	if w.keys, err = NewKeys(bytes.Repeat([]byte{8}, MinKey), bytes.Repeat([]byte{7}, MinKey)); err != nil {
		t.Fatal(err)
	}
	w.desk()
	w.list()
	w.subscribe("a@example.org", daily(9))
	w.subscribe("x@example.org", daily(9))
	w.unsubscribe(old.Token("letter", r.ID))
	w.quiet()
	if rows := w.rows(); len(rows) != 1 || rows["a@example.org"].State != Left {
		t.Errorf("%d rows", len(rows))
	}
	if list, id, ok := w.keys.returned([]string{"other", "letter"}, old.Return("letter", r.ID)); !ok || list != "letter" || id != r.ID {
		t.Error("what bounces of a mail that left before the change is of nobody")
	}
}

// A list that publish was told of first: its requests wait in their bucket.
func TestARequestForAnUnknownListWaits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, stop := w.desk(func(d *Desk) { d.Lists = map[string]string{"other": "en"} })
	w.subscribe("a@example.org", daily(7))
	until(t, "it to be seen", func() bool { return strings.Contains(w.logged(), "not sent here") })
	if w.waiting() != 1 {
		t.Fatal("it is gone")
	}
	stop()
	w.desk()
	w.quiet()
	if len(w.rows()) != 1 {
		t.Error("it was not dealt with")
	}
}

func TestOfTwoReplicasOneSends(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.desk()
	w.desk()
	one, stopOne := w.list()
	two, stopTwo := w.list()
	for i := range 5 {
		w.reader(fmt.Sprintf("r%d@d%d.example.org", i, i), event.Wishes{Period: event.Immediate})
	}
	for i := range 3 {
		w.publish(i+1, 1, fmt.Sprint("story-", i+1))
	}
	until(t, "all mails", func() bool { return w.counted("immediate "+Sent) == 15 })
	if (one.Counts() == nil) == (two.Counts() == nil) {
		t.Error("both work, or none")
	}
	if one.Counts() != nil {
		stopOne()
	} else {
		stopTwo()
	}
	w.publish(4, 1, "story-4")
	until(t, "the next mails", func() bool { return w.counted("immediate "+Sent) == 20 })
	if n := len(w.mail.Mails()); n != 25 {
		t.Errorf("%d mails", n)
	}
}

// Neither logs nor notices name a reader or hold a token, at any level.
func TestAddressesAndTokensStayWhereTheyBelong(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var mu sync.Mutex
	var events strings.Builder
	admin := w.server.Bus(t, "tidings")
	stopTail := run(t, func(ctx context.Context) error {
		return admin.Tail(ctx, "event.>", time.Now().Add(-time.Minute), func(r bus.Record) {
			mu.Lock()
			defer mu.Unlock()
			fmt.Fprintln(&events, r.Subject, string(r.Body))
		})
	})
	w.desk()
	w.list()
	r := w.reader("planted@planted.example.org", event.Wishes{Period: event.Immediate})
	w.mail.Say("RCPT", "451 4.2.0 planted@planted.example.org come again", "550 5.1.1 planted@planted.example.org is nobody")
	w.publish(1, 1, "story-one")
	until(t, "the refusal", func() bool { return w.counted("immediate "+Waits) == 1 })
	w.pass(time.Hour)
	w.row("planted@planted.example.org", "the end", func(r *Reader) bool { return r.State == Suppressed })
	other := w.reader("planted@leaves.example.org", daily(7))
	token := w.keys.Token("letter", other.ID)
	w.unsubscribe(token)
	w.row("planted@leaves.example.org", "the end", func(r *Reader) bool { return r.State == Left })
	text := func() string {
		mu.Lock()
		defer mu.Unlock()
		return events.String()
	}
	until(t, "the notices", func() bool {
		return strings.Contains(text(), "subscriber_confirmed") && strings.Contains(text(), "subscriber_suppressed") && strings.Contains(text(), "subscriber_left")
	})
	stopTail()
	var keys strings.Builder
	entries, err := w.server.Bus(t, "deliver").Bucket(event.BucketSubscribers).Entries(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		fmt.Fprintln(&keys, e.Key)
		if strings.HasPrefix(e.Key, "x.") || strings.HasPrefix(e.Key, "a.") {
			fmt.Fprintln(&keys, string(e.Value))
		}
	}
	confirms := tokenOf(t, w.mails("planted@planted.example.org")[0])
	all := text() + w.logged() + keys.String() + fmt.Sprintf("%v %+v %s", r.Address, r.Asked.Client, r)
	for _, secret := range []string{"planted", token, confirms, "192.0.2.7"} {
		if i := strings.Index(all, secret); i >= 0 {
			t.Errorf("%.12s stands in %q", secret, all[max(0, i-100):min(len(all), i+60)])
		}
	}
}

func TestWhatIsOverIsForgotten(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.desk()
	_, stop := w.list()
	w.subscribe("a@example.org", daily(7))
	w.row("a@example.org", "the question", func(r *Reader) bool { return r.Mail == nil && len(r.Told) == 1 })
	w.publish(1, 1, "story-one")
	stop()
	w.pass(keepPending + time.Hour)
	w.list()
	until(t, "the address to go", func() bool { return len(w.rows()) == 0 })
	book := ledger.New(w.server.Bus(t, "deliver").Bucket(event.BucketDeliveries))
	until(t, "the words of the story to go", func() bool {
		r, _, err := book.Row(t.Context(), "letter", storyID(1))
		return err == nil && r.State == ledger.Listed && r.Payload == nil
	})
	w.subscribe("a@example.org", daily(7))
	w.row("a@example.org", "the row again", func(r *Reader) bool { return r.State == Pending })
}

// A suppression that was wrong is lifted: nobody is a reader by that, and whoever asks again and confirms is one.
func TestALiftedSuppressionLetsTheOwnerAskAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d, _ := w.desk()
	w.list()
	w.reader("a@example.org", daily(7))
	if err := d.Suppress(t.Context(), "a@example.org"); err != nil {
		t.Fatal(err)
	}
	w.subscribe("a@example.org", daily(7))
	w.quiet()
	if r := w.rows()["a@example.org"]; r.State != Suppressed {
		t.Fatalf("the row is %s", r.State)
	}
	for range 2 {
		if err := d.Lift(t.Context(), "A@example.org"); err != nil {
			t.Fatal(err)
		}
	}
	if r := w.rows()["a@example.org"]; r.State != Left || r.Reason != "" {
		t.Fatalf("the row is %+v", r)
	}
	w.reader("a@example.org", daily(9))
}
