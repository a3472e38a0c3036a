package compose

import (
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/services/publish/internal/clean"
	"tidings.internal/services/publish/internal/item"
)

// echo is a network that shows what its template makes.
func echo(limit int) Network {
	return Network{Name: "echo", Template: "{{.URL}}", Compose: func(in Input) (Draft, error) {
		text, used, err := Fit(in, NewFields(in, nil), func(s string) int { return len([]rune(s)) }, limit)
		return Draft{Text: text, Count: event.Count{Used: used, Limit: limit, Unit: "code_point"}}, err
	}}
}

func post(t *testing.T, template string) string {
	t.Helper()
	var c config.Channel
	c.SetDefaults()
	c.ID, c.Template = "test", template+"|{{.URL}}"
	ch, err := New(c, echo(1000), config.Site{Title: "Site"})
	if err != nil {
		t.Fatal(err)
	}
	a := article.Article{ID: "a", Revision: 1}
	p, err := ch.Post(&a, &item.Item{
		URL: "https://www.example.org/x", Title: "Title here", Summary: "First, z. B. on 1. May. Second one! Third", Language: "de",
		Published: time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC), Authors: []item.Author{{Name: "Ann"}, {Name: "Bob"}},
		Tags:   []item.Tag{{Label: "content syndication"}, {Label: "Müll-Abfuhr"}, {Label: "Content Syndication"}, {Label: "2026"}, {Label: "C++"}, {Label: "x", Hashtag: "#EigenerTag"}},
		Source: item.Source{Title: "Blog"},
	}, event.ActionCreate, false)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(p.Text, "|https://www.example.org/x")
}

func TestTemplateFunctions(t *testing.T) {
	t.Parallel()
	for template, want := range map[string]string{
		`{{hashtags .Tags}}`:                               "#ContentSyndication #MüllAbfuhr #C",
		`{{hashtags .Tags 1}}`:                             "#ContentSyndication",
		`{{hashtags .Tags 9}}`:                             "#ContentSyndication #MüllAbfuhr #C #EigenerTag",
		`{{truncate 6 .Title}}`:                            "Title…",
		`{{words 1 .Title}}`:                               "Title…",
		`{{words 5 .Title}}`:                               "Title here",
		`{{sentence 1 .Summary}}`:                          "First, z. B. on 1. May.",
		`{{sentence 2 .Summary}}`:                          "First, z. B. on 1. May. Second one!",
		`{{upper .Language}}{{lower "ÄX"}}`:                "DEäx",
		`{{trim "  x "}}`:                                  "x",
		`{{.Title | replace "here" "there"}}`:              "Title there",
		`{{join ", " .Authors}} {{join "/" .Tags}}`:        "Ann, Bob content syndication/Müll-Abfuhr/Content Syndication/2026/C++/x",
		`{{default "none" ""}}{{default "none" "x"}}`:      "nonex",
		`{{date "2. 1. 2006" .Published}}`:                 "2. 11. 2026",
		`{{host .URL}} {{.Source}} {{.Site}} {{.Channel}}`: "example.org Blog Site test",
		`{{utm "a" "b" "c" .URL}}`:                         "https://www.example.org/x?utm_source=a&utm_medium=b&utm_campaign=c",
		`{{quote .Title}}`:                                 "“Title here”",
		`{{plain "a  <b>x"}}`:                              "a ‹b›x",
		"a  \n\n\n\nb\n{{with \"\"}}x{{end}}\n\nc":         "a\n\nb\n\nc",
		`{{range .Tags}}{{.}};{{end}}`:                     "content syndication;Müll-Abfuhr;Content Syndication;2026;C++;x;",
	} {
		if got := post(t, template); got != want {
			t.Errorf("%s = %q, want %q", template, got, want)
		}
	}
}

func TestErrorsHaveAClass(t *testing.T) {
	t.Parallel()
	var c config.Channel
	c.SetDefaults()
	c.ID = "test"
	for class, template := range map[string]string{
		PostTooLong:   "{{.URL}}{{if eq .Title \"long\"}}" + strings.Repeat("x", 300) + "{{end}}",
		TemplateError: "{{.URL}}{{if eq .Title \"long\"}}{{index .Tags 99}}{{end}}",
		NoLink:        "{{if ne .Title \"long\"}}{{.URL}}{{end}}",
	} {
		c.Template = template
		ch, err := New(c, echo(200), config.Site{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = ch.Post(&article.Article{ID: "a"}, &item.Item{URL: "https://example.org/", Title: "long"}, event.ActionCreate, false)
		if got := Class(err); got != class {
			t.Errorf("%s: class %q of %v", class, got, err)
		}
	}
}

func random(rng *rand.Rand, pieces []string) string {
	var b strings.Builder
	for range rng.IntN(12) {
		b.WriteString(pieces[rng.IntN(len(pieces))])
	}
	return b.String()
}

func TestHashtagsOfATextStandAtTheBeginOfAWord(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`(^|\s)#([\pL\pM\pN_]+)`)
	rng := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		text := random(rng, []string{"#", "##", " ", "\n", "\v", "\u00a0", "a", "Ü", "e\u0301", "1", "Ⅷ", "_", "-", ".", "한", "😀", "\xff", "#Tag", " #Tag"})
		var want, got [][2]int
		for _, m := range form.FindAllStringSubmatchIndex(text, -1) {
			want = append(want, [2]int{m[4], m[5]})
		}
		for start, end := range Hashtags(text) {
			got = append(got, [2]int{start, end})
		}
		if !slices.Equal(want, got) {
			t.Fatalf("hashtags of %q: %v, want %v", text, got, want)
		}
	}
}

func TestTidyTextsHaveNoWhiteSpaceThatNobodySees(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 4))
	unseen := regexp.MustCompile(`[\s\x{a0}]\n\n|[ \t\x{a0}]\n|^\s|\s$`)
	for range 5000 {
		text := random(rng, []string{"a", "ü", "…", " ", "\n", "\n", "\n\n", "\t", "\u00a0", "\r\n", "\x1b"})
		got := tidy(text)
		if unseen.MatchString(got) || !slices.Equal(strings.Fields(got), strings.Fields(clean.Text(text))) || tidy(got) != got {
			t.Fatalf("tidy(%q) = %q", text, got)
		}
	}
}

// Hashes stand on the bus: they stay what they were when the whole draft was written as one document.
func TestHashIsThatOfOneDocument(t *testing.T) {
	t.Parallel()
	body, err := JSON(map[string]string{"text": "a <b> \u2028 }}"})
	if err != nil {
		t.Fatal(err)
	}
	for name, d := range map[string]Draft{
		"empty":     {},
		"body only": {Text: "x", Request: event.Request{Body: body}},
		"no body":   {Text: "}}", Request: event.Request{Method: "DELETE", Path: "/}}"}},
		"all": {
			Text: "\"}}", Request: event.Request{Method: "POST", Path: "/x", Headers: map[string]string{"B": "}}", "A": "1"}, Body: body},
			Media: []event.Asset{{Name: "image", URL: "https://example.org/a.png"}},
		},
		"no list of media": {Text: "x", Request: event.Request{Path: "/x", Body: body}, Media: []event.Asset{}},
	} {
		doc, err := event.Marshal(struct {
			Text    string
			Request event.Request
			Media   []event.Asset
		}{d.Text, d.Request, d.Media})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := hash(d); err != nil || got != event.Hash(doc) {
			t.Errorf("%s: %s, %v; want that of %s", name, got, err, doc)
		}
	}
}
