package teams

import (
	"encoding/json"
	"strings"
	"testing"

	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/services/publish/internal/compose/composetest"
)

func TestConform(t *testing.T) {
	t.Parallel()
	composetest.Conform(t, Network)
}

// The card holds the text that was fitted, in blocks that read no markup, and stays below what Teams takes.
func TestTheCardIsTheText(t *testing.T) {
	t.Parallel()
	for _, button := range []bool{true, false} {
		channel := composetest.Channel(t, Network, func(c *config.Channel) { c.Settings = &Settings{Button: button} })
		for name, a := range composetest.Articles() {
			a.Summary = strings.ToValidUTF8(strings.Repeat(a.Summary+" **fett** [x](y) <b> \"\\ ", 2000)[:30_000], "")
			p := composetest.Post(t, channel, a, event.ActionCreate)
			var m message
			if err := json.Unmarshal(p.Request.Body, &m); err != nil {
				t.Fatal(err)
			}
			if n := len(p.Request.Body); n > 21<<10 {
				t.Errorf("%s: the message has %d bytes", name, n)
			}
			var paragraphs []string
			for _, b := range m.Attachments[0].Content.Body {
				if b.Type != "RichTextBlock" || len(b.Inlines) != 1 || b.Inlines[0].Type != "TextRun" {
					t.Errorf("%s: block %+v", name, b)
				}
				paragraphs = append(paragraphs, b.Inlines[0].Text)
			}
			if got := strings.Join(paragraphs, "\n\n"); got != p.Text {
				t.Errorf("%s: the card says %.200q, the text is %.200q", name, got, p.Text)
			}
			if actions := m.Attachments[0].Content.Actions; button != (len(actions) == 1) || button && actions[0].URL != p.URL {
				t.Errorf("%s: the actions are %+v", name, actions)
			}
			if !strings.Contains(string(p.Request.Body), `"contentUrl":null`) {
				t.Errorf("%s: the body lacks contentUrl, without which the card is refused", name)
			}
		}
	}
}
