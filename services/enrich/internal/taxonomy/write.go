package taxonomy

import (
	"encoding/csv"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// WriteTurtle writes the vocabulary as SKOS in Turtle, in an order that depends on its content alone. Read again it is the
// same vocabulary.
func (v *Vocabulary) WriteTurtle(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "@prefix skos: <%s> .\n@prefix tidings: <%s> .\n@prefix t: <%s> .\n", skos, own, ours)
	for _, id := range v.IDs() {
		v.concepts[id].turtle(&b, v)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (c *Concept) turtle(b *strings.Builder, v *Vocabulary) {
	fmt.Fprintf(b, "\n%s a skos:Concept", v.name(c.ID))
	list := func(predicate string, values []string) {
		if len(values) > 0 {
			fmt.Fprintf(b, " ;\n  %s %s", predicate, strings.Join(values, ", "))
		}
	}
	for _, kind := range kinds {
		var values []string
		for _, l := range c.Labels {
			if l.Kind == kind {
				values = append(values, quoted(l.Text, l.Lang))
			}
		}
		prefix := "skos:"
		if kind == Ambiguous { // SKOS has no such kind
			prefix = "tidings:"
		}
		list(prefix+kind+"Label", values)
	}
	var values []string
	for _, lang := range slices.Sorted(maps.Keys(c.Definition)) {
		values = append(values, quoted(c.Definition[lang], lang))
	}
	list("skos:definition", values)
	names := func(ids []string) (out []string) {
		for _, id := range ids {
			out = append(out, v.name(id))
		}
		return out
	}
	list("skos:broader", names(c.Broader))
	list("skos:related", names(c.Related))
	values = nil
	for _, a := range c.Exact {
		values = append(values, "<"+escaped(a)+">")
	}
	list("skos:exactMatch", values)
	if c.Status != Active {
		list("tidings:status", []string{quoted(c.Status, "")})
	}
	if c.Weight != 0 {
		list("tidings:weight", []string{quoted(plain(c.Weight), "")})
	}
	if c.MinScore != 0 {
		list("tidings:minScore", []string{quoted(plain(c.MinScore), "")})
	}
	texts := func(list []string) (out []string) {
		for _, s := range list {
			out = append(out, quoted(s, ""))
		}
		return out
	}
	list("tidings:category", texts(c.Categories))
	list("tidings:rule", texts(c.Rules))
	b.WriteString(" .\n")
}

// name is how a concept stands in a file: by its address, else by its id.
func (v *Vocabulary) name(id string) string {
	if c := v.concepts[id]; c != nil && c.Address != "" {
		return "<" + escaped(c.Address) + ">"
	}
	return "t:" + id
}

// escaped keeps an address from ending early: the reader takes an address up to the bracket, without escapes.
func escaped(address string) string {
	return strings.NewReplacer(">", "%3E", " ", "%20", "\n", "%0A").Replace(address)
}

var escapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`, "\t", `\t`)

func quoted(text, lang string) string {
	s := `"` + escapes.Replace(text) + `"`
	if lang != "" {
		s += "@" + lang
	}
	return s
}

// columns are those of a table, in the order in which they are written.
var columns = []string{"id", "lang", "pref", "alt", "hidden", "ambiguous", "broader", "related", "exact", "definition", "status", "weight", "min_score", "categories", "rules", "address"}

// WriteCSV writes the vocabulary as a table, a row for each concept and language. What concerns no language stands in the
// first row of its concept.
func (v *Vocabulary) WriteCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	if err := out.Write(columns); err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	for _, id := range v.IDs() {
		for _, row := range v.concepts[id].rows() {
			if err := out.Write(row); err != nil {
				return fmt.Errorf("write table: %w", err)
			}
		}
	}
	out.Flush()
	return out.Error()
}

func (c *Concept) rows() [][]string {
	var rows [][]string
	for i, lang := range c.languages() {
		of := func(kind string) string {
			var texts []string
			for _, l := range c.Labels {
				if l.Lang == lang && l.Kind == kind {
					texts = append(texts, l.Text)
				}
			}
			return joined(texts)
		}
		row := []string{c.ID, lang, of(Pref), of(Alt), of(Hidden), of(Ambiguous)}
		if i == 0 {
			row = append(row, joined(c.Broader), joined(c.Related), joined(c.Exact), c.Definition[lang], c.Status, plain(c.Weight), plain(c.MinScore),
				joined(c.Categories), joined(c.Rules), c.Address)
		} else {
			row = append(row, "", "", "", c.Definition[lang], "", "", "", "", "", "")
		}
		rows = append(rows, row)
	}
	return rows
}

// plain writes a number of which 0 stands for the usual one.
func plain(n float64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatFloat(n, 'g', -1, 64)
}

// joined puts several values into a cell; a bar inside of one is doubled.
func joined(values []string) string {
	var out []string
	for _, s := range values {
		out = append(out, strings.ReplaceAll(s, "|", "||"))
	}
	return strings.Join(out, "|")
}

// apart takes a cell apart again.
func apart(cell string) []string {
	const bar = "\x00"
	var out []string
	for s := range strings.SplitSeq(strings.ReplaceAll(cell, "||", bar), "|") {
		if s = strings.Join(strings.Fields(strings.ReplaceAll(s, bar, "|")), " "); s != "" {
			out = append(out, s)
		}
	}
	return out
}
