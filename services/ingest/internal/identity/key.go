package identity

import (
	"crypto/sha256"
	"encoding/binary"
	"html"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"tidings.internal/pkg/article"
	"tidings.internal/services/ingest/internal/parse"
)

// Rungs of the ladder on which an item gets its key. A source that numbers its items badly stands lower for good.
const (
	ByID   = 0 // the id that the publisher gave
	ByLink = 1 // rdf:about, or the canonical link
	ByHash = 2 // link, date and title together
	rungs  = 3
)

// candidate is an item with everything it may be known by.
type candidate struct {
	index       int
	item        *parse.Item
	link        string // canonical
	keys        [rungs]string
	key         string // the one it goes by
	alias       string
	fingerprint uint64
	words       int // bytes of text behind the fingerprint
	row         *Row
}

// candidates works out the keys of all items. A key that two items of the document share names neither.
func candidates(items []parse.Item, rung int, tracking Tracking) []candidate {
	list := make([]candidate, len(items))
	count := map[string]int{}
	for i := range items {
		it := &items[i]
		c := candidate{index: i, item: it, link: tracking.Canonical(first(it.OriginLink, it.Link))}
		if it.GUID != "" {
			c.keys[ByID] = "id:" + it.GUID
			c.alias = aliasOf(it.GUID)
		}
		if it.About != "" {
			c.keys[ByLink] = "about:" + it.About
		} else if c.link != "" && !bareHost(c.link) {
			c.keys[ByLink] = "link:" + c.link
		}
		c.keys[ByHash] = "hash:" + article.Digest(52, it.Link, it.PublishedRaw, it.Title)
		c.fingerprint, c.words = fingerprint(&it.Raw, c.link)
		for _, k := range append(c.keys[:], c.alias) {
			if k != "" {
				count[k]++
			}
		}
		list[i] = c
	}
	for i := range list {
		c := &list[i]
		for r := range c.keys {
			if count[c.keys[r]] > 1 && r != ByHash {
				c.keys[r] = ""
			}
			if c.key == "" && r >= rung {
				c.key = c.keys[r]
			}
		}
		if count[c.alias] > 1 {
			c.alias = ""
		}
	}
	return list
}

// badIDs reports whether so many ids are empty or doubled that the source's ids are not to be trusted: more than 5 %,
// and at least two.
func badIDs(items []parse.Item) bool {
	count := map[string]int{}
	for i := range items {
		count[items[i].GUID]++
	}
	bad := 0
	for guid, n := range count {
		if guid == "" || n > 1 {
			bad += n
		}
	}
	// A feed that gives no ids at all errs in nothing: its items go by their links anyway.
	return bad >= 2 && bad*20 > len(items) && count[""] < len(items)
}

// minAlias is the shortest alias that names an item: "/1" does not.
const minAlias = 8

// aliasOf gives an id without scheme and host, so that a publisher who moves to https or another host does not repeat
// all items.
func aliasOf(guid string) string {
	u, err := url.Parse(guid)
	if err != nil || u.Host == "" {
		return ""
	}
	rest := strings.TrimPrefix(u.RequestURI(), "/")
	if len(rest) < minAlias {
		return ""
	}
	return "alias:" + rest
}

// hashOf gives 64 bits of a text, never zero.
func hashOf(parts ...string) uint64 {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return max(binary.BigEndian.Uint64(sum[:8]), 1)
}

// counters are the numbers of comments that blogs write below a text and that change all the time.
var counters = regexp.MustCompile(`(?i)(\d+\s*(comments?|kommentare?|replies|antworten)|(comments?|kommentare?|replies|antworten)\s*[:(]\s*\d+\)?)`)

// mentionsComments tells whether [counters] can match at all: most texts are spared the expression, which costs more
// than all the rest of a fingerprint.
func mentionsComments(text string) bool {
	text = strings.ToLower(text)
	return strings.Contains(text, "comment") || strings.Contains(text, "kommentar") || strings.Contains(text, "replie") || strings.Contains(text, "antworten")
}

// bareHost reports whether an address is that of a whole site, which names no item: some feeds link every item to it.
func bareHost(link string) bool {
	u, err := url.Parse(link)
	return err != nil || (u.Path == "" || u.Path == "/") && u.RawQuery == "" && u.Fragment == ""
}

// fingerprint is a hash of what people read of an item: title, words of the body (else of the summary) and addresses of
// the enclosures in its upper 40 bits, the canonical link without its scheme in the lower 24. Markup, space, dates and
// numbers of comments are no part of it. It also gives the length of the text behind it.
func fingerprint(raw *article.Raw, link string) (hash uint64, words int) {
	body := raw.Content
	if body.Empty() {
		body = raw.Summary
	}
	var files []string
	for _, e := range raw.Enclosures {
		files = append(files, e.URL)
	}
	slices.Sort(files)
	text := Words(body)
	_, place, _ := strings.Cut(link, "://")
	hash = hashOf(squeeze(raw.Title), text, strings.Join(files, "\x00"))&^linkBits | hashOf(place)&linkBits
	return max(hash, 1), len(text)
}

// linkBits are the bits of a fingerprint that come from the link.
const linkBits = 1<<24 - 1

// sameText reports whether two fingerprints are of the same text, wherever it stands.
func sameText(a, b uint64) bool { return a != 0 && b != 0 && a&^linkBits == b&^linkBits }

// ownWords is the length of text from which an item can be known by its words alone.
const ownWords = 80

// Plain gives a text without its markup.
func Plain(t *article.Text) string {
	if t == nil {
		return ""
	}
	if t.Type == article.TextPlain {
		return t.Value
	}
	return html.UnescapeString(untagged(t.Value))
}

// Words gives the words of a text without markup, space and counters.
func Words(t *article.Text) string {
	plain := Plain(t)
	if mentionsComments(plain) {
		plain = counters.ReplaceAllString(plain, "")
	}
	return squeeze(plain)
}

// untagged takes out everything in angle brackets. It is no sanitiser: its result is hashed, not shown.
func untagged(s string) string {
	var b strings.Builder
	for {
		before, after, ok := strings.Cut(s, "<")
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		_, rest, ok := strings.Cut(after, ">")
		if !ok {
			return b.String()
		}
		s = rest
	}
}

func squeeze(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || r == '\u200b' || r == '\ufeff' {
			return -1
		}
		return r
	}, s)
}

func first(texts ...string) string {
	for _, s := range texts {
		if s != "" {
			return s
		}
	}
	return ""
}
