package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"tidings.internal/services/tidings/internal/ops"
)

type taxonomyInboxVerb struct {
	Adopt  string   `help:"Make a phrase a concept, or with --as another name of one." placeholder:"PHRASE"`
	As     string   `help:"The concept that the phrase is another name of." placeholder:"CONCEPT"`
	Lang   string   `help:"The language of the phrase; else it serves all." placeholder:"CODE"`
	Ignore []string `help:"Do not offer a phrase again." placeholder:"PHRASE" sep:"none"`
	rowLimit
	asJSON
}

// Run is the verb taxonomy inbox.
func (v *taxonomyInboxVerb) Run(w *world) error {
	if v.Adopt == "" && (v.As != "" || v.Lang != "") {
		return &usageError{"--as and --lang go with --adopt"}
	}
	return w.withTaxonomy(func(ctx context.Context, t *ops.TaxonomyBook) error {
		if len(v.Ignore) > 0 || v.Adopt != "" {
			return v.change(ctx, w, t)
		}
		list, err := t.Inbox(ctx, time.Now())
		if err != nil {
			return err
		}
		if v.JSON {
			return w.encode(list)
		}
		rows := make([][]string, len(list))
		for i, s := range list {
			nearest := s.Nearest
			if nearest == "" {
				nearest = "-"
			}
			rows[i] = []string{s.Phrase, s.Lang, strconv.Itoa(s.Articles), strconv.Itoa(s.Sources), nearest, strings.Join(s.Examples, " · ")}
		}
		return v.list(w, []string{"PHRASE", "LANG", "ARTICLES", "SOURCES", "NEAREST", "EXAMPLES"}, rows)
	})
}

// change ignores phrases and adopts one.
func (v *taxonomyInboxVerb) change(ctx context.Context, w *world, t *ops.TaxonomyBook) error {
	if len(v.Ignore) > 0 {
		if err := t.Ignore(ctx, v.Ignore); err != nil {
			return err
		}
	}
	concept := ""
	if v.Adopt != "" {
		var err error
		if concept, err = t.Adopt(ctx, v.Adopt, strings.ToLower(v.Lang), v.As); err != nil {
			return err
		}
	}
	if v.JSON {
		return w.encode(struct {
			Ignored []string `json:"ignored,omitempty"`
			Adopted string   `json:"adopted,omitempty"`
			Concept string   `json:"concept,omitempty"`
		}{v.Ignore, v.Adopt, concept})
	}
	var b strings.Builder
	if len(v.Ignore) > 0 {
		fmt.Fprintf(&b, "%d ignored.\n", len(v.Ignore))
	}
	if concept != "" {
		fmt.Fprintf(&b, "Now a name of %s. %s", plain(concept), anew)
	}
	return w.printf("%s", b.String())
}
