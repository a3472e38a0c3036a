package event_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
)

func TestReaderRequestsAreCheckedByTheirForm(t *testing.T) {
	t.Parallel()
	wish := func() *event.Wishes {
		return &event.Wishes{Period: event.Weekly, Weekday: 1, Hour: 7, Zone: "Europe/Berlin", Tags: []string{"crm"}, Sources: []string{"blog"}}
	}
	subscribe := event.ReaderRequest{ID: "1", Mode: event.ReaderSubscribe, List: "letter", Address: "reader@example.org", Language: "de", Form: "2026-11", Client: "192.0.2.1"}
	token := event.ReaderRequest{ID: "2", Mode: event.ReaderPrefer, Token: "abc-DEF_123"}
	for want, spoil := range map[string]func(s, p *event.ReaderRequest){
		"mode is none":           func(s, _ *event.ReaderRequest) { s.Mode = "join" },
		"list is no id":          func(s, _ *event.ReaderRequest) { s.List = "Letter.*" },
		"address is missing":     func(s, _ *event.ReaderRequest) { s.Address = "" },
		"token is none of ours":  func(_, p *event.ReaderRequest) { p.Token = "../x" },
		"token is none of ours;": func(_, p *event.ReaderRequest) { p.Token = event.Hidden(strings.Repeat("a", 257)) },
		"period is missing":      func(_, p *event.ReaderRequest) { p.Wishes = nil },
		"period is none":         func(s, _ *event.ReaderRequest) { s.Wishes.Period = "hourly" },
		"weekday is not within":  func(s, _ *event.ReaderRequest) { s.Wishes.Weekday = 0 },
		"hour is not within":     func(s, _ *event.ReaderRequest) { s.Wishes.Hour = 24 },
		"zone is no name":        func(s, _ *event.ReaderRequest) { s.Wishes.Zone = strings.Repeat("z", 65) },
		"more than 100 tags":     func(s, _ *event.ReaderRequest) { s.Wishes.Tags = make([]string, 101) },
		"is no id":               func(_, p *event.ReaderRequest) { p.Wishes.Sources = []string{""} },
	} {
		s, p := subscribe, token
		s.Wishes, p.Wishes = wish(), wish()
		if s.Check() != nil || p.Check() != nil {
			t.Fatalf("good ones: %v, %v", s.Check(), p.Check())
		}
		spoil(&s, &p)
		err := s.Check()
		if err == nil {
			err = p.Check()
		}
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: got %v", want, err)
		}
	}
	subscribe.Wishes = wish()
	if text := fmt.Sprintf("%v %+v %#v", subscribe, subscribe.Address, subscribe.Client); strings.Contains(text, "reader@") || strings.Contains(text, "192.") {
		t.Errorf("a request shows its reader: %s", text)
	}
	stored, err := json.Marshal(subscribe)
	var again event.ReaderRequest
	if err != nil || json.Unmarshal(stored, &again) != nil || !reflect.DeepEqual(again, subscribe) {
		t.Errorf("what is stored is not what was asked for: %v", err)
	}
}

func TestOnlyAddressesOfOneMailboxAreTaken(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"a@example.org", "first.last+tag@mail.example.co.uk", "o'neil@example.org", "jürgen@münchen.example", strings.Repeat("a", 64) + "@example.org"} {
		if err := event.CheckAddress(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{
		"", "a", "a@", "@example.org", "a@localhost", "a b@example.org", "a@example.org, b@example.org", "A <a@example.org>", "a@example.org\r\nBcc: b@example.org",
		`"a"@example.org`, "a@[192.0.2.1]", "a@example.org>", "a\x00@example.org", strings.Repeat("a", 65) + "@example.org", strings.Repeat("a@", 130) + "example.org",
		"a..b@example.org", ".a@example.org", "a@-example..org",
	} {
		if err := event.CheckAddress(bad); fault.KindOf(err) != fault.Invalid || len(bad) > 12 && strings.Contains(err.Error(), bad) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
