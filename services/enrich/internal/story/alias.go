package story

import (
	"iter"
	"net/url"
	"slices"
	"strings"

	"tidings.internal/pkg/article"
	"tidings.internal/services/enrich/internal/words"
)

const (
	aliasLength = 16 // characters of base32: 80 bits
	maxAliases  = 16
	// minContent is the length in words of a text whose hash is an alias. Shorter ones ("Read more on our site") are
	// the same in different stories.
	minContent = 20
)

// Document is what an article is known by.
type Document struct {
	Article  string
	Revision uint64
	Source   string
	URL      string
	GUID     string
	Title    string
	Text     string
	// Terms are the names and phrases that the article is about.
	Terms []Term
	// FirstSeen is when ingest first saw the article, in UTC.
	FirstSeen int64 // Unix milliseconds
}

// aliases returns the names under which the same report is certain to be the same: hashed, since keys and values of a
// bucket hold no personal data.
func (d *Document) aliases(tokens []string) []string {
	var list []string
	if key := addressKey(d.URL); key != "" {
		list = append(list, article.Digest(aliasLength, "url", key))
	}
	if d.GUID != "" {
		list = append(list, article.Digest(aliasLength, "guid", d.Source, d.GUID))
	}
	if len(tokens) >= minContent {
		list = append(list, article.Digest(aliasLength, "content", words.Fold(strings.TrimSpace(d.Title)), strings.Join(tokens, " ")))
	}
	return list
}

// addressKey reduces a URL to what names the document. The address of a whole site names none.
func addressKey(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || strings.Trim(u.Path, "/") == "" && u.RawQuery == "" {
		return ""
	}
	host := strings.TrimPrefix(strings.ToLower(u.Host), "www.")
	key := host + strings.TrimRight(u.EscapedPath(), "/")
	if u.RawQuery != "" {
		key += "?" + u.RawQuery
	}
	if u.Fragment != "" {
		key += "#" + u.Fragment
	}
	return key
}

// union puts the newer names first and keeps the most that an article may have.
func union(newer, older []string) []string {
	list := slices.Clone(newer)
	for _, a := range older {
		if len(list) == maxAliases {
			break
		}
		if !slices.Contains(list, a) {
			list = append(list, a)
		}
	}
	return list
}

// aliasTable finds the articles that have an alias. Nearly every alias has one, so the rest has a table of its own.
type aliasTable struct {
	one  map[string]*doc
	more map[string][]*doc // behind the one
}

func newAliasTable() aliasTable { return aliasTable{map[string]*doc{}, map[string][]*doc{}} }

func (t *aliasTable) add(alias string, d *doc) {
	if t.one[alias] == nil {
		t.one[alias] = d
	} else {
		t.more[alias] = append(t.more[alias], d)
	}
}

func (t *aliasTable) remove(alias string, d *doc) {
	rest := t.more[alias]
	switch {
	case t.one[alias] != d:
		rest = slices.DeleteFunc(rest, func(o *doc) bool { return o == d })
	case len(rest) == 0:
		delete(t.one, alias)
	default:
		t.one[alias], rest = rest[0], rest[1:]
	}
	if len(rest) == 0 {
		delete(t.more, alias)
	} else {
		t.more[alias] = rest
	}
}

// of yields the articles with an alias.
func (t *aliasTable) of(alias string) iter.Seq[*doc] {
	return func(yield func(*doc) bool) {
		if d := t.one[alias]; d == nil || !yield(d) {
			return
		}
		for _, d := range t.more[alias] {
			if !yield(d) {
				return
			}
		}
	}
}
