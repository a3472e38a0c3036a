package cli

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"tidings.internal/pkg/config"
	"tidings.internal/pkg/fault"
	"tidings.internal/services/tidings/internal/ops"
)

type feedsVerb struct {
	List  feedListVerb  `cmd:"" help:"List the feeds of the configuration."`
	Show  feedShowVerb  `cmd:"" help:"Everything about one feed: what the file says, and how it is served."`
	Check feedCheckVerb `cmd:"" help:"Hold a feed, as it is served now, to the rules of RSS, Atom and JSON Feed; exit 1 if it breaks one."`
	Token feedTokenVerb `cmd:"" help:"Make a token for a reader of a private feed."`
}

type feedListVerb struct {
	rowLimit
	asJSON
}

// Run is the verb feeds list.
func (v *feedListVerb) Run(w *world) error {
	doc, _, err := w.target()
	if err != nil {
		return err
	}
	list, err := ops.Feeds(doc)
	if err != nil {
		return err
	}
	if v.JSON {
		return w.encode(list)
	}
	rows := make([][]string, len(list))
	for i, f := range list {
		rows[i] = []string{f.ID, f.Title, f.Status, readersOf(f), f.Page}
	}
	return v.list(w, []string{"FEED", "TITLE", "STATUS", "READERS", "ADDRESS"}, rows)
}

type feedShowVerb struct {
	ID string `arg:"" help:"Id of the feed."`
	asJSON
}

// Run is the verb feeds show.
func (v *feedShowVerb) Run(w *world) error {
	return w.connected(func(ctx context.Context, o *ops.Ops) error {
		d, err := o.Feed(ctx, v.ID)
		if err != nil {
			return err
		}
		if v.JSON {
			return w.encode(d)
		}
		return w.feed(d)
	})
}

func (w *world) feed(d ops.FeedDetail) error {
	rows := [][]string{{"title", d.Title}, {"status", d.Status}, {"readers", readersOf(d.FeedInfo)}, {"address", d.Page}}
	if len(d.Documents) == 0 {
		rows = append(rows, []string{"served", "not known: " + notServed(d)})
	}
	if err := w.table([]string{"feed", d.ID}, rows); err != nil {
		return err
	}
	if err := w.section([]string{"FORMAT", "ADDRESS", "SIZE", "PACKED", "CHANGED"}, documentRows(d.Documents)); err != nil {
		return err
	}
	rows = nil
	for _, s := range d.Settings {
		rows = append(rows, []string{s.Path, s.Value, s.Origin})
	}
	return w.section([]string{"KEY", "VALUE", "FROM"}, rows)
}

// notServed tells why nobody says how a feed is served.
func notServed(d ops.FeedDetail) string {
	if d.Status == ops.FeedGone {
		return "it is answered with 410"
	}
	return "no publish runs that has read all articles"
}

func documentRows(list []ops.FeedDocument) [][]string {
	rows := make([][]string, len(list))
	for i, d := range list {
		rows[i] = []string{d.Format, d.Address, size(uint64(max(d.Bytes, 0))), size(uint64(max(d.Packed, 0))), when(d.Changed)}
	}
	return rows
}

// readersOf names those who may read a feed.
func readersOf(f ops.FeedInfo) string {
	if f.Private {
		return cmp.Or(strings.Join(f.Tokens, " "), "nobody")
	}
	return "everybody"
}

type feedCheckVerb struct {
	ID string `arg:"" help:"Id of the feed, one that comes into being by itself included."`
	asJSON
}

// Run is the verb feeds check.
func (v *feedCheckVerb) Run(w *world) error {
	return w.connected(func(ctx context.Context, o *ops.Ops) error {
		list, err := o.CheckFeed(ctx, v.ID)
		if err != nil {
			return err
		}
		broken := 0
		for _, d := range list {
			broken += len(d.Problems)
		}
		if v.JSON {
			err = w.encode(list)
		} else {
			err = w.checked(list)
		}
		if err == nil && broken > 0 {
			return fault.Errorf(fault.Invalid, "feed %s breaks rules of its formats; readers may refuse it. Please report it", v.ID)
		}
		return err
	})
}

func (w *world) checked(list []ops.FeedDocument) error {
	rows, problems := make([][]string, len(list)), [][]string(nil)
	for i, d := range list {
		word := "valid"
		if n := len(d.Problems); n > 0 {
			word = fmt.Sprintf("breaks %d rules", n)
		}
		rows[i] = []string{d.Format, d.Address, size(uint64(max(d.Bytes, 0))), word}
		for _, p := range d.Problems {
			problems = append(problems, []string{d.Format, p.Rule, p.Where, p.Text})
		}
	}
	if err := w.table([]string{"FORMAT", "ADDRESS", "SIZE", "RESULT"}, rows); err != nil {
		return err
	}
	return w.section([]string{"FORMAT", "RULE", "WHERE", "WHAT"}, problems)
}

type feedTokenVerb struct {
	Feed string `arg:"" help:"Id of the feed."`
	Name string `arg:"" optional:"" help:"Whose token it is." default:"reader"`
	asJSON
}

// madeToken is a token with the entry for "tokens" of the feed.
type madeToken struct {
	ops.FeedToken
	Entry tokenEntry `json:"entry"`
}

type tokenEntry struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
}

// Run is the verb feeds token.
func (v *feedTokenVerb) Run(w *world) error {
	if !config.IsName(v.Name) {
		return &usageError{fmt.Sprintf("%q is no name of a reader; that is 1 to 48 of a-z, 0-9, _ and -", v.Name)}
	}
	doc, _, err := w.target()
	if err != nil {
		return err
	}
	t, err := ops.NewFeedToken(doc, v.Feed)
	if err != nil {
		return err
	}
	if t.Public {
		_, _ = fmt.Fprintf(w.stderr, "warning: the feed %s is public. A token needs \"private: true\" there, which ends the public addresses: whoever reads the feed today then needs a token, too\n", v.Feed) // nobody reads it: that is no reason to stop
	}
	if v.JSON {
		return w.encode(madeToken{t, tokenEntry{v.Name, t.SHA256}})
	}
	_, err = fmt.Fprintf(w.stdout, `Give this address to the reader, and to nobody else; it is shown once:
  %s
Put this below "tokens:" of the feed %s, which is "private: true", and reload publish:
  - {name: %q, sha256: %s}
`, t.RSS, v.Feed, v.Name, t.SHA256)
	return err
}
