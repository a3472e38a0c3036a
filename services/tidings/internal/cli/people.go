package cli

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/services/tidings/internal/ops"
)

// person is a line of a file.
type person struct {
	ops.NewSubscriber
	line  int
	over  bool // has left, or must not be written to
	wrong error
}

// readPeople reads addresses: one a line, or the columns that an export has, of which address alone is needed.
func readPeople(in io.Reader, like ops.NewSubscriber) ([]person, error) {
	text := bufio.NewReader(in)
	r := csv.NewReader(text)
	r.FieldsPerRecord, r.TrimLeadingSpace, r.Comment, r.Comma = -1, true, '#', separator(text)
	var head []string
	var people []person
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			return people, nil
		}
		if err != nil {
			return nil, fault.Errorf(fault.Invalid, "read the list of addresses: it is neither one address a line nor CSV: %w", err)
		}
		line, _ := r.FieldPos(0)
		if head == nil {
			var is bool
			if head, is = columns(record); is {
				continue
			}
			if head == nil {
				return nil, fault.Errorf(fault.Invalid, "read the list of addresses: line %d names its columns, and none of them is address", line)
			}
		}
		people = append(people, personOf(head, record, line, like))
	}
}

// separator looks at the first line for what stands between its columns, and passes over the mark of UTF-8 before it:
// spreadsheets write semicolons where a comma is the decimal point, and put the mark in front.
func separator(text *bufio.Reader) rune {
	if mark, _ := text.Peek(3); string(mark) == "\uFEFF" {
		_, _ = text.Discard(3) // they were read
	}
	start, _ := text.Peek(4096) // what is wrong with the file is told by the reader
	line, _, _ := bytes.Cut(start, []byte("\n"))
	best, most := ',', 0
	for _, c := range ",;\t" {
		if n := bytes.Count(line, []byte(string(c))); n > most {
			best, most = c, n
		}
	}
	return best
}

// columns are those that a first line names. Where it names none, it is an address itself, alone or first in its line; nil
// says that it is neither.
func columns(record []string) (head []string, is bool) {
	for _, name := range record {
		name = strings.ToLower(strings.TrimSpace(name))
		if other, ok := headings[name]; ok {
			name = other
		}
		head = append(head, name)
	}
	if slices.Contains(head, "address") {
		return head, true
	}
	if len(record) > 1 && !strings.Contains(record[0], "@") {
		return nil, false
	}
	return []string{"address"}, false
}

// headings are other names of the column address in the exports of mail programs.
var headings = map[string]string{"email": "address", "e-mail": "address", "email address": "address", "e-mail-adresse": "address", "mail": "address"}

func personOf(head, record []string, line int, like ops.NewSubscriber) person {
	field := func(name string) string {
		if i := slices.Index(head, name); i >= 0 && i < len(record) {
			return unquoted(strings.TrimSpace(record[i]))
		}
		return ""
	}
	p := person{line: line, NewSubscriber: like}
	p.Address = event.Hidden(field("address"))
	if state := field("state"); state == "left" || state == "suppressed" {
		p.over = true
	}
	if language := field("language"); language != "" {
		p.Language = language
	}
	if period := field("period"); period != "" {
		p.Wishes = event.Wishes{Period: period, Zone: field("zone"), Tags: strings.Fields(field("tags")), Sources: strings.Fields(field("sources"))}
		for _, n := range []struct {
			name string
			into *int
		}{{"hour", &p.Wishes.Hour}, {"weekday", &p.Wishes.Weekday}} {
			if text := field(n.name); text != "" {
				var err error
				if *n.into, err = strconv.Atoi(text); err != nil {
					p.wrong = fault.Errorf(fault.Invalid, "%s is no number", n.name)
				}
			}
		}
	}
	return p
}

// writePeople writes subscribers with their proofs as CSV.
func writePeople(to io.Writer, list []ops.SubscriberStatus) error {
	records := [][]string{{
		"list", "address", "state", "period", "weekday", "hour", "zone", "tags", "sources", "language", "asked", "asked_form", "asked_client",
		"agreed", "agreed_form", "agreed_client", "reason",
	}}
	for _, s := range list {
		record := []string{
			s.List, s.Address, s.State, s.Wishes.Period, strconv.Itoa(s.Wishes.Weekday), strconv.Itoa(s.Wishes.Hour), s.Wishes.Zone, strings.Join(s.Wishes.Tags, " "),
			strings.Join(s.Wishes.Sources, " "), s.Language, stamp(s.Asked), s.Proof.AskedForm, s.Proof.AskedClient, stamp(s.Agreed), s.Proof.AgreedForm, s.Proof.AgreedClient, s.Reason,
		}
		for i := range record {
			record[i] = quoted(record[i])
		}
		records = append(records, record)
	}
	return csv.NewWriter(to).WriteAll(records)
}

// formula are the signs with which a cell begins that a spreadsheet computes. Anybody may subscribe "=cmd…@example.org", and
// the operator opens the export.
const formula = "=+-@\t\r"

// quoted makes a cell text to a spreadsheet, by the apostrophe that is the sign for it; see OWASP, CSV injection.
func quoted(cell string) string {
	if cell != "" && strings.ContainsRune(formula, rune(cell[0])) {
		return "'" + cell
	}
	return cell
}

// unquoted takes back what quoted did.
func unquoted(cell string) string {
	if len(cell) > 1 && cell[0] == '\'' && strings.ContainsRune(formula, rune(cell[1])) {
		return cell[1:]
	}
	return cell
}

// stamp writes an instant for programs.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
