package config

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"tidings.internal/pkg/fault"
)

// Problem is one thing that is wrong with the configuration.
type Problem struct {
	Origin Origin
	// Path leads to the key, such as sources[2].every; empty when the problem has no key.
	Path string
	// Text says what is wrong and, where it is known, what to do.
	Text string
}

// String gives the problem on one line: tidings.yaml:14:5: sources[2].evry: unknown key; did you mean "every"?
func (p Problem) String() string {
	parts := make([]string, 0, 3)
	if p.Origin != (Origin{}) {
		parts = append(parts, p.Origin.String())
	}
	if p.Path != "" {
		parts = append(parts, p.Path)
	}
	return strings.Join(append(parts, p.Text), ": ")
}

// compare orders problems as an editor meets them: the file from top to bottom, then the environment by name.
func (p Problem) compare(q Problem) int {
	return cmp.Or(
		cmp.Compare(p.Origin.Env, q.Origin.Env),
		cmp.Compare(p.Origin.File, q.Origin.File),
		cmp.Compare(p.Origin.Line, q.Origin.Line),
		cmp.Compare(p.Origin.Column, q.Origin.Column),
		cmp.Compare(p.Path, q.Path),
		cmp.Compare(p.Text, q.Text),
	)
}

// Problems is the error of a configuration that is not good: everything that is wrong with it, in order of position.
// Its kind is invalid.
type Problems struct {
	List []Problem
}

// Error gives one problem a line.
func (p *Problems) Error() string {
	lines := make([]string, len(p.List))
	for i, one := range p.List {
		lines[i] = one.String()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives the kind, for [fault.KindOf].
func (p *Problems) Unwrap() error {
	return fault.Errorf(fault.Invalid, "configuration has %d problems", len(p.List))
}

// add collects a problem of the file or the environment and remembers its path, so that a check of the same value,
// which is now a default and not what the operator meant, does not complain a second time.
func (d *Doc) add(o Origin, p path, format string, args ...any) {
	d.wrong[p.String()] = true
	d.collect(Problem{Origin: o, Path: p.String(), Text: fmt.Sprintf(format, args...)})
}

// collect keeps a problem once, however many programs of the process read the same section.
func (d *Doc) collect(p Problem) {
	d.problems[p] = true
}

// Err returns nil, or everything that was found wrong so far as [*Problems].
func (d *Doc) Err() error {
	if len(d.problems) == 0 {
		return nil
	}
	return &Problems{List: slices.SortedFunc(maps.Keys(d.problems), Problem.compare)}
}

// suggest returns `; did you mean "every"?` when one of the names is at most two edits away from the one written, and
// nothing otherwise. Of equally near names the first by alphabet is taken. The second result is the name.
func suggest(written string, names []string) (text, name string) {
	best := 3
	for _, n := range slices.Sorted(slices.Values(names)) {
		// Of a short word two edits leave nothing: "on" is not a misspelt "off".
		if e := edits(strings.ToLower(written), n); e < best && 2*e < len(n) {
			best, name = e, n
		}
	}
	if name == "" {
		return "", ""
	}
	return fmt.Sprintf("; did you mean %q?", name), name
}

// edits is the number of characters to insert, delete, replace or swap with their neighbour to turn a into b, or 3
// when it is more than two (the optimal string alignment distance, three rows of its table at a time).
func edits(a, b string) int {
	s, t := []rune(a), []rune(b)
	if len(s)-len(t) > 2 || len(t)-len(s) > 2 {
		return 3
	}
	before, last, row := make([]int, len(t)+1), make([]int, len(t)+1), make([]int, len(t)+1)
	for j := range row {
		last[j] = j
	}
	for i := 1; i <= len(s); i++ {
		row[0] = i
		for j := 1; j <= len(t); j++ {
			cost := 1
			if s[i-1] == t[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && s[i-1] == t[j-2] && s[i-2] == t[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return min(last[len(t)], 3)
}
