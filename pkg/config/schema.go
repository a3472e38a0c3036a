package config

import (
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// Schema describes in the terms of JSON Schema (draft 2020-12) every section that the Doc was asked for: the keys and
// their types come from the values that were decoded, the words and forms from what their checks asked for. So it is made
// from a Doc that holds an entry of everything, as the commented examples together are, and that was told to [Doc.Learn].
//
// describe returns the paragraph of the manual about a key, by its path without the numbers of entries, such as
// sources.every; network is empty but for the keys that only one network of channels has. What a check finds by looking at
// several values is not in the schema: a file that it accepts may still have problems, never the other way round.
func (d *Doc) Schema(describe func(network, path string) string) map[string]any {
	sections := map[string]any{}
	for _, name := range Sections() {
		sections[name] = true // one that no program of this process reads
	}
	networks := map[int]string{}
	for _, r := range d.decoded {
		name, ok := r.at[0].(string)
		if !ok || len(r.at) != 1 {
			continue
		}
		s := schemer{d, func(path string) string { return describe("", path) }}
		sections[name] = mergeSchema(sections[name], s.of(r.at, r.value))
		if list, ok := r.value.Interface().([]Channel); ok {
			for i, c := range list {
				networks[i] = c.Network
			}
		}
	}
	own := map[string]any{}
	for _, r := range d.decoded {
		if len(r.at) != 2 || r.at[0] != "channels" {
			continue
		}
		network := networks[r.at[1].(int)]
		s := schemer{d, func(path string) string { return describe(network, path) }}
		own[network] = mergeSchema(own[network], s.of(r.at, r.value))
	}
	if len(networks) > 0 {
		splitByNetwork(sections["channels"].(map[string]any)["items"].(map[string]any), networks, own)
	}
	return map[string]any{
		"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "tidings.yaml", "type": []any{"object", "null"},
		"properties": sections, "additionalProperties": false,
	}
}

// splitByNetwork gives an entry of channels the keys of its network besides those that all have.
func splitByNetwork(entry map[string]any, networks map[int]string, own map[string]any) {
	var words, cases []any
	seen := map[string]bool{}
	for _, i := range slices.Sorted(maps.Keys(networks)) {
		network := networks[i]
		if seen[network] || network == "" {
			continue
		}
		seen[network] = true
		words = append(words, network)
		then := map[string]any{}
		if o, ok := own[network].(map[string]any); ok {
			for _, key := range []string{"properties", "allOf", "required"} {
				if v, ok := o[key]; ok {
					then[key] = v
				}
			}
		}
		cases = append(cases, map[string]any{
			"if":   map[string]any{"required": []any{"network"}, "properties": map[string]any{"network": map[string]any{"const": network}}},
			"then": then,
		})
	}
	properties := entry["properties"].(map[string]any)
	network, _ := properties["network"].(map[string]any)
	properties["network"] = mergeSchema(map[string]any{"enum": words}, map[string]any{"description": network["description"]})
	both, _ := entry["allOf"].([]any)
	entry["allOf"] = append(both, cases...)
	entry["required"] = []any{"id", "network"}
	delete(entry, "additionalProperties")
	entry["unevaluatedProperties"] = false
}

// mergeSchema puts together what two programs know of one block of keys; the first has the word.
func mergeSchema(a, b any) any {
	first, ok := a.(map[string]any)
	if !ok {
		return b
	}
	second, ok := b.(map[string]any)
	if !ok {
		return a
	}
	for key, value := range second {
		if old, ok := first[key]; ok {
			first[key] = mergeSchema(old, value)
		} else if value != nil {
			first[key] = value
		}
	}
	return first
}

// schemer walks decoded values.
type schemer struct {
	doc      *Doc
	describe func(path string) string
}

// of describes a value. A block or list may be empty: its defaults stand then.
func (s schemer) of(at path, v reflect.Value) map[string]any {
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			v = reflect.New(v.Type().Elem())
			setDefaults(v.Elem())
		}
		v = v.Elem()
	}
	if leaf(v.Type()) {
		return s.leaf(at, v.Type())
	}
	switch v.Kind() {
	case reflect.Slice:
		var items any
		for i := range v.Len() {
			items = mergeSchema(items, s.of(at.index(i), v.Index(i)))
		}
		if items == nil {
			items = s.of(at.index(0), reflect.New(v.Type().Elem()).Elem())
		}
		return map[string]any{"type": []any{"array", "null"}, "items": items}
	case reflect.Map:
		var entries any
		for _, k := range v.MapKeys() {
			entries = mergeSchema(entries, s.of(at.key(k.String()), v.MapIndex(k)))
		}
		if entries == nil {
			entries = s.of(at.key("*"), reflect.New(v.Type().Elem()).Elem())
		}
		return map[string]any{"type": []any{"object", "null"}, "additionalProperties": entries}
	}
	return s.block(at, v)
}

func (s schemer) block(at path, v reflect.Value) map[string]any {
	properties, both, required := map[string]any{}, []any{}, []any{}
	for _, f := range s.doc.fields(v.Type()) {
		one := s.of(at.key(f.key), v.FieldByIndex(f.index))
		text := s.describe(plainPath(at.key(f.key)))
		if f.typ == secretType {
			file := map[string]any{"type": "string", "minLength": 1}
			if other := s.describe(plainPath(at.key(f.key + twin))); other != "" && text == "" {
				text = other
			}
			if text != "" {
				file["description"] = text
			}
			properties[f.key+twin] = file
			both = append(both, map[string]any{"not": map[string]any{"required": []any{f.key, f.key + twin}}})
		}
		if text != "" {
			one["description"] = text
		}
		if s.doc.rules[at.key(f.key).String()].needed {
			required = append(required, f.key)
		}
		properties[f.key] = one
	}
	block := map[string]any{"type": []any{"object", "null"}, "properties": properties, "additionalProperties": false}
	if len(both) > 0 {
		block["allOf"] = both
	}
	if len(required) > 0 {
		block["required"], block["type"] = required, "object"
	}
	return block
}

// The forms of values that YAML knows as text.
const (
	wholeForm    = `^[+-]?[0-9][0-9_]*$`
	durationForm = `^\+?(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+$|^0$`
	sizeForm     = `^\+?[0-9][0-9_]* *[KMGTk]?i?[Bb]? *$`
	dayForm      = `^[0-9]{4}-[0-9]{2}-[0-9]{2}`
	numberForm   = `^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([Ee][+-]?[0-9]+)?$|^[+-]?0[Xx].*[Pp]`
	approveForm  = `^ *(auto|manual|hold +[0-9.].*)$`
)

// leaf describes what is written as one word or text. A word such as 2024 or no is a number or a truth to YAML and a text
// here.
func (s schemer) leaf(at path, t reflect.Type) map[string]any {
	text := []any{"string", "number", "boolean"}
	switch t {
	case secretType:
		return map[string]any{"type": text, "minLength": 1}
	case durationType:
		return map[string]any{"type": []any{"string", "integer"}, "pattern": durationForm, "minimum": 0, "maximum": 0}
	case timeType:
		return map[string]any{"type": "string", "pattern": dayForm}
	case reflect.TypeFor[Size]():
		return map[string]any{"type": []any{"string", "integer"}, "pattern": sizeForm, "minimum": 0}
	case reflect.TypeFor[Approve]():
		return map[string]any{"type": "string", "pattern": approveForm}
	}
	if reflect.PointerTo(t).Implements(textType) {
		return map[string]any{"type": text}
	}
	switch t.Kind() {
	case reflect.Bool:
		return map[string]any{"type": []any{"boolean", "string"}, "pattern": "^(" + anyCase("true|false|yes|no|on|off") + ")$"}
	case reflect.Float32, reflect.Float64:
		return map[string]any{"type": []any{"number", "string"}, "pattern": numberForm}
	case reflect.String:
		return s.text(at, text)
	}
	return map[string]any{"type": []any{"integer", "string"}, "pattern": wholeForm}
}

func (s schemer) text(at path, types []any) map[string]any {
	switch r := s.doc.rules[at.String()]; {
	case len(r.words) > 0:
		words := make([]any, len(r.words))
		for i, w := range r.words {
			words[i] = w
		}
		return map[string]any{"enum": words}
	case r.form != "":
		if !r.needed {
			// Most checks ask for a form only where there is a text; which ones do is not seen from the one that was checked.
			return map[string]any{"type": types, "pattern": "^$|" + r.form}
		}
		return map[string]any{"type": types, "pattern": r.form}
	}
	return map[string]any{"type": types}
}

// anyCase is a pattern for words in large and small letters: ECMA-262, whose patterns JSON Schema has, knows no sign for
// that within a pattern.
func anyCase(words string) string {
	var b strings.Builder
	for _, r := range words {
		if lower, upper := unicode.ToLower(r), unicode.ToUpper(r); lower != upper {
			b.WriteString("[" + string(upper) + string(lower) + "]")
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// rule is what a check asked of a text.
type rule struct {
	words  []string
	form   string
	needed bool
}

// Learn has the Doc remember what checks ask for from now on, which [Doc.Schema] needs and nobody else: it is a text for
// each key of each entry.
func (d *Doc) Learn() { d.rules = map[string]rule{} }

// learn remembers what a check asks for.
func (a At) learn(r rule) {
	if a.doc.rules == nil {
		return
	}
	if _, known := a.doc.rules[a.String()]; !known {
		a.doc.rules[a.String()] = r
	}
}

// plainPath is a path without the numbers of entries.
func plainPath(at path) string {
	var words []string
	for _, e := range at {
		if name, ok := e.(string); ok {
			words = append(words, name)
		}
	}
	return strings.Join(words, ".")
}

var keyLine = regexp.MustCompile(`^( *)(- )?#?([a-z0-9_]+):( |$)`)

// Paragraphs finds the comment before each key of an example, by the path of the key, entries of lists left out.
func Paragraphs(text string) map[string]string {
	found := map[string]string{}
	type level struct {
		indent int
		key    string
	}
	var stack []level
	var comment []string
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		m := keyLine.FindStringSubmatch(line)
		switch {
		case m != nil:
			indent := len(m[1]) + len(m[2])
			for len(stack) > 0 && stack[len(stack)-1].indent >= indent {
				stack = stack[:len(stack)-1]
			}
			stack = append(stack, level{indent, m[3]})
			var keys []string
			for _, l := range stack {
				keys = append(keys, l.key)
			}
			if path := strings.Join(keys, "."); found[path] == "" {
				found[path] = strings.Join(comment, " ")
			}
			comment = nil
		case strings.HasPrefix(strings.TrimSpace(line), "# "):
			comment = append(comment, strings.TrimPrefix(strings.TrimSpace(line), "# "))
		default:
			comment = nil
		}
	}
	return found
}
