package mastodon

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"

	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/services/publish/internal/clean"
	"tidings.internal/services/publish/internal/compose"
	"tidings.internal/services/publish/internal/compose/composetest"
)

func TestConform(t *testing.T) {
	t.Parallel()
	composetest.Conform(t, Network)
}

// flavoured is the network as channels of another software have it.
func flavoured() compose.Network {
	n := Network
	n.Settings = func() any {
		s := defaults().(*Settings)
		s.Flavour = goToSocial
		return s
	}
	return n
}

func TestGoToSocialConforms(t *testing.T) {
	t.Parallel()
	composetest.Obey(t, flavoured())
}

func TestGoToSocialCountsWhatIsSent(t *testing.T) {
	t.Parallel()
	s := flavoured().Settings().(*Settings)
	for text, want := range map[string]int{
		"": 0, "ä": 1, "e\u0301": 2, "👨‍👩‍👧‍👦": 7, "https://example.org/" + strings.Repeat("x", 300): 320, "@jane@example.org hi": 20,
	} {
		if got := s.length(text); got != want {
			t.Errorf("length(%q) = %d, want %d", text, got, want)
		}
	}
	c := composetest.Channel(t, flavoured(), func(c *config.Channel) { c.Settings.(*Settings).SpoilerText = "Achtung" })
	p := composetest.Post(t, c, composetest.Articles()["long"], event.ActionCreate)
	if n := len([]rune(p.Text)) + 7; n != p.Count.Used || n > 5000 || n < 1000 || p.Count.Limit != 5000 || p.Count.Unit != "code_point" {
		t.Errorf("%d of 5000 are used, said to be %+v", n, p.Count)
	}
	var body map[string]any
	if err := json.Unmarshal(p.Request.Body, &body); err != nil || body["content_type"] != "text/plain" {
		t.Errorf("the server may read it as Markdown: %s, %v", p.Request.Body, err)
	}
	if p := composetest.Post(t, composetest.Channel(t, Network, nil), composetest.Articles()["german"], event.ActionCreate); strings.Contains(string(p.Request.Body), "content_type") || p.Count.Limit != 500 {
		t.Errorf("mastodon gets %s of %d", p.Request.Body, p.Count.Limit)
	}
}

func TestSettingsOfAFlavour(t *testing.T) {
	t.Parallel()
	for keys, problem := range map[string]string{
		"flavour: gotosocial":                                  "",
		"flavour: gotosocial, limit: 800":                      "",
		"flavour: gotosocial, url_length: 25":                  "has no meaning on gotosocial",
		"flavour: pleroma":                                     "pleroma",
		"limit: 50":                                            "neither 0 nor within",
		"limit: 120, spoiler_text: " + strings.Repeat("x", 61): "takes 61 of the 120",
		"flavour: gotosocial, spoiler_text: " + strings.Repeat("x", 300): "",
		"spoiler_text: " + strings.Repeat("x", 300):                      "takes 300 of the 500",
	} {
		doc := config.New("tidings.yaml", []byte("channels:\n  - {id: a, network: mastodon, server: x, token: y, "+keys+"}\n"), nil)
		doc.Channels(func(string) (any, []string) { return defaults(), others }, "mastodon")
		if err := doc.Err(); (err == nil) != (problem == "") || err != nil && !strings.Contains(err.Error(), problem) {
			t.Errorf("%s: %v, want %q", keys, err, problem)
		}
	}
}

func TestLengthCountsAsTheServerDoes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		"":    0,
		"abc": 3,
		"https://example.org/" + strings.Repeat("x", 300): 23,
		"see https://example.org/a. end":                  4 + 23 + 5,
		"👨‍👩‍👧‍👦 क्षि":                                    3,
		"@jane@example.org hi":                            8,
		"mail jane@example.org":                           21,
		"node.js":                                         7,
		"http://a.b https://c.d":                          47,
	} {
		if got := length(text, 23); got != want {
			t.Errorf("length(%q) = %d, want %d", text, got, want)
		}
	}
}

func TestNobodyIsMentioned(t *testing.T) {
	t.Parallel()
	p := composetest.Post(t, composetest.Channel(t, Network, nil), composetest.Articles()["hostile"], event.ActionCreate)
	if strings.Contains(p.Text, " @") || strings.HasPrefix(p.Text, "@") || !strings.Contains(p.Text, "＠all") {
		t.Errorf("the text calls for somebody: %s", p.Text)
	}
	if strings.ContainsRune(p.Text, '\u200d') {
		t.Error("a joiner was put in, which screen readers stumble over")
	}
}

func TestFittingKeepsWhatMatters(t *testing.T) {
	t.Parallel()
	c := composetest.Channel(t, Network, nil)
	p := composetest.Post(t, c, composetest.Articles()["german"], event.ActionCreate)
	want := "Der Kunde ist König\n\nEin kurzer Satz. Noch ein Satz, der etwas länger ist.\n\nhttps://blog.example.org/german\n\n#ContentSyndication #Unternehmenskultur"
	if p.Text != want {
		t.Errorf("text:\n%s\nwant:\n%s", p.Text, want)
	}
	a := composetest.Articles()["german"]
	a.Summary = strings.Repeat("Ein ganzer Satz, der hier steht. ", 40)
	p = composetest.Post(t, c, a, event.ActionCreate)
	if paragraphs := strings.Split(p.Text, "\n\n"); len(paragraphs) != 4 || !strings.HasSuffix(paragraphs[1], "steht.") || !strings.HasPrefix(paragraphs[3], "#Content") {
		t.Errorf("the summary is not cut at a sentence, or the hashtags went first:\n%s", p.Text)
	}
	if p.Count.Used < 400 {
		t.Errorf("only %d of %d are used", p.Count.Used, p.Count.Limit)
	}
	a.Title = strings.Repeat("Wort ", 140)
	p = composetest.Post(t, composetest.Channel(t, Network, func(c *config.Channel) { c.Settings.(*Settings).Limit = 140 }), a, event.ActionCreate)
	if p.Count.Used > 140 || clean.Length(strings.Split(p.Text, "\n\n")[0]) < 40 {
		t.Errorf("a long title with a small limit:\n%s", p.Text)
	}
}

func TestTooLongEvenAtItsShortest(t *testing.T) {
	t.Parallel()
	_, err := compose.New(config.Channel{ID: "x", Network: "mastodon", Content: "full", Settings: defaults(), Template: strings.Repeat("x", 500) + "{{.URL}}"}, Network, composetest.Site())
	if err == nil || !strings.Contains(err.Error(), "even without summary and hashtags") {
		t.Errorf("a template that never fits: %v", err)
	}
}

func TestSettingsShapeTheRequest(t *testing.T) {
	t.Parallel()
	c := composetest.Channel(t, Network, func(c *config.Channel) {
		c.Settings = &Settings{Visibility: "unlisted", SpoilerText: "Vorsicht", Sensitive: true, Media: "image", Limit: 500, URLLength: 23}
	})
	p := composetest.Post(t, c, composetest.Articles()["german"], event.ActionCreate)
	var s struct {
		Visibility, Language string
		SpoilerText          string              `json:"spoiler_text"`
		Sensitive            bool                `json:"sensitive"`
		MediaIDs             []map[string]string `json:"media_ids"`
	}
	if err := json.Unmarshal(p.Request.Body, &s); err != nil {
		t.Fatal(err)
	}
	if s.Visibility != "unlisted" || s.Language != "de" || s.SpoilerText != "Vorsicht" || !s.Sensitive || len(s.MediaIDs) != 1 || s.MediaIDs[0]["$media"] != "image" {
		t.Errorf("body %s", p.Request.Body)
	}
	if len(p.Media) != 1 || p.Media[0].Name != "image" || p.Media[0].Alt != "Ein Bild" {
		t.Errorf("media %+v", p.Media)
	}
	if want := length(p.Text, 23) + 8; p.Count.Used != want {
		t.Errorf("used %d, want %d: the warning counts, too", p.Count.Used, want)
	}
}

func TestRandomTextsKeepTheLimit(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	pieces := []string{"Wort ", "Straße. ", "👨‍👩‍👧‍👦", "e\u0301", "https://x.y/z ", "@a@b.c ", "क्षि", "\n", "مرحبا ", "#C++ ", "node.js ", "&amp; ", "<b> ", "x"}
	text := func(n int) string {
		var b strings.Builder
		for range random.IntN(n) {
			b.WriteString(pieces[random.IntN(len(pieces))])
		}
		return b.String()
	}
	for range 1000 {
		a := composetest.Articles()["german"]
		a.Title, a.Summary = text(200), text(900)
		for i := range a.Tags {
			a.Tags[i].Label = map[string]string{"de": text(12)}
		}
		for _, n := range []compose.Network{Network, flavoured()} {
			c := composetest.Channel(t, n, func(c *config.Channel) { c.Settings.(*Settings).Limit = 500 })
			p := composetest.Post(t, c, a, event.ActionCreate)
			if n := c.Settings.(*Settings).length(p.Text); n > 500 || n != p.Count.Used || !strings.Contains(p.Text, p.URL) {
				t.Fatalf("%d of 500, said to be %d:\n%s", n, p.Count.Used, p.Text)
			}
		}
	}
}

func FuzzLength(f *testing.F) {
	f.Add("https://x.y/ @a@b.c 👨‍👩‍👧")
	f.Fuzz(func(t *testing.T, s string) {
		if n := length(s, 23); n < 0 || n > 23*len(s)+23 {
			t.Errorf("length(%q) = %d", s, n)
		}
	})
}
