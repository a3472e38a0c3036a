package readers

import (
	"bytes"
	"context"
	crand "crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"mime/quotedprintable"
	"net"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
	_ "time/tzdata"

	"go.uber.org/goleak"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/natstest"
	"tidings.internal/services/deliver/internal/dispatch"
	"tidings.internal/services/deliver/internal/ledger"
	"tidings.internal/services/deliver/internal/mail"
	"tidings.internal/services/deliver/internal/mail/mailtest"
	"tidings.internal/services/deliver/internal/send"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const base = "https://news.example.org"

// world is a broker with posts of the list letter, a mail server, and a clock.
type world struct {
	t      testing.TB
	server *natstest.Server
	bus    *bus.Bus // of publish
	mail   *mailtest.Server
	keys   Keys
	log    bytes.Buffer // of everybody, without a level

	mu     sync.Mutex
	begun  time.Time
	base   time.Time
	ahead  time.Duration  // of the clock
	counts map[string]int // by kind and outcome
	serial int
}

func newWorld(t testing.TB) *world {
	t.Helper()
	return newWorldAt(t, time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC))
}

func newWorldAt(t testing.TB, begin time.Time) *world {
	t.Helper()
	keys, err := NewKeys(bytes.Repeat([]byte{7}, MinKey))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{
		t: t, server: natstest.Run(t), mail: mailtest.New(t, mailtest.Config{Plain: true}), keys: keys, counts: map[string]int{},
		begun: time.Now(), base: begin,
	}
	worlds.Store(t, w)
	t.Cleanup(func() { worlds.Delete(t) })
	w.bus = w.server.Bus(t, "publish")
	w.listens()
	return w
}

// now goes on as time does, from a Monday at noon.
func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.base.Add(time.Since(w.begun) + w.ahead)
}

// pass lets time go by.
func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ahead += d
}

func (w *world) Mailed(_, kind, outcome string) { w.count(kind + " " + outcome) }
func (w *world) Bounced(_, class string)        { w.count("bounce " + class) }

func (w *world) count(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.counts[what]++
}

func (w *world) counted(what string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.counts[what]
}

// tally waits until things were counted so many times: a row is written first and counted then.
func (w *world) tally(want map[string]int) {
	w.t.Helper()
	for what, n := range want {
		until(w.t, fmt.Sprintf("%d %s", n, what), func() bool { return w.counted(what) == n })
	}
}

// Write is where the logs go.
func (w *world) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.Write(b)
}

// worlds are known by their tests, so that one that waits in vain shows its log.
var worlds sync.Map

func (w *world) logged() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.String()
}

func (w *world) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

type unsent struct{}

func (unsent) Send(context.Context, send.Job) (send.Receipt, error) {
	panic("a post of a list is sent")
}
func (unsent) Account() string                                     { return "letter" }
func (unsent) Credential() string                                  { return "c" }
func (unsent) Delivered(string, string, ledger.Op, string, string) {}
func (unsent) Took(string, time.Duration)                          {}
func (unsent) Arrived(time.Duration)                               {}

// listens takes posts into the ledger, as deliver does for every channel.
func (w *world) listens() {
	w.t.Helper()
	var c config.Channel
	c.SetDefaults()
	c.ID, c.Network = "letter", "list"
	b := w.server.Bus(w.t, "deliver")
	d := dispatch.New(dispatch.Options{
		Config: c, Network: send.Network{Name: "list", Traits: send.Traits{Listed: true}}, Sender: unsent{}, Ledger: ledger.New(b.Bucket(event.BucketDeliveries)),
		Bus: b, Log: slog.New(slog.DiscardHandler), Observe: unsent{}, Owner: "me", MaxOpen: 1000, Now: w.now, Random: func() float64 { return 0.5 },
	})
	run(w.t, d.Run)
	until(w.t, "the list has its row", func() bool {
		row, _, err := ledger.New(b.Bucket(event.BucketDeliveries)).Channel(w.t.Context(), "letter")
		return err == nil && row != nil
	})
}

// run runs something until stop is called or the test ends.
func run(t testing.TB, what func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- what(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(stop)
	return stop
}

func until(t testing.TB, what string, met func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(20 * time.Second)
	for !met() {
		select {
		case <-tick.C:
		case <-deadline:
			if w, ok := worlds.Load(t); ok {
				t.Log(w.(*world).logged())
			}
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// mailers are clients of the mail server.
func (w *world) mailers(n int) (list []Mailer) {
	for range n {
		c, err := mail.NewClient(mail.Server{Host: w.mail.Host, Port: w.mail.Port, TLS: mail.TLSNone, Name: "news.example.org", Dial: new(net.Dialer).DialContext})
		if err != nil {
			w.t.Fatal(err)
		}
		list = append(list, c)
	}
	return list
}

// desk deals with requests until stop is called.
func (w *world) desk(change ...func(*Desk)) (d *Desk, stop func()) {
	d = NewDesk(DeskOptions{
		Bus: w.server.Bus(w.t, "deliver"), Keys: w.keys, Lists: map[string]string{"letter": "en", "other": "de"}, Log: w.logger(), Now: w.now, Random: crand.Reader,
	})
	for _, c := range change {
		c(d)
	}
	return d, run(w.t, d.Run)
}

// list sends mails until stop is called.
func (w *world) list(change ...func(*List)) (l *List, stop func()) {
	b := w.server.Bus(w.t, "deliver")
	l = NewList(ListOptions{
		Sender: Sender{List: "letter", Title: "The Letter", Language: "en", From: "News <news@news.example.org>", Address: "news@news.example.org", Base: base, Host: "news.example.org"},
		Keys:   w.keys, Mailers: w.mailers(3), Spare: w.mailers(1)[0], Credential: "one", Bus: b, Ledger: ledger.New(b.Bucket(event.BucketDeliveries)), Log: w.logger(),
		Observe: w, Lists: []string{"letter", "other"}, Now: w.now, Random: crand.Reader,
	})
	l.look, l.pace = 50*time.Millisecond, 1000
	for _, c := range change {
		c(l)
	}
	return l, run(w.t, l.Run)
}

// ask leaves a request as publish does, and returns it.
func (w *world) ask(mode string, change func(*event.ReaderRequest)) event.ReaderRequest {
	w.t.Helper()
	w.mu.Lock()
	w.serial++
	id := fmt.Sprintf("R%03d", w.serial)
	w.mu.Unlock()
	r := event.ReaderRequest{ID: id, Time: w.now(), Mode: mode, Language: "en", Form: "form-1", Client: "192.0.2.7"}
	change(&r)
	w.leave(r)
	return r
}

func (w *world) leave(r event.ReaderRequest) {
	w.t.Helper()
	value, err := json.Marshal(r)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.bus.Bucket(event.BucketRequests).Leave(w.t.Context(), event.RequestsOfReaders+r.ID, value); err != nil {
		w.t.Fatal(err)
	}
}

func daily(hour int) event.Wishes { return event.Wishes{Period: event.Daily, Hour: hour} }

func (w *world) subscribe(address string, wishes event.Wishes) event.ReaderRequest {
	return w.ask(event.ReaderSubscribe, func(r *event.ReaderRequest) {
		r.List, r.Address, r.Wishes = "letter", event.Hidden(address), &wishes
	})
}

func (w *world) confirm(token string) {
	w.ask(event.ReaderConfirm, func(r *event.ReaderRequest) { r.Token = event.Hidden(token) })
}

func (w *world) unsubscribe(token string) event.ReaderRequest {
	return w.ask(event.ReaderUnsubscribe, func(r *event.ReaderRequest) { r.Token = event.Hidden(token) })
}

// waiting is how many requests are not dealt with.
func (w *world) waiting() int {
	entries, err := w.server.Bus(w.t, "deliver").Bucket(event.BucketRequests).Entries(w.t.Context(), event.RequestsOfReaders+">")
	if err != nil {
		w.t.Fatal(err)
	}
	return len(entries)
}

func (w *world) quiet() {
	w.t.Helper()
	until(w.t, "the requests to be dealt with", func() bool { return w.waiting() == 0 })
}

// rows reads the readers of the list by their address.
func (w *world) rows() map[string]*Reader {
	w.t.Helper()
	entries, err := w.server.Bus(w.t, "deliver").Bucket(event.BucketSubscribers).Entries(w.t.Context(), readerKeys("letter"))
	if err != nil {
		w.t.Fatal(err)
	}
	m := map[string]*Reader{}
	for _, e := range entries {
		r, err := decode(e)
		if err != nil {
			w.t.Fatal(err)
		}
		if m[string(r.Address)] != nil {
			w.t.Fatalf("two rows of one address")
		}
		m[string(r.Address)] = r
	}
	return m
}

// row waits until the row of an address is as wanted.
func (w *world) row(address, what string, met func(*Reader) bool) *Reader {
	w.t.Helper()
	var r *Reader
	until(w.t, what, func() bool { r = w.rows()[address]; return r != nil && met(r) })
	return r
}

// mails are those that an address got, decoded.
func (w *world) mails(address string) (list []string) {
	for _, m := range w.mail.Mails() {
		if m.To == address {
			var text bytes.Buffer
			_, _ = text.ReadFrom(quotedprintable.NewReader(strings.NewReader(strings.ReplaceAll(string(m.Raw), "\r\n ", " "))))
			list = append(list, text.String())
		}
	}
	return list
}

var confirmLink = regexp.MustCompile(`/newsletter/confirm/([a-z0-9]+)`)

// tokenOf finds the token of a confirmation.
func tokenOf(t testing.TB, text string) string {
	t.Helper()
	found := confirmLink.FindStringSubmatch(text)
	if found == nil {
		t.Fatalf("no token in %s", text)
	}
	return found[1]
}

// reader makes a confirmed reader the long way: by desk and mail.
func (w *world) reader(address string, wishes event.Wishes) *Reader {
	w.t.Helper()
	n := len(w.mails(address))
	w.subscribe(address, wishes)
	until(w.t, "the confirmation mail", func() bool { return len(w.mails(address)) == n+1 })
	w.confirm(tokenOf(w.t, w.mails(address)[n]))
	return w.row(address, "the confirmation", func(r *Reader) bool { return r.State == Confirmed })
}
