package app

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// offlineInput holds articles of several kinds and two rows that are none.
func offlineInput(t *testing.T) string {
	t.Helper()
	guest, err := os.ReadFile("../internal/extract/testdata/guest.txt")
	if err != nil {
		t.Fatal(err)
	}
	paragraph := "<p>Night trains are returning to Europe after years of decline. Rail operators have ordered new sleeping cars, and passengers book months ahead. Climate change is one reason, says researcher Anna Example.</p>"
	rows := []any{
		map[string]any{"id": "guest", "text": string(guest), "source": "gast", "fetched": "2026-05-01T12:00:00Z"},
		map[string]any{"id": "trains", "title": "Why night trains are back", "url": "https://example.org/trains", "html": paragraph + paragraph, "published": "2026-04-30T06:00:00Z"},
		map[string]any{"id": "copy", "title": "Night trains are back", "url": "https://www.example.org/trains/", "html": paragraph},
		map[string]any{"id": "page", "url": "https://example.org/p", "html_file": "page.html"},
		map[string]any{"id": "outside", "html_file": "../page.html"},
		map[string]any{"id": "fr", "title": "La maire inaugure une piscine", "html": "<p>La maire de la ville a inauguré samedi une nouvelle piscine.</p><script>x</script>", "categories": []string{"Sport"}, "language": "fr"},
	}
	var b strings.Builder
	for _, r := range rows {
		line, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(append(line, '\n'))
	}
	b.WriteString("{broken\n\n")
	return b.String()
}

const page = `<!DOCTYPE html><html lang="en"><head><title>A page | Example</title></head><body><nav>Home</nav><article><h1>A page</h1>
<p>The town council decided on Monday to widen the cycle lane along the river before autumn, because far more people use it than five years ago.</p>
<p>The bridge next to it will be repaired in the same months, so that traffic is interrupted only once, the mayor said after the meeting on Monday.</p></article></body></html>`

func TestOfflineGivesTheSameWithAnyNumberOfWorkers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in := filepath.Join(dir, "in.jsonl")
	write(t, in, offlineInput(t))
	write(t, filepath.Join(dir, "page.html"), page)
	var first string
	for _, workers := range []int{1, 8, 1} {
		out := filepath.Join(dir, "out.jsonl")
		var stderr bytes.Buffer
		code := Offline(t.Context(), []string{"--in", in, "--out", out, "--workers", strconv.Itoa(workers)}, nil, nil, &stderr)
		if code != 1 || !strings.Contains(stderr.String(), "2 rows failed") {
			t.Errorf("exit code %d: %s", code, &stderr)
		}
		data, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		if first == "" {
			first = string(data)
		}
		if diff := cmp.Diff(first, string(data)); diff != "" {
			t.Errorf("%d workers give another result: %s", workers, diff)
		}
	}
	golden(t, "offline", indented(t, first))
}

// indented makes a golden file that a person can read.
func indented(t *testing.T, lines string) string {
	t.Helper()
	var b bytes.Buffer
	for line := range strings.Lines(lines) {
		if err := json.Indent(&b, []byte(line), "", " "); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

func TestOfflineReadsAndWritesStreams(t *testing.T) {
	t.Parallel()
	var out, stderr bytes.Buffer
	code := Offline(t.Context(), []string{"--in", "-", "--only", "language"}, strings.NewReader(`{"id":"a","text":"Das ist ein ganz kurzer Satz."}`), &out, &stderr)
	if code != 0 || stderr.Len() > 0 {
		t.Fatalf("exit code %d: %s", code, &stderr)
	}
	var row enrichedRow
	if err := json.Unmarshal(out.Bytes(), &row); err != nil || row.Language.Code != "de" || row.Summary != "" {
		t.Errorf("%+v, %v", row, err)
	}
}

// A row shows the result of the step that is asked for, even where another one writes it down.
func TestOfflineShowsWhatTheNamedStepFound(t *testing.T) {
	t.Parallel()
	in := `{"id":"a","title":"Die Bahn fährt wieder nachts","text":"Der Bundestag hat am Montag über das Heizungsgesetz beraten, wie die Bundesregierung in Berlin sagte."}`
	for only, shows := range map[string]func(r enrichedRow) bool{
		"decode": func(r enrichedRow) bool { return r.Text == "" },
		"extract": func(r enrichedRow) bool {
			return strings.HasPrefix(r.Text, "Der Bundestag") && r.Language.Code == "und"
		},
		"phrases":  func(r enrichedRow) bool { return len(r.Keyphrases) > 0 && len(r.Tags) == 0 },
		"taxonomy": func(r enrichedRow) bool { return len(r.Tags) > 0 && r.Summary == "" },
		"story":    func(r enrichedRow) bool { return r.Story == "a" && r.Summary != "" },
	} {
		var out, stderr bytes.Buffer
		if code := Offline(t.Context(), []string{"--in", "-", "--only", only}, strings.NewReader(in), &out, &stderr); code != 0 {
			t.Fatalf("%s: exit code %d: %s", only, code, &stderr)
		}
		if bytes.Contains(out.Bytes(), []byte("null")) {
			t.Errorf("%s: an empty list is none: %s", only, &out)
		}
		var row enrichedRow
		if err := json.Unmarshal(out.Bytes(), &row); err != nil || !shows(row) {
			t.Errorf("%s: %s, %v", only, &out, err)
		}
	}
}

func TestOfflineExplainsWhatIsNoPartOfTheBody(t *testing.T) {
	t.Parallel()
	guest, err := os.ReadFile("../internal/extract/testdata/guest.txt")
	if err != nil {
		t.Fatal(err)
	}
	in, err := json.Marshal(map[string]string{"id": "g\x1b", "text": string(guest)})
	if err != nil {
		t.Fatal(err)
	}
	var plain, out, stderr bytes.Buffer
	Offline(t.Context(), []string{"--in", "-"}, bytes.NewReader(in), &plain, &stderr)
	if stderr.Len() > 0 {
		t.Errorf("without being asked it says %s", &stderr)
	}
	Offline(t.Context(), []string{"--in", "-", "--explain"}, bytes.NewReader(in), &out, &stderr)
	if diff := cmp.Diff(plain.String(), out.String()); diff != "" {
		t.Error(diff)
	}
	for _, want := range []string{`"g\x1b" headline: "Warum`, `byline: "Martina Beispiel |`, `promo: "Passend`, `call: "Jetzt`} {
		if !strings.Contains(stderr.String(), want) {
			t.Errorf("%s is not in %s", want, &stderr)
		}
	}
}

func TestOfflineUsage(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args []string
		code int
		want string
	}{
		"no input":     {nil, 2, "give --in"},
		"unknown flag": {[]string{"--in", "x", "--foo"}, 2, "foo"},
		"unknown step": {[]string{"--in", "x", "--only", "nope"}, 2, "none of decode, metadata"},
		"bad time":     {[]string{"--in", "x", "--now", "today"}, 2, "no time"},
		"no file":      {[]string{"--in", "/no/such/file"}, 1, "open input"},
		"no taxonomy":  {[]string{"--in", "x", "--taxonomy", "/no/such/file"}, 2, "cannot read the taxonomy"},
		"help":         {[]string{"-h"}, 0, ""},
	} {
		var out, stderr bytes.Buffer
		if code := Offline(t.Context(), c.args, nil, &out, &stderr); code != c.code || !strings.Contains(stderr.String(), c.want) {
			t.Errorf("%s: exit code %d, %q", name, code, stderr.String())
		}
	}
	if !isOffline([]string{"run", "--in=x"}) || isOffline([]string{"run", "--config", "x"}) || isOffline(nil) {
		t.Error("the command on a file is not told from the service's own verb")
	}
}

func TestSelectorsAreTriedOffline(t *testing.T) {
	t.Parallel()
	name := file(t, "tidings.yaml", "enrich:\n  hosts:\n    www.example.org: {keep: [\"#text\"], drop: [.ad]}\n")
	page := "<html><body>" + strings.Repeat("<p>Ein Absatz, der nicht zum Artikel gehört und doch der längste von allen ist, weil er so oft da steht.</p>", 9) +
		`<div id="text"><p>Der Artikel.</p><p class="ad">Anzeige</p></div></body></html>`
	row, err := json.Marshal(map[string]string{"id": "a", "url": "https://example.org/a", "html": page})
	if err != nil {
		t.Fatal(err)
	}
	var out, stderr bytes.Buffer
	if code := Offline(t.Context(), []string{"--in", "-", "--out", "-", "--config", name, "--only", "extract"}, bytes.NewReader(row), &out, &stderr); code != 0 {
		t.Fatalf("exit code %d: %s", code, &stderr)
	}
	if !strings.Contains(out.String(), `"text":"Der Artikel.","html"`) {
		t.Errorf("the row is %s", &out)
	}
}

// Whoever made the rows is told what is wrong with one in the words of JSON, not in those of this program.
func TestOfflineSaysWhatIsWrongWithARow(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		`{"id":"a","url":5}`:                    `{"id":"a","line":1,"error":{"kind":"invalid","detail":"url is number, which does not belong there"}}`,
		`{"categories":"x","id":"a"}`:           `{"id":"a","line":1,"error":{"kind":"invalid","detail":"categories is string, which does not belong there"}}`,
		`[1]`:                                   `{"line":1,"error":{"kind":"invalid","detail":"a row is a JSON object, and this is array"}}`,
		`{"id":`:                                `{"line":1,"error":{"kind":"invalid","detail":"a row is a JSON object on one line, and this is none, or cut off: \"{\\\"id\\\":\""}}`,
		`{"id":"a","published":"gestern"}`:      `and \"gestern\" is none`,
		`{"id":"a","fetched":7}`:                `and 7 is none`,
		`{"id":"a","html_file":"nowhere.html"}`: `{"id":"a","line":1,"error":{"kind":"invalid","detail":"html_file \"nowhere.html\" is not there; it is looked for in the folder of the input"}}`,
		`{"text":"x"}`:                          `a row needs an id`,
	} {
		var out, stderr bytes.Buffer
		if code := Offline(t.Context(), []string{"--in", "-"}, strings.NewReader(line+"\n"), &out, &stderr); code != 1 {
			t.Errorf("%s: exit code %d, %s", line, code, &stderr)
		}
		if got := strings.TrimSuffix(out.String(), "\n"); !strings.Contains(got, want) || strings.Contains(got, "Go ") {
			t.Errorf("%s: %s", line, cmp.Diff(want, got))
		}
	}
}

// An id of the input may be any text: a file name, an address, what no key may hold.
func TestOfflineTakesAnyID(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("Der Radweg am Fluss wird im nächsten Jahr breiter, beschloss die Stadt am Montag. ", 20)
	var in bytes.Buffer
	enc := json.NewEncoder(&in)
	ids := []string{"news/2026.05.txt", "a b*>.$ü", "https://example.org/?x=1#y", strings.Repeat("lang", 500)}
	for _, id := range ids {
		if err := enc.Encode(map[string]string{"id": id, "text": text}); err != nil {
			t.Fatal(err)
		}
	}
	var out, stderr bytes.Buffer
	if code := Offline(t.Context(), []string{"--in", "-"}, &in, &out, &stderr); code != 0 {
		t.Fatalf("exit code %d: %s", code, &stderr)
	}
	dec := json.NewDecoder(&out)
	for i, id := range ids {
		var row enrichedRow
		if err := dec.Decode(&row); err != nil {
			t.Fatal(err)
		}
		if row.ID != id || row.Story != ids[0] {
			t.Errorf("row %d: id %q, story %q", i, row.ID, row.Story)
		}
		if i > 0 && (len(row.Relations) != 1 || row.Relations[0].Other != ids[0]) {
			t.Errorf("row %d: relations %v", i, row.Relations)
		}
	}
}
