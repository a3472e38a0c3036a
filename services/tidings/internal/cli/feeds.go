package cli

import (
	"cmp"
	"fmt"
	"strings"

	"tidings.internal/pkg/config"
	"tidings.internal/services/tidings/internal/ops"
)

type feedsVerb struct {
	List  feedListVerb  `cmd:"" help:"List the feeds of the configuration."`
	Token feedTokenVerb `cmd:"" help:"Make a token for a reader of a private feed."`
}

type feedListVerb struct {
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
		who := "everybody"
		if f.Private {
			who = cmp.Or(strings.Join(f.Tokens, " "), "nobody")
		}
		rows[i] = []string{f.ID, f.Title, f.Status, who, f.Page}
	}
	return w.table([]string{"FEED", "TITLE", "STATUS", "READERS", "ADDRESS"}, rows)
}

type feedTokenVerb struct {
	Feed string `arg:"" help:"Id of the feed."`
	Name string `help:"Whose token it is." default:"reader" placeholder:"NAME"`
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
		return &usageError{fmt.Sprintf("--name %q is no name; it is 1 to 48 of a-z, 0-9, _ and -", v.Name)}
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
