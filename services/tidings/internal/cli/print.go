package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
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

// maxRows is how many rows a list shows without --all.
const maxRows = 100

// rowLimit is the flag of every list that may be long.
type rowLimit struct {
	All bool `help:"Show all, not 100."`
}

// most is how many rows are shown, 0 for all.
func (l rowLimit) most() int {
	if l.All {
		return 0
	}
	return maxRows
}

// list prints the first rows of a table and says how many are left out.
func (l rowLimit) list(w *world, head []string, rows [][]string) error {
	left := 0
	if n := l.most(); n > 0 && len(rows) > n {
		rows, left = rows[:n], len(rows)-n
	}
	if err := w.table(head, rows); err != nil {
		return err
	}
	w.leftOut(left)
	return nil
}

// lastRows are the flags of a list whose newest rows count, and which a program is shown no more of than a person.
type lastRows struct {
	Last *int `help:"Show so many, not 100." xor:"rows" placeholder:"N"`
	All  bool `help:"Show all, not 100." xor:"rows"`
}

func (l lastRows) check() error {
	if l.Last != nil && *l.Last < 1 {
		return &usageError{"--last must be 1 or more"}
	}
	return nil
}

// newest keeps the rows that are to be shown of a list with the newest first, and counts those of which a person should
// know that they are left out.
func newest[T any](l lastRows, list []T) (shown []T, left int) {
	switch {
	case l.Last != nil:
		return list[:min(len(list), *l.Last)], 0
	case l.All || len(list) <= maxRows:
		return list, 0
	}
	return list[:maxRows], len(list) - maxRows
}

// leftOut says, beside the data, how many rows are not shown.
func (w *world) leftOut(n int) {
	if n > 0 {
		_, _ = fmt.Fprintf(w.stderr, "%d more are left out; --all shows them\n", n) // nobody reads it: that is no reason to stop
	}
}

// terminal reports whether a person sees what is written, or writes what is read.
func terminal(f any) bool {
	file, ok := f.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// progress tells a person who watches how far a long verb is.
func (w *world) progress(format string, args ...any) {
	if terminal(w.stderr) {
		_, _ = fmt.Fprintf(w.stderr, format, args...) // nobody reads it: that is no reason to stop
	}
}

// asks reports whether there is somebody to be asked.
func asks(w *world) bool { return terminal(os.Stdin) && terminal(w.stderr) }

// confirmed asks whether something is to be done. Only a clear word is a yes.
func confirmed(in io.Reader, out io.Writer, question string) bool {
	_, _ = fmt.Fprintf(out, "%s [y/N] ", question) // whoever cannot read it cannot answer it either
	line, _ := bufio.NewReader(in).ReadString('\n')
	return slices.Contains([]string{"y", "yes"}, strings.ToLower(strings.TrimSpace(line)))
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

// printable makes one line of a text, without what steers a terminal.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if steers(r) || r == unicode.ReplacementChar {
			return ' '
		}
		return r
	}, s)
	return strings.Join(strings.Fields(s), " ")
}

// maxCell is how many characters of one value a line of a table shows.
const maxCell = 160

// plain makes one printable line of a text.
func plain(s string) string {
	s, cut := article.Cut(printable(s), maxCell)
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
