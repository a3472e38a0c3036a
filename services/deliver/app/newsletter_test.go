package app

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/natstest"
	"tidings.internal/services/deliver/internal/ledger"
)

// mailServer takes every mail, counts them, and returns its port.
func mailServer(t *testing.T, count *atomic.Int64) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = io.WriteString(c, "220 mail.example.org\r\n")
				data := false
				for in := bufio.NewScanner(c); in.Scan(); {
					answer := "250 yes"
					switch {
					case data && in.Text() != ".":
						continue
					case data:
						data = false
						count.Add(1)
					case in.Text() == "DATA":
						data, answer = true, "354 go on"
					}
					if _, err := io.WriteString(c, answer+"\r\n"); err != nil {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}

func withLetter(port int) []byte {
	return fmt.Appendf(nil, `site: {url: "https://news.example.org"}
deliver: {readers: {key: a-key-of-the-tests-that-is-long-enough}}
channels:
  - {id: letter, network: list, title: Letter, from: News <news@example.org>, smtp: {host: 127.0.0.1, port: %d, tls: none}, allow_private: true}
`, port)
}

func TestOperatorsSeeAndChangeReaders(t *testing.T) {
	t.Parallel()
	server := natstest.Run(t)
	b, operator := server.Bus(t, Name), server.Bus(t, "tidings")
	var mails atomic.Int64
	text := withLetter(mailServer(t, &mails))
	doc := config.New("tidings.yaml", text, nil)
	stop := start(t, b, text)
	until(t, "the list has its row", known(t, b))
	ctx := t.Context()

	add := func(address string) error {
		return AddSubscriber(ctx, operator, doc, "letter", NewSubscriber{Address: event.Hidden(address), Wishes: event.Wishes{Period: event.Daily, Hour: 7}})
	}
	for range 2 {
		if err := add("one@example.org"); err != nil {
			t.Fatal(err)
		}
	}
	if err := add("two@example.org"); err != nil {
		t.Fatal(err)
	}
	if err := add("nobody"); fault.KindOf(err) != fault.Invalid {
		t.Errorf("no address: %v", err)
	}
	mars := NewSubscriber{Address: "four@example.org", Wishes: event.Wishes{Period: event.Daily, Zone: "Mars/Olympus"}}
	if err := AddSubscriber(ctx, operator, doc, "letter", mars); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a zone that nobody knows: %v", err)
	}
	rows := func(whole bool) []SubscriberStatus {
		list, err := Subscribers(ctx, operator, "letter", whole)
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	until(t, "both were asked", func() bool {
		list := rows(false)
		return len(list) == 2 && list[0].Due.IsZero() && list[1].Due.IsZero()
	})
	if n := mails.Load(); n != 2 {
		t.Errorf("%d mails", n)
	}
	if masked, whole := rows(false)[0], rows(true)[0]; masked.Address != "o***@example.org" || masked.Proof != nil || whole.Address != "one@example.org" || whole.Proof.AskedForm == "" {
		t.Errorf("%+v and %+v", masked, whole)
	}

	raw, err := PreviewMail(ctx, operator, "letter", "me@example.org")
	if err != nil || !strings.Contains(string(raw), "Subject: [Test] Letter") || strings.Contains(string(raw), "DKIM-Signature") || mails.Load() != 2 {
		t.Errorf("the preview is %s, %v", raw, err)
	}
	if err := TestMail(ctx, operator, "letter", "me@example.org"); err != nil || mails.Load() != 3 {
		t.Errorf("a test: %v, %d mails", err, mails.Load())
	}
	if err := TestMail(ctx, operator, "nowhere", "me@example.org"); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a test of nothing: %v", err)
	}
	for range 2 { // twice is as good
		if err := SuppressSubscriber(ctx, operator, "TWO@example.org", false); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := EraseSubscriber(ctx, operator, "two@example.org"); n != 1 || err != nil {
		t.Errorf("erased %d, %v", n, err)
	}
	if _, err := EraseSubscriber(ctx, operator, "two@example.org"); fault.KindOf(err) != fault.Invalid {
		t.Errorf("erased twice: %v", err)
	}
	for _, address := range []string{"two@example.org", "three@example.org"} {
		if err := add(address); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "the third was asked", func() bool { return mails.Load() == 4 })
	if list := rows(true); len(list) != 2 || list[1].Address != "three@example.org" {
		t.Errorf("readers %+v", list)
	}
	if err := SuppressSubscriber(ctx, operator, "Two@example.org", true); err != nil {
		t.Fatal(err)
	}
	if err := add("two@example.org"); err != nil {
		t.Fatal(err)
	}
	until(t, "the second was asked again", func() bool { return mails.Load() == 5 && len(rows(true)) == 3 })
	var p event.Preferences
	if err := server.Bus(t, "publish").Ask(ctx, Name, event.VerbPreferences, event.PreferencesQuestion{Token: "abc"}, &p); fault.KindOf(err) != fault.Gone {
		t.Errorf("the preferences of nobody: %v", err)
	}

	if _, err := CatchUp(ctx, operator, doc, "letter", nil, 0, "me", true); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a list catches up: %v", err)
	}
	if _, err := Try(ctx, operator, event.Post{Channel: "letter"}, "me"); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a post of a list is tried: %v", err)
	}
	stop()
	if err := SuppressSubscriber(ctx, operator, "one@example.org", false); fault.KindOf(err) != fault.Unreachable {
		t.Errorf("nobody runs: %v", err)
	}
}

// Who is asked by an operator is offered what the form of the list presets.
func TestOperatorsPresetWhatTheListDoes(t *testing.T) {
	t.Parallel()
	plain := config.New("tidings.yaml", withLetter(25), nil)
	if w, err := Preset(plain, "letter"); err != nil || w.Period != event.Daily || w.Hour != 7 || w.Zone != "UTC" {
		t.Errorf("by default %+v, %v", w, err)
	}
	text := strings.Replace(string(withLetter(25)), "title: Letter", "title: Letter, periods: [weekly, daily], hour: 9, zone: Europe/Berlin", 1)
	weekly := config.New("tidings.yaml", []byte(text), nil)
	if w, err := Preset(weekly, "letter"); err != nil || w.Period != event.Weekly || w.Weekday != 1 || w.Hour != 9 || w.Zone != "Europe/Berlin" || weekly.Err() != nil {
		t.Errorf("of the list %+v, %v, %v", w, err, weekly.Err())
	}
	if _, err := Preset(plain, "other"); fault.KindOf(err) != fault.Invalid {
		t.Errorf("of no list: %v", err)
	}
}

// What a list may have told after the backup is told no more.
func TestARestoredListTellsNothingOld(t *testing.T) {
	t.Parallel()
	b := natstest.Run(t).Bus(t, Name)
	now := time.Now()
	rules := ledger.Rules{Since: now.Add(-time.Hour), Listed: true}
	p := event.Post{Channel: "letter", Network: "list", Story: article.NewID("test", "one"), Article: article.NewID("test", "one"), Revision: 1, Action: event.ActionCreate, FirstSeen: now, Published: now, Request: event.Request{Body: json.RawMessage(`{}`)}}
	row, err := ledger.Take(nil, p, 1, rules, now)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.WithoutCancel(t.Context())
	if _, err := book(b).Put(ctx, row, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := book(b).ChangeChannel(ctx, "letter", func(*ledger.Channel) (*ledger.Channel, error) {
		return &ledger.Channel{ID: "letter", Network: "list", Since: rules.Since}, nil
	}); err != nil {
		t.Fatal(err)
	}
	if _, skipped, err := Restored(ctx, b, now); err != nil || skipped != 1 {
		t.Fatalf("skipped %d, %v", skipped, err)
	}
	if r, _, err := book(b).Row(ctx, "letter", p.Story); err != nil || r.State != ledger.Skipped || r.Reason != ledger.Baseline {
		t.Errorf("the row is %+v, %v", r, err)
	}
}
