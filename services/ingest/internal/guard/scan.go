package guard

import (
	"bytes"
	"strings"

	"tidings.internal/services/ingest/internal/cause"
)

// scanner reads a document once from front to back.
type scanner struct {
	b          []byte
	start, end int    // of the root element
	tail       string // end tags that close a document cut at end
	edits      []edit
	repairs    int
	tag        tag
	names      map[string]name // every name read so far: a document has few
	format     Format
	native     []string // namespaces that are the format's own
	stack      []open
	spaces     []binding // namespace declarations in force, innermost last

	elements, prefixes, scopeSum, runSum int

	head     Element
	items    []Element // those in the channel of RSS, or the entries of Atom
	rootward []Element // items beside the channel, which the parser puts last
	current  *Element  // the item that is open
	itemFrom int       // where the open item began
	partial  int       // where the markup begins that is being read: what is cut off when the document ends in it
	isCut    bool
	beyond   bool
}

type binding struct{ prefix, space string }

// open is an element that was not closed yet.
type open struct {
	name, local string
	at, after   int // start tag
	bound       int // length of spaces before its own declarations
	runs, bytes int // of its text so far
	foreign     bool
	item        bool
	top         bool // feed or channel
	lang, base  string
	field       int // index of the noted field plus 1, 0 when none
	of          *[]Field
}

const (
	spaceAtom10  = "http://www.w3.org/2005/Atom"
	spaceAtom03  = "http://purl.org/atom/ns#"
	spaceRDF     = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
	spaceRSS10   = "http://purl.org/rss/1.0/"
	spaceRSS09   = "http://channel.netscape.com/rdf/simple/0.9/"
	spaceRSS09b  = "http://my.netscape.com/rdf/simple/0.9/"
	spaceContent = "http://purl.org/rss/1.0/modules/content/"
	spaceXHTML   = "http://www.w3.org/1999/xhtml"
)

// root finds where the document begins and which format it has. Junk before it is dropped: warnings of a script, a
// type declaration, comments of any length.
func (s *scanner) root() error {
	b, comments, seen := s.b, 0, ""
	for i := 0; i < len(b) && i-comments < headBytes; {
		n := bytes.IndexByte(b[i:], '<')
		if n < 0 || i+n+1 >= len(b) || i+n-comments >= headBytes {
			break
		}
		i += n
		if b[i+1] == '!' || b[i+1] == '?' {
			if bytes.HasPrefix(bytes.ToLower(b[i:min(len(b), i+14)]), []byte("<!doctype html")) {
				return notAFeed("an HTML page")
			}
			end := s.endOfMarkup(i)
			comments += end - i
			i = end
			continue
		}
		j := endOfName(b, i+1)
		name := string(b[i+1 : j])
		_, local, found := strings.Cut(name, ":")
		if !found {
			local = name
		}
		switch local = strings.ToLower(local); local {
		case "rss", "rdf":
			s.format, s.start = RSS, i
			return nil
		case "feed":
			s.format, s.start = Atom, i
			return nil
		case "html", "head", "body":
			if local == "html" || seen == "" {
				return notAFeed("an HTML page")
			}
		}
		if seen == "" && name != "" {
			seen = name
		}
		i = max(j, i+1)
	}
	if seen != "" && bytes.HasPrefix(bytes.TrimLeft(b, " \t\r\n"), []byte("<?xml")) || seen == "channel" {
		return cause.Errorf(cause.UnsupportedFormat, "scan document: its root is %q, not rss, RDF or feed", seen[:min(len(seen), 40)])
	}
	return notAFeed("no root element of a feed")
}

func notAFeed(what string) error {
	return cause.Errorf(cause.NotAFeed, "scan document: it is %s", what)
}

// endOfMarkup gives the place after a comment, declaration or processing instruction that starts at i.
func (s *scanner) endOfMarkup(i int) int {
	b := s.b
	until := func(end string) int {
		if n := bytes.Index(b[i:], []byte(end)); n >= 0 {
			return i + n + len(end)
		}
		return len(b)
	}
	switch {
	case bytes.HasPrefix(b[i:], []byte("<!--")):
		if n := bytes.Index(b[i+4:], []byte("-->")); n >= 0 {
			return i + 4 + n + 3
		}
		return len(b)
	case b[i+1] == '?':
		return until("?>")
	}
	if !bytes.EqualFold(b[i:min(len(b), i+9)], []byte("<!doctype")) {
		return until(">")
	}
	// It may have a subset in brackets that holds declarations and quoted text.
	depth, quote := 0, byte(0)
	for j := i + 1; j < len(b); j++ {
		switch c := b[j]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '[' || c == '<':
			depth++
		case c == ']' || c == '>':
			if depth--; depth < 0 {
				return j + 1
			}
		}
	}
	return len(b)
}

// run reads from the root to its end.
func (s *scanner) run() error {
	b := s.b
	for i := s.start; i < len(b); {
		n := bytes.IndexByte(b[i:], '<')
		if n < 0 || i+n+1 >= len(b) {
			if n < 0 {
				n = len(b) - i
			}
			if err := s.text(i, i+n, false); err != nil {
				return err
			}
			s.partial = i + n
			break
		}
		if err := s.text(i, i+n, false); err != nil {
			return err
		}
		i += n
		s.partial = i
		next, whole, err := s.markup(i)
		if err != nil {
			return err
		}
		if s.elements == 0 {
			return cause.Errorf(cause.Truncated, "scan document: it ends in its first tag")
		}
		if !whole {
			break
		}
		s.partial = next
		if i = next; len(s.stack) == 0 || s.beyond {
			if !s.beyond {
				s.end = i
			}
			return nil
		}
	}
	s.unfinished()
	return nil
}

// markup reads what begins with the bracket at i and returns the place after it, or false when the document ends in it.
func (s *scanner) markup(i int) (next int, whole bool, err error) {
	b := s.b
	switch c := b[i+1]; {
	case c == '!' && bytes.HasPrefix(b[i:], []byte("<![CDATA[")):
		n := bytes.Index(b[i:], []byte("]]>"))
		if n < 0 {
			return 0, false, nil
		}
		return i + n + 3, true, s.text(i+9, i+n, true)
	case c == '!' || c == '?':
		end := s.endOfMarkup(i)
		s.edit(i, end, "")
		return end, true, nil
	case c == '/':
		return s.endTag(i), true, nil
	case nameStart(c):
		t, whole, err := s.readTag(i)
		if err != nil || !whole {
			return 0, false, err
		}
		return t.to, true, s.startTag(t)
	}
	s.repair(i, i+1, "&lt;")
	return i + 1, true, s.text(i, i+1, false)
}

// text accounts for a piece of text, which a parser may join to the pieces before it by copying all of them.
func (s *scanner) text(from, to int, cdata bool) error {
	if from >= to && !cdata || len(s.stack) == 0 {
		return nil
	}
	if !cdata {
		for i := from; ; {
			n := bytes.Index(s.b[i:to], []byte("]]>"))
			if n < 0 {
				break
			}
			s.repair(i+n+2, i+n+3, "&gt;")
			i += n + 3
		}
	}
	top := &s.stack[len(s.stack)-1]
	if top.runs++; top.runs > maxRuns {
		return tooDense("pieces of text in an element", maxRuns)
	}
	top.bytes += to - from
	if top.foreign {
		if s.runSum += top.bytes; s.runSum > maxRunSum {
			return tooDense("bytes in pieces of text", maxRunSum)
		}
	}
	return nil
}

// unfinished closes a document that ended before its root. An item that is open is left out: nobody knows what is
// missing from it.
func (s *scanner) unfinished() {
	s.isCut, s.end = true, len(s.b)
	for i := range s.stack {
		if s.stack[i].item {
			s.cut(s.itemFrom, s.stack[:i])
			s.dropOpenItem()
			return
		}
	}
	// Between items: what is open above the feed itself is left out with its start tag.
	keep := len(s.stack)
	for keep > 1 && !s.stack[keep-1].top {
		keep--
	}
	if keep < len(s.stack) {
		s.cut(s.stack[keep].at, s.stack[:keep])
		return
	}
	s.cut(s.partial, s.stack)
}

func (s *scanner) dropOpenItem() {
	if list := s.list(); len(*list) > 0 && s.current == &(*list)[len(*list)-1] {
		*list = (*list)[:len(*list)-1]
	}
	s.current = nil
}

// document gives the result. Items beside the channel come after those inside it, as the parser orders them.
func (s *scanner) document() *Document {
	return &Document{
		Format: s.format, Data: s.bytes(), Head: s.head, Items: append(s.items, s.rootward...),
		Cut: s.isCut, Beyond: s.beyond, Repairs: s.repairs,
	}
}
