package telegram

import (
	"encoding/json"
	"html"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf16"

	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/services/publish/internal/compose/composetest"
)

func TestConform(t *testing.T) {
	t.Parallel()
	composetest.Conform(t, Network)
}

func TestLengthCountsUTF16(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{"": 0, "abc": 3, "ä€": 2, "😀": 2, "👨‍👩‍👧‍👦": 11, "<b>&": 4} {
		if got := length(text); got != want || want != len(utf16.Encode([]rune(text))) {
			t.Errorf("length(%q) = %d, want %d", text, got, want)
		}
	}
}

// What the API reads of the markup is the text that was counted, whatever stands in it.
func TestMarkupIsReadAsTheText(t *testing.T) {
	t.Parallel()
	channel, rng := composetest.Channel(t, Network, nil), rand.New(rand.NewPCG(1, 2))
	pieces := []string{"<b>", "&amp;", "&", "<", ">", "]]>", "👩‍🚀", "Wort ", "ß", "@all ", "&#60;", "</a>", "\u202e"}
	for range 2000 {
		a := composetest.Articles()["german"]
		a.Title, a.Summary = "", ""
		for range 1 + rng.IntN(400) {
			a.Title += pieces[rng.IntN(len(pieces))]
			a.Summary += pieces[rng.IntN(len(pieces))]
		}
		p := composetest.Post(t, channel, a, event.ActionCreate)
		var m message
		if err := json.Unmarshal(p.Request.Body, &m); err != nil {
			t.Fatal(err)
		}
		if strings.ContainsAny(m.Text, "<>") || html.UnescapeString(m.Text) != p.Text && !strings.Contains(p.Text, "&") {
			t.Fatalf("the markup %q is not the text %q", m.Text, p.Text)
		}
		if p.Count.Used != length(p.Text) || p.Count.Used > limit {
			t.Fatalf("count %+v of %d", p.Count, length(p.Text))
		}
	}
}

func TestCardAndSound(t *testing.T) {
	t.Parallel()
	channel := composetest.Channel(t, Network, func(c *config.Channel) {
		c.Settings = &Settings{Chat: "-1001234567890", Thread: 7, Silent: true}
		c.Template = "{{.Title}} {{.URL}}"
	})
	p := composetest.Post(t, channel, composetest.Articles()["english"], event.ActionCreate)
	want := `{"chat_id":"-1001234567890","message_thread_id":7,"text":"The customer is king https://blog.example.org/english","parse_mode":"HTML","link_preview_options":{"is_disabled":true},"disable_notification":true}`
	if string(p.Request.Body) != want {
		t.Errorf("body %s\nwant %s", p.Request.Body, want)
	}
}

func TestChatsThatAreNone(t *testing.T) {
	t.Parallel()
	for _, chat := range []string{"", "example", "@a", "https://t.me/example", "12x", "@with space"} {
		doc := config.New("x.yaml", []byte("chat: "+`"`+chat+`"`), nil)
		s := &Settings{Chat: chat}
		s.Check(doc.At())
		if doc.Err() == nil {
			t.Errorf("%q is taken for a chat", chat)
		}
	}
}
