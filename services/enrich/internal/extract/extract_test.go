package extract

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"tidings.internal/pkg/article"
	"tidings.internal/services/enrich/internal/decode"
	"tidings.internal/services/enrich/internal/dom"
	"tidings.internal/services/enrich/internal/metadata"
	"tidings.internal/services/enrich/internal/pipeline"
	"tidings.internal/services/enrich/internal/pipeline/pipelinetest"
)

func TestConform(t *testing.T) {
	t.Parallel()
	pipelinetest.Conform(t, Step{}, decode.Step{}, metadata.Step{})
}

// run carries an article through decode, metadata and extract.
func run(t *testing.T, raw article.Raw, page string) *pipeline.Draft {
	t.Helper()
	raw.Fetched = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	raw.URL = "https://example.org/a"
	var body []byte
	if page != "" {
		raw.Page = &article.Page{URL: raw.URL, Status: 200, ContentType: "text/html; charset=utf-8"}
		body = []byte(page)
	}
	d := pipeline.NewDraft(&raw, body)
	for _, s := range []pipeline.Step{decode.Step{}, metadata.Step{}, Step{}} {
		if err := s.Run(t.Context(), d); err != nil {
			t.Fatalf("%s: %v", s.Name(), err)
		}
	}
	return d
}

func guest(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("testdata/guest.txt")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func checkGuest(t *testing.T, d *pipeline.Draft) {
	t.Helper()
	html, err := dom.Render(d.Body)
	if err != nil {
		t.Fatal(err)
	}
	text := dom.Text(d.Body)
	for _, gone := range []string{"Gastautorin", "14.09.20", "Begleitheft", "Vertrauensprinzip", "Akademie", "Muster AG", "Profil", "Newsletter", "* * *", "mit Vertrauen beginnt"} {
		if strings.Contains(text, gone) {
			t.Errorf("the body still holds %q", gone)
		}
	}
	for _, stays := range []string{"<h2>1. Ergebnisse vereinbaren statt Anwesenheit messen</h2>", "<h2>2. Gespräche planen", "<h2>3. Fehler besprechen", "Seit Monaten arbeiten", "eine ehrliche Prüfung."} {
		if !strings.Contains(html, stays) {
			t.Errorf("the body lacks %q:\n%s", stays, html)
		}
	}
	if diff := cmp.Diff([]article.Person{{Name: "Martina Beispiel", Role: "Gastautorin und Führungskräftetrainerin"}}, d.Article.Authors); diff != "" {
		t.Error(diff)
	}
	if d.Article.Published == nil || d.Article.Published.Format(time.DateOnly) != "2020-09-14" {
		t.Errorf("published = %v", d.Article.Published)
	}
	if d.Article.Title != "Warum gute Führung im Homeoffice mit Vertrauen beginnt" {
		t.Errorf("title = %q", d.Article.Title)
	}
}

func TestGuestArticleAsPlainText(t *testing.T) {
	t.Parallel()
	d := run(t, article.Raw{Content: &article.Text{Value: guest(t), Type: article.TextPlain}}, "")
	checkGuest(t, d)
	if d.Article.Extract != FromText {
		t.Errorf("extract = %s", d.Article.Extract)
	}
}

func TestGuestArticleAsParagraphs(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for l := range strings.Lines(guest(t)) {
		b.WriteString("<p>" + strings.TrimSpace(l) + "</p>\n")
	}
	b.WriteString(`<img src="/portrait.jpg">`)
	d := run(t, article.Raw{Title: "Warum gute Führung im Homeoffice mit Vertrauen beginnt", Content: &article.Text{Value: b.String(), Type: article.TextHTML}}, "")
	checkGuest(t, d)
	if dom.First(d.Body, 0) != nil && strings.Contains(mustRender(t, d), "portrait") {
		t.Error("the portrait of the author stayed")
	}
}

func mustRender(t *testing.T, d *pipeline.Draft) string {
	t.Helper()
	s, err := dom.Render(d.Body)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const paragraph = `<p>Die Stadt hat am Montag beschlossen, den Radweg am Fluss bis zum Herbst zu verbreitern, weil dort inzwischen deutlich mehr Menschen unterwegs sind als noch vor fünf Jahren und weil die Brücke ohnehin saniert wird.</p>`

func page(body string) string {
	return `<html lang="de"><head><title>Radweg wird breiter | Beispielbote</title><meta property="og:site_name" content="Beispielbote">
<script type="application/ld+json">{"@type":"NewsArticle","headline":"Radweg wird breiter","datePublished":"2026-04-30T08:00:00+02:00","author":[{"@type":"Person","name":"Eva Muster"}],"keywords":["Verkehr","Stadt"],}</script></head>
<body><nav><a href="/">Start</a> <a href="/p">Politik</a></nav><main><article><h1>Radweg wird breiter</h1>` + body + `
<div class="newsletter-box"><p>Unser Newsletter bringt die Nachrichten jeden Morgen.</p></div></article></main><footer>Impressum</footer></body></html>`
}

func TestPageGivesTheBodyWhereTheFeedHasATeaser(t *testing.T) {
	t.Parallel()
	d := run(t, article.Raw{Summary: &article.Text{Value: "Die Stadt hat am Montag beschlossen …", Type: article.TextPlain}}, page(strings.Repeat(paragraph, 5)))
	text := dom.Text(d.Body)
	if d.Article.Extract != FromPage || !strings.Contains(text, "Radweg am Fluss") {
		t.Errorf("extract = %s, text %q", d.Article.Extract, text)
	}
	for _, gone := range []string{"Newsletter", "Impressum", "Politik"} {
		if strings.Contains(text, gone) {
			t.Errorf("the body holds %q", gone)
		}
	}
	a := d.Article
	if a.Title != "Radweg wird breiter" || len(a.Authors) != 1 || a.Authors[0].Name != "Eva Muster" || a.Published == nil || a.Published.Format(time.RFC3339) != "2026-04-30T06:00:00Z" {
		t.Errorf("metadata: %q %v %v", a.Title, a.Authors, a.Published)
	}
	if diff := cmp.Diff([]article.Category{{Term: "Verkehr"}, {Term: "Stadt"}}, a.Categories); diff != "" {
		t.Error(diff)
	}
}

func TestANameThatStandsEverywhereIsNoReasonToPrune(t *testing.T) {
	t.Parallel()
	var body strings.Builder
	for i := range 8 {
		fmt.Fprintf(&body, `<div class="builder-widget"><h2>Abschnitt %d</h2>%s</div>`, i, paragraph)
	}
	text := dom.Text(run(t, article.Raw{}, page(body.String())).Body)
	if n := strings.Count(text, "Radweg am Fluss"); n != 8 {
		t.Errorf("%d of 8 sections stayed", n)
	}
	if strings.Contains(text, "Newsletter") {
		t.Error("what another name surrounds stayed, too")
	}
}

func TestLinkedDataGivesTheBodyThatTheMarkupLacks(t *testing.T) {
	t.Parallel()
	said := strings.NewReplacer("<p>", "", "</p>", "").Replace(paragraph)
	d := run(t, article.Raw{}, `<html lang="de"><head><title>Radweg wird breiter</title><script type="application/ld+json">{"@graph":[{"@type":["NewsArticle"],
"headline":"Radweg wird breiter","articleBody":"`+strings.Repeat(said+`\n`, 3)+`"}]}</script></head><body><div id="app"></div></body></html>`)
	if n := strings.Count(dom.Text(d.Body), "Radweg am Fluss"); n != 3 || d.Article.Extract != FromPage {
		t.Errorf("%d of 3 paragraphs, extract = %s", n, d.Article.Extract)
	}
}

// Readability makes paragraphs of other elements; a byline in one of them is a line like any.
func TestLinesOfMadeParagraphsAreRead(t *testing.T) {
	t.Parallel()
	d := run(t, article.Raw{Title: "Radweg wird breiter"}, page(`<div class="meta">Von Eva Muster | 3. März 2026</div>`+strings.Repeat(paragraph, 3)))
	if text := dom.Text(d.Body); strings.Contains(text, "Muster") || !strings.Contains(text, "Radweg am Fluss") {
		t.Errorf("text = %s", text)
	}
}

func TestAShortPageThatIsTooDeepKeepsItsWords(t *testing.T) {
	t.Parallel()
	deep := page(strings.Repeat("<div>", 600) + "<p>Ein Satz in der Tiefe.</p>" + strings.Repeat("</div>", 600))
	d := run(t, article.Raw{}, deep)
	if text := dom.Text(d.Body); !strings.Contains(text, "Ein Satz in der Tiefe.") || d.Article.Extract != FromPage {
		t.Errorf("text = %q, extract = %s", text, d.Article.Extract)
	}
	if d := run(t, article.Raw{Title: "x", Summary: &article.Text{Value: "<p>Kurz</p>", Type: article.TextHTML}}, deep); d.Article.Extract != FromSummary {
		t.Errorf("without structure the page won over the feed: %s", d.Article.Extract)
	}
}

func TestFeedWinsOverAWrongOrRefusedPage(t *testing.T) {
	t.Parallel()
	content := &article.Text{Value: strings.Repeat(paragraph, 2), Type: article.TextHTML}
	wall := page(strings.Repeat("<p>Wir und unsere Partner verwenden Cookies und ähnliche Techniken, um Inhalte zu messen, zu verbessern und Ihnen passende Angebote zu zeigen.</p>", 12))
	if d := run(t, article.Raw{Title: "x", Content: content}, wall); d.Article.Extract != FromFeed {
		t.Errorf("a consent wall gave the body: %s", d.Article.Extract)
	}
	d := run(t, article.Raw{Title: "x", Content: content}, page(strings.Repeat(paragraph, 3)))
	if d.Article.Extract != FromPage {
		t.Errorf("a longer page was not taken: %s", d.Article.Extract)
	}
	raw := article.Raw{Title: "x", Content: content}
	refused := run(t, raw, page(strings.Repeat(paragraph, 9)))
	refused.Raw.Page.Status = 403
	if err := (Step{}).Run(t.Context(), refused); err != nil || refused.Article.Extract != FromFeed {
		t.Errorf("a refused page gave the body: %s, %v", refused.Article.Extract, err)
	}
}

func TestTheOperatorsSelectorsWin(t *testing.T) {
	t.Parallel()
	html := page(strings.Repeat(paragraph, 6) + `<div class="box"><p>Was im Kasten steht, will niemand.</p></div>` +
		`</article><section id="s"><div class="t"><p>Der erste Teil.</p><p class="t">Innen.</p></div><p class="x">Mitten.</p><div class="t"><p>Der zweite Teil.</p><p class="ad">Weg.</p></div></section><article>`)
	content := &article.Text{Value: strings.Repeat(paragraph, 6), Type: article.TextHTML}
	for name, c := range map[string]struct {
		host       string
		keep, drop []string
		content    *article.Text
		want       []string
		never      []string
	}{
		"nothing":          {"example.org", nil, nil, nil, []string{"Radweg"}, []string{"Weg."}},
		"keep":             {"www.example.org:443", []string{".t"}, []string{".ad"}, content, []string{"Der erste Teil.", "Innen.", "Der zweite Teil."}, []string{"Mitten.", "Weg.", "Radweg"}},
		"keep what is not": {"example.org", []string{"#nowhere"}, nil, nil, []string{"Radweg"}, nil},
		"drop":             {"Example.org", nil, []string{".box", "p:contains('Mitten')", "body"}, nil, []string{"Radweg"}, []string{"Kasten", "Mitten."}},
		"another host":     {"example.net", []string{".t"}, nil, nil, []string{"Radweg"}, nil},
	} {
		selectors, err := NewSelectors(c.keep, c.drop)
		if err != nil {
			t.Fatal(err)
		}
		d := run(t, article.Raw{Title: "Radweg wird breiter", Content: c.content}, html)
		before, _ := dom.Render(d.Page.Tree)
		if err := (Step{Hosts: Hosts{HostName(c.host): selectors}}).Run(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		text := dom.Text(d.Body)
		for _, w := range c.want {
			if strings.Count(text, w) == 0 || strings.HasSuffix(w, ".") && strings.Count(text, w) > 1 {
				t.Errorf("%s: %q stands %d times in %q", name, w, strings.Count(text, w), text)
			}
		}
		for _, n := range c.never {
			if strings.Contains(text, n) {
				t.Errorf("%s: %q stands in %q", name, n, text)
			}
		}
		if after, _ := dom.Render(d.Page.Tree); after != before {
			t.Errorf("%s: the page was changed", name)
		}
	}
	if _, err := NewSelectors([]string{"div..x"}, nil); err == nil {
		t.Error("a broken selector was taken")
	}
}

// A wall gives way to whatever the feed says, and to nothing where it says nothing.
func TestAConsentWallIsNoBody(t *testing.T) {
	t.Parallel()
	german := `<h2>Wir respektieren Ihre Privatsphäre</h2><p>Wir und unsere 842 Partner verarbeiten personenbezogene Daten mithilfe von Cookies, um Informationen auf Ihrem Gerät zu speichern und
		darauf zuzugreifen. Dabei geht es um Inhalte, die zu Ihnen passen, und darum, sie zu messen.</p><p>Sie können Ihre Einwilligung jederzeit widerrufen. Mit Klick auf „Alle akzeptieren“ stimmen Sie zu.</p>`
	english := `<p>We and our partners store and access information on a device, such as cookies, and process personal data. With your permission we may use precise
		location data. You may accept or withdraw your consent at any time, as our privacy policy says.</p>`
	summary := &article.Text{Value: "Die Stadtwerke in Kassel bauen einen Wärmespeicher.", Type: article.TextPlain}
	for name, c := range map[string]struct {
		raw      article.Raw
		page     string
		extract  string
		degraded []string
	}{
		"with a summary":               {article.Raw{Title: "Kassel baut einen Wärmespeicher", Summary: summary}, page(german), FromSummary, []string{"extract:empty"}},
		"with a title":                 {article.Raw{Title: "Leeds builds a new tram line"}, page(english), FromTitle, []string{"extract:empty"}},
		"about consent":                {article.Raw{Title: "Partner und Cookies: Was die Einwilligung bedeutet"}, page(german), FromPage, nil},
		"with a title and the article": {article.Raw{Title: "Kassel baut einen Wärmespeicher"}, page(`<div class="text">` + strings.Repeat(paragraph, 12) + `</div><div>` + german + `</div>`), FromPage, nil},
	} {
		d := run(t, c.raw, c.page)
		if d.Article.Extract != c.extract || !slices.Equal(d.Article.Degraded, c.degraded) {
			t.Errorf("%s: from %s, degraded %v: %.80s", name, d.Article.Extract, d.Article.Degraded, dom.Text(d.Body))
		}
	}
}

func TestLadderEndsAtTheTitle(t *testing.T) {
	t.Parallel()
	empty := []string{"extract:empty"}
	for name, html := range map[string]string{"no page": "", "a page without text": `<html><body><div></div><script>x()</script></body></html>`, "a page of pictures": `<html><body><p><img src="a.png"></p></body></html>`} {
		if d := run(t, article.Raw{Title: "Nur ein Titel"}, html); d.Article.Extract != FromTitle || d.Body == nil || !slices.Equal(d.Article.Degraded, empty) {
			t.Errorf("%s: extract = %s, degraded %v", name, d.Article.Extract, d.Article.Degraded)
		}
	}
	if d := run(t, article.Raw{Title: "x", Summary: &article.Text{Value: "<p>Kurz</p>", Type: article.TextHTML}}, ""); d.Article.Extract != FromSummary {
		t.Errorf("extract = %s", d.Article.Extract)
	}
}

func TestWrappedLinesAreJoined(t *testing.T) {
	t.Parallel()
	in := "Diese Zeile hat ein Programm nach rund siebzig Zeichen umgebrochen, weil\nes so eingestellt war und niemand es jemals geändert hat, obwohl das gut\nwäre.\n\nEin Absatz\nEin anderer"
	want := []string{"Diese Zeile hat ein Programm nach rund siebzig Zeichen umgebrochen, weil es so eingestellt war und niemand es jemals geändert hat, obwohl das gut wäre.", "Ein Absatz", "Ein anderer"}
	if diff := cmp.Diff(want, unwrap(in)); diff != "" {
		t.Error(diff)
	}
}

// FuzzPage: whatever a page and a feed's body are made of, the article keeps a body, it is text, and it is the same twice.
func FuzzPage(f *testing.F) {
	f.Add("<html><head><title>T</title></head><body><nav><a href=/>Home</a></nav><article><h1>T</h1><p>Some words of a page.</p></article></body></html>", "<p>Some words</p>")
	f.Add("<html><body><div id=consent>We use cookies</div><table><tr><td>1<td>2</table>", "")
	f.Add("<article><p>one<template><p>two</template><svg><title>three</svg><noscript><img src=x></noscript>", "plain")
	f.Add(strings.Repeat("<div>", 600)+"deep", "<![CDATA[x]]>")
	f.Fuzz(func(t *testing.T, page, content string) {
		raw := article.Raw{Title: "T", Content: &article.Text{Value: content, Type: article.TextHTML}}
		var first string
		for range 2 {
			d := run(t, raw, page)
			if d.Body == nil {
				t.Fatal("no body")
			}
			html, err := dom.Render(d.Body)
			if err != nil || !utf8.ValidString(html) {
				t.Fatalf("the body is not text: %v", err)
			}
			if first != "" && html != first {
				t.Fatalf("the body is another one the second time:\n%s\n%s", first, html)
			}
			first = html
		}
	})
}

func FuzzText(f *testing.F) {
	f.Add("Titel", "Titel\nVon Eva Muster\n\nText text")
	f.Fuzz(func(t *testing.T, title, text string) {
		raw := article.Raw{Title: title, Content: &article.Text{Value: text, Type: article.TextPlain}}
		if d := run(t, raw, ""); d.Body == nil {
			t.Fatal("no body")
		}
	})
}
