package app

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/run"
)

// Main is the main function of the binary: the usual verbs of a service, and parse. It does not return.
func Main() {
	if len(os.Args) > 1 && os.Args[1] == "parse" {
		run.Exit(parseCommand(os.Args[2:], os.Stdout, os.Stderr))
	}
	run.Main(Program())
}

const parseUsage = `Usage: ingest parse FILE... [--url BASE] [--header 'Name: value']...

Reads feeds from disk and writes one JSON object for each: what the feed says, its articles, whether it was only partly
readable, or why it could not be read. It needs no broker and no network.
  --url BASE     the address that the documents came from; relative links resolve against it
  --header LINE  a header of the answer; Content-Type tells the encoding
Exit codes: 0 all were read, 1 none, 4 some.
`

// headerLines collects repeated headers.
type headerLines []string

// String and Set implement flag.Value.
func (h *headerLines) String() string { return strings.Join(*h, ", ") }

// Set takes one header.
func (h *headerLines) Set(line string) error {
	if !strings.Contains(line, ":") {
		return errors.New("a header is written as 'Name: value'")
	}
	*h = append(*h, line)
	return nil
}

// parseCommand reads documents from disk and returns the exit code.
func parseCommand(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("parse", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	base := flags.String("url", "", "")
	var headers headerLines
	flags.Var(&headers, "header", "")
	var files []string
	for len(args) > 0 { // flags may stand before, between and after the files
		if err := flags.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				_, _ = fmt.Fprint(stdout, parseUsage) // nobody is left to tell
				return fault.ExitOK
			}
			_, _ = fmt.Fprintf(stderr, "ingest parse: %v\n%s", err, parseUsage)
			return fault.ExitUsage
		}
		if args = flags.Args(); len(args) > 0 {
			files, args = append(files, args[0]), args[1:]
		}
	}
	if len(files) == 0 {
		_, _ = fmt.Fprint(stderr, parseUsage)
		return fault.ExitUsage
	}
	bad := 0
	for _, name := range files {
		if err := ParseFile(name, *base, headers.value("Content-Type"), stdout); err != nil {
			bad++
		}
	}
	switch bad {
	case 0:
		return fault.ExitOK
	case len(files):
		return 1
	}
	return fault.ExitPartial
}

// value gives the value of a header.
func (h headerLines) value(name string) string {
	for _, line := range h {
		if key, value, _ := strings.Cut(line, ":"); strings.EqualFold(strings.TrimSpace(key), name) {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
