package config

import (
	"go.yaml.in/yaml/v4"
)

// follow returns the node that an alias stands for, else the node itself. An alias cannot name an alias.
func follow(n *yaml.Node) *yaml.Node {
	if n != nil && n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// isMerge reports whether a key is the plain << of a merge.
func isMerge(key *yaml.Node) bool {
	return key.Kind == yaml.ScalarNode && key.Value == "<<" && key.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) == 0
}

// lookup returns the key and the value of a name in a mapping, merged mappings included; nil when it is not there.
func lookup(n *yaml.Node, name string) (key, value *yaml.Node) {
	return lookupWithin(n, name, maxMerge)
}

const (
	// maxMerge is how deep blocks may be merged into one another: a block that merges itself would have no end, and
	// blocks that each merge several others grow with a power.
	maxMerge = 3
	// maxMerged is how many blocks one << may list.
	maxMerged = 16
)

func lookupWithin(n *yaml.Node, name string, depth int) (key, value *yaml.Node) {
	n = follow(n)
	if n == nil || n.Kind != yaml.MappingNode || depth == 0 {
		return nil, nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if k := follow(n.Content[i]); k.Kind == yaml.ScalarNode && k.Value == name && !isMerge(k) {
			return k, n.Content[i+1]
		}
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if !isMerge(n.Content[i]) {
			continue
		}
		for _, m := range merged(n.Content[i+1]) {
			if key, value = lookupWithin(m, name, depth-1); value != nil {
				return key, value
			}
		}
	}
	return nil, nil
}

// merged lists what the value of << names: one mapping or several, the earlier winning.
func merged(value *yaml.Node) []*yaml.Node {
	v := follow(value)
	if v.Kind == yaml.SequenceNode {
		return v.Content[:min(len(v.Content), maxMerged)]
	}
	return []*yaml.Node{v}
}

// what names the kind of a node in the words of the manual.
func what(n *yaml.Node) string {
	switch n = follow(n); n.Kind {
	case yaml.MappingNode:
		return "a block of keys"
	case yaml.SequenceNode:
		return "a list"
	}
	if n.ShortTag() == "!!null" {
		return "nothing"
	}
	// The text itself is not repeated: it may be a secret in the wrong place.
	return "a single value"
}

// pair is a key of a mapping with its value.
type pair struct {
	name       string
	key, value *yaml.Node
}

// pairs lists the keys of a mapping, its own before those merged into it. Keys that are given twice, are no text, or
// merge what is no mapping are problems.
func (c *decoder) pairs(n *yaml.Node, at path) []pair { return c.pairsWithin(n, at, maxMerge) }

func (c *decoder) pairsWithin(n *yaml.Node, at path, depth int) []pair {
	var own, from []pair
	seen := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := follow(n.Content[i]), n.Content[i+1]
		switch {
		case key.Kind != yaml.ScalarNode:
			c.problem(key, at, "a key is a word, and here is %s", what(key))
		case isMerge(key):
			from = append(from, c.mergedPairs(value, at, depth)...)
		case seen[key.Value] != nil:
			first := seen[key.Value]
			c.problem(key, at.key(key.Value), "the key is given twice, first in line %d", first.Line)
		default:
			seen[key.Value] = key
			own = append(own, pair{key.Value, key, value})
		}
	}
	for _, p := range from {
		if seen[p.name] == nil {
			seen[p.name] = p.key
			own = append(own, p)
		}
	}
	return own
}

func (c *decoder) mergedPairs(value *yaml.Node, at path, depth int) []pair {
	if depth == 0 {
		c.problem(value, at.key("<<"), "merges more than %d blocks into one another, or a block into itself", maxMerge)
		return nil
	}
	if v := follow(value); v.Kind == yaml.SequenceNode && len(v.Content) > maxMerged {
		c.problem(value, at.key("<<"), "lists %d blocks to merge; %d are allowed", len(v.Content), maxMerged)
	}
	var list []pair
	for _, m := range merged(value) {
		if m = follow(m); m.Kind != yaml.MappingNode {
			c.problem(value, at.key("<<"), "wants an alias of a block of keys, such as *base, or a list of them, and here is %s", what(m))
			continue
		}
		list = append(list, c.pairsWithin(m, at, depth-1)...)
	}
	return list
}
