package config

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

const (
	prefix = "TIDINGS_"
	// fileSuffix on a variable's name means that its value names a file which holds the text.
	fileSuffix = "_FILE"
)

// variable is a TIDINGS_ name of the environment that means a key.
type variable struct {
	name, text string
	section    string
	parts      []string // what stands after the section, in capitals
}

// plain lists the names without "__" that mean something: to the program's own flags, or to compose.
func plain() []string {
	return []string{"TIDINGS_CONFIG", "TIDINGS_DATA", "TIDINGS_VERSION", "TIDINGS_REGISTRY", "TIDINGS_COMPOSE"}
}

// readEnvironment sorts out the TIDINGS_ names. A name of a section that this program does not decode stays unread:
// whoever owns the section knows its keys.
func (d *Doc) readEnvironment(environ []string) {
	last := map[string]string{}
	for _, entry := range environ {
		name, text, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, prefix) {
			last[name] = text // of a name given twice the last counts, as in a shell
		}
	}
	for _, name := range slices.Sorted(maps.Keys(last)) {
		first, rest, nested := strings.Cut(strings.TrimPrefix(name, prefix), "__")
		if !nested {
			if !slices.Contains(plain(), name) {
				d.add(Origin{Env: name}, nil, "unknown name%s", suggestVariable(name))
			}
			continue
		}
		section := strings.ToLower(first)
		if upper := strings.ToUpper(name); upper != name {
			d.add(Origin{Env: name}, nil, "names are written in capitals; did you mean %q?", upper)
			continue
		}
		if !slices.Contains(Sections(), section) {
			hint, _ := suggest(first, Sections())
			d.add(Origin{Env: name}, nil, "there is no section %s%s", quote(section), hint)
			continue
		}
		d.environment = append(d.environment, variable{name, last[name], section, strings.Split(rest, "__")})
	}
}

// suggestVariable finds what a name without "__" was meant to be: a known one, or a key with a lost underscore.
func suggestVariable(name string) string {
	for _, s := range Sections() {
		if rest, ok := strings.CutPrefix(name, prefix+strings.ToUpper(s)+"_"); ok && rest != "" {
			return "; did you mean " + quote(prefix+strings.ToUpper(s)+"__"+rest) + "?"
		}
	}
	hint, found := "", 3
	for _, p := range plain() {
		if e := edits(name, p); e < found {
			hint, found = "; did you mean "+quote(p)+"?", e
		}
	}
	return hint
}

// environment lays the variables of a section over its value, those that name a file last.
func (c *decoder) environment(section string, v reflect.Value) {
	for _, fromFile := range []bool{false, true} {
		for _, e := range c.doc.environment {
			if e.section != section {
				continue
			}
			c.env = e.name
			if f, into, ok := c.seek(e, v, fromFile); ok {
				c.set(e, f, into, fromFile)
			}
			c.env = ""
		}
	}
}

// found is a key that a variable names.
type found struct {
	field
	at path
}

// seek walks from the section to the key of a variable. It is called twice for each, first to find keys named as they
// are, then to find those with _FILE after them; what neither finds is a problem of the second call.
func (c *decoder) seek(e variable, v reflect.Value, fromFile bool) (found, reflect.Value, bool) {
	at := path{e.section}
	for i, part := range e.parts {
		for v.Kind() == reflect.Pointer && !leaf(v.Type().Elem()) {
			if v.IsNil() {
				fresh := reflect.New(v.Type().Elem())
				setDefaults(fresh.Elem())
				v.Set(fresh)
			}
			v = v.Elem()
		}
		if v.Kind() != reflect.Struct || leaf(v.Type()) {
			if fromFile {
				c.problem(nil, at, "a variable cannot reach into %s; set %s in the file", collection(v), at)
			}
			return found{}, v, false
		}
		fields := c.doc.fields(v.Type())
		is := func(name string) int {
			return slices.IndexFunc(fields, func(f field) bool { return capitals(f.key) == name })
		}
		n, last := is(part), i == len(e.parts)-1
		switch stem, cut := strings.CutSuffix(part, fileSuffix); {
		case n >= 0:
			if last && fromFile {
				return found{}, v, false // set by the first call
			}
		case last && cut && is(stem) >= 0 && leaf(base(fields[is(stem)].typ)):
			if !fromFile {
				return found{}, v, false // the second call sets it
			}
			n = is(stem)
		default:
			if fromFile {
				c.problem(nil, at.key(strings.ToLower(part)), "unknown key%s", c.suggestKey(e, i, fields))
			}
			return found{}, v, false
		}
		v, at = v.FieldByIndex(fields[n].index), at.key(fields[n].key)
		if last {
			return found{fields[n], at}, v, true
		}
	}
	return found{}, v, false
}

// set decodes a variable's text into a key.
func (c *decoder) set(e variable, f found, v reflect.Value, fromFile bool) {
	text := e.text
	if fromFile {
		if c.peek {
			return
		}
		var wrong string
		if text, wrong = readSecret(text); wrong != "" {
			c.problem(nil, f.at, "%s", wrong)
			return
		}
	}
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}
	if inner := base(v.Type()); !leaf(inner) {
		var ok bool
		if n, ok = c.compound(text, inner, f.at); !ok {
			return
		}
	}
	if c.peek {
		c.value(n, v, f.field, f.at)
		return
	}
	c.doc.settled[f.at.String()] = e.name
	delete(c.doc.wrong, f.at.String()) // whatever the file says of the key, this value is meant
	c.value(n, v, f.field, f.at)
}

// compound reads the text of a key that holds more than a word: a list of words parted by commas, or YAML in one line.
func (c *decoder) compound(text string, t reflect.Type, at path) (*yaml.Node, bool) {
	trimmed := strings.TrimSpace(text)
	if t.Kind() == reflect.Slice && leaf(t.Elem()) && !strings.HasPrefix(trimmed, "[") {
		n := &yaml.Node{Kind: yaml.SequenceNode}
		for entry := range strings.SplitSeq(text, ",") {
			if entry = strings.TrimSpace(entry); entry != "" {
				n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: entry})
			}
		}
		return n, true
	}
	n, wrong := parse([]byte(text))
	switch {
	case wrong != nil:
		c.problem(nil, at, "%s", wrong.Text)
		return nil, false
	case n == nil:
		n = &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null"}
	}
	return n, true
}

// suggestKey finds the variable that was meant by one whose part i names no key.
func (c *decoder) suggestKey(e variable, i int, fields []field) string {
	var names []string
	for _, f := range fields {
		names = append(names, f.key)
		if leaf(base(f.typ)) {
			names = append(names, f.key+twin)
		}
	}
	_, name := suggest(e.parts[i], names)
	if name == "" {
		return ""
	}
	parts := append([]string{strings.ToUpper(e.section)}, e.parts...)
	parts[i+1] = capitals(name)
	return "; did you mean " + quote(prefix+strings.Join(parts, "__")) + "?"
}

// capitals is a key as it stands in a variable's name.
func capitals(key string) string { return strings.ToUpper(strings.ReplaceAll(key, "-", "_")) }

// base is the type behind pointers.
func base(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

func collection(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Slice:
		return "a list"
	case reflect.Map:
		return "a block of free keys"
	}
	return "a single value"
}
