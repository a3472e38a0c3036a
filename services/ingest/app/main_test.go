package app

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tidings.internal/pkg/config"
	"tidings.internal/pkg/origintest"
	"tidings.internal/services/ingest/internal/cause"
)

func TestParseReadsFilesAndSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := file("good.xml", "<rss><channel><title>Nachrichten</title><item><title>Gr\xf6\xdfe</title><link>/a?utm_source=x</link></item></channel></rss>")
	bad := file("bad.html", "<!DOCTYPE html><html></html>")
	for _, c := range []struct {
		name string
		args []string
		code int
		want []string
	}{
		{"all good", []string{"--url", "https://example.org/feed", good, "--header", "Content-Type: text/xml; charset=iso-8859-1"}, 0,
			[]string{`"title": "Größe"`, `"url": "https://example.org/a"`, `"link": "https://example.org/a?utm_source=x"`, `"encoding": "windows-1252"`}},
		{"none", []string{bad}, 1, []string{`"reason": "not_a_feed"`, `"sentence": "the address answers with something that is not a feed"`}},
		{"some", []string{bad, good}, 4, []string{`"reason": "not_a_feed"`, `"title": "Nachrichten"`}},
		{"no such file", []string{filepath.Join(dir, "missing")}, 1, []string{`"error": "read document: open `}},
		{"help", []string{"--help"}, 0, []string{"Usage: ingest parse"}},
		{"no file", nil, 2, nil},
		{"bad flag", []string{"--nope", good}, 2, nil},
		{"bad header", []string{"--header", "nonsense", good}, 2, nil},
	} {
		var out, errs strings.Builder
		if code := parseCommand(c.args, &out, &errs); code != c.code {
			t.Errorf("%s: code %d, want %d\n%s%s", c.name, code, c.code, &out, &errs)
		}
		for _, text := range c.want {
			if !strings.Contains(out.String(), text) {
				t.Errorf("%s: %s is missing in\n%s", c.name, text, &out)
			}
		}
		if c.code == 2 && !strings.Contains(errs.String(), "Usage") {
			t.Errorf("%s: no usage in %q", c.name, &errs)
		}
		for dec := json.NewDecoder(strings.NewReader(out.String())); c.code != 2 && c.name != "help"; {
			var one look
			if err := dec.Decode(&one); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
		}
	}
}

func TestSourceIsTestedWithoutABroker(t *testing.T) {
	t.Parallel()
	o := origintest.New(t)
	f := o.Feed("news").Add(news("1", "Eins"))
	o.Script("/gone", origintest.Status(410).Always())
	doc := func() *config.Doc {
		return config.New("t.yaml", []byte("ingest: {allow_networks: [127.0.0.0/8]}\nsources: [{id: mine, url: \""+f.URL(origintest.JSON)+"\", http: {user_agent: Mine/1}}]\n"), nil)
	}
	var out strings.Builder
	if err := TestSource(t.Context(), doc(), f.URL(origintest.Atom), &out); err != nil || !strings.Contains(out.String(), `"title": "Eins"`) || !strings.Contains(out.String(), `"interval": "30m0s"`) {
		t.Errorf("%v: %s", err, &out)
	}
	out.Reset()
	if err := TestSource(t.Context(), doc(), "mine", &out); err != nil || !strings.Contains(out.String(), `"format": "json"`) {
		t.Errorf("%v: %s", err, &out)
	}
	if got := o.Requests("/news.json")[0].Header.Get("User-Agent"); got != "Mine/1" {
		t.Errorf("user agent %q", got)
	}
	out.Reset()
	if err := TestSource(t.Context(), doc(), o.URL("/gone"), &out); cause.Of(err) != "http_gone" || !strings.Contains(out.String(), `"reason": "http_gone"`) {
		t.Errorf("%v: %s", err, &out)
	}
	out.Reset()
	if err := TestSource(t.Context(), doc(), "no-such-thing", &out); err == nil || !strings.Contains(out.String(), "there is no file") {
		t.Errorf("%v: %s", err, &out)
	}
}
