package article

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// The limits of texts, in bytes of UTF-8. They keep one article within one message of the broker: what is longer is
// cut at a character and named in Truncated, or put into the object store.
const (
	MaxTitle      = 4 << 10
	MaxSummary    = 64 << 10
	MaxContent    = 2 << 20
	MaxURL        = 2048
	MaxCategories = 100
	MaxAuthors    = 100
	MaxEnclosures = 100
	MaxMedia      = 64
	// MaxInline is the size of a text above which it travels in the object store and the message holds a [Blob].
	MaxInline = 256 << 10
)

// The types of a [Text]. A text of type TextPlain is never markup, whatever it looks like.
const (
	TextPlain = "text"
	TextHTML  = "html"
	TextXHTML = "xhtml"
)

// Text is a piece of text as a source gave it: hostile until enrich has cleaned it.
type Text struct {
	Value string `json:"value,omitempty"`
	// Type says how to read Value: "text", "html" or "xhtml".
	Type string `json:"type,omitempty"`
	// Lang is the language that the document declares for this text (BCP 47), empty when it declares none.
	Lang string `json:"lang,omitempty"`
	// Base is the absolute URL that relative links inside Value resolve against.
	Base string `json:"base,omitempty"`
	// Blob stands in for a Value that was too long for a message.
	Blob *Blob `json:"blob,omitempty"`
}

// Empty reports whether there is no text at all.
func (t *Text) Empty() bool { return t == nil || t.Value == "" && t.Blob == nil }

// Blob points to a body in the object store. Readers check its length and hash: who may write the store may spoil it.
type Blob struct {
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"` // lower-case hex
}

// Cut returns s cut to at most limit bytes at the border of a character, and whether anything was cut.
func Cut(s string, limit int) (string, bool) {
	if len(s) <= limit {
		return s, false
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit], true
}

// Syndicate says how much of an article its source allows us to pass on.
type Syndicate string

// The values of Syndicate, from all to the least.
const (
	Full     Syndicate = "full"     // everything
	Excerpt  Syndicate = "excerpt"  // title and a short summary
	Headline Syndicate = "headline" // title and link only: no summary, no body, no image
)

func (s Syndicate) rank() int {
	switch s {
	case Headline:
		return 0
	case Excerpt:
		return 1
	default:
		return 2
	}
}

// Lesser returns the stricter of two. An empty or unknown value means [Full], the default.
func (s Syndicate) Lesser(o Syndicate) Syndicate {
	if o.rank() < s.rank() {
		s = o
	}
	switch s.rank() {
	case 0:
		return Headline
	case 1:
		return Excerpt
	default:
		return Full
	}
}

// UnmarshalText accepts the three values and nothing else.
func (s *Syndicate) UnmarshalText(b []byte) error {
	switch v := Syndicate(b); v {
	case Full, Excerpt, Headline:
		*s = v
		return nil
	default:
		return fmt.Errorf("%q is not one of full, excerpt, headline", b)
	}
}

// UnmarshalJSON reads what an event holds. Unlike UnmarshalText it accepts an unknown word as it is, because a newer
// writer may know one; [Syndicate.Lesser] then treats it as Full.
func (s *Syndicate) UnmarshalJSON(b []byte) error {
	return json.Unmarshal(b, (*string)(s))
}
