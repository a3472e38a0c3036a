package hub

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/services/publish/internal/feed"
)

var now = time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC)

const topic = "https://news.example.org/feeds/all.rss"

func front(t testing.TB, leave func(context.Context, event.HubRequest) error) *Front {
	t.Helper()
	var list []*feed.Feed
	for _, id := range []string{"all", "mine"} {
		var c feed.Config
		c.SetDefaults()
		if c.ID = id; id == "mine" {
			_, sum := feed.NewToken()
			c.Private, c.Tokens = true, []feed.Token{{Name: "anna", SHA256: sum}}
		}
		f, err := feed.New(c, config.Site{Title: "News"}, "https://news.example.org")
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, f)
	}
	return New(list, leave, func() time.Time { return now })
}

func post(f *Front, contentType, body string) (int, string) {
	r := httptest.NewRequest(http.MethodPost, Path, strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	return f.Take(r)
}

const form = "application/x-www-form-urlencoded"

func TestRequestsAreTakenOrRefusedWithAReason(t *testing.T) {
	t.Parallel()
	good := url.Values{"hub.mode": {"subscribe"}, "hub.topic": {topic}, "hub.callback": {"https://site.example/cb?a=b"}}
	for name, c := range map[string]struct {
		change func(url.Values)
		status int
		text   string
		want   *event.HubRequest
	}{
		"subscribe":   {nil, 202, "asks the callback", &event.HubRequest{Mode: "subscribe"}},
		"unsubscribe": {func(v url.Values) { v.Set("hub.mode", "unsubscribe") }, 202, "", &event.HubRequest{Mode: "unsubscribe"}},
		"secret and lease": {func(v url.Values) {
			v.Set("hub.secret", strings.Repeat("s", 199))
			v.Set("hub.lease_seconds", "864000")
		}, 202, "", &event.HubRequest{Mode: "subscribe", Secret: event.Hidden(strings.Repeat("s", 199)), Lease: 864000}},
		"a lease of ages": {func(v url.Values) { v.Set("hub.lease_seconds", strings.Repeat("9", 30)) }, 202, "", &event.HubRequest{Mode: "subscribe", Lease: maxLease}},
		"alias of topic":  {func(v url.Values) { v.Del("hub.topic"); v.Set("hub.url", topic) }, 202, "", &event.HubRequest{Mode: "subscribe"}},
		"old and unknown": {func(v url.Values) { v["hub.verify"] = []string{"sync", "async"}; v.Set("hub.other", "x") }, 202, "", &event.HubRequest{Mode: "subscribe"}},

		"publish":            {func(v url.Values) { v.Set("hub.mode", "publish") }, 400, "sees by itself", nil},
		"no mode":            {func(v url.Values) { v.Del("hub.mode") }, 400, "hub.mode", nil},
		"twice a topic":      {func(v url.Values) { v.Add("hub.topic", topic) }, 400, "hub.topic is given more than once", nil},
		"no topic":           {func(v url.Values) { v.Del("hub.topic") }, 400, "hub.topic is missing", nil},
		"topic of others":    {func(v url.Values) { v.Set("hub.topic", "https://other.example/feed") }, 404, "rel=self", nil},
		"topic that differs": {func(v url.Values) { v.Set("hub.topic", topic+"?") }, 404, "rel=self", nil},
		"private topic":      {func(v url.Values) { v.Set("hub.topic", "https://news.example.org/feeds/mine.rss") }, 404, "rel=self", nil},
		"no callback":        {func(v url.Values) { v.Del("hub.callback") }, 400, "hub.callback is missing", nil},
		"callback of ftp":    {func(v url.Values) { v.Set("hub.callback", "ftp://site.example/") }, 400, "http or https", nil},
		"long callback":      {func(v url.Values) { v.Set("hub.callback", "https://site.example/"+strings.Repeat("a", 2048)) }, 400, "2048", nil},
		"callback with user": {func(v url.Values) { v.Set("hub.callback", "https://a:b@site.example/") }, 400, "password", nil},
		"callback and hash":  {func(v url.Values) { v.Set("hub.callback", "https://site.example/#x") }, 400, "fragment", nil},
		"empty secret":       {func(v url.Values) { v.Set("hub.secret", "") }, 400, "hub.secret is empty", nil},
		"long secret":        {func(v url.Values) { v.Set("hub.secret", strings.Repeat("s", 200)) }, 400, "hub.secret", nil},
		"lease with a sign":  {func(v url.Values) { v.Set("hub.lease_seconds", "-5") }, 400, "hub.lease_seconds", nil},
		"lease in words":     {func(v url.Values) { v.Set("hub.lease_seconds", "1e3") }, 400, "hub.lease_seconds", nil},
	} {
		var left []event.HubRequest
		f := front(t, func(_ context.Context, r event.HubRequest) error { left = append(left, r); return nil })
		v := url.Values{}
		for k, list := range good {
			v[k] = append([]string(nil), list...)
		}
		if c.change != nil {
			c.change(v)
		}
		status, text := post(f, form+"; charset=utf-8", v.Encode())
		if status != c.status || !strings.Contains(text, c.text) || strings.Contains(text, "site.example") || strings.Contains(text, "sss") {
			t.Errorf("%s: %d %s", name, status, text)
		}
		var want []event.HubRequest
		if c.want != nil {
			w := *c.want
			w.Time, w.Feed, w.Topic, w.Callback = now, "all", topic, "https://site.example/cb?a=b"
			want = append(want, w)
		}
		for i := range left {
			if len(left[i].ID) < 20 {
				t.Errorf("%s: the id is %q", name, left[i].ID)
			}
			left[i].ID = ""
		}
		if diff := cmp.Diff(want, left); diff != "" {
			t.Errorf("%s (-want +left):\n%s", name, diff)
		}
	}
}

func TestWhatIsNoFormIsRefused(t *testing.T) {
	t.Parallel()
	f := front(t, func(context.Context, event.HubRequest) error { t.Error("it was taken"); return nil })
	for name, c := range map[string]struct {
		contentType, body string
		status            int
	}{
		"JSON":        {"application/json", `{"hub.mode":"subscribe"}`, 415},
		"no type":     {"", "hub.mode=subscribe", 415},
		"too long":    {form, "hub.mode=" + strings.Repeat("a", maxBody), 413},
		"bad escapes": {form, "hub.mode=%zz", 400},
		"semicolons":  {form, "hub.mode=subscribe;hub.topic=x", 400},
	} {
		if status, text := post(f, c.contentType, c.body); status != c.status || text == "" {
			t.Errorf("%s: %d %s", name, status, text)
		}
	}
}

func TestWhatCannotBeStoredIsNotPromised(t *testing.T) {
	t.Parallel()
	f := front(t, func(context.Context, event.HubRequest) error { return errors.New("the broker is away") })
	v := url.Values{"hub.mode": {"subscribe"}, "hub.topic": {topic}, "hub.callback": {"https://site.example/cb"}}
	if status, text := post(f, form, v.Encode()); status != 503 || strings.Contains(text, "broker") {
		t.Errorf("%d %s", status, text)
	}
}

func FuzzTake(f *testing.F) {
	f.Add("hub.mode=subscribe&hub.topic=" + url.QueryEscape(topic) + "&hub.callback=https://site.example/&hub.lease_seconds=1&hub.secret=x")
	f.Add("hub.mode=unsubscribe&hub.callback=%00")
	f.Add("hub.mode=publish&hub.url=x")
	f.Fuzz(func(t *testing.T, body string) {
		hub := front(t, func(_ context.Context, r event.HubRequest) error {
			if err := r.Check(); err != nil || r.Feed == "" || r.Topic != topic {
				t.Errorf("left %+v, %v", r, err)
			}
			return nil
		})
		if status, text := post(hub, form, body); status != 202 && status/100 != 4 || text == "" {
			t.Errorf("%d %s", status, text)
		}
	})
}
