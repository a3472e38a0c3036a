package app

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"tidings.internal/pkg/config"
)

func TestConfigurationReportsEveryProblemAtItsPlace(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(filepath.Join("testdata", "wrong.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	doc := config.New("wrong.yaml", data, nil)
	Check(doc)
	if doc.Err() == nil {
		t.Fatal("no problem was found")
	}
	golden(t, "wrong", fmt.Sprintln(doc.Err()))
}

func TestExampleIsTheTruthAboutTheSection(t *testing.T) {
	t.Parallel()
	doc := config.New("example.yaml", []byte(example), nil)
	s := Settings{}
	doc.Section("deliver", &s)
	if err := doc.Err(); err != nil {
		t.Fatal(err)
	}
	s.Readers = Readers{} // a key has no default, and an empty one is none
	if diff := cmp.Diff(DefaultSettings(), s, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("the example does not state the defaults (-defaults +example):\n%s", diff)
	}
}

func TestChannelsThatOnlyEmitNeedNoCredentials(t *testing.T) {
	t.Parallel()
	doc := config.New("tidings.yaml", []byte("channels:\n  - {id: a, network: mastodon, emit: only}\n  - {id: b, network: webhook, url: \"https://example.org/\", content: summary}\n"), nil)
	s := read(doc)
	if err := doc.Err(); err != nil {
		t.Fatal(err)
	}
	if len(s.channels) != 1 || s.channels[0].ID != "b" {
		t.Errorf("channels %+v", s.channels)
	}
}

func TestNetworksAreNamedOnce(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, n := range networks() {
		if n.Name == "" || seen[n.Name] || n.Open == nil || n.Settings == nil || !strings.Contains(n.Example, "network: "+n.Name+"\n") {
			t.Errorf("network %q is not whole, or there twice", n.Name)
		}
		seen[n.Name] = true
	}
}

func TestListsSayWhatTheyLack(t *testing.T) {
	t.Parallel()
	problems := func(text string) string {
		doc := config.New("tidings.yaml", []byte(text), nil)
		read(doc)
		return fmt.Sprint(doc.Err())
	}
	const good = `site: {url: "https://news.example.org"}
deliver: {readers: {key: a-key-of-the-tests-that-is-long-enough}}
channels:
  - {id: letter, network: list, title: Letter, from: News <news@example.org>, smtp: {host: mail.example.org}}
`
	if got := problems(good); got != "<nil>" {
		t.Fatal(got)
	}
	for _, c := range []struct{ old, with, want string }{
		{"from: News <news@example.org>, ", "", "tidings.yaml:4:5: channels[0].from: is missing"},
		{"News <news@example.org>", "News", "tidings.yaml:4:54: channels[0].from: is no mailbox"},
		{"host: mail.example.org", "port: 25", "channels[0].smtp.host: is missing"},
		{"host: mail.example.org", "host: mail.example.org, tls: none", "channels[0].smtp.tls: none is for a server on this machine"},
		{"host: mail.example.org", "host: mail.example.org, username: me", "channels[0].smtp.password: is missing"},
		{"smtp:", "dkim: {domain: example.org, selector: a, key: none}, smtp:", "channels[0].dkim.key: DKIM key of a: it is not in PEM"},
		{"host: mail.example.org", "host: localhost, tls: none", "channels[0].smtp.tls: none is for a server on this machine, which is reached with allow_private"},
		{"host: mail.example.org", "host: localhost, tls: none}, allow_private: true, dkim: {", "<nil>"},
		{"news@example.org", "news@bücher.example", "<nil>"},
		{"news@example.org", "news@-.example", "channels[0].from: "},
		{"smtp:", "bounces: {domain: example.org}, smtp:", "channels[0].bounces.host: is missing"},
		{"https://", "http://", "tidings.yaml:4:27: channels[0].network: list needs https"},
		{"{readers: {key: a-key-of-the-tests-that-is-long-enough}}", "{}", "deliver.readers.key: is missing, and a list is sent"},
		{"a-key-of-the-tests-that-is-long-enough", "short", "tidings.yaml:2:26: deliver.readers.key: has 5 characters; 32 are needed"},
		{"title: Letter, from: News <news@example.org>, smtp: {host: mail.example.org}", "emit: only", "<nil>"},
	} {
		if got := problems(strings.Replace(good, c.old, c.with, 1)); !strings.Contains(got, c.want) {
			t.Errorf("with %q: %s; want %q", c.with, got, c.want)
		}
	}
	box := "bounces: {domain: back.example.org, host: mail.example.org, username: b, password: secret}"
	shared := strings.Replace(good, "smtp:", box+", smtp:", 1)
	second := strings.Replace(strings.Split(shared, "\n")[3], "id: letter", "id: other", 1) + "\n"
	if got := problems(shared + second); got != "<nil>" {
		t.Errorf("two lists with one mailbox: %s", got)
	}
	if got := problems(shared + strings.Replace(second, "back.", "elsewhere.", 1)); !strings.Contains(got, "channels[0].bounces.domain: is not elsewhere.example.org, that of list other") &&
		!strings.Contains(got, "channels[1].bounces.domain: is not back.example.org, that of list letter") {
		t.Errorf("one mailbox of two domains: %s", got)
	}
}
