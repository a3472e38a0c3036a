package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/prometheus/client_golang/prometheus"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/natstest"
	"tidings.internal/pkg/run"
	publish "tidings.internal/services/publish/app"
)

const letters = `
site: {title: Kundennah, language: de, url: "http://news.example.org"}
publish: {listen: "127.0.0.1:0"}
sources:
  - {id: blog, title: "Das Blog mit dem ungewöhnlich langen Namen einer Donaudampfschifffahrtsgesellschaft", url: "https://blog.example/feed"}
  - {id: other, url: "https://other.example/feed"}
channels:
  - id: letter
    network: list
    title: Der Brief für Kundennähe
    description: Jeden Morgen das Neue aus Vertrieb, Recht und Marketing.
    zone: Europe/Berlin
    tags: [crm, e-mail-marketing, suchmaschinen, datenschutz]
    sources: [blog, other]
`

// mailroom is publish on a broker of its own, with a deliver that answers for every token.
type mailroom struct {
	bus  *bus.Bus
	addr net.Addr
}

func newMailroom(t *testing.T) *mailroom {
	t.Helper()
	server := natstest.Run(t)
	m := &mailroom{bus: server.Bus(t, publish.Name)}
	_, err := server.Bus(t, event.UserDeliver).Serve(t.Context(), "0.1.0", event.VerbPreferences, func(context.Context, []byte) (any, error) {
		return event.Preferences{List: "letter", Address: "r***@example.org", Language: "de", Wishes: event.Wishes{Period: event.Weekly, Weekday: 2, Hour: 9, Zone: "Asia/Tokyo", Tags: []string{"crm"}}}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	a, err := publish.New(t.Context(), publish.Deps{
		Config: config.New("tidings.yaml", []byte(letters), nil), Bus: m.bus, Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(), Checks: new(run.Checks),
	})
	if err != nil {
		t.Fatal(err)
	}
	m.addr = a.Addr()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return m
}

// asked is what readers asked for.
func (m *mailroom) asked(t *testing.T) (list []event.ReaderRequest) {
	t.Helper()
	entries, err := m.bus.Bucket(event.BucketRequests).Entries(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		var r event.ReaderRequest
		if err := json.Unmarshal(e.Value, &r); err != nil {
			t.Fatal(err)
		}
		list = append(list, r)
	}
	return list
}

// tab opens a window in which nothing may stand in the console.
func tab(t *testing.T, browser context.Context, width int64) context.Context {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser)
	t.Cleanup(cancel)
	ctx, stop := context.WithTimeout(ctx, 60*time.Second)
	t.Cleanup(stop)
	heard, quiet := context.WithCancel(ctx)
	messages := chromedp.Console(heard)
	t.Cleanup(func() {
		quiet()
		for m, err := range messages {
			if err != nil {
				break // the subscription ended
			}
			if !strings.Contains(m.Text, "status of 400") { // Chromium's word for a form that comes back with what is wrong
				t.Errorf("the console says %s %s", m.Type, m.Text)
			}
		}
	})
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(width, 900)); err != nil {
		t.Fatal(err)
	}
	return ctx
}

// fits checks what a page looks like, and keeps a picture of it.
func fits(t *testing.T, ctx context.Context, name string, width int64) {
	t.Helper()
	page, err := chromedp.Run(ctx, chromedp.Evaluate[struct {
		Wide        int
		Title, Lang string
		Styled      bool
		Unlabelled  int
	}](`({
		wide: document.documentElement.scrollWidth,
		title: document.title,
		lang: document.documentElement.lang,
		styled: getComputedStyle(document.body).maxWidth !== "none",
		unlabelled: [...document.querySelectorAll("input:not([type=hidden]), select")].filter(e => e.labels.length === 0).length,
	})`))
	if err != nil {
		t.Fatal(err)
	}
	shot(t, ctx, fmt.Sprintf("newsletter-%s-%d", name, width))
	if page.Wide > int(width) || page.Title == "" || page.Lang != "de" || !page.Styled || page.Unlabelled > 0 {
		t.Errorf("%s at %d: %+v", name, width, page)
	}
}

func TestNewslettersInABrowser(t *testing.T) {
	t.Parallel()
	m := newMailroom(t)
	browser := need(t, chromedp.Flag("accept-lang", "de"))
	for _, width := range []int64{360, 1280} {
		for name, path := range map[string]string{
			"index": "/", "form": "/newsletter/letter?lang=de", "confirm": "/newsletter/confirm/t1?lang=de", "preferences": "/newsletter/preferences/t1",
			"unsubscribe": "/newsletter/unsubscribe/t1?lang=de", "one-click": "/newsletter/one-click/t1?lang=de",
		} {
			t.Run(fmt.Sprintf("%s at %d", name, width), func(t *testing.T) {
				ctx := tab(t, browser, width)
				if err := chromedp.Do(ctx, chromedp.Navigate("http://"+m.addr.String()+path)); err != nil {
					t.Fatal(err)
				}
				fits(t, ctx, name, width)
			})
		}
	}
	if n := len(m.asked(t)); n != 0 {
		t.Errorf("a browser that looks asked for %d things", n)
	}
}

// A reader without a mouse, on a page on plain http, where browsers do not say where a form comes from but by its origin.
func TestReadersNeedOnlyAKeyboard(t *testing.T) {
	t.Parallel()
	m := newMailroom(t)
	browser := need(t, chromedp.Flag("host-resolver-rules", "MAP news.example.org "+m.addr.String()))
	ctx := tab(t, browser, 360)
	active := func() string {
		id, err := chromedp.Run(ctx, chromedp.Evaluate[string](`(document.activeElement.id || document.activeElement.value || document.activeElement.tagName)`))
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	keys := func(text string) {
		t.Helper()
		if err := chromedp.Do(ctx, chromedp.KeyEvent(text)); err != nil {
			t.Fatal(err)
		}
	}
	reach := func(id string) {
		t.Helper()
		for range 40 {
			if active() == id {
				return
			}
			keys("\t")
		}
		t.Fatalf("the keyboard does not reach %s; it is at %s", id, active())
	}
	open := func(path string) {
		t.Helper()
		if err := chromedp.Do(ctx, chromedp.Navigate("http://news.example.org/newsletter/"+path)); err != nil {
			t.Fatal(err)
		}
	}
	answered := func(name, title string) {
		t.Helper()
		// The page with the answer holds one paragraph and no form; the one before it had a form.
		if err := chromedp.Do(ctx, chromedp.WaitVisible("main > p:only-child")); err != nil {
			t.Fatal(err)
		}
		got, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.title`))
		if err != nil || got != title {
			t.Errorf("%s is answered with %q, %v; want %q", name, got, err, title)
		}
		fits(t, ctx, name, 360)
	}

	open("letter?lang=de")
	reach("address")
	keys("leserin@example.org")
	reach("zone")
	keys("x") // behind what stands there
	reach("daily")
	keys("\r")
	if err := chromedp.Do(ctx, chromedp.WaitVisible(".wrong")); err != nil {
		t.Fatal(err)
	}
	fits(t, ctx, "mistake", 360)
	reach("zone")
	for range 20 {
		keys("\b")
	}
	keys("Europe/Vienna")
	reach("e-mail-marketing")
	keys(" ")
	reach("BUTTON")
	keys("\r")
	answered("subscribed", "Bitte sehen Sie in Ihr Postfach")
	for path, title := range map[string]string{
		"confirm/t1?lang=de": "Vielen Dank", "preferences/t2": "Ihre Auswahl ist gespeichert", "unsubscribe/t3?lang=de": "Der Newsletter ist abbestellt", "one-click/t4?lang=de": "Der Newsletter ist abbestellt",
	} {
		open(path)
		reach("BUTTON")
		keys("\r")
		answered("answer-"+path[:strings.IndexByte(path, '/')], title)
	}
	modes := map[string]event.ReaderRequest{}
	for _, r := range m.asked(t) {
		modes[r.Mode+" "+string(r.Token)] = r
	}
	w := modes["subscribe "].Wishes
	if len(modes) != 5 || w == nil || w.Zone != "Europe/Vienna" || w.Period != event.Daily || len(w.Tags) != 1 || w.Tags[0] != "e-mail-marketing" || modes["subscribe "].Address != "leserin@example.org" {
		t.Errorf("what was asked for: %v, %+v", modes, w)
	}
	if p := modes["prefer t2"].Wishes; p == nil || p.Period != event.Weekly || p.Weekday != 2 || p.Hour != 9 || p.Zone != "Asia/Tokyo" || len(p.Tags) != 1 {
		t.Errorf("what was chosen and is not changed becomes %+v", p)
	}
}
