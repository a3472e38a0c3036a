package newsletter

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"tidings.internal/services/publish/internal/page"
)

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
		{"a period that is not offered", "POST /newsletter/once", with(full(), "period", "daily"), nil, 400, "", []string{"<li>Choose how often", "-#period"}},
		{"a mistake in what the form does not show", "POST /newsletter/once", "address=reader%40example.org&zone=x&hour=99", nil, 400, "", []string{"no time zone", "-#zone", "-#hour", "-#weekday"}},
		{"a mistake in what the form shows", "POST /newsletter/letter", with(full(), "zone", "x"), nil, 400, "", []string{`<a href="#zone">`, `id="zone"`}},
		{"source that is not offered", "POST /newsletter/letter", with(full(), "source", "secret"), nil, 400, "", []string{`<a href="#source">`, `id="source"`, "-#tag"}},
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
		{"confirm with an escaped slash", "GET /newsletter/confirm%2F" + known, "", nil, 200, "", []string{">Confirm</button>", `href="../style.css"`, `-href="../../`}},
		{"preferences with an escaped slash", "GET /newsletter/preferences%2F" + known, "", nil, 200, "", []string{`href="../newsletter/unsubscribe/` + known}},
		{"confirm, pressed", "POST /newsletter/confirm/" + known, "lang=de", nil, 200, "confirm", []string{"Vielen Dank", "-" + known}},
		{"confirm from a page on http", "POST /newsletter/confirm/" + known, "lang=de", []string{"Origin", "null"}, 200, "confirm", nil},
		{"confirm from another site", "POST /newsletter/confirm/" + known, "", []string{"Origin", "https://evil.example"}, 403, "", nil},
		{"confirm from a box of another site", "POST /newsletter/confirm/" + known, "", []string{"Origin", "null", "Sec-Fetch-Site", "cross-site"}, 403, "", nil},
		{"confirm with no token of ours", "GET /newsletter/confirm/a.b", "", nil, 404, "", []string{"not one of ours"}},
		{"confirm without a token", "GET /newsletter/confirm/", "", nil, 404, "", nil},
		{"confirm with a token that is too long", "POST /newsletter/confirm/" + strings.Repeat("a", 257), "", nil, 404, "", nil},
		{"confirm, deleted", "DELETE /newsletter/confirm/" + known, "", nil, 405, "", nil},

		{"preferences", "GET /newsletter/preferences/" + known, "", []string{"Accept-Language", "en"}, 200, "", []string{`<html lang="de">`, "r***@example.org", `value="weekly" required checked`, `<option value="3" selected>Mittwoch`, `<option value="18" selected>`, `value="Asia/Tokyo"`, `value="recht" checked`, `value="was-offered" checked`, `value="crm"> `, `href="../../newsletter/unsubscribe/` + known + `?lang=de"`, "-name=\"address\"", "noindex"}},
		{"preferences in another language", "GET /newsletter/preferences/" + known + "?lang=en", "", nil, 200, "", []string{`<html lang="en">`, "Your choices for “Der Brief”"}},
		{"preferences of a reader without a time", "GET /newsletter/preferences/" + atOnce, "", nil, 200, "", []string{`value="immediate" required checked`, `<option value="7" selected>`, `value="Europe/Berlin"`, `<option value="1" selected>Montag`}},
		{"preferences of nobody", "GET /newsletter/preferences/" + nobodys, "", nil, 404, "", []string{"not one of ours", "-" + nobodys}},
		{"preferences without deliver", "GET /newsletter/preferences/" + absent, "", nil, 503, "", []string{"cannot be shown", `href="../../newsletter/unsubscribe/` + absent + `?lang=en"`}},
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
		{"one click, opened", "GET /newsletter/one-click/" + known, "", nil, 200, "", []string{`action="../../newsletter/unsubscribe/` + known + `?lang=en"`, ">Unsubscribe</button>"}},
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
