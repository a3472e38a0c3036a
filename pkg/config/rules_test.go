package config_test

import (
	"strings"
	"testing"
	"time"

	"tidings.internal/pkg/config"
)

func TestSizesReadWhatTheyWrite(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]config.Size{
		"0": 0, "7": 7, "1KB": 1 << 10, "512MB": 512 << 20, "10GB": 10 << 30, "1 TiB": 1 << 40, "2k": 0, "1_000B": 1000, "20G": 20 << 30,
	} {
		var s config.Size
		err := s.UnmarshalText([]byte(text))
		if text == "2k" {
			text, want = "2048", 2048
			err = s.UnmarshalText([]byte("2k"))
		}
		if err != nil || s != want {
			t.Errorf("%s is read as %d, %v, want %d", text, s, err, want)
		}
		var again config.Size
		if err := again.UnmarshalText([]byte(s.String())); err != nil || again != s {
			t.Errorf("%d is written as %s and read as %d, %v", s, s, again, err)
		}
	}
	for _, text := range []string{"", "GB", "-1", "1.5GB", "1 XB", "9000000TB", "1GBGB", "1e9", "0x10", "1 0"} {
		var s config.Size
		if err := s.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is read as %s", text, s)
		}
	}
}

func TestApprovalReadsWhatItWrites(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]config.Approve{
		"auto": {Mode: "auto"}, "manual": {Mode: "manual"}, "hold 10m": {Mode: "hold", Hold: 10 * time.Minute},
		"hold 1h30m": {Mode: "hold", Hold: 90 * time.Minute}, " auto ": {Mode: "auto"},
	} {
		var a, again config.Approve
		if err := a.UnmarshalText([]byte(text)); err != nil || a != want {
			t.Errorf("%q is read as %+v, %v", text, a, err)
		}
		written, err := a.MarshalText()
		if err != nil || again.UnmarshalText(written) != nil || again != a {
			t.Errorf("%+v is written as %q, %v, and read as %+v", a, written, err, again)
		}
	}
	for _, text := range []string{"", "hold", "hold 10", "hold -1m", "hold 0s", "auto 10m", "manual x", "yes"} {
		var a config.Approve
		if err := a.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is read as %+v", text, a)
		}
	}
}

func TestSyncIsAlwaysOrAnInterval(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct {
		always   bool
		interval time.Duration
	}{"always": {true, 0}, "default": {false, 0}, "10s": {false, 10 * time.Second}} {
		n := config.DefaultNATS()
		n.Sync = text
		if always, interval := n.SyncInterval(); always != want.always || interval != want.interval {
			t.Errorf("%s means %v, %v", text, always, interval)
		}
	}
}

func TestTheSiteIsKnownByItsHost(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"site: {url: 'https://news.example.org:8443/x'}":        "news.example.org",
		"site: {url: 'https://news.example.org', id: old.host}": "old.host",
		"site: {title: x}": "",
		"site: {url: 'https://[2001:db8::1]/', language: de-CH}": "2001:db8::1",
	} {
		doc := config.New("tidings.yaml", []byte(text), nil)
		site := config.DefaultSite()
		doc.Section("site", &site)
		if doc.Err() != nil || site.ID != want {
			t.Errorf("%s: id %q, %v; want %q", text, site.ID, doc.Err(), want)
		}
	}
}

func TestFiltersAreTakenApart(t *testing.T) {
	t.Parallel()
	r, err := config.ParseRule("title ~ (?i)advert ~ x")
	if err != nil || r.Field != "title" || !r.Pattern.MatchString("An ADVERT ~ x") {
		t.Errorf("%+v, %v", r, err)
	}
}

// The rules are asked by every service, so the good values are held here and the bad ones in the golden files.
func TestGoodValuesPass(t *testing.T) {
	t.Parallel()
	doc := config.New("tidings.yaml", []byte("publish: {}\n"), nil)
	at := doc.At("publish")
	good := []bool{at.Name("a"), at.Name("0-b_c"), at.Name("aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeee"),
		at.OneOf("b", "a", "b"), at.URL("http://127.0.0.1:8080/x?y"), at.URL("https://bücher.example/"), at.URL("nats://h:4222", "nats"),
		at.Listen(":0"), at.Listen("127.0.0.1:65535"), at.Listen("[::1]:80"), at.Between(time.Second, time.Second, time.Second),
		at.Language("de"), at.Language("zh-Hant-TW"), at.Language("es-419"), at.Language("de-1996")}
	for i, ok := range good {
		if !ok {
			t.Errorf("value %d is refused", i)
		}
	}
	if got := at.Key("x").Index(2).Key("y z").String(); got != `publish.x[2]."y z"` {
		t.Errorf("a place is shown as %s", got)
	}
	if doc.Err() != nil {
		t.Errorf("problems of good values:\n%v", doc.Err())
	}
	bad := []bool{at.Name("aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeef"), at.Name("-a"), at.Name("ä"), at.Name("a.b"), at.URL(""),
		at.URL("/x"), at.URL("https://a b/"), at.URL("https://"), at.Listen("localhost"), at.Listen("x:http"), at.Listen("1:2:3"),
		at.Language("deutsch"), at.Language("de_DE"), at.Language("")}
	for i, ok := range bad {
		if ok {
			t.Errorf("bad value %d passes", i)
		}
	}
	if n := len(problems(doc)); n != len(bad) {
		t.Errorf("%d problems of %d bad values:\n%v", n, len(bad), doc.Err())
	}
}

func TestTheAddressOfACollectorIsTheAddressAlone(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"": "", "http://collector:4318": "", "HTTPS://collector/otlp": "",
		"http://me:secret@collector:4318": "a collector that wants a login cannot be used",
		"http://me@collector:4318%":       "a collector that wants a login cannot be used",
		"http://collector:4318/?key=1":    "holds a query or a fragment",
		"collector:4318":                  "is not an address such as",
	} {
		doc := config.New("tidings.yaml", []byte("tracing: {otlp: '"+address+"'}\n"), nil)
		tracing := config.DefaultTracing()
		doc.Section("tracing", &tracing)
		err := doc.Err()
		if want == "" && err == nil {
			continue
		}
		if err == nil || want == "" || !strings.Contains(err.Error(), want) || len(problems(doc)) != 1 || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v, want %q", address, err, want)
		}
	}
}
