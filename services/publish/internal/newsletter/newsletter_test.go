package newsletter

import (
	"context"
	"errors"
	"fmt"
	"net/http"
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
	"tidings.internal/services/publish/internal/page"
)

const (
	known   = "known-token_1"
	nobodys = "nobodys"
	absent  = "absent" // deliver does not answer for it
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

func TestPagesAndTheirAnswers(t *testing.T) {
	t.Parallel()
	long := full().Encode() + "&x=" + strings.Repeat("a", maxForm)
	for _, c := range []struct {
		name    string
		request string
		body    string
		header  []string
		status  int
		left    string   // the mode of what was left; "" for nothing
		want    []string // parts of the page, or of none with "-"
	}{
		{"form", "GET /newsletter/letter", "", nil, 200, "", []string{`<html lang="de">`, ">Der Brief</h1>", "Jeden Tag.", `href="../style.css"`, `value="daily" required checked`, "CRM-Software (crm)", "-noindex", `value="Europe/Berlin"`, `<option value="7" selected>07:00`}},
		{"form in the language of the browser", "GET /newsletter/letter", "", []string{"Accept-Language", "fr, en-GB;q=0.8, de;q=0.5"}, 200, "", []string{`<html lang="en">`, ">Subscribe</button>", `lang="de">Der Brief</h1>`}},
		{"form in a language that was asked for", "GET /newsletter/letter?lang=de", "", []string{"Accept-Language", "en"}, 200, "", []string{`<html lang="de">`}},
		{"form in no language of ours", "GET /newsletter/once?lang=fr", "", []string{"Accept-Language", "ja"}, 200, "", []string{`<html lang="en">`}},
		{"a broken header", "GET /newsletter/once", "", []string{"Accept-Language", "de;q=x,,;"}, 200, "", []string{`<html lang="en">`}},
		{"form of one period", "GET /newsletter/once", "", nil, 200, "", []string{`type="hidden" name="period" value="immediate"`, "-type=\"radio\"", "-name=\"hour\""}},
		{"head", "HEAD /newsletter/letter", "", nil, 200, "", nil},
		{"options", "OPTIONS /newsletter/letter", "", nil, 204, "", nil},
		{"unknown list", "GET /newsletter/none", "", nil, 404, "", []string{"no newsletter at this address", "noindex"}},
		{"unknown list, form", "POST /newsletter/none", full().Encode(), nil, 404, "", nil},
		{"no list", "GET /newsletter/", "", nil, 404, "", nil},
		{"deeper", "GET /newsletter/letter/a/b", "", nil, 404, "", []string{`href="../../../style.css"`}},
		{"no such page", "GET /newsletter/admin/" + known, "", nil, 404, "", []string{"-" + known}},
		{"put", "PUT /newsletter/letter", "", nil, 405, "", nil},

		{"subscribe", "POST /newsletter/letter", full().Encode(), nil, 200, "subscribe", []string{"mailbox", "-reader@example.org"}},
		{"subscribe with an address alone", "POST /newsletter/letter", "address=reader%40example.org", nil, 200, "subscribe", []string{"Postfach"}},
		{"subscribe from our page", "POST /newsletter/letter", full().Encode(), []string{"Origin", "https://news.example.org", "Sec-Fetch-Site", "same-origin"}, 200, "subscribe", nil},
		{"subscribe from our page, old browser", "POST /newsletter/letter", full().Encode(), []string{"Origin", "https://news.example.org"}, 200, "subscribe", nil},
		{"subscribe from another site", "POST /newsletter/letter", full().Encode(), []string{"Origin", "https://evil.example"}, 403, "", []string{"eines anderen Anbieters", "-evil"}},
		{"subscribe from another site, new browser", "POST /newsletter/letter", full().Encode(), []string{"Sec-Fetch-Site", "cross-site"}, 403, "", nil},
		{"subscribe from a neighbour", "POST /newsletter/letter", full().Encode(), []string{"Sec-Fetch-Site", "same-site", "Origin", "https://www.example.org"}, 403, "", nil},
		{"subscribe from nowhere", "POST /newsletter/letter", full().Encode(), []string{"Origin", "null"}, 403, "", nil},
		{"no address", "POST /newsletter/letter", with(full(), "address"), nil, 400, "", []string{"no e-mail address", `aria-invalid="true"`, `value="weekly" required checked`, `<option value="18" selected>`, `value="America/New_York"`, `value="crm" checked`}},
		{"bad address", "POST /newsletter/letter", with(full(), "address", "<script>@x"), nil, 400, "", []string{"no e-mail address", "-<script>", `value="&lt;script&gt;@x"`}},
		{"header in the address", "POST /newsletter/letter", with(full(), "address", "a@example.org\r\nBcc: b@example.org"), nil, 400, "", []string{"no e-mail address"}},
		{"two addresses", "POST /newsletter/letter", with(full(), "address", "a@example.org, b@example.org"), nil, 400, "", nil},
		{"a name before the address", "POST /newsletter/letter", with(full(), "address", "Jane <jane@example.org>"), nil, 400, "", nil},
		{"bad period", "POST /newsletter/letter", with(full(), "period", "hourly"), nil, 400, "", []string{"how often", "-hourly"}},
		{"a period that is not offered", "POST /newsletter/once", with(full(), "period", "daily"), nil, 400, "", nil},
		{"bad weekday", "POST /newsletter/letter", with(full(), "weekday", "8"), nil, 400, "", []string{"day of the week"}},
		{"bad hour", "POST /newsletter/letter", with(full(), "hour", "24"), nil, 400, "", []string{"hour from 0 to 23"}},
		{"bad hour, no number", "POST /newsletter/letter", with(full(), "hour", "noon"), nil, 400, "", nil},
		{"bad zone", "POST /newsletter/letter", with(full(), "zone", "Europe/Atlantis"), nil, 400, "", []string{"no time zone"}},
		{"zone of the machine", "POST /newsletter/letter", with(full(), "zone", "Local"), nil, 400, "", nil},
		{"zone that climbs", "POST /newsletter/letter", with(full(), "zone", "../../../etc/passwd"), nil, 400, "", nil},
		{"tag that is not offered", "POST /newsletter/letter", with(full(), "tag", "secret"), nil, 400, "", []string{"not offered"}},
		{"doubled field", "POST /newsletter/letter", with(full(), "address", "a@example.org", "b@example.org"), nil, 400, "", []string{"zweimal"}},
		{"broken UTF-8", "POST /newsletter/letter", "address=reader%40example.org&tag=%ff", nil, 400, "", []string{"nicht lesbar"}},
		{"NUL", "POST /newsletter/letter", "address=reader%40example.org&x=%00", nil, 400, "", nil},
		{"bad escapes", "POST /newsletter/letter", "address=%zz", nil, 400, "", nil},
		{"too long", "POST /newsletter/letter", long, nil, 413, "", []string{"16 KB"}},
		{"JSON", "POST /newsletter/letter", full().Encode(), []string{"Content-Type", "application/json"}, 415, "", nil},
		{"parts", "POST /newsletter/letter", full().Encode(), []string{"Content-Type", "multipart/form-data; boundary=x"}, 415, "", nil},

		{"confirm", "GET /newsletter/confirm/" + known, "", nil, 200, "", []string{">Confirm</button>", "noindex", `href="../../style.css"`, "-" + known}},
		{"confirm, pressed", "POST /newsletter/confirm/" + known, "lang=de", nil, 200, "confirm", []string{"Vielen Dank", "-" + known}},
		{"confirm from a page on http", "POST /newsletter/confirm/" + known, "lang=de", []string{"Origin", "null"}, 200, "confirm", nil},
		{"confirm from another site", "POST /newsletter/confirm/" + known, "", []string{"Origin", "https://evil.example"}, 403, "", nil},
		{"confirm from a box of another site", "POST /newsletter/confirm/" + known, "", []string{"Origin", "null", "Sec-Fetch-Site", "cross-site"}, 403, "", nil},
		{"confirm with no token of ours", "GET /newsletter/confirm/a.b", "", nil, 404, "", []string{"not one of ours"}},
		{"confirm without a token", "GET /newsletter/confirm/", "", nil, 404, "", nil},
		{"confirm with a token that is too long", "POST /newsletter/confirm/" + strings.Repeat("a", 257), "", nil, 404, "", nil},
		{"confirm, deleted", "DELETE /newsletter/confirm/" + known, "", nil, 405, "", nil},

		{"preferences", "GET /newsletter/preferences/" + known, "", []string{"Accept-Language", "en"}, 200, "", []string{`<html lang="de">`, "r***@example.org", `value="weekly" required checked`, `<option value="3" selected>Mittwoch`, `<option value="18" selected>`, `value="Asia/Tokyo"`, `value="recht" checked`, `value="was-offered" checked`, `value="crm"> `, `href="../unsubscribe/` + known + `?lang=de"`, "-name=\"address\"", "noindex"}},
		{"preferences in another language", "GET /newsletter/preferences/" + known + "?lang=en", "", nil, 200, "", []string{`<html lang="en">`, "Your choices for “Der Brief”"}},
		{"preferences of nobody", "GET /newsletter/preferences/" + nobodys, "", nil, 404, "", []string{"not one of ours", "-" + nobodys}},
		{"preferences without deliver", "GET /newsletter/preferences/" + absent, "", nil, 503, "", []string{"cannot be shown", `href="../unsubscribe/` + absent + `?lang=en"`}},
		{"preferences, saved", "POST /newsletter/preferences/" + known, with(full(), "list", "letter"), nil, 200, "prefer", []string{"stored"}},
		{"preferences, saved without deliver", "POST /newsletter/preferences/" + absent, with(full(), "list", "letter"), nil, 200, "prefer", nil},
		{"preferences, saved with what was offered", "POST /newsletter/preferences/" + known, "list=letter&tag=was-offered", nil, 200, "prefer", nil},
		{"preferences of a list that went", "POST /newsletter/preferences/" + known, "list=gone&period=immediate", nil, 200, "prefer", nil},
		{"preferences, bad zone", "POST /newsletter/preferences/" + known, "list=letter&zone=x&lang=en", nil, 400, "", []string{"no time zone", `name="list" value="letter"`, "Your choices for"}},
		{"preferences, hostile", "POST /newsletter/preferences/" + known, with(url.Values{"list": {hostile}, "zone": {hostile}, "period": {hostile}}, "tag", hostile), nil, 400, "", nil},
		{"preferences, an endless tag", "POST /newsletter/preferences/" + known, with(full(), "tag", strings.Repeat("a", 300)), nil, 400, "", nil},
		{"preferences from another site", "POST /newsletter/preferences/" + known, "list=letter", []string{"Sec-Fetch-Site", "cross-site"}, 403, "", nil},

		{"unsubscribe", "GET /newsletter/unsubscribe/" + known, "", []string{"Accept-Language", "de-AT"}, 200, "", []string{">Abbestellen</button>", "noindex", "-" + known}},
		{"unsubscribe, pressed", "POST /newsletter/unsubscribe/" + known, "lang=en", nil, 200, "unsubscribe", []string{"You are unsubscribed", "-" + known}},
		{"unsubscribe from another site", "POST /newsletter/unsubscribe/" + known, "", []string{"Sec-Fetch-Site", "cross-site"}, 403, "", nil},
		{"one click", "POST /newsletter/one-click/" + known, "List-Unsubscribe=One-Click", nil, 200, "unsubscribe", []string{"You are unsubscribed"}},
		{"one click of a web mailer", "POST /newsletter/one-click/" + known, "List-Unsubscribe=One-Click", []string{"Origin", "https://mail.example", "Sec-Fetch-Site", "cross-site"}, 200, "unsubscribe", nil},
		{"one click in parts", "POST /newsletter/one-click/" + known, "--b\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--b--\r\n", []string{"Content-Type", "multipart/form-data; boundary=b"}, 200, "unsubscribe", nil},
		{"one click in parts that are none", "POST /newsletter/one-click/" + known, "--b\r\nCont", []string{"Content-Type", "multipart/form-data; boundary=b"}, 400, "", nil},
		{"one click in parts without a boundary", "POST /newsletter/one-click/" + known, "--b", []string{"Content-Type", "multipart/form-data"}, 400, "", nil},
		{"one click that says something else", "POST /newsletter/one-click/" + known, "List-Unsubscribe=Two-Click", nil, 400, "", []string{"RFC 8058"}},
		{"one click, empty", "POST /newsletter/one-click/" + known, "", nil, 400, "", nil},
		{"one click, too long", "POST /newsletter/one-click/" + known, "List-Unsubscribe=One-Click&x=" + strings.Repeat("a", maxForm), nil, 413, "", nil},
		{"one click, opened", "GET /newsletter/one-click/" + known, "", nil, 200, "", []string{`action="../unsubscribe/` + known + `?lang=en"`, ">Unsubscribe</button>"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			method, path, _ := strings.Cut(c.request, " ")
			contentType := ""
			if method == "POST" {
				contentType = urlType
			}
			a := d.send(method, path, contentType, c.body, c.header...)
			if a.Status != c.status {
				t.Errorf("status %d, want %d: %s", a.Status, c.status, a.Body)
			}
			var left strings.Builder
			for _, r := range d.left {
				left.WriteString(r.Mode)
			}
			if left.String() != c.left {
				t.Errorf("left %q, want %q", left.String(), c.left)
			}
			sound(t, a)
			for _, w := range c.want {
				part, not := strings.CutPrefix(w, "-")
				if strings.Contains(string(a.Body), part) == not {
					t.Errorf("want %q in\n%s", w, a.Body)
				}
			}
		})
	}
}

// sound checks what holds for every answer.
func sound(t *testing.T, a *Answer) {
	t.Helper()
	for name, want := range map[string]string{"Cache-Control": "no-store", "Content-Security-Policy": page.Policy, "Set-Cookie": "", "Location": "", "Access-Control-Allow-Origin": ""} {
		if got := a.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	wait := a.Status == http.StatusServiceUnavailable || a.Status == http.StatusTooManyRequests
	if (a.Header.Get("Retry-After") != "") != wait || (a.Header.Get("Allow") != "") != (a.Status == http.StatusMethodNotAllowed || a.Status == http.StatusNoContent) {
		t.Errorf("%d with %v", a.Status, a.Header)
	}
	if policy := a.Header.Get("Referrer-Policy"); policy != "no-referrer" && !(policy == "same-origin" && a.Kind == "subscribe") {
		t.Errorf("%s: Referrer-Policy is %q", a.Kind, policy)
	}
	body := string(a.Body)
	if listed := a.Header.Get("X-Robots-Tag") != "noindex"; listed != (a.Kind == "subscribe" && a.Status == http.StatusOK && strings.Contains(body, "<form")) {
		t.Errorf("%s with %d: search engines may list it: %v", a.Kind, a.Status, listed)
	}
	if a.Status != http.StatusNoContent && !(strings.HasPrefix(body, "<!doctype html>") && strings.HasSuffix(body, "</html>\n") && strings.Contains(body, "<title>")) {
		t.Errorf("no page: %s", body)
	}
	for _, bad := range []string{"<script", "javascript:", "style=", "%!", "ZgotmplZ", "<no value>"} {
		if strings.Contains(body, bad) {
			t.Errorf("the page holds %s:\n%s", bad, body)
		}
	}
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
