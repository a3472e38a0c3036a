package taxonomy

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// table reads a table with a line of column names, of which only id is needed: id, lang, pref, alt, hidden, ambiguous, broader,
// related, exact, definition, status, weight, min_score, categories, rules, address. A cell holds several values with | between
// them; columns are parted by comma, semicolon or tab, whichever the first line has most of. A concept may have several
// rows, one for each language.
func (v *Vocabulary) table(f File, places map[string]place) Problems {
	data := bytes.TrimPrefix(f.Data, []byte("\ufeff"))
	in := csv.NewReader(bytes.NewReader(data))
	in.Comma, in.FieldsPerRecord, in.ReuseRecord = separator(data), -1, false
	head, err := in.Read()
	if err != nil {
		return Problems{{File: f.Name, Line: 1, Column: 1, Text: "the table has no line of column names"}}
	}
	t := &tableReader{v: v, file: f.Name, in: in, lines: bytes.Split(data, []byte("\n")), places: places, column: map[string]int{}}
	for i, name := range head {
		name = strings.ToLower(strings.TrimSpace(name))
		if !slices.Contains(columns, name) {
			t.problem(i, "%q is none of the columns %s", name, strings.Join(columns, ", "))
		}
		t.column[name] = i
	}
	if _, ok := t.column["id"]; !ok {
		t.problem(0, "the column id is missing")
	}
	if len(t.problems) > 0 {
		return t.problems
	}
	for len(t.problems) < maxProblems {
		row, err := in.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if e, ok := errors.AsType[*csv.ParseError](err); ok {
			at := t.place(e.Line, e.Column)
			if e.Line > e.StartLine {
				at = t.place(e.StartLine, 1) // a mark that is not closed is missed at the end of the file only
			}
			t.problems = append(t.problems, at.problemf("a quotation mark is not closed here, or stands inside of a cell without being doubled"))
			break // behind a quotation mark that is not closed nothing is where it seems
		}
		t.row(row)
	}
	return t.problems
}

// maxProblems is how many mistakes of a file are told.
const maxProblems = 100

// separator finds what parts the columns.
func separator(data []byte) rune {
	line, _, _ := bytes.Cut(data, []byte("\n"))
	best, most := ',', bytes.Count(line, []byte(","))
	for _, r := range ";\t" {
		if n := bytes.Count(line, []byte(string(r))); n > most {
			best, most = r, n
		}
	}
	return best
}

type tableReader struct {
	v        *Vocabulary
	file     string
	in       *csv.Reader
	lines    [][]byte
	places   map[string]place
	column   map[string]int
	problems Problems
}

func (t *tableReader) at(column int) place {
	line, col := t.in.FieldPos(column)
	return t.place(line, col)
}

// place counts columns in characters, as everywhere here; the library counts them in bytes.
func (t *tableReader) place(line, col int) place {
	text := t.lines[line-1]
	return place{t.file, line, utf8.RuneCount(text[:min(col-1, len(text))]) + 1}
}

// note remembers the cell of a column of this row as the place of what it says of a concept.
func (t *tableReader) note(id, column string, texts ...string) {
	for _, text := range texts {
		t.places[part(id, column, text)] = t.at(t.column[column])
	}
}

func (t *tableReader) problem(column int, format string, args ...any) {
	t.problems = append(t.problems, t.at(column).problemf(format, args...))
}

func (t *tableReader) row(row []string) {
	cell := func(name string) string {
		if i, ok := t.column[name]; ok && i < len(row) {
			return strings.TrimSpace(row[i])
		}
		return ""
	}
	id := cell("id")
	if id == "" {
		if strings.Join(row, "") != "" {
			t.problem(min(t.column["id"], len(row)-1), "a row has no id")
		}
		return
	}
	c := t.v.add(slugOf(id), t.at(t.column["id"]), t.places)
	if c == nil {
		t.problem(t.column["id"], "%q is no id", id)
		return
	}
	lang := strings.ToLower(cell("lang"))
	if _, ok := t.column["lang"]; ok && lang != "" {
		t.note(c.ID, "lang", lang)
	}
	for kind, name := range map[string]string{Pref: "pref", Alt: "alt", Hidden: "hidden", Ambiguous: "ambiguous"} {
		for _, text := range apart(cell(name)) {
			c.Labels = append(c.Labels, Label{Lang: lang, Text: text, Kind: kind})
			t.note(c.ID, name, text)
		}
	}
	for _, id := range apart(cell("broader")) {
		c.Broader = append(c.Broader, slugOf(id))
		t.note(c.ID, "broader", slugOf(id))
	}
	for _, id := range apart(cell("related")) {
		c.Related = append(c.Related, slugOf(id))
		t.note(c.ID, "related", slugOf(id))
	}
	c.Exact = append(c.Exact, apart(cell("exact"))...)
	c.define(lang, strings.Join(strings.Fields(cell("definition")), " "))
	if s := cell("status"); s != "" {
		c.Status = statusOf(s)
		t.note(c.ID, "status", "")
	}
	for _, n := range []struct {
		column, name string
		into         *float64
	}{{"weight", "weight", &c.Weight}, {"min_score", "score", &c.MinScore}} {
		s := cell(n.column)
		if s == "" {
			continue
		}
		t.note(c.ID, n.column, "")
		if measure(n.into, s) != nil {
			t.problem(t.column[n.column], "the %s %q of %q is no number", n.name, s, c.ID)
		}
	}
	c.Categories = append(c.Categories, apart(cell("categories"))...)
	t.note(c.ID, "categories", apart(cell("categories"))...)
	c.Rules = append(c.Rules, apart(cell("rules"))...)
	t.note(c.ID, "rules", apart(cell("rules"))...)
	if s := cell("address"); s != "" {
		c.Address = s
	}
}
