package config_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tidings.internal/pkg/config"
	"tidings.internal/pkg/fault"
)

// A mistake is marked by its number between the signs « and »; the mark stands in front of where the problem must be.
func TestTenMistakesAreTenProblemsInOneRun(t *testing.T) {
	t.Parallel()
	marked := `site: {title: Kundennah, url: «1»news.example.org, language: de}
«2»sorces: []
sources:
  - id: crm-blog
    url: https://blog.example.com/feed
    «3»evry: 15m
    syndicate: «4»ful
  - id: «5»crm-blog
    url: https://blog.example.com/other
    every: «6»5
nats:
  retention:
    articles: «7»48h
  replicas: «8»two
ingest:
  token_file: «9»/run/secrets/missing
  word: größer
channels:
  - {id: ä-wörter, network: webhook, «10»hashtgas: 3}
`
	marked = strings.Replace(marked, "ä-wörter", "w", 1)
	type spot struct{ line, column int }
	want := map[spot]bool{}
	var clean strings.Builder
	line, column := 1, 1
	for rest := marked; rest != ""; {
		if strings.HasPrefix(rest, "«") {
			_, rest, _ = strings.Cut(rest, "»")
			want[spot{line, column}] = true
			continue
		}
		r := []rune(rest)[0]
		clean.WriteRune(r)
		if column++; r == '\n' {
			line, column = line+1, 1
		}
		rest = rest[len(string(r)):]
	}
	if len(want) != 10 {
		t.Fatalf("the test marks %d places", len(want))
	}
	doc := config.New("tidings.yaml", []byte(clean.String()), nil)
	var sources []config.Source
	site, nats := config.DefaultSite(), config.DefaultNATS()
	doc.Section("site", &site)
	doc.Section("nats", &nats)
	doc.Section("sources", &sources)
	doc.Section("ingest", &sample{})
	doc.Channels(func(string) (any, []string) { return &struct{}{}, nil })
	err := doc.Err()
	got := map[spot]bool{}
	list, ok := errors.AsType[*config.Problems](err)
	if !ok || fault.KindOf(err) != fault.Invalid {
		t.Fatalf("the error is %T of kind %s", err, fault.KindOf(err))
	}
	for _, p := range list.List {
		got[spot{p.Origin.Line, p.Origin.Column}] = true
	}
	if diff := cmp.Diff(want, got); diff != "" || len(list.List) != 10 {
		t.Errorf("%d problems; places (-want +got):\n%s\n%v", len(list.List), diff, err)
	}
	if !slices.IsSortedFunc(list.List, func(a, b config.Problem) int { return a.Origin.Line - b.Origin.Line }) {
		t.Errorf("the problems are not in the order of the file:\n%v", err)
	}
}

func TestNothingMeansDefaults(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "\n", "# only a comment\n", "---\n", "---\n# still\n", "\ufeff", "site:\nsources: []\ningest: {}\n"} {
		doc, s := load("tidings.yaml", text)
		if err := doc.Err(); err != nil {
			t.Errorf("%q: %v", text, err)
		}
		if s.Word != "default" || s.Count != 1 {
			t.Errorf("%q changed the defaults: %+v", text, s)
		}
	}
	doc, err := config.Load("", []string{"TIDINGS_INGEST__WORD=set"})
	if err != nil {
		t.Fatal(err)
	}
	if s := decodeAll(doc); doc.Err() != nil || s.Word != "set" {
		t.Errorf("without a file: %v, %q", doc.Err(), s.Word)
	}
}

func TestEveryKindOfValueArrives(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "token"), []byte("s3cret\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	doc, s := load(filepath.Join(dir, "tidings.yaml"), `
ingest:
  word: no
  on: yes
  count: 10_000
  small: -128
  natural: 65535
  ratio: 0.5
  wait: 1h30m
  day: 2026-11-23
  size: 1GiB
  net: fd00::/8
  networks: [10.0.0.0/8]
  words: [2024, "a, b", 22:00]
  file: lists/words.txt
  token_file: token
  labels: {a: "1", b: true}
  hosts: {"bridge.local:1200": {concurrency: 8}}
  inner: {deep: 3}
  other: {quiet: 5s}
  entries: [{id: a, need: b}]
  plain: x
`)
	if err := doc.Err(); err != nil {
		t.Fatal(err)
	}
	want := []any{"no", true, 10000, int8(-128), uint16(65535), 0.5, 90 * time.Minute, "2026-11-23", config.GB, "fd00::/8", 1,
		[]string{"2024", "a, b", "22:00"}, filepath.Join(dir, "lists/words.txt"), "s3cret", map[string]string{"a": "1", "b": "true"},
		map[string]host{"bridge.local:1200": {Concurrency: 8, Gap: time.Second}}, inner{Deep: 3}, inner{Deep: 7, Quiet: 5 * time.Second}, "a", "x"}
	got := []any{s.Word, s.On, s.Count, s.Small, s.Natural, s.Ratio, s.Wait, s.Day.Format(time.DateOnly), s.Size, s.Net.String(), len(s.Networks),
		s.Words, s.File, s.Token.Reveal(), s.Labels, s.Hosts, s.Inner, *s.Other, s.Entries[0].ID, s.Plain}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
}

func TestAMergeGivesWhatAnEntryDoesNotSay(t *testing.T) {
	t.Parallel()
	doc := config.New("tidings.yaml", []byte(`
sources:
  - &base {id: a, url: https://example.org/a, every: 5m, tags: [x]}
  - {<<: *base, id: b, url: https://example.org/b}
  - {<<: [{rights: mine}, *base], id: c, tags: [y]}
`), nil)
	var sources []config.Source
	doc.Section("sources", &sources)
	if err := doc.Err(); err != nil {
		t.Fatal(err)
	}
	b, c := sources[1], sources[2]
	if b.ID != "b" || b.URL != "https://example.org/b" || b.Every != 5*time.Minute || b.Tags[0] != "x" || b.Syndicate != "full" {
		t.Errorf("b = %+v", b)
	}
	if c.ID != "c" || c.URL != "https://example.org/a" || c.Tags[0] != "y" || c.Rights != "mine" {
		t.Errorf("c = %+v", c)
	}
	if o := doc.At("sources", 1, "every").Origin(); o.Line != 3 {
		t.Errorf("the merged value comes from %v, want line 3", o)
	}
}

// Blocks that each merge the one before sixteen times over would be 16^10 blocks; the work is bounded instead, or this
// test does not end.
func TestAliasesCannotUnfoldWithoutEnd(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	text.WriteString("ingest:\n  hosts:\n    h0: &h0 {gap: 1s}\n")
	for i := range 10 {
		alias := fmt.Sprintf("*h%d, ", i)
		fmt.Fprintf(&text, "    h%d: &h%d {<<: [%s]}\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(alias, 16), ", "))
	}
	doc, _ := load("tidings.yaml", text.String())
	got := doc.Err()
	if got == nil || !strings.Contains(got.Error(), "merges more than 3 blocks into one another") {
		t.Errorf("problems:\n%v", got)
	}
}

func TestSectionsOfOthersAreSkipped(t *testing.T) {
	t.Parallel()
	doc := config.New("tidings.yaml", []byte("publish: {whatever: [1, {a: b}]}\ndeliver: text\nlog: {level: warn}\n"),
		[]string{"TIDINGS_PUBLISH__LISTEN=x", "TIDINGS_ENRICH__ANY__THING=x", "HOME=/", "OTHER__NAME=1"})
	log := config.DefaultLog()
	doc.Section("log", &log)
	if err := doc.Err(); err != nil || log.Level != "warn" {
		t.Errorf("%v, level %s", err, log.Level)
	}
}

func TestTwoProgramsReadingASectionReportItsProblemsOnce(t *testing.T) {
	t.Parallel()
	doc := config.New("tidings.yaml", []byte("nats: {replicas: 2, ulr: x}\n"), []string{"TIDINGS_NATS__LISTEN=x"})
	for range 2 {
		nats := config.DefaultNATS()
		doc.Section("nats", &nats)
	}
	if got := problems(doc); len(got) != 3 {
		t.Errorf("%d problems, want 3: %q", len(got), got)
	}
	count := 0
	for v := range doc.Values() {
		if v.Path == "nats.replicas" {
			count++
		}
	}
	if count != 1 {
		t.Errorf("nats.replicas is shown %d times", count)
	}
}

// A file that is no YAML says so; that its sections then lack what they need is no news.
func TestASyntaxErrorIsTheOnlyProblem(t *testing.T) {
	t.Parallel()
	doc, s := load("tidings.yaml", "sources:\n\t- id: x\n")
	if got := problems(doc); len(got) != 1 || !strings.HasPrefix(got[0], "tidings.yaml:2:1: ") {
		t.Errorf("problems: %q", got)
	}
	if s.Word != "default" {
		t.Errorf("the defaults are gone: %+v", s)
	}
}

func TestPeekTakesWhatItAsksForAndComplainsOfNothing(t *testing.T) {
	t.Parallel()
	doc := config.New("tidings.yaml", []byte("sources:\n  - {id: a, every: never, http: {bearer_file: missing}}\n  - {id: b, nonsense: 1}\n"), nil)
	var list []struct {
		ID    string        `yaml:"id"`
		Every time.Duration `yaml:"every"`
	}
	doc.Peek("sources", &list)
	if doc.Err() != nil || len(list) != 2 || list[0].ID != "a" || list[1].ID != "b" {
		t.Errorf("%+v, %v", list, doc.Err())
	}
	for v := range doc.Values() {
		t.Errorf("a peek is shown as a setting: %v", v)
	}
}

func TestLoadSaysWhyAFileCannotBeRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, err := config.Load(filepath.Join(dir, "tidings.yaml"), nil)
	if !errors.Is(err, fs.ErrNotExist) || fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "tidings.yaml") {
		t.Errorf("missing file: %v", err)
	}
	if _, err = config.Load(dir, nil); err == nil {
		t.Error("a folder was read")
	}
	name := filepath.Join(dir, "good.yaml")
	if err := os.WriteFile(name, []byte("log: {level: debug}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	doc, err := config.Load(name, nil)
	if err != nil {
		t.Fatal(err)
	}
	log := config.DefaultLog()
	doc.Section("log", &log)
	if log.Level != "debug" || doc.At("log", "level").Origin().File != name {
		t.Errorf("level %s from %v", log.Level, doc.At("log", "level").Origin())
	}
}

func TestAFileOfThousandsOfSourcesIsReadInReasonableTime(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	text.WriteString("sources:\n")
	for i := range 5000 {
		text.WriteString("  - {id: s" + strings.Repeat("a", i%40) + string(rune('a'+i%26)) + ", url: 'https://example.org/', evry: 1m}\n")
	}
	doc := config.New("tidings.yaml", []byte(text.String()), nil)
	var sources []config.Source
	doc.Section("sources", &sources)
	unknown := 0
	for _, p := range problems(doc) {
		if strings.Contains(p, `evry: unknown key; did you mean "every"?`) {
			unknown++
		}
	}
	if len(sources) != 5000 || unknown != 5000 {
		t.Errorf("%d sources, %d problems of a key", len(sources), unknown)
	}
}
