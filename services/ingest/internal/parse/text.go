package parse

import (
	"regexp"
	"strings"

	"golang.org/x/net/html"

	"tidings.internal/pkg/article"
	"tidings.internal/services/ingest/internal/guard"
)

var (
	// inline are the elements that people write into titles.
	inline = regexp.MustCompile(`(?i)</?(a|abbr|acronym|b|bdi|bdo|big|br|cite|code|del|dfn|em|font|i|img|ins|kbd|mark|p|q|s|samp|small|span|strike|strong|sub|sup|tt|u|var|wbr)(\s[^>]*)?/?>`)
	// block are the elements that make a description a body.
	block = regexp.MustCompile(`(?i)<(p|div|ul|ol|table|h[1-6]|blockquote|pre|figure|section|article|img|iframe|video)[\s/>]`)
	// references are complete character references.
	references = regexp.MustCompile(`&(#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,30});`)
)

// longDescription is the length in bytes from which a lone description counts as the body.
const longDescription = 500

// title makes plain text of a title in RSS, where nobody knows whether markup is meant: known inline tags mean that it
// is HTML, and a complete character reference that it was escaped twice. Anything else is text, "<b" included.
func title(s string) string {
	s, _ = article.Cut(s, longTitle)
	switch {
	case inline.MatchString(s):
		s = plain(s)
	case references.MatchString(s):
		s = references.ReplaceAllStringFunc(s, html.UnescapeString)
	}
	return oneLine(s)
}

// longTitle is how much of a title is looked at: enough to know that it is too long.
const longTitle = 8 * article.MaxTitle

// plain takes the tags out of HTML and decodes its references. What a browser would not show (scripts, styles) goes.
func plain(markup string) string {
	var out strings.Builder
	z := html.NewTokenizer(strings.NewReader(markup))
	hidden := 0
	for {
		switch z.Next() {
		case html.ErrorToken:
			return out.String()
		case html.TextToken:
			if hidden == 0 {
				out.Write(z.Text())
			}
		case html.StartTagToken:
			if name, _ := z.TagName(); isHidden(string(name)) {
				hidden++
			} else if isBlock(string(name)) {
				out.WriteByte(' ')
			}
		case html.EndTagToken:
			if name, _ := z.TagName(); isHidden(string(name)) && hidden > 0 {
				hidden--
			}
		case html.SelfClosingTagToken:
			out.WriteByte(' ')
		}
	}
}

func isHidden(name string) bool { return name == "script" || name == "style" }

func isBlock(name string) bool { return name == "br" || name == "p" || name == "div" || name == "li" }

// html makes a text of type HTML whose addresses are absolute.
func (r *reader) html(value, lang, base string) *article.Text {
	return r.markup(value, article.TextHTML, lang, base)
}

func (r *reader) markup(value, kind, lang, base string) *article.Text {
	value = strings.TrimSpace(value)
	if value == "" {
		return nil
	}
	// Cut first: what is thrown away need not be read.
	value, _ = article.Cut(value, article.MaxContent+1)
	return &article.Text{Value: r.absolute(value, base), Type: kind, Lang: lang, Base: r.textBase(base)}
}

// text makes a text that is never markup, whatever it looks like.
func text(value, lang string) *article.Text {
	value = strings.TrimSpace(value)
	if value == "" {
		return nil
	}
	return &article.Text{Value: value, Type: article.TextPlain, Lang: lang}
}

func (r *reader) textBase(base string) string {
	if u := r.baseURL(base); u.IsAbs() {
		return u.String()
	}
	return ""
}

// construct reads a text construct of Atom 1.0 (RFC 4287 section 3.1) or a content construct of Atom 0.3. Media that are
// not text give nil.
func (r *reader) construct(f *guard.Field, fallback string) *article.Text {
	if f == nil {
		if fallback = strings.TrimSpace(fallback); fallback != "" {
			return r.html(fallback, "", "")
		}
		return nil
	}
	kind := f.Type
	if f.Mode == "base64" {
		return nil
	}
	switch {
	case kind == "" || kind == "text" || kind == "text/plain":
		if f.Mode == "xml" && strings.Contains(string(f.Inner), "<") && !strings.Contains(string(f.Inner), "<![CDATA[") {
			return r.xhtml(f)
		}
		return text(f.Text(), f.Lang)
	case kind == "html" || kind == "text/html":
		if f.Mode == "xml" {
			return r.xhtml(f)
		}
		return r.html(f.Text(), f.Lang, f.Base)
	case kind == "xhtml" || strings.Contains(kind, "xhtml"):
		if f.Mode == "escaped" {
			return r.html(f.Text(), f.Lang, f.Base)
		}
		return r.xhtml(f)
	case strings.HasPrefix(kind, "text/"):
		return text(f.Text(), f.Lang)
	}
	return nil
}

var (
	openDiv  = regexp.MustCompile(`^\s*<(?:([A-Za-z_][\w.-]*):)?div(\s[^>]*)?>`)
	baseAttr = regexp.MustCompile(`\sxml:base\s*=\s*(?:"([^"]*)"|'([^']*)')`)
	langAttr = regexp.MustCompile(`\sxml:lang\s*=\s*(?:"([^"]*)"|'([^']*)')`)
)

// xhtml takes the markup inside an element as it stands, without the div that wraps it (RFC 4287 section 3.1.1.3) and
// without the prefix that its names may have.
func (r *reader) xhtml(f *guard.Field) *article.Text {
	inner, lang, base := string(f.Inner), f.Lang, f.Base
	m := openDiv.FindStringSubmatch(inner)
	if m != nil {
		if end := strings.LastIndex(inner, "</"); end >= len(m[0]) {
			inner = inner[len(m[0]):end]
		}
		if own := baseAttr.FindStringSubmatch(m[2]); own != nil {
			b := r.baseURL(base)
			if u, err := b.Parse(html.UnescapeString(own[1] + own[2])); err == nil {
				base = u.String()
			}
		}
		if own := langAttr.FindStringSubmatch(m[2]); own != nil {
			lang = own[1] + own[2]
		}
		if m[1] != "" {
			inner = strings.NewReplacer("<"+m[1]+":", "<", "</"+m[1]+":", "</").Replace(inner)
		}
	}
	inner = uncdata(inner)
	return r.markup(inner, article.TextXHTML, lang, base)
}

// uncdata turns sections of CDATA into escaped text: HTML does not know them.
func uncdata(s string) string {
	if !strings.Contains(s, "<![CDATA[") {
		return s
	}
	var b strings.Builder
	for {
		before, after, ok := strings.Cut(s, "<![CDATA[")
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		inside, rest, _ := strings.Cut(after, "]]>")
		b.WriteString(html.EscapeString(inside))
		s = rest
	}
}

// line makes one plain line of a text of any type.
func line(t *article.Text) string {
	switch {
	case t == nil:
		return ""
	case t.Type == article.TextPlain:
		return oneLine(t.Value)
	}
	return oneLine(plain(t.Value))
}
