package feedcheck

import (
	"slices"
	"strconv"
	"strings"
)

const (
	atomSpace    = "http://www.w3.org/2005/Atom"
	contentSpace = "http://purl.org/rss/1.0/modules/content/"
	dcSpace      = "http://purl.org/dc/elements/1.1/"
	termsSpace   = "http://purl.org/dc/terms/"
	mediaSpace   = "http://search.yahoo.com/mrss/"
	historySpace = "http://purl.org/syndication/history/1.0"
	xmlSpace     = "http://www.w3.org/XML/1998/namespace"
)

func rssSpaces() map[string]bool {
	return map[string]bool{"": true, atomSpace: true, contentSpace: true, dcSpace: true, termsSpace: true, mediaSpace: true, historySpace: true}
}

// rfc822 is the form of dates in RSS. The validator takes other zones, too; we write GMT.
const rfc822 = "Mon, 02 Jan 2006 15:04:05 GMT"

func (c *checker) rss() {
	root := c.tree()
	if root == nil {
		return
	}
	if root.name.Local != "rss" || root.attr["version"] != "2.0" {
		c.add("NotRSS", "document", "the root is no rss of version 2.0")
		return
	}
	c.spaces(root, rssSpaces())
	ch := root.one("", "channel")
	c.required(ch, "", "title", "link", "description")
	c.once(ch, "", "title", "link", "description", "language", "copyright", "lastBuildDate", "pubDate", "image", "ttl", "generator", "docs")
	c.known(ch, "title", "link", "description", "language", "copyright", "lastBuildDate", "category", "generator", "docs", "ttl", "image", "item")
	title := ch.one("", "title")
	c.noHTML(title.path(), title.value(), title.raw)
	c.link(ch.path()+"/link", ch.one("", "link").value())
	if l := ch.one("", "language"); l.value() != "" {
		c.language(l.path(), l.value())
	}
	if d := ch.one("", "lastBuildDate"); d.value() != "" {
		c.date(d.path(), d.value(), rfc822)
	}
	if ttl := ch.one("", "ttl"); ttl.value() != "" {
		if n, err := strconv.Atoi(ttl.value()); err != nil || n < 0 {
			c.add("BadNumber", ttl.path(), "%q", ttl.value())
		}
	}
	c.rssImage(ch)
	c.self(ch)
	for _, i := range ch.all("", "item") {
		c.rssItem(i)
	}
}

func (c *checker) rssImage(ch *node) {
	for _, m := range ch.all("", "image") {
		c.required(m, "", "url", "title", "link")
		c.link(m.path()+"/url", m.one("", "url").value())
		for name, most := range map[string]int{"width": 144, "height": 400} {
			if v := m.one("", name).value(); v != "" {
				if n, err := strconv.Atoi(v); err != nil || n < 1 || n > most {
					c.add("ImageTooLarge", m.path(), "%s is %s, at most %d is allowed", name, v, most)
				}
			}
		}
		for _, name := range []string{"title", "link"} {
			if m.one("", name).value() != ch.one("", name).value() {
				c.add("ImageDiffers", m.path(), "its %s is not the channel's", name)
			}
		}
	}
}

// self checks the links that a feed has to itself and to others.
func (c *checker) self(n *node) {
	var self []string
	for _, l := range n.all(atomSpace, "link") {
		c.link(l.path(), l.attr["href"])
		if t, ok := l.attr["type"]; ok {
			c.mediaType(l.path(), t)
		}
		if l.attr["rel"] == "self" {
			self = append(self, l.attr["href"])
		}
	}
	c.history(n)
	switch {
	case len(self) == 0:
		c.add("MissingSelf", n.path(), "there is no link to itself")
	case len(self) > 1:
		c.add("DuplicateElement", n.path(), "there are %d links to itself", len(self))
	case self[0] != c.Self:
		c.add("WrongSelf", n.path(), "%q, but it is served as %q", self[0], c.Self)
	}
}

// history checks that a page of an archive leads to the current document and is not that itself (RFC 5005 section 4).
func (c *checker) history(n *node) {
	to := map[string]string{}
	for _, l := range n.all(atomSpace, "link") {
		if rel := l.attr["rel"]; rel == "current" || rel == "prev-archive" || rel == "next-archive" {
			if to[rel] != "" || l.attr["href"] == c.Self {
				c.add("BadHistory", l.path(), "the link %s is there twice or leads to the document itself", rel)
			}
			to[rel] = l.attr["href"]
		}
	}
	archive := len(n.all(historySpace, "archive")) > 0
	switch {
	case archive && to["current"] == "":
		c.add("BadHistory", n.path(), "an archive does not lead to the current document")
	case !archive && (to["current"] != "" || to["next-archive"] != ""):
		c.add("BadHistory", n.path(), "a document that is no archive leads forward")
	}
}

// known reports elements without name space that RSS does not define at a place, and those that we never write.
func (c *checker) known(n *node, names ...string) {
	for _, k := range n.children {
		if k.name.Space == "" && !slices.Contains(names, k.name.Local) {
			c.add("UndefinedElement", n.path(), "%s does not belong there", k.name.Local)
		}
	}
}

func (c *checker) rssItem(i *node) {
	c.known(i, "title", "link", "description", "author", "category", "comments", "enclosure", "guid", "pubDate", "source")
	c.once(i, "", "title", "link", "description", "author", "comments", "enclosure", "guid", "pubDate", "source")
	c.once(i, contentSpace, "encoded")
	title, description := i.one("", "title"), i.one("", "description")
	if title.value() == "" && description.value() == "" {
		c.add("ItemMustHaveTitleOrDescription", i.path(), "neither is there")
	}
	c.noHTML(title.path(), title.value(), title.raw)
	if l := i.one("", "link"); l.value() != "" {
		c.link(l.path(), l.value())
	}
	c.body(description.path(), description.text)
	content := i.one(contentSpace, "encoded")
	c.body(content.path(), content.text)
	if a, b := slices.Index(i.children, description), slices.Index(i.children, content); a >= 0 && b >= 0 && b < a {
		c.add("DescriptionAfterContent", i.path(), "some readers show whichever comes last")
	}
	for _, a := range i.all("", "author") {
		if !strings.Contains(a.value(), "@") {
			c.add("AuthorWithoutAddress", a.path(), "%q has no e-mail address", a.value())
		}
	}
	for _, s := range i.all("", "source") {
		if s.attr["url"] == "" {
			c.add("MissingAttribute", s.path(), "url is missing")
		} else {
			c.link(s.path(), s.attr["url"])
		}
	}
	c.rssGUID(i)
	c.rssEnclosure(i)
	if d := i.one("", "pubDate"); d.value() != "" {
		c.date(d.path(), d.value(), rfc822)
	}
	for _, d := range append(i.all(atomSpace, "updated"), i.all(termsSpace, "modified")...) {
		c.date(d.path(), d.value(), rfc3339)
	}
	for _, l := range i.all(dcSpace, "language") {
		c.language(l.path(), l.value())
	}
	c.media(i)
}

func (c *checker) rssGUID(i *node) {
	g := i.one("", "guid")
	c.id(i.path()+"/guid", g.value())
	switch p := g.attr["isPermaLink"]; p {
	case "false":
	case "", "true":
		if !strings.HasPrefix(g.value(), "http://") && !strings.HasPrefix(g.value(), "https://") {
			c.add("FalsePermalink", g.path(), "%q is no address", g.value())
		}
	default:
		c.add("BadAttribute", g.path(), "isPermaLink is %q", p)
	}
}

func (c *checker) rssEnclosure(i *node) {
	for _, e := range i.all("", "enclosure") {
		c.link(e.path(), e.attr["url"])
		if n, err := strconv.ParseInt(e.attr["length"], 10, 64); err != nil || n < 0 {
			c.add("MissingAttribute", e.path(), "length is %q", e.attr["length"])
		}
		c.mediaType(e.path(), e.attr["type"])
	}
}

func (c *checker) media(n *node) {
	for _, m := range n.all(mediaSpace, "content") {
		c.link(m.path(), m.attr["url"])
		if t, ok := m.attr["type"]; ok {
			c.mediaType(m.path(), t)
		}
		for _, name := range []string{"width", "height", "fileSize"} {
			if v, ok := m.attr[name]; ok {
				if k, err := strconv.Atoi(v); err != nil || k < 1 {
					c.add("BadNumber", m.path(), "%s is %q", name, v)
				}
			}
		}
	}
}
