package discord

import (
	"encoding/json"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/services/publish/internal/compose/composetest"
)

func TestConform(t *testing.T) {
	t.Parallel()
	composetest.Conform(t, Network)
}

var escaped = regexp.MustCompile(`\\([^A-Za-z0-9\s])`)

// Read as Discord reads it, the content is the text that was fitted, and its length as sent is what was counted.
func TestContentIsTheTextEscaped(t *testing.T) {
	t.Parallel()
	channel, rng := composetest.Channel(t, Network, nil), rand.New(rand.NewPCG(3, 4))
	pieces := []string{"**", "_", "~~", "`", "||", "> ", "# ", "- ", "[x](y)", "<@1>", "@everyone", "\\", "Wort ", "👩‍🚀", "\n", ":smile:"}
	for range 2000 {
		a := composetest.Articles()["german"]
		a.URL = "https://blog.example.org/a_b*c~d"
		a.Title, a.Summary = "", ""
		for range 1 + rng.IntN(300) {
			a.Title += pieces[rng.IntN(len(pieces))]
			a.Summary += pieces[rng.IntN(len(pieces))]
		}
		p := composetest.Post(t, channel, a, event.ActionCreate)
		var m message
		if err := json.Unmarshal(p.Request.Body, &m); err != nil {
			t.Fatal(err)
		}
		if n := utf8.RuneCountInString(m.Content); n != p.Count.Used || n > limit {
			t.Fatalf("%d characters are sent, count %+v", n, p.Count)
		}
		if !strings.Contains(m.Content, a.URL) {
			t.Fatalf("the link is not whole in %q", m.Content)
		}
		if got := escaped.ReplaceAllString(strings.ReplaceAll(m.Content, a.URL, "LINK"), "$1"); got != strings.ReplaceAll(p.Text, a.URL, "LINK") {
			t.Fatalf("the content %q is not the text %q", m.Content, p.Text)
		}
	}
}

func TestNobodyIsCalled(t *testing.T) {
	t.Parallel()
	channel := composetest.Channel(t, Network, func(c *config.Channel) {
		c.Settings = &Settings{Username: "Nachrichten"}
		c.Template = "{{.Title}} {{.URL}}"
	})
	a := composetest.Articles()["english"]
	a.Title = "@everyone read <@42>"
	p := composetest.Post(t, channel, a, event.ActionCreate)
	want := `{"content":"\\@everyone read \\<\\@42\\> https://blog.example.org/english","username":"Nachrichten","flags":4,"allowed_mentions":{"parse":[]}}`
	if string(p.Request.Body) != want {
		t.Errorf("body %s\nwant %s", p.Request.Body, want)
	}
}

func TestNamesThatDiscordRefuses(t *testing.T) {
	t.Parallel()
	for _, name := range []string{strings.Repeat("ü", 81), "Discord News", "clyde"} {
		doc := config.New("x.yaml", []byte("username: x"), nil)
		(&Settings{Username: name}).Check(doc.At())
		if doc.Err() == nil {
			t.Errorf("%q is taken", name)
		}
	}
}
