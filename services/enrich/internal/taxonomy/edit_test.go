package taxonomy

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/natstest"
	"tidings.internal/services/enrich/internal/pipeline"
	"tidings.internal/services/enrich/internal/prose"
	"tidings.internal/services/enrich/internal/words"
)

const full = `@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
@prefix tidings: <urn:tidings:taxonomy:> .
@prefix t: <urn:tidings:concept:> .
t:garten a skos:Concept ; skos:prefLabel "Garten"@de, "Garden"@en ; skos:altLabel "Grün | Beet"@de, "a \"plot\""@en ; skos:hiddenLabel "Gatren"@de ;
  skos:definition "Ein Stück Land, \\ bepflanzt"@de ; skos:related t:pflanze ; skos:exactMatch <http://example.org/garden> ;
  tidings:weight 1.5 ; tidings:category "blog=Grünes", "*=Draußen" ; tidings:rule "beet OR (laube NEAR/5 kolonie)", "veto =Gartenzwerg" .
t:pflanze a skos:Concept ; skos:prefLabel "Pflanze"@de ; tidings:status "candidate" ; skos:narrower t:baum .
<http://example.org/v#Baum> a skos:Concept ; skos:prefLabel "Baum"@de .
`

func must(t *testing.T, name, text string) *Vocabulary {
	t.Helper()
	v, err := Read(File{name, []byte(text)})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func written(t *testing.T, write func(*bytes.Buffer) error) string {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// What is written and read again is the same, in each form, and written again the same bytes.
func TestWhatIsWrittenIsReadAgain(t *testing.T) {
	t.Parallel()
	first, err := Starter()
	if err != nil {
		t.Fatal(err)
	}
	topics := must(t, "topics.json", mediaTopicsSample)
	for name, v := range map[string]*Vocabulary{"starter": first, "full": must(t, "full.ttl", full), "topics": topics} {
		for form, write := range map[string]func(v *Vocabulary, b *bytes.Buffer) error{
			"x.ttl": func(v *Vocabulary, b *bytes.Buffer) error { return v.WriteTurtle(b) },
			"x.csv": func(v *Vocabulary, b *bytes.Buffer) error { return v.WriteCSV(b) },
		} {
			once := written(t, func(b *bytes.Buffer) error { return write(v, b) })
			again := must(t, form, once)
			if twice := written(t, func(b *bytes.Buffer) error { return write(again, b) }); twice != once {
				t.Errorf("%s as %s: %s", name, form, cmp.Diff(once, twice))
			}
			if again.Hash() != v.Hash() || again.Len() != v.Len() {
				t.Errorf("%s as %s has another hash:\n%s", name, form, cmp.Diff(written(t, func(b *bytes.Buffer) error { return v.WriteTurtle(b) }), written(t, func(b *bytes.Buffer) error { return again.WriteTurtle(b) })))
			}
		}
	}
}

const mediaTopicsSample = `[
{"id": "medtop:01000000", "broader": null, "retired": null, "labels": {"de": "Kultur", "se": "Kultur", "dk": "kultur", "en-GB": "arts", "en-US": "arts", "no-NB": "kultur", "pt-PT": "artes", "pt-BR": "arte"}, "defs": {"de": "Alles  von Kunst"}, "wd": "https://www.wikidata.org/entity/Q1"},
{"id": "medtop:20000002", "broader": "medtop:01000000", "retired": "2020-01-01", "labels": {"de": "Kunst"}, "defs": {}, "wd": null}
]`

func TestMediaTopicsAreRead(t *testing.T) {
	t.Parallel()
	v := must(t, "topics.json", mediaTopicsSample)
	c, _ := v.Lookup("01000000")
	names := map[string]string{"de": "Kultur", "sv": "Kultur", "da": "kultur", "en": "arts", "nb": "kultur", "pt": "arte"}
	if diff := cmp.Diff(names, c.Names()); diff != "" {
		t.Error(diff)
	}
	want := []string{"http://cv.iptc.org/newscodes/mediatopic/01000000", "https://www.wikidata.org/entity/Q1"}
	if diff := cmp.Diff(want, c.Exact); diff != "" {
		t.Error(diff)
	}
	if old, _ := v.Lookup("20000002"); old.Status != Deprecated || old.Broader[0] != "01000000" {
		t.Errorf("a retired topic: %+v", old)
	}
}

func TestTablesAreRead(t *testing.T) {
	t.Parallel()
	v := must(t, "x.tsv", "\ufeffID;Lang;Pref;Alt;Broader;Status;Weight\nWald;de;Wald;Forst|Gehölz;natur;;\nwald;en;Forest;;;;2\nnatur;;Natur;;;candidate;\n")
	c, _ := v.Lookup("wald")
	want := []Label{{"de", "Wald", Pref}, {"en", "Forest", Pref}, {"de", "Forst", Alt}, {"de", "Gehölz", Alt}}
	if diff := cmp.Diff(want, c.Labels); diff != "" || c.Weight != 2 {
		t.Errorf("%s weight %v", diff, c.Weight)
	}
	for name, c := range map[string]struct{ text, want string }{
		"no number": {"id,lang,pref,weight,min_score\nx,de,X,NaN,\ny,de,Y,,NaN\n", `x.csv:2:8: concept "x": weight NaN is not within 0 and 10
x.csv:3:9: concept "y": score NaN is not within 0 and 1`},
		"columns": {"id,lang,preff\n", `x.csv:1:9: "preff" is none of the columns id, lang, pref, alt, hidden, ambiguous, broader, related, exact, definition, status, weight, min_score, categories, rules, address`},
		"no id":   {"pref\nx\n", "x.csv:1:1: the column id is missing"},
		"empty":   {"", "x.csv:1:1: the table has no line of column names"},
		"rows": {"id,pref,weight,rules,categories,status\n,x,,,,\n***,x,,,,\na,A,much,,,\nb,B,,x AND,,\nc,C,11,,word,odd\n", `x.csv:2:1: a row has no id
x.csv:3:1: "***" is no id
x.csv:4:5: the weight "much" of "a" is no number
x.csv:5:6: concept "b": rule "x AND": a word is missing at the end
x.csv:6:9: concept "c": category "word" is not source=word, or *=word
x.csv:6:14: concept "c": status "odd" is none of active, candidate, deprecated
x.csv:6:5: concept "c": weight 11 is not within 0 and 10`},
		"a row further down": {"id,lang,pref,rules\na,de,Größe,\na,en,Size,x AND\n", `x.csv:3:11: concept "a": rule "x AND"`},
		"wide characters":    {"id,lang,pref,rules\nä,de,Größe,x AND\n", `x.csv:2:12: concept "`},
		"open at the end":    {"id,pref\na,\"A\nb,B\nc,C\n", `x.csv:2:1: a quotation mark is not closed here`},
		"language": {"id,lang,pref,definition\na,de,A,\na,nieder deutsch,A,\nb,de@x,,B\nb,,B,\n", `x.csv:3:3: concept "a": "nieder deutsch" is no code of a language, such as de or pt-br
x.csv:4:3: concept "b": "de@x" is no code`},
		"charset": {"id,lang,pref\na,de,Käse\nb,de,K\xe4se\n", "x.csv:3:7: the file is not valid UTF-8 from here on"},
		"open":    {"id,pref\na,\"A\n", `x.csv:2:5: a quotation mark is not closed here`},
	} {
		_, err := Read(File{"x.csv", []byte(c.text)})
		if err == nil {
			t.Errorf("%s: no problem was found", name)
		} else if !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: %s", name, cmp.Diff(c.want, err.Error()))
		}
	}
	_, err := Read(File{"x.json", []byte("[\n{\"id\": \"a\", \"labels\": 7},\n{\"labels\": {}}, {]")})
	if err == nil || !strings.Contains(err.Error(), "x.json:2:") || !strings.Contains(err.Error(), "x.json:3:") || !strings.Contains(err.Error(), "labels is number") || strings.Contains(err.Error(), "Go ") {
		t.Errorf("JSON: %v", err)
	}
	_, err = Read(File{"x.json", []byte(`[{"id": "a", "labels": {"de": "Abgebro`)})
	if err == nil || !strings.Contains(err.Error(), "breaks off") {
		t.Errorf("JSON that is cut: %v", err)
	}
	_, err = Read(File{"x.json", []byte("[{\"id\": \"a\", \"labels\": {\"de\": \"A\"}}\n")})
	if err == nil || !strings.Contains(err.Error(), "the list is not closed") {
		t.Errorf("a list that is not closed: %v", err)
	}
	warned := must(t, "w.csv", "id,pref,broader\na,A,nowhere\n").Warnings()
	if len(warned) != 1 || warned[0].String() != `w.csv:2:5: concept "a" names "nowhere", which is not there` {
		t.Errorf("warnings %v", warned)
	}
}

// draft is an article on its way, in words.
func draft(id, source, lang, title, body string) *pipeline.Draft {
	d := pipeline.NewDraft(&article.Raw{ID: id, Source: article.Source{ID: source}}, nil)
	d.Article.Title, d.Article.Language.Code = title, lang
	d.Prose = prose.FromPlain(title, body)
	d.Article.Text = d.Prose.Body
	d.Words = words.NewDoc(title, d.Prose.Body, lang, nil)
	return d
}

func TestRulesHoldOrNot(t *testing.T) {
	t.Parallel()
	const title = "Neue Gärten aus Dresden"
	body := "Die Fabriken laufen. " + strings.Repeat("Viel Text steht dazwischen. ", 30) + "Am Ende steht die Apple-Filiale bei den Elektroautos."
	for _, c := range []struct {
		rule  string
		want  bool
		spans int
	}{
		{"garten", true, 1}, {"Gärten Fabrik", true, 2}, {"garten AND zebra", false, 0}, {"zebra OR fabrik", true, 1}, {"NOT zebra", true, 0},
		{"garten NOT fabrik", false, 0}, {"=Apple", true, 1}, {"=apple", false, 0}, {"elektro*", true, 1}, {`"neue gärten"`, true, 1},
		{`"gärten neue"`, false, 0}, {"title: fabrik", false, 0}, {"title: (garten OR fabrik)", true, 1}, {"lead: apple", false, 0}, {"body: apple", true, 1},
		{"lead: fabrik", true, 1}, {"Fabrik NEAR/3 laufen", true, 2}, {"laufen NEAR/3 Fabrik", true, 2}, {"Fabrik NEAR/50 Apple", false, 0}, {"garten NEAR/5 fabrik", false, 0},
		{"(garten OR zebra) AND (dresden OR zebra)", true, 2}, {"NOT (NOT garten)", true, 0},
	} {
		r, err := ParseRule(c.rule)
		if err != nil {
			t.Errorf("%s: %v", c.rule, err)
			continue
		}
		d := draft("x", "s", "de", title, body)
		ok, spans := r.holds(&text{d.Words.Title, d.Words.Body, "de"})
		if ok != c.want || ok && len(spans) != c.spans {
			t.Errorf("%s: %v with %d places", c.rule, ok, len(spans))
		}
	}
	for rule, want := range map[string]string{
		"": "a word is missing at the end", "(a": "a bracket is not closed", "a)": `")" is not expected here`, `"a`: "a quotation mark is not closed",
		"AND a": `a word is missing before "AND"`, "text: a": `"text" is none of the fields title, lead, body`, "a NEAR/x b": `"NEAR/x" is not NEAR/ and a number of words between 1 and 100`,
		"…": `"…" holds no word that could be looked for`, strings.Repeat("(", 100) + "a": "it is nested too deep", strings.Repeat("NOT ", 100) + "a": "it is nested too deep",
	} {
		if _, err := ParseRule(rule); err == nil || err.Error() != want {
			t.Errorf("%.20q: %v, want %s", rule, err, want)
		}
	}
}

func FuzzParseRule(f *testing.F) {
	f.Add(`veto title: (a* OR "b c") NEAR/5 =D AND NOT e`)
	f.Fuzz(func(t *testing.T, rule string) {
		r, err := ParseRule(rule)
		if err != nil {
			return
		}
		d := draft("x", "s", "de", "Ein Titel", "Ein Text mit "+rule)
		ok, spans := r.holds(&text{d.Words.Title, d.Words.Body, "de"})
		for _, s := range spans {
			list := d.Words.Body
			if s.title {
				list = d.Words.Title
			}
			if !ok || s.from < 0 || s.to > len(list) || s.from >= s.to {
				t.Fatalf("%q gives %+v", rule, s)
			}
		}
	})
}

func FuzzTable(f *testing.F) {
	f.Add("id;pref\na;\"b\n", "x.csv")
	f.Add(mediaTopicsSample, "x.json")
	f.Fuzz(func(t *testing.T, text, name string) {
		v, err := Read(File{"f" + filepath.Ext(name), []byte(text)})
		if err != nil {
			return
		}
		var b bytes.Buffer
		if err := v.WriteTurtle(&b); err != nil {
			t.Fatal(err)
		}
		if again, err := Read(File{"f.ttl", b.Bytes()}); err != nil || again.Len() != v.Len() {
			t.Fatalf("written and read again: %v\n%s", err, b.String())
		}
	})
}

func TestRulesCategoriesAndWeightsSpeakForConcepts(t *testing.T) {
	t.Parallel()
	m := NewMatcher(must(t, "full.ttl", full))
	filler := strings.Repeat("Sonst geschah an diesem Tag nichts von Belang. ", 12)
	for _, c := range []struct {
		name, source, body string
		categories         []article.Category
		want               string
	}{
		{"a rule", "s", filler + "Die Laube gehört zur Kolonie.", nil, "garten"},
		{"a veto", "s", filler + "Garten, Garten, Garten und ein Gartenzwerg.", nil, ""},
		{"a candidate is no tag", "s", filler + "Pflanze, Pflanze, Pflanze.", nil, ""},
		{"the source's own word", "blog", filler, []article.Category{{Term: "Grünes"}}, "garten"},
		{"another source's word", "press", filler, []article.Category{{Term: "Grünes"}}, ""},
		{"a word of all sources", "press", filler, []article.Category{{Label: "draussen"}}, "garten"},
	} {
		d := draft("x", c.source, "de", "Ein Tag", c.body)
		got := m.Find(d, c.categories)
		if ids(got) != c.want {
			t.Errorf("%s: %q, want %q", c.name, ids(got), c.want)
		}
		for _, tag := range got {
			if len(tag.Evidence) == 0 {
				t.Errorf("%s: no evidence", c.name)
			}
		}
	}
	got := m.Find(draft("x", "blog", "de", "Ein Tag", filler+"Die Laube gehört zur Kolonie."), []article.Category{{Term: "Grünes"}})
	if e := got[0].Evidence; len(e) != 3 || e[0].Rule != "beet OR (laube NEAR/5 kolonie)" || e[0].Text != "Laube" || e[2].Rule != "map:blog" {
		t.Errorf("evidence %+v", e)
	}
}

// bread and rail are texts of two subjects that share no concept's label.
func subject(words []string, n int) string {
	var b strings.Builder
	for i := range 12 {
		fmt.Fprintf(&b, "Am %s sah man %s und %s beim %s. ", words[(n+i)%len(words)], words[(n+2*i+1)%len(words)], words[(n+3*i)%len(words)], words[(n*i+2)%len(words)])
	}
	return b.String()
}

var (
	bread = strings.Fields("Sauerteig Kruste Ofen Roggen Hefe Mehl Krume Gärkorb Backstein Schrot Dinkel Weizen")
	rails = strings.Fields("Weiche Lokomotive Gleis Signal Schwelle Bahnsteig Oberleitung Stellwerk Waggon Schotter Fahrplan Tunnel")
)

func TestVerdictsAreLearnt(t *testing.T) {
	t.Parallel()
	v := must(t, "x.ttl", `@prefix s: <http://www.w3.org/2004/02/skos/core#> .
<t:backen> s:prefLabel "Backkunst"@de . <t:bahn> s:prefLabel "Tunnel"@de .`)
	say := func(concept string, accepted bool, list []string, n int) (all []Verdict) {
		for i := range n {
			d := draft("x", "s", "de", "Ein Bericht", subject(list, i))
			all = append(all, Verdict{Concept: concept, Article: fmt.Sprint(concept, accepted, i), Accepted: accepted, Lang: "de", Stems: Stems(d.Words)})
		}
		return all
	}
	about := func(m *Matcher, id string, list []string) string {
		return ids(m.Find(draft(id, "s", "de", "Ein Bericht", subject(list, 17)), nil))
	}

	few := NewMatcher(v, say("backen", true, bread, enough-1)...)
	if got := about(few, "x", bread); got != "" {
		t.Errorf("nine verdicts are enough for %s", got)
	}
	m := NewMatcher(v, say("backen", true, bread, enough)...)
	if got := about(m, "x", bread); got != "backen" {
		t.Errorf("ten accepted articles, and the next one has %q", got)
	}
	if got := about(m, "x", rails); got != "bahn" {
		t.Errorf("an article about something else has %q", got)
	}
	found := m.Find(draft("x", "s", "de", "Ein Bericht", subject(bread, 17)), nil)
	if e := found[0].Evidence; len(e) != 3 || e[0].Source != "model" || e[0].Text == "" {
		t.Errorf("evidence %+v", e)
	}
	m = NewMatcher(v, say("bahn", false, rails, enough)...)
	if got := about(m, "x", rails); got != "" {
		t.Errorf("ten rejections, and the next one has %q", got)
	}
	m = NewMatcher(v, Verdict{Concept: "backen", Article: "x", Accepted: true}, Verdict{Concept: "bahn", Article: "x"})
	if got := about(m, "x", rails); got != "backen" {
		t.Errorf("said of this very article: %q", got)
	}
	if got := about(m, "y", rails); got != "bahn" {
		t.Errorf("said of another article: %q", got)
	}
	m = NewMatcher(v, Verdict{Concept: "bahn", Article: "x", Accepted: true})
	found = m.Find(draft("x", "s", "de", "Tunnel und Backkunst", "Im Tunnel lernt man Backkunst. Die Backkunst im Tunnel ist alt."), nil)
	if got := ids(found); got != "bahn backen" {
		t.Errorf("accepted, and found without that as well: %q", got)
	} else if n := len(found[0].Evidence); found[0].Score != 1 || found[0].Evidence[0].Source != "label" || found[0].Evidence[n-1].Source != "verdict" {
		t.Errorf("the accepted concept is %+v", found[0])
	}
	if same := NewMatcher(v).Hash(); same != v.Hash() || same == m.Hash() {
		t.Error("verdicts do not show in the hash")
	}
}

// Scores follow what persons accept once they said it fifty times, and not before, nor where they only ever said one thing.
func TestScoresFollowVerdicts(t *testing.T) {
	t.Parallel()
	v := must(t, "x.csv", "id,lang,pref\nwald,de,Wald\nsee,de,See\n")
	// Persons want a concept only where much speaks for it, in one case of ten otherwise.
	say := func(n int, strict bool) (list []Verdict) {
		for i := range n {
			sum := 0.5 + 3*float64(i)/float64(n)
			accepted := sum > 1 == (i%10 != 0)
			if strict {
				accepted = sum > 2.5 == (i%10 != 0)
			}
			list = append(list, Verdict{Concept: "wald", Article: fmt.Sprint("a", i), Accepted: accepted, Sum: sum})
		}
		return list
	}
	score := func(verdicts []Verdict) float64 {
		tags := NewMatcher(v, verdicts...).Find(draft("x", "s", "de", "Der See", "Am See ist es still, und der See ist groß."), nil)
		if len(tags) == 0 {
			return 0
		}
		return tags[0].Score
	}
	before := score(nil)
	if before < 0.5 {
		t.Fatalf("the concept has %v", before)
	}
	if got := score(say(refitted-1, true)); got != before {
		t.Errorf("forty-nine verdicts change %v to %v", before, got)
	}
	strict, loose := score(say(60, true)), score(say(60, false))
	if strict >= before || loose <= strict {
		t.Errorf("%v before, %v by strict verdicts, %v by loose ones", before, strict, loose)
	}
	one := say(60, true)
	for i := range one {
		one[i].Accepted = true
	}
	if got := score(one); got != before {
		t.Errorf("verdicts of one kind change %v to %v", before, got)
	}
	absurd := say(60, true)
	for i := range absurd {
		absurd[i].Accepted = !absurd[i].Accepted
	}
	if got := score(absurd); got != before {
		t.Errorf("verdicts against all evidence change %v to %v", before, got)
	}
	if got := calibrate(say(500, true)); math.Abs(-got.offset/got.slope-2.5) > 0.4 {
		t.Errorf("the border is at %v, by %+v", -got.offset/got.slope, got)
	}
	m := NewMatcher(v)
	d := draft("x", "s", "de", "Der See", "Am See ist es still, und der See ist groß.")
	if sum := m.Sum(d, nil, "see"); m.calibration.score(sum) != before || m.Sum(d, nil, "wald") != 0 {
		t.Errorf("the sum is %v", sum)
	}
	if NewMatcher(v, Verdict{Concept: "wald", Article: "a", Sum: 1}).Hash() == NewMatcher(v, Verdict{Concept: "wald", Article: "a"}).Hash() {
		t.Error("what scores follow does not show in the hash")
	}
}

func TestEditsAreInForceAtOnceOrNotAtAll(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	book := natstest.Run(t).Bus(t, "tidings").Bucket(event.BucketTaxonomy)
	base := must(t, "full.ttl", full)
	e, revision, err := Load(ctx, book)
	if err != nil || revision != 0 || len(e.Concepts) != 0 {
		t.Fatalf("an empty book: %+v %d %v", e, revision, err)
	}
	in := must(t, "in.csv", "id,lang,pref,alt\nbaum,de,Baum,Gehölz\nneu,de,Neues,\n")
	if diff := cmp.Diff(map[string]string{"baum": Changed, "neu": Added}, e.Put(base, in)); diff != "" {
		t.Error(diff)
	}
	big := strings.Repeat("äöü", 100) // not to be packed well: several parts
	for n := range 20_000 {
		e.Ignored = append(e.Ignored, fmt.Sprintf("%x%s%d", n*7919, big[n%50*2:n%50*2+2], n*n))
	}
	if err := Save(ctx, book, e, revision); err != nil {
		t.Fatal(err)
	}
	got, revision, err := Load(ctx, book)
	if err != nil || len(got.Ignored) != 20_000 || len(got.Concepts) != 2 {
		t.Fatalf("%d concepts, %d words, %v", len(got.Concepts), len(got.Ignored), err)
	}
	if diff := cmp.Diff(map[string]string{"baum": Unchanged, "neu": Unchanged}, got.Put(base, in)); diff != "" {
		t.Error(diff)
	}
	// Two operators: the second has not seen what the first did.
	got.Ignored = nil
	if err := Save(ctx, book, got, revision); err != nil {
		t.Fatal(err)
	}
	if err := Save(ctx, book, e, revision); fault.KindOf(err) != fault.Conflict {
		t.Errorf("of two at the same moment the second: %v", err)
	}
	// One who cleans up late takes nothing of an edition that was made of a later one.
	if err := clean(ctx, book, head{Edition: "0.late"}, 0); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Load(ctx, book); err != nil {
		t.Errorf("after somebody cleaned up late: %v", err)
	}
	// One who was killed between parts and head has changed nothing.
	if _, err := book.Put(ctx, partKey("killed", 0), []byte("half")); err != nil {
		t.Fatal(err)
	}
	after, revision, err := Load(ctx, book)
	if err != nil || len(after.Ignored) != 0 || len(after.Concepts) != 2 {
		t.Errorf("after a kill: %+v %v", after, err)
	}
	v, err := base.With(after)
	if err != nil {
		t.Fatal(err)
	}
	if c, _ := v.Lookup("baum"); len(c.Labels) != 2 || v.Len() != 4 || base.Len() != 3 {
		t.Errorf("with the edits: %+v", c)
	}
	if gone := after.Forget("baum"); len(gone) != 1 || len(after.Concepts) != 1 {
		t.Errorf("forgot %v", gone)
	}
	if err := Save(ctx, book, after, revision); err != nil {
		t.Fatal(err)
	}
	left, err := book.Entries(ctx, "edits.>")
	if err != nil || len(left) != 1 {
		t.Errorf("%d parts are left of all editions, %v", len(left), err)
	}
	after.Concepts[0].Broader = []string{"neu"}
	if _, err := base.With(after); err == nil || !strings.Contains(err.Error(), "broader than itself") {
		t.Errorf("a circle: %v", err)
	}
}

func TestVerdictsAreKept(t *testing.T) {
	t.Parallel()
	ctx := context.WithoutCancel(t.Context())
	book := natstest.Run(t).Bus(t, "tidings").Bucket(event.BucketTaxonomy)
	for _, v := range []Verdict{{Concept: "c++ & c", Article: "a", Accepted: true}, {Concept: "wald", Article: "a", Accepted: true}, {Concept: "wald", Article: "a"}} {
		if err := Say(ctx, book, v); err != nil {
			t.Fatal(err)
		}
	}
	list, err := Verdicts(ctx, book)
	if want := []Verdict{{Concept: "c++ & c", Article: "a", Accepted: true}, {Concept: "wald", Article: "a"}}; err != nil || cmp.Diff(want, list) != "" {
		t.Errorf("%v %v", list, err)
	}
	if err := Unsay(ctx, book, "a", "wald"); err != nil {
		t.Fatal(err)
	}
	if list, err := Verdicts(ctx, book); err != nil || len(list) != 1 {
		t.Errorf("%v %v", list, err)
	}
}

// BenchmarkCompile compiles what stands in $TAXONOMY, else the starter.
func BenchmarkCompile(b *testing.B) {
	v, err := Starter()
	if name := os.Getenv("TAXONOMY"); name != "" {
		data, fail := os.ReadFile(name)
		if fail != nil {
			b.Fatal(fail)
		}
		v, err = Read(File{name, data})
	}
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		NewMatcher(v)
	}
	b.ReportMetric(float64(v.Len()), "concepts")
}
