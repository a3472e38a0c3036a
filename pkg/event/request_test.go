package event_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
)

func TestHubRequestsAreCheckedByTheirForm(t *testing.T) {
	t.Parallel()
	good := event.HubRequest{ID: "1", Mode: event.ModeSubscribe, Feed: "all", Topic: "https://news.example.org/feeds/all.rss", Callback: "https://site.example/cb?x=1&y=%C3%A4", Secret: event.Hidden(strings.Repeat("s", 199))}
	if err := good.Check(); err != nil {
		t.Errorf("a good one: %v", err)
	}
	for want, spoil := range map[string]func(*event.HubRequest){
		"hub.mode is neither":                       func(r *event.HubRequest) { r.Mode = "publish" },
		"hub.topic is missing":                      func(r *event.HubRequest) { r.Topic = "" },
		"hub.topic is missing or longer":            func(r *event.HubRequest) { r.Topic = "https://x/" + strings.Repeat("a", 2048) },
		"hub.secret is longer than 199":             func(r *event.HubRequest) { r.Secret += "s" },
		"hub.lease_seconds is negative":             func(r *event.HubRequest) { r.Lease = -1 },
		"hub.callback is missing":                   func(r *event.HubRequest) { r.Callback = "" },
		"hub.callback is longer":                    func(r *event.HubRequest) { r.Callback = "https://x/" + strings.Repeat("a", 2048) },
		"must have encoded":                         func(r *event.HubRequest) { r.Callback = "https://site.example/ä" },
		"hub.callback holds characters":             func(r *event.HubRequest) { r.Callback = "https://site.example/\r\nHost: x" },
		"has a fragment":                            func(r *event.HubRequest) { r.Callback = "https://site.example/#a" },
		"no absolute http or https address":         func(r *event.HubRequest) { r.Callback = "ftp://site.example/" },
		"hub.callback is no absolute http or https": func(r *event.HubRequest) { r.Callback = "https://:80/" },
		"hub.callback is no absolute":               func(r *event.HubRequest) { r.Callback = "/cb" },
		"a user name or a password":                 func(r *event.HubRequest) { r.Callback = "https://user@site.example/" },
	} {
		r := good
		spoil(&r)
		if err := r.Check(); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: got %v", want, err)
		}
	}
	if text := fmt.Sprintf("%v %+v %s", good, good, good); strings.Contains(text, "sss") || strings.Contains(text, "site.example") {
		t.Errorf("a request shows its secret or its callback: %s", text)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "secret", good.Secret, "inside", []any{good.Secret})
	if text := fmt.Sprintf("%#v %q %v", good, good.Secret, []any{&good.Secret, struct{ S event.Hidden }{good.Secret}}) + log.String(); strings.Contains(text, "sss") {
		t.Errorf("a secret is shown: %s", text)
	}
	stored, err := json.Marshal(good)
	var again event.HubRequest
	if err != nil || json.Unmarshal(stored, &again) != nil || again != good {
		t.Errorf("what is stored is not what was asked for: %v", err)
	}
}
