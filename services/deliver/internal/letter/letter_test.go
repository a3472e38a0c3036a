package letter

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
	"pgregory.net/rapid"

	"tidings.internal/pkg/fault"
)

var update = flag.Bool("update", false, "rewrite golden files")

const (
	leave  = "https://news.example.org/newsletter/unsubscribe/abc-_1"
	change = "https://news.example.org/newsletter/preferences/abc-_1"
)

func list(language string) List {
	return List{
		Title: "Bücher & mehr", Language: language, Home: "https://news.example.org/",
		Imprint: "Example Publishers, 1 Example Street, Exampletown\n\nnews@example.org",
	}
}

// samples are one letter of each sort.
func samples() map[string]Digest {
	day := time.Date(2026, 3, 1, 7, 0, 0, 0, time.UTC)
	entries := []Entry{
		{
			Title: "First <story> & more", Summary: "What happened\n first.", HTML: "<p>Unused.</p>", URL: "https://example.org/a?x=1&y=2",
			Source: "Example Daily", Authors: []string{"Ann Author", "Bo Writer"},
		},
		{Title: "Zweite Meldung", URL: "https://bücher.example/über?q=ö", Source: "Beispiel", Language: "de"},
	}
	one := entries[0]
	one.HTML = `<h2>Part</h2><p>One <b>bold</b> <a href="https://example.org/b?x=1&amp;y=2">link</a>.<br>Next<img src="https://tracker.example/p.gif" width="1"></p>` +
		`<ul><li>a</li><li>b <a href="https://example.org/c">https://example.org/c</a></li></ul><pre>  x = 1
  y = 2</pre><blockquote style="color:red">Said</blockquote><script>alert(1)</script><a href="javascript:x()">bad</a>`
	return map[string]Digest{
		"digest-en":    {List: list("en"), Date: day, Entries: entries, More: 7, Unsubscribe: leave, Preferences: change},
		"digest-de":    {List: list("de"), Date: day, Entries: entries, Unsubscribe: leave, Preferences: change},
		"immediate-en": {List: list("en"), Entries: []Entry{one}, Unsubscribe: leave, Preferences: change},
	}
}

func news(t interface{ Fatal(...any) }, d Digest) Letter {
	l, err := News(d)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestLettersAreTheGoldens(t *testing.T) {
	t.Parallel()
	letters := map[string]Letter{}
	for name, d := range samples() {
		letters[name] = news(t, d)
	}
	for _, language := range []string{"de", "en"} {
		l, err := Confirm(Confirmation{List: list(language), Link: "https://news.example.org/newsletter/confirm/abc", Days: 7})
		if err != nil {
			t.Fatal(err)
		}
		letters["confirm-"+language] = l
	}
	for name, l := range letters {
		got := "Subject: " + l.Subject + "\n\n" + l.Text + "\n" + l.HTML
		file := filepath.Join("testdata", name+".golden")
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		same(t, l)
	}
}

var inText = regexp.MustCompile(`https?://[^\s<>]+`)

// same compares the links of the two forms, and looks for what neither may have.
func same(t interface {
	Errorf(string, ...any)
	Fatal(...any)
}, l Letter) {
	root, err := html.Parse(strings.NewReader(l.HTML))
	if err != nil {
		t.Fatal(err)
	}
	var links []string
	for n := range root.Descendants() {
		switch n.DataAtom {
		case atom.Img, atom.Script, atom.Link, atom.Iframe, atom.Video, atom.Audio, atom.Object, atom.Form, atom.Input, atom.Style, atom.Base, atom.Svg:
			t.Errorf("there is a <%s>", n.Data)
		}
		for _, a := range n.Attr {
			switch {
			case a.Key == "href":
				links = append(links, a.Val)
			case a.Key == "src" || a.Key == "srcset" || a.Key == "background" || strings.HasPrefix(a.Key, "on"):
				t.Errorf("there is an attribute %s of <%s>", a.Key, n.Data)
			case a.Key == "style" && strings.Contains(a.Val, "url("):
				t.Errorf("a style loads something: %s", a.Val)
			}
		}
	}
	texts := inText.FindAllString(l.Text, -1)
	unique := func(s []string) []string { slices.Sort(s); return slices.Compact(s) }
	if diff := cmp.Diff(unique(links), unique(texts)); diff != "" {
		t.Errorf("links (-html +text):\n%s", diff)
	}
}

func TestSubjectIsTheListsOrTheArticles(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"digest-en": "Bücher & mehr: 1 March 2026", "digest-de": "Bücher & mehr: 1. März 2026", "immediate-en": "First <story> & more",
	} {
		if got := news(t, samples()[name]).Subject; got != want {
			t.Errorf("%s has the subject %q, want %q", name, got, want)
		}
	}
	d := samples()["immediate-en"]
	d.Entries[0].Title = strings.Repeat("endless ", 100) + "\r\nBcc: x"
	if got := news(t, d).Subject; len(got) > maxSubject+len("…") || strings.ContainsAny(got, "\r\n") || !strings.HasSuffix(got, "endless…") {
		t.Errorf("subject %q", got)
	}
}

func TestFiftyEntriesAreShown(t *testing.T) {
	t.Parallel()
	d := samples()["digest-en"]
	d.Entries, d.More = nil, 3
	for i := range 62 {
		d.Entries = append(d.Entries, Entry{Title: fmt.Sprintf("Story %d.", i+1), URL: fmt.Sprintf("https://example.org/%d", i+1)})
	}
	l := news(t, d)
	for _, form := range []string{l.Text, l.HTML} {
		if !strings.Contains(form, "Story 50.") || strings.Contains(form, "Story 51.") || !strings.Contains(form, "and 15 more") {
			t.Errorf("not fifty and 15 more:\n%s", form)
		}
	}
	same(t, l)
	d.Entries, d.More = d.Entries[:50], 0
	if l := news(t, d); strings.Contains(l.Text, " more") || strings.Contains(l.HTML, " more<") {
		t.Error("there is more than fifty of fifty")
	}
}

// Whatever articles say, it stands there as text: no element, no link and no line of its own.
func TestHostileEntriesStayText(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		hostile := rapid.SampledFrom([]string{
			`</h2><script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, "a\r\n\r\nUnsubscribe:\r\nhxxps://evil.example", "{{.Unsubscribe}}", "\u202egnp.exe",
			"\x00\x1b[31m", "]]>", "<!--", "&lt;b&gt;", "<a href='https://evil.example'>x</a>", "", "<style>*{background:url(//evil.example)}</style>", "<svg onload=x>",
		})
		d := samples()["digest-en"]
		e := Entry{
			Title: hostile.Draw(r, "title"), Summary: hostile.Draw(r, "summary"), HTML: hostile.Draw(r, "html") + rapid.String().Draw(r, "more"), Source: hostile.Draw(r, "source"),
			Authors: []string{hostile.Draw(r, "author")}, Language: hostile.Draw(r, "language"),
			URL: rapid.SampledFrom([]string{
				"javascript:alert(1)", "data:text/html,x", "//evil.example", "https://example.org/'\"><x>?a=(b)|c%zz", "https://user:pass@example.org/", "", "mailto:a@example.org",
				"https://example.org/\r\nX: y", "https://exämple.org/ä?ö#ü", "http://[::1]:80/x",
			}).Draw(r, "url"),
		}
		d.Entries = []Entry{e}
		d.List.Title = hostile.Draw(r, "list")
		if rapid.Bool().Draw(r, "at once") {
			d.Date = time.Time{}
		}
		l := news(r, d)
		if strings.ContainsAny(l.Subject, "\r\n\x00\x1b\u202e") || strings.ContainsAny(l.Text, "\r\x00\x1b\u202e") {
			r.Fatalf("control characters in %q\n%q", l.Subject, l.Text)
		}
		if strings.Contains(l.Text, "\nhxxps:") && !strings.Contains(e.HTML, "hxxps:") {
			r.Fatalf("a title began a line:\n%s", l.Text)
		}
		if !strings.Contains(e.HTML, "https://") && !strings.Contains(e.Title+e.Summary+e.Source+e.Authors[0]+d.List.Title, "https://") {
			same(r, l)
		}
	})
}

func TestLetterThatIsCutByMailProgramsIsHeavy(t *testing.T) {
	t.Parallel()
	d := samples()["immediate-en"]
	if news(t, d).Heavy() {
		t.Error("a short letter is heavy")
	}
	d.Entries[0].HTML = strings.Repeat("<p>A long text.</p>", 6000)
	if !news(t, d).Heavy() {
		t.Error("a letter of more than 100 KB is not heavy")
	}
}

func TestLetterWithoutItsLinksIsRefused(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Digest){
		"no unsubscribe": func(d *Digest) { d.Unsubscribe = "" },
		"a script":       func(d *Digest) { d.Preferences = "javascript:x" },
		"no entry":       func(d *Digest) { d.Entries = nil },
	} {
		d := samples()["digest-en"]
		change(&d)
		if _, err := News(d); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v, want invalid", name, err)
		}
	}
	if _, err := Confirm(Confirmation{List: list("en"), Link: "/relative"}); fault.KindOf(err) != fault.Invalid {
		t.Errorf("%v, want invalid", err)
	}
}

func TestEachLanguageHasAllWords(t *testing.T) {
	t.Parallel()
	for _, w := range []words{german(), english()} {
		for name, text := range map[string]string{
			"subject": w.ConfirmSubject, "hello": w.ConfirmHello, "do": w.ConfirmDo, "button": w.ConfirmButton, "ignore": w.ConfirmIgnore,
			"days": w.ConfirmDays, "after": w.ConfirmDaysAfter, "more": w.More, "more after": w.MoreAfter, "why": w.Why, "change": w.Change, "leave": w.Unsubscribe,
		} {
			if text == "" {
				t.Errorf("%s has no word for %s", w.Language, name)
			}
		}
	}
	if wordsOf("fr").Language != "en" {
		t.Error("another language is not English")
	}
}
