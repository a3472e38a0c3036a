package event_test

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// object is a YAML mapping whose keys keep their order.
type object []field

type field struct {
	key   string
	value any // object, []any, string, int, bool
}

func (o object) with(key string, value any) object { return append(o, field{key, value}) }

// at returns what stands under keys, nil if there is nothing.
func (o object) at(keys ...string) any {
	var v any = o
	for _, key := range keys {
		in, _ := v.(object)
		i := slices.IndexFunc(in, func(f field) bool { return f.key == key })
		if i < 0 {
			return nil
		}
		v = in[i].value
	}
	return v
}

// writeYAML writes in block style. Every string is quoted as in JSON, which YAML 1.2 reads the same.
func writeYAML(b *strings.Builder, v any, indent string) {
	switch v := v.(type) {
	case object:
		if len(v) == 0 {
			b.WriteString(" {}\n")
			return
		}
		b.WriteString("\n")
		for _, f := range v {
			fmt.Fprintf(b, "%s%s:", indent, yamlKey(f.key))
			writeYAML(b, f.value, indent+"  ")
		}
	case []any:
		if len(v) == 0 {
			b.WriteString(" []\n")
			return
		}
		b.WriteString("\n")
		for _, e := range v {
			var item strings.Builder
			writeYAML(&item, e, indent+"  ")
			// The first key of a mapping stands beside the dash.
			b.WriteString(indent + "- " + strings.TrimLeft(item.String(), " \n"))
		}
	case string:
		b.WriteString(" " + quote(v) + "\n")
	default:
		fmt.Fprintf(b, " %v\n", v)
	}
}

func yamlKey(s string) string {
	if strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") == "" && s[0] != '-' && (s[0] < '0' || s[0] > '9') {
		return s
	}
	return quote(s)
}

func quote(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string can always be written
	}
	return strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(string(text))
}

// schemas turns Go types into JSON Schema. It never says additionalProperties: false, since the contract only grows.
type schemas struct {
	comments map[string]string // "Type" or "Type.Field" to the comment in the source
	named    map[string]object
}

// newSchemas reads the comments of the packages whose types travel.
func newSchemas(t *testing.T, dirs ...string) *schemas {
	t.Helper()
	s := &schemas{comments: map[string]string{}, named: map[string]object{}}
	for _, dir := range dirs {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no Go files in %s: %v", dir, err)
		}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, s.remember)
		}
	}
	return s
}

func (s *schemas) remember(n ast.Node) bool {
	decl, ok := n.(*ast.GenDecl)
	if !ok || decl.Tok != token.TYPE {
		return true
	}
	for _, spec := range decl.Specs {
		typ := spec.(*ast.TypeSpec)
		s.comments[typ.Name.Name] = plain(decl.Doc.Text())
		body, ok := typ.Type.(*ast.StructType)
		if !ok {
			continue
		}
		for _, f := range body.Fields.List {
			text := plain(f.Doc.Text())
			if text == "" {
				text = plain(f.Comment.Text())
			}
			for _, name := range f.Names {
				s.comments[typ.Name.Name+"."+name.Name] = text
			}
		}
	}
	return false
}

// plain is a comment in one line without the brackets of Go's links.
func plain(s string) string {
	return strings.NewReplacer("[", "", "]", "").Replace(strings.Join(strings.Fields(s), " "))
}

// of returns the schema of a type; a struct is declared once and referred to.
func (s *schemas) of(typ reflect.Type) object {
	switch {
	case typ == reflect.TypeFor[time.Time]():
		return object{{"type", "string"}, {"format", "date-time"}}
	case typ == reflect.TypeFor[json.RawMessage]():
		return object{{"description", "any JSON value"}}
	case typ == reflect.TypeFor[[]byte]():
		return object{{"type", "string"}, {"contentEncoding", "base64"}}
	}
	switch typ.Kind() {
	case reflect.Pointer:
		return s.of(typ.Elem())
	case reflect.Struct:
		if _, done := s.named[typ.Name()]; !done {
			s.named[typ.Name()] = nil // stops a type that holds itself
			s.named[typ.Name()] = s.structure(typ)
		}
		return object{{"$ref", "#/components/schemas/" + typ.Name()}}
	case reflect.Slice:
		return object{{"type", "array"}, {"items", s.of(typ.Elem())}}
	case reflect.Map:
		return object{{"type", "object"}, {"additionalProperties", s.of(typ.Elem())}}
	case reflect.String:
		return object{{"type", "string"}}
	case reflect.Bool:
		return object{{"type", "boolean"}}
	case reflect.Float64:
		return object{{"type", "number"}}
	case reflect.Uint64:
		return object{{"type", "integer"}, {"minimum", 0}}
	case reflect.Int, reflect.Int64:
		return object{{"type", "integer"}}
	default:
		panic("no schema for " + typ.String())
	}
}

func (s *schemas) structure(typ reflect.Type) object {
	var properties object
	var required []any
	for f := range typ.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		schema := s.of(f.Type)
		if text := s.comments[typ.Name()+"."+f.Name]; text != "" {
			schema = object{{"description", text}}.and(schema)
		}
		properties = properties.with(name, schema)
		if !strings.Contains(options, "omit") {
			required = append(required, name)
		}
	}
	out := object{{"type", "object"}}
	if text := s.comments[typ.Name()]; text != "" {
		out = out.with("description", text)
	}
	if required != nil {
		out = out.with("required", required)
	}
	return out.with("properties", properties)
}

// and joins a description and a schema. JSON Schema draft 7, which AsyncAPI 3.0 uses, ignores what stands beside $ref.
func (o object) and(schema object) object {
	if schema.at("$ref") != nil {
		return o.with("allOf", []any{schema})
	}
	if text, ok := schema.at("description").(string); ok {
		o[0].value = o[0].value.(string) + " (" + text + ")"
		schema = schema[1:]
	}
	return append(o, schema...)
}

// valid says where a JSON value differs from a schema: a property that is not declared, one that is missing, another
// type.
func (s *schemas) valid(schema object, v any, path string) []string {
	if all, ok := schema.at("allOf").([]any); ok {
		schema = all[0].(object)
	}
	if ref, ok := schema.at("$ref").(string); ok {
		schema = s.named[ref[strings.LastIndex(ref, "/")+1:]]
	}
	var bad []string
	is := map[string]bool{}
	switch v := v.(type) {
	case map[string]any:
		is["object"] = true
		for _, name := range slices.Sorted(maps.Keys(v)) {
			switch property, every := schema.at("properties", name), schema.at("additionalProperties"); {
			case property != nil:
				bad = append(bad, s.valid(property.(object), v[name], path+"."+name)...)
			case every != nil:
				bad = append(bad, s.valid(every.(object), v[name], path+"."+name)...)
			case schema.at("type") != nil:
				bad = append(bad, path+"."+name+" is not declared")
			}
		}
		required, _ := schema.at("required").([]any)
		for _, name := range required {
			if _, ok := v[name.(string)]; !ok {
				bad = append(bad, path+"."+name.(string)+" is missing")
			}
		}
	case []any:
		is["array"] = true
		if items, ok := schema.at("items").(object); ok {
			for i, e := range v {
				bad = append(bad, s.valid(items, e, path+"["+strconv.Itoa(i)+"]")...)
			}
		}
	case string:
		is["string"] = true
	case bool:
		is["boolean"] = true
	case float64:
		is["number"], is["integer"] = true, v == float64(int64(v))
	}
	if typ, ok := schema.at("type").(string); ok && !is[typ] {
		bad = append(bad, fmt.Sprintf("%s is %v, no %s", path, v, typ))
	}
	return bad
}
