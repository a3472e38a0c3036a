package main

import (
	"fmt"
	"io"
	"strings"
)

// row is a line of the table: one or more figures side by side.
type row struct {
	what string
	// digits is how many stand behind the point.
	digits int
	// baseline is what a plain tool reaches in the same run, nil without one.
	baseline, reached, wanted []float64
	// most says that the figures are not to exceed what is wanted: times and sizes.
	most bool
	// lacks says why nothing was measured.
	lacks string
}

// good reports whether all figures are reached, to the digits that are printed.
func (r row) good() bool {
	for i, w := range r.wanted {
		got := r.reached[i]
		if r.most {
			got, w = -got, -w
		}
		half := 0.5
		for range r.digits {
			half /= 10
		}
		if got < w-half {
			return false
		}
	}
	return true
}

func (r row) figures(list []float64) string {
	var out []string
	for _, x := range list {
		out = append(out, fmt.Sprintf("%.*f", r.digits, x))
	}
	return strings.Join(out, " / ")
}

// table prints rows as they come.
type table struct {
	out   io.Writer
	short int
	err   error
}

func (t *table) line(what, baseline, reached, wanted, verdict string) {
	if t.err == nil {
		_, t.err = fmt.Fprintln(t.out, strings.TrimRight(fmt.Sprintf("%-58s  %-21s  %-21s  %-21s  %s", what, baseline, reached, wanted, verdict), " "))
	}
}

func (t *table) head() { t.line("WHAT", "BASELINE", "REACHED", "TO REACH", "") }

func (t *table) add(r row) {
	verdict, wanted := "ok", r.figures(r.wanted)
	switch {
	case r.lacks != "":
		verdict = r.lacks
	case len(r.wanted) == 0:
		verdict = ""
	case !r.good():
		verdict = "short"
		t.short++
	}
	if r.most && wanted != "" {
		wanted = "at most " + wanted
	}
	t.line(r.what, r.figures(r.baseline), r.figures(r.reached), wanted, verdict)
}

func (t *table) end() error {
	if t.err == nil && t.short > 0 {
		return fmt.Errorf("figures not reached: %d", t.short)
	}
	return t.err
}
