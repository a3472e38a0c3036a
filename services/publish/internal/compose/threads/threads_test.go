package threads

import (
	"encoding/json"
	"strings"
	"testing"

	"tidings.internal/pkg/event"
	"tidings.internal/services/publish/internal/compose/composetest"
)

func TestConform(t *testing.T) {
	t.Parallel()
	composetest.Conform(t, Network)
}

func TestEmojiCountWithTheirBytes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{"": 0, "äöü": 3, "日本": 2, "😀": 4, "👨‍👩‍👧‍👦": 25, "☀️": 6, "1️⃣": 7, "e\u0301": 2} {
		if got := length(text); got != want {
			t.Errorf("length(%q) = %d, want %d", text, got, want)
		}
	}
}

func TestOneTagAndItsCard(t *testing.T) {
	t.Parallel()
	a := composetest.Articles()["german"]
	p := composetest.Post(t, composetest.Channel(t, Network, nil), a, event.ActionCreate)
	var c container
	if err := json.Unmarshal(p.Request.Body, &c); err != nil {
		t.Fatal(err)
	}
	if strings.Count(c.Text, "#") != 1 || c.LinkAttachment != a.URL || c.MediaType != "TEXT" || c.Text != p.Text {
		t.Errorf("%+v", c)
	}
}
