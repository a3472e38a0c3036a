package feedcheck

import "time"

const rfc3339 = time.RFC3339

func (c *checker) atom() {
	root := c.tree()
	if root == nil {
		return
	}
	if root.name.Local != "feed" || root.name.Space != atomSpace {
		c.add("NotAtom", "document", "the root is no feed of Atom")
		return
	}
	known := rssSpaces()
	delete(known, "")
	c.spaces(root, known)
	c.atomCommon(root)
	c.once(root, atomSpace, "subtitle", "generator", "icon", "logo")
	c.self(root)
	c.alternates(root)
	for _, name := range []string{"icon", "logo"} {
		for _, l := range root.all(atomSpace, name) {
			c.link(l.path(), l.value())
		}
	}
	authors := len(root.all(atomSpace, "author"))
	for _, e := range root.all(atomSpace, "entry") {
		c.entry(e, authors > 0)
	}
}

// atomCommon checks what a feed, an entry and a source have alike.
func (c *checker) atomCommon(n *node) {
	c.required(n, atomSpace, "id", "title", "updated")
	c.once(n, atomSpace, "id", "title", "updated", "rights")
	if id := n.one(atomSpace, "id"); id.value() != "" {
		c.link(id.path(), id.value(), "urn", "tag", "http", "https")
	}
	if n.name.Local != "source" {
		c.id(n.path()+"/id", n.one(atomSpace, "id").value())
	}
	for _, name := range []string{"title", "subtitle", "rights", "summary"} {
		for _, t := range n.all(atomSpace, name) {
			if t.attr["type"] == "" || t.attr["type"] == "text" {
				c.noHTML(t.path(), t.value(), t.raw)
			}
		}
	}
	if u := n.one(atomSpace, "updated"); u.value() != "" {
		c.date(u.path(), u.value(), rfc3339)
	}
	for _, a := range append(n.all(atomSpace, "author"), n.all(atomSpace, "contributor")...) {
		c.required(a, atomSpace, "name")
		for _, u := range a.all(atomSpace, "uri") {
			c.link(u.path(), u.value())
		}
	}
	for _, k := range n.all(atomSpace, "category") {
		if k.attr["term"] == "" {
			c.add("MissingAttribute", k.path(), "term is missing")
		}
		if s, ok := k.attr["scheme"]; ok {
			c.link(k.path(), s, "http", "https", "urn", "tag")
		}
	}
	if l, ok := n.attr[xmlSpace+" lang"]; ok {
		c.language(n.path(), l)
	}
}

// alternates reports two links to the same thing (RFC 4287 section 4.1.1).
func (c *checker) alternates(n *node) (found bool) {
	seen := map[[2]string]bool{}
	for _, l := range n.all(atomSpace, "link") {
		if rel := l.attr["rel"]; rel != "" && rel != "alternate" {
			continue
		}
		found = true
		key := [2]string{l.attr["type"], l.attr["hreflang"]}
		if seen[key] {
			c.add("DuplicateAlternate", n.path(), "two alternate links have type %q and language %q", key[0], key[1])
		}
		seen[key] = true
	}
	return found
}

func (c *checker) entry(e *node, authored bool) {
	c.atomCommon(e)
	c.once(e, atomSpace, "published", "summary", "content", "source")
	for _, l := range e.all(atomSpace, "link") {
		c.link(l.path(), l.attr["href"])
		if t, ok := l.attr["type"]; ok {
			c.mediaType(l.path(), t)
		}
		if h, ok := l.attr["hreflang"]; ok {
			c.language(l.path(), h)
		}
	}
	if !c.alternates(e) && len(e.all(atomSpace, "content")) == 0 {
		c.add("MissingAlternate", e.path(), "without content it needs a link")
	}
	if p := e.one(atomSpace, "published"); p.value() != "" {
		c.date(p.path(), p.value(), rfc3339)
	}
	if !authored && len(e.all(atomSpace, "author")) == 0 {
		c.add("MissingAuthor", e.path(), "neither the entry nor the feed has one")
	}
	for _, t := range e.all(atomSpace, "content") {
		switch t.attr["type"] {
		case "html":
			c.body(t.path(), t.text)
		case "", "text":
			c.noHTML(t.path(), t.value(), t.raw)
		default:
			c.add("BadAttribute", t.path(), "type is %q", t.attr["type"])
		}
	}
	for _, s := range e.all(atomSpace, "source") {
		c.atomCommon(s)
		for _, l := range s.all(atomSpace, "link") {
			c.link(l.path(), l.attr["href"])
		}
	}
	c.media(e)
}
