package config

import (
	"fmt"
	"path/filepath"
	"reflect"
	"slices"

	"go.yaml.in/yaml/v4"
)

// decoder puts nodes into values. Problems go to the Doc with the position of the node, or, while an environment
// variable is decoded, with its name.
type decoder struct {
	doc *Doc
	// env is the variable whose text is decoded; empty for the file.
	env string
	// peek reads what it understands and is silent about the rest.
	peek bool
	// depth and visited bound what aliases can make of a small file.
	depth, visited int
}

const (
	// maxDepth is how deep values may lie within one another: no section comes near it, a list that holds itself by an
	// alias passes it.
	maxDepth = 32
	// maxVisited is how many values a section may hold once its aliases are unfolded: 100,000 sources of 20 keys.
	maxVisited = 2_000_000
)

func (c *decoder) problem(n *yaml.Node, at path, format string, args ...any) {
	if c.peek {
		return
	}
	o := Origin{Env: c.env}
	if c.env == "" {
		o = c.doc.origin(n)
	}
	c.doc.add(o, at, format, args...)
}

// value decodes a node. It returns whether the value was set; a key without a value leaves the default.
func (c *decoder) value(n *yaml.Node, v reflect.Value, f field, at path) {
	c.depth++
	defer func() { c.depth-- }()
	if c.visited++; c.visited > maxVisited || c.depth > maxDepth {
		if c.visited == maxVisited+1 || c.depth == maxDepth+1 {
			c.problem(n, at, "unfolds by its aliases to more values than a section may hold")
		}
		return
	}
	place := n
	n = follow(n)
	if v.Kind() == reflect.Pointer {
		fresh := reflect.New(v.Type().Elem())
		if !v.IsNil() {
			fresh.Elem().Set(v.Elem())
		} else {
			setDefaults(fresh.Elem())
		}
		v.Set(fresh)
		v = fresh.Elem()
	}
	if leaf(v.Type()) {
		c.scalar(place, n, v, f, at)
		return
	}
	// A block whose keys are all commented out is an empty value: the defaults stand.
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" {
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		if n.Kind != yaml.MappingNode {
			c.problem(place, at, "wants a block of keys, and here is %s", what(n))
			return
		}
		c.mapping(n, []reflect.Value{v}, nil, at)
	case reflect.Slice:
		c.list(place, n, v, f, at)
	case reflect.Map:
		c.table(place, n, v, f, at)
	}
}

// mapping decodes the keys of a node into one or more structs: each key belongs to the first that has it. Keys in skip
// belong to another program; "*" means that all unknown ones do.
func (c *decoder) mapping(n *yaml.Node, into []reflect.Value, skip []string, at path) {
	type slot struct {
		field
		value reflect.Value
	}
	slots := map[string]slot{}
	var names []string
	for _, v := range slices.Backward(into) {
		for _, f := range c.doc.fields(v.Type()) {
			slots[f.key] = slot{f, v.FieldByIndex(f.index)}
		}
	}
	for name, s := range slots {
		names = append(names, name)
		if s.typ == secretType {
			names = append(names, name+twin)
		}
	}
	pairs := c.pairs(n, at)
	given := map[string]bool{}
	for _, p := range pairs {
		given[p.name] = true
	}
	for _, p := range pairs {
		s, ok := slots[p.name]
		if ok {
			c.value(p.value, s.value, s.field, at.key(p.name))
			continue
		}
		if len(p.name) > len(twin) {
			stem := p.name[:len(p.name)-len(twin)]
			if s, ok = slots[stem]; ok && s.typ == secretType && p.name == stem+twin {
				c.secretFile(p, s.value, at, given[stem])
				continue
			}
		}
		if slices.Contains(skip, p.name) || slices.Contains(skip, "*") {
			continue
		}
		hint, name := suggest(p.name, append(names, skip...))
		c.problem(p.key, at.key(p.name), "unknown key%s", hint)
		if name != "" && !given[name] && !c.peek {
			// The key meant is missing now, and that is one mistake, not two.
			c.doc.wrong[at.key(name).String()] = true
		}
	}
}

// list decodes a sequence. A list in the file replaces the one of the defaults.
func (c *decoder) list(place, n *yaml.Node, v reflect.Value, f field, at path) {
	if n.Kind != yaml.SequenceNode {
		example := "such as [a, b]"
		if !leaf(v.Type().Elem()) {
			example = `each entry beginning with "- "`
		}
		c.problem(place, at, "wants a list, %s, and here is %s", example, what(n))
		return
	}
	fresh := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, entry := range n.Content {
		setDefaults(fresh.Index(i))
		if e := follow(entry); e.Kind == yaml.ScalarNode && e.ShortTag() == "!!null" {
			c.problem(entry, at.index(i), "the entry is empty")
			continue
		}
		c.value(entry, fresh.Index(i), field{path: f.path}, at.index(i))
	}
	v.Set(fresh)
}

// table decodes a mapping whose keys the operator chooses. It replaces the one of the defaults.
func (c *decoder) table(place, n *yaml.Node, v reflect.Value, f field, at path) {
	if v.Type().Key().Kind() != reflect.String {
		panic(fmt.Sprintf("config: %s: the keys of a map are strings", v.Type()))
	}
	if n.Kind != yaml.MappingNode {
		c.problem(place, at, "wants a block of keys, and here is %s", what(n))
		return
	}
	fresh := reflect.MakeMap(v.Type())
	for _, p := range c.pairs(n, at) {
		entry := reflect.New(v.Type().Elem()).Elem()
		setDefaults(entry)
		c.value(p.value, entry, field{key: p.name, path: f.path}, at.key(p.name))
		fresh.SetMapIndex(reflect.ValueOf(p.name).Convert(v.Type().Key()), entry)
	}
	v.Set(fresh)
}

// setDefaults gives a new value the defaults of its type.
func setDefaults(v reflect.Value) {
	if v.CanAddr() {
		if d, ok := v.Addr().Interface().(Defaulter); ok {
			d.SetDefaults()
		}
	}
}

// resolve makes a path of the file absolute to the folder of the file. A variable's path is relative to the working
// folder, as everything in an environment is.
func (c *decoder) resolve(name string) string {
	if name == "" || c.env != "" || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(c.doc.folder(), name)
}
