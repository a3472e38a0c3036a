package newsletter

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/services/publish/internal/compose/list"
	"tidings.internal/services/publish/internal/limit"
)

const (
	known   = "known-token_1"
	nobodys = "nobodys"
	absent  = "absent" // deliver does not answer for it
	atOnce  = "at-once"
	urlType = "application/x-www-form-urlencoded"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// desk holds pages and what was left by them.
type desk struct {
	*Pages
	left []event.ReaderRequest
	away bool
	now  time.Time
}

// hostile is a text that must not become markup.
const hostile = `<script>alert("1")</script> & 'more'`

func newDesk(t testing.TB) *desk {
	t.Helper()
	d := &desk{now: noon}
	clock := func() time.Time { return d.now }
	settings := func(change func(*list.Settings)) list.Settings {
		s := list.Settings{Title: "Der Brief", Language: "de", Periods: []string{event.Daily, event.Weekly, event.Immediate}, Hour: 7, Zone: "Europe/Berlin"}
		change(&s)
		return s
	}
	pages, err := New(Config{
		Base: "https://news.example.org", Language: "en", Now: clock,
		Lists: []List{
			{"letter", settings(func(s *list.Settings) {
				s.Tags, s.Sources, s.Description = []string{"crm", "recht"}, []string{"blog"}, "Jeden Tag."
			})},
			{"once", settings(func(s *list.Settings) { s.Title, s.Language, s.Periods = "At once", "en", []string{event.Immediate} })},
			{"evil", settings(func(s *list.Settings) {
				s.Title, s.Description, s.Consent, s.Tags = hostile, hostile, hostile, []string{hostile}
			})},
		},
		Leave: func(_ context.Context, r event.ReaderRequest) error {
			if d.away {
				return errors.New("the broker is away")
			}
			d.left = append(d.left, r)
			return nil
		},
		Ask: func(_ context.Context, token event.Hidden) (event.Preferences, error) {
			switch token {
			case nobodys:
				return event.Preferences{}, fault.Errorf(fault.Gone, "nobody")
			case absent:
				return event.Preferences{}, fault.Errorf(fault.Unreachable, "no deliver is running")
			case atOnce:
				return event.Preferences{List: "letter", Address: "r***@example.org", Language: "de", Wishes: event.Wishes{Period: event.Immediate}}, nil
			}
			return event.Preferences{List: "letter", Address: "r***@example.org", Language: "de", Wishes: event.Wishes{
				Period: event.Weekly, Weekday: 3, Hour: 18, Zone: "Asia/Tokyo", Tags: []string{"recht", "was-offered"},
			}}, nil
		},
		Tag:    func(id string) string { return map[string]string{"crm": "CRM-Software"}[id] + " (" + id + ")" },
		Source: func(id string) string { return "Blog & " + hostile },
		Forms:  limit.New(FormsAnHour, time.Hour, nil, clock), Tokens: limit.New(TokensAnHour, time.Hour, nil, clock),
	})
	if err != nil {
		t.Fatal(err)
	}
	d.Pages = pages
	return d
}

// send asks with a method, a body of a type, and headers in pairs.
func (d *desk) send(method, path, contentType, body string, header ...string) *Answer {
	r := httptest.NewRequest(method, "http://10.0.0.7"+path, strings.NewReader(body)) // what a proxy makes of the host
	r.RemoteAddr = "198.51.100.7:1234"
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return d.Answer(r)
}

func (d *desk) get(path string, header ...string) *Answer {
	return d.send("GET", path, "", "", header...)
}

func (d *desk) post(path, form string, header ...string) *Answer {
	return d.send("POST", path, urlType, form, header...)
}

func full() url.Values {
	return url.Values{
		"address": {"reader@example.org"}, "period": {"weekly"}, "weekday": {"5"}, "hour": {"18"}, "zone": {"America/New_York"},
		"tag": {"recht", "crm"}, "source": {"blog"}, "lang": {"en"},
	}
}

func with(form url.Values, name string, values ...string) string {
	form[name] = values
	return form.Encode()
}

func TestWhatIsLeftIsWhatWasEntered(t *testing.T) {
	t.Parallel()
	weekly := event.Wishes{Period: "weekly", Weekday: 5, Hour: 18, Zone: "America/New_York", Tags: []string{"crm", "recht"}, Sources: []string{"blog"}}
	daily, immediate := weekly, weekly
	daily.Period, daily.Weekday = "daily", 0
	immediate.Period, immediate.Weekday, immediate.Hour, immediate.Zone = "immediate", 0, 0, ""
	preset := event.Wishes{Period: "daily", Hour: 7, Zone: "Europe/Berlin"}
	for name, c := range map[string]struct {
		path, form string
		want       event.ReaderRequest
	}{
		"weekly":    {"letter", full().Encode(), event.ReaderRequest{Mode: "subscribe", List: "letter", Address: "reader@example.org", Wishes: &weekly, Language: "en"}},
		"daily":     {"letter", with(full(), "period", "daily"), event.ReaderRequest{Mode: "subscribe", List: "letter", Address: "reader@example.org", Wishes: &daily, Language: "en"}},
		"immediate": {"letter", with(full(), "period", "immediate"), event.ReaderRequest{Mode: "subscribe", List: "letter", Address: "reader@example.org", Wishes: &immediate, Language: "en"}},
		"preset":    {"letter", "address=+J%C3%BCrgen%40example.org+", event.ReaderRequest{Mode: "subscribe", List: "letter", Address: "Jürgen@example.org", Wishes: &preset, Language: "de"}},
		"twice the same": {"letter", "address=a%40example.org&lang=de&tag=crm&tag=crm", event.ReaderRequest{Mode: "subscribe", List: "letter", Address: "a@example.org", Language: "de",
			Wishes: &event.Wishes{Period: "daily", Hour: 7, Zone: "Europe/Berlin", Tags: []string{"crm"}}}},
		"prefer":      {"preferences/" + known, with(full(), "list", "letter"), event.ReaderRequest{Mode: "prefer", Token: known, Wishes: &weekly, Language: "en"}},
		"confirm":     {"confirm/" + known, "lang=de", event.ReaderRequest{Mode: "confirm", Token: known, Language: "de"}},
		"unsubscribe": {"unsubscribe/" + known, "lang=de", event.ReaderRequest{Mode: "unsubscribe", Token: known, Language: "de"}},
		"one click":   {"one-click/" + known, "List-Unsubscribe=One-Click", event.ReaderRequest{Mode: "unsubscribe", Token: known, Language: "en"}},
	} {
		d := newDesk(t)
		if a := d.post("/newsletter/"+c.path, c.form); a.Status != 200 || len(d.left) != 1 {
			t.Errorf("%s: %d, %d were left: %s", name, a.Status, len(d.left), a.Body)
			continue
		}
		got := d.left[0]
		if err := got.Check(); err != nil || got.ID == "" {
			t.Errorf("%s: %v, id %q", name, err, got.ID)
		}
		if proof := strings.HasPrefix(got.Form, got.Mode+"/"+got.Language+"/sha256:"); proof != (got.Mode == "subscribe" || got.Mode == "confirm") {
			t.Errorf("%s: form is %q", name, got.Form)
		}
		c.want.ID, c.want.Time, c.want.Client, c.want.Form = got.ID, noon, "198.51.100.7", got.Form
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestTheFormIsNamedByWhatWasAgreedTo(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	seen := map[string]string{}
	for _, c := range [][2]string{{"letter", "en"}, {"letter", "de"}, {"once", "en"}, {"evil", "de"}} {
		d.left = nil
		d.post("/newsletter/"+c[0], "address=a%40example.org&lang="+c[1])
		if len(d.left) != 1 || seen[d.left[0].Form] != "" {
			t.Fatalf("%v: left %v; %v", c, d.left, seen)
		}
		seen[d.left[0].Form] = c[0]
	}
	const consent = "By sending this form I ask for the newsletter “Der Brief” by e-mail. I can end it at any time, by a link in each mail."
	if name := formName("subscribe", english(), consent); seen[name] != "letter" {
		t.Errorf("%s is none of %v; the text of a consent does not change without a word in the changelog", name, seen)
	}
}

func TestWhatCannotBeStoredIsNotPromised(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.away = true
	for range 2 * FormsAnHour { // and counts against nobody
		for path, form := range map[string]string{
			"letter": full().Encode(), "confirm/" + known: "", "preferences/" + known: "list=letter", "unsubscribe/" + known: "", "one-click/" + known: "List-Unsubscribe=One-Click",
		} {
			a := d.post("/newsletter/"+path, form)
			if a.Status != 503 || strings.Contains(string(a.Body), "broker") || a.Header.Get("Retry-After") != "60" {
				t.Errorf("%s: %d %v %s", path, a.Status, a.Header, a.Body)
			}
		}
	}
	if d.away = false; d.post("/newsletter/letter", full().Encode()).Status != 200 {
		t.Error("what was not stored was counted")
	}
}

func TestANetworkHasFiveFormsAnHour(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	status := func(path, form string) int { return d.post("/newsletter/"+path, form).Status }
	for i := range FormsAnHour {
		if got := status("letter", full().Encode()); got != 200 {
			t.Fatalf("form %d: %d", i, got)
		}
		if got := status("letter", "address=x"); got != 400 { // mistakes are free
			t.Fatalf("a mistake: %d", got)
		}
	}
	a := d.post("/newsletter/letter", full().Encode())
	if a.Status != 429 || a.Header.Get("Retry-After") != "720" || !strings.Contains(string(a.Body), "in 12 minutes") {
		t.Errorf("%d %v %s", a.Status, a.Header, a.Body)
	}
	if got := status("preferences/"+known, "list=letter"); got != 429 {
		t.Errorf("choices: %d", got)
	}
	// A provider of mail, or a company, has one address for many readers.
	for range 100 {
		for path, form := range map[string]string{"confirm/" + known: "", "unsubscribe/" + known: "", "one-click/" + known: "List-Unsubscribe=One-Click"} {
			if got := status(path, form); got != 200 {
				t.Fatalf("%s: %d", path, got)
			}
		}
	}
	// The 300 above are half of what there is; then this ends, too.
	last := 0
	for range TokensAnHour {
		last = status("one-click/"+known, "List-Unsubscribe=One-Click")
	}
	if last != 429 {
		t.Errorf("nothing bounds what a network has stored: %d", last)
	}
	if d.now = d.now.Add(12 * time.Minute); status("letter", full().Encode()) != 200 {
		t.Error("the limit does not end")
	}
}

func TestTextsOfTheConfigurationStayTexts(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	a := d.get("/newsletter/evil")
	sound(t, a)
	if n := strings.Count(string(a.Body), "&lt;script&gt;"); n < 5 { // title twice, description, consent, tag
		t.Errorf("the texts are shown %d times", n)
	}
	sound(t, d.get("/newsletter/letter"))
	sound(t, d.post("/newsletter/evil", "address=a%40example.org&tag="+url.QueryEscape(hostile)))
	if len(d.left) != 1 || d.left[0].Wishes.Tags[0] != hostile {
		t.Errorf("left %+v", d.left)
	}
}

func TestNoErrorHoldsATokenOrAnAddress(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.post("/newsletter/letter", full().Encode())
	d.post("/newsletter/confirm/"+known, "")
	for _, r := range d.left {
		if text := fmt.Sprintf("%v %+v %s", r, r.String(), r.Check()); strings.Contains(text, known) || strings.Contains(text, "reader@") || strings.Contains(text, "198.51") {
			t.Error(text)
		}
	}
}

func TestTheOriginIsWrittenAsBrowsersDo(t *testing.T) {
	t.Parallel()
	for base, want := range map[string]string{
		"https://News.example.org:443/x": "https://news.example.org", "http://news.example.org:80": "http://news.example.org",
		"https://news.example.org:8443": "https://news.example.org:8443", "http://[::1]:8080": "http://[::1]:8080",
	} {
		u, err := url.Parse(base)
		if err != nil || origin(u) != want {
			t.Errorf("%s: %s, %v", base, origin(u), err)
		}
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add("letter", full().Encode(), urlType)
	f.Add("preferences/"+known, "list=letter&tag=a&tag=b&hour=-1", urlType)
	f.Add("one-click/"+known, "--b\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--b--\r\n", "multipart/form-data; boundary=b")
	f.Fuzz(func(t *testing.T, path, body, contentType string) {
		if _, err := url.ParseRequestURI("/newsletter/" + path); err != nil || strings.ContainsAny(path, " \r\n\t") {
			return
		}
		d := newDesk(t)
		a := d.send("POST", "/newsletter/"+path, contentType, body)
		if a.Status != 200 && a.Status/100 != 4 || (a.Status == 200) != (len(d.left) == 1) {
			t.Errorf("%d, %d left", a.Status, len(d.left))
		}
		for _, r := range d.left {
			if err := r.Check(); err != nil {
				t.Error(err)
			}
		}
		if strings.Contains(string(a.Body), "<script") {
			t.Error("markup")
		}
	})
}
