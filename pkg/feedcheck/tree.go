package feedcheck

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
)

// node is an element with what it holds.
type node struct {
	name     xml.Name
	attr     map[string]string // by name, with the name space before it and a space, if any
	children []*node
	text     string
	raw      string // as it stands in the document
	parent   *node
}

// tree reads a document that must be well-formed.
func (c *checker) tree() *node {
	d := xml.NewDecoder(bytes.NewReader(c.doc))
	var root, at *node
	starts := map[*node]int64{}
	for {
		before := d.InputOffset()
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			c.add("NotWellFormed", "document", "%v", err)
			return nil
		}
		switch t := token.(type) {
		case xml.StartElement:
			n := &node{name: t.Name, attr: map[string]string{}, parent: at}
			for _, a := range t.Attr {
				key := strings.TrimSpace(a.Name.Space + " " + a.Name.Local)
				if _, twice := n.attr[key]; twice {
					c.add("NotWellFormed", n.path(), "attribute %s stands there twice", key)
				}
				n.attr[key] = a.Value
			}
			if at == nil {
				if root != nil {
					c.add("NotWellFormed", "document", "a second root")
				}
				root = n
			} else {
				at.children = append(at.children, n)
			}
			starts[n], at = d.InputOffset(), n
		case xml.EndElement:
			at.raw = string(c.doc[starts[at]:before])
			at = at.parent
		case xml.CharData:
			if at != nil {
				at.text += string(t)
			}
		}
	}
	if root == nil {
		c.add("NotWellFormed", "document", "there is no element")
	}
	return root
}

func (n *node) path() string {
	if n.parent == nil {
		return n.name.Local
	}
	return n.parent.path() + "/" + n.name.Local
}

// all returns the children of a name.
func (n *node) all(space, local string) []*node {
	var list []*node
	for _, k := range n.children {
		if k.name.Space == space && k.name.Local == local {
			list = append(list, k)
		}
	}
	return list
}

// one returns the first child of a name, and an empty node if there is none.
func (n *node) one(space, local string) *node {
	if list := n.all(space, local); len(list) > 0 {
		return list[0]
	}
	return &node{parent: n, name: xml.Name{Space: space, Local: local}}
}

func (n *node) value() string { return strings.TrimSpace(n.text) }

// required reports a child that is missing or empty.
func (c *checker) required(n *node, space string, names ...string) {
	for _, name := range names {
		if n.one(space, name).value() == "" {
			c.add("MissingElement", n.path(), "%s is missing or empty", name)
		}
	}
}

// once reports a child that stands there more than once.
func (c *checker) once(n *node, space string, names ...string) {
	for _, name := range names {
		if k := len(n.all(space, name)); k > 1 {
			c.add("DuplicateElement", n.path(), "%s stands there %d times", name, k)
		}
	}
}

// spaces reports elements of a name space that the validator does not know.
func (c *checker) spaces(n *node, known map[string]bool) {
	if !known[n.name.Space] {
		c.add("UnknownNamespace", n.path(), "%q", n.name.Space)
	}
	for key, value := range n.attr {
		if strings.HasPrefix(key, "xmlns ") && !known[value] {
			c.add("UnknownNamespace", n.path(), "%q is declared", value)
		}
	}
	for _, k := range n.children {
		c.spaces(k, known)
	}
}
