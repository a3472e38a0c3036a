package guard

import (
	"html"
	"strings"
)

// text gives the value of an attribute: its entities decoded, its space trimmed.
func text(b []byte) string { return strings.TrimSpace(html.UnescapeString(string(b))) }

// Text gives the characters of a field as XML means them: the sections of CDATA unwrapped, what lies outside of them
// decoded once. Tags inside are left where they are.
func (f *Field) Text() string {
	if f == nil {
		return ""
	}
	rest := string(f.Inner)
	if !strings.Contains(rest, "<![CDATA[") {
		return decodeEntities(rest)
	}
	var b strings.Builder
	for {
		before, after, ok := strings.Cut(rest, "<![CDATA[")
		b.WriteString(decodeEntities(before))
		if !ok {
			return b.String()
		}
		inside, behind, ok := strings.Cut(after, "]]>")
		b.WriteString(inside)
		if !ok {
			return b.String()
		}
		rest = behind
	}
}

// predefined are the entities that every XML document knows (XML 1.0 section 4.6).
var predefined = map[string]byte{"amp": '&', "lt": '<', "gt": '>', "quot": '"', "apos": '\''}

// decodeEntities decodes the references of XML and the named ones of HTML that end in a semicolon, which feeds use
// without declaring them. html.UnescapeString alone would also take "&copy=1" in an address for a sign.
func decodeEntities(s string) string {
	if !strings.Contains(s, "&") {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for {
		before, after, ok := strings.Cut(s, "&")
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		// The longest name has 31 characters; a bound keeps this linear.
		end := strings.IndexByte(after[:min(len(after), 40)], ';')
		if end <= 0 || strings.ContainsAny(after[:end], " \t\r\n&<") {
			b.WriteByte('&')
			s = after
			continue
		}
		if sign, ok := predefined[after[:end]]; ok { // nearly all of them, where a body is escaped
			b.WriteByte(sign)
			s = after[end+1:]
			continue
		}
		ref := "&" + after[:end+1]
		if decoded := html.UnescapeString(ref); decoded != html.UnescapeString(ref[:len(ref)-1])+";" {
			b.WriteString(decoded)
		} else {
			b.WriteString(ref) // the semicolon was no part of it
		}
		s = after[end+1:]
	}
}
