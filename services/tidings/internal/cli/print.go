package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"tidings.internal/pkg/article"
)

// asJSON is the flag of every verb that prints.
type asJSON struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// done tells what became of the one object that a verb is about; err is why it did not.
func (v asJSON) done(w *world, noun, id, outcome string, err error) error {
	switch {
	case err != nil:
		return err
	case v.JSON:
		return w.encode(map[string]string{noun: id, "outcome": outcome})
	}
	return w.printf("%s %s\n", outcome, plain(id))
}

// encode prints a value as indented JSON.
func (w *world) encode(v any) error { return w.write(v, "  ") }

// encodeLine prints a value as one line of JSON.
func (w *world) encodeLine(v any) error { return w.write(v, "") }

func (w *world) write(v any, indent string) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", indent)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	_, err := w.stdout.Write(harmless(b.Bytes()))
	return err
}

// harmless escapes what JSON allows to stand in a string and a terminal would obey: DEL, the C1 controls, and format
// characters, those that turn the direction of writing among them. The value stays the same.
func harmless(b []byte) []byte {
	var out []byte
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r < 0x7f || !steers(r) {
			out = append(out, b[:n]...)
		} else {
			for _, unit := range utf16.AppendRune(nil, r) {
				out = fmt.Appendf(out, "\\u%04x", unit)
			}
		}
		b = b[n:]
	}
	return out
}

// steers reports whether a terminal obeys a character instead of showing it.
func steers(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }

func (w *world) printf(format string, args ...any) error {
	_, err := fmt.Fprintf(w.stdout, format, args...)
	return err
}

// table prints rows in columns. The texts of others lose what could steer a terminal.
func (w *world) table(head []string, rows [][]string) error {
	t := tabwriter.NewWriter(w.stdout, 0, 0, 2, ' ', 0)
	write := func(cells []string) {
		for i, c := range cells {
			cells[i] = plain(c)
		}
		_, _ = fmt.Fprintln(t, strings.Join(cells, "\t")) // Flush tells
	}
	write(head)
	for _, r := range rows {
		write(r)
	}
	return t.Flush()
}

// maxCell is how many characters of one value a line of a table shows.
const maxCell = 160

// plain makes one printable line of a text.
func plain(s string) string {
	s = strings.Map(func(r rune) rune {
		if steers(r) || r == unicode.ReplacementChar {
			return ' '
		}
		return r
	}, s)
	s, cut := article.Cut(strings.Join(strings.Fields(s), " "), maxCell)
	if cut {
		s += "…"
	}
	return s
}

// when prints a time, or a hyphen where there is none.
func when(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}

// size prints bytes for people.
func size(n uint64) string {
	const unit = 1024
	switch {
	case n >= unit*unit*unit:
		return fmt.Sprintf("%.1f GB", float64(n)/(unit*unit*unit))
	case n >= unit*unit:
		return fmt.Sprintf("%.1f MB", float64(n)/(unit*unit))
	case n >= unit:
		return fmt.Sprintf("%.1f KB", float64(n)/unit)
	}
	return fmt.Sprintf("%d B", n)
}
