package config

import (
	"encoding"
	"fmt"
	"iter"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Value is one setting that is in force, for an operator to read.
type Value struct {
	Path   string // such as sources[2].every
	Text   string // as it would be written in the file; *** for a secret
	Origin Origin
}

// Values yields every setting of the sections that were decoded, defaults included, in the order of [Sections]. When
// two programs decoded a section, a key of both is yielded once.
func (d *Doc) Values() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		for _, name := range Sections() {
			var list []Value
			place := map[string]int{}
			for _, r := range d.decoded {
				if r.at[0] != name {
					continue
				}
				d.walk(r.at, r.value, func(v Value) {
					if i, ok := place[v.Path]; ok {
						list[i] = v
						return
					}
					place[v.Path] = len(list)
					list = append(list, v)
				})
			}
			for _, v := range list {
				if !yield(v) {
					return
				}
			}
		}
	}
}

// walk calls emit for every setting within a value.
func (d *Doc) walk(at path, v reflect.Value, emit func(Value)) {
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return
		}
		v = v.Elem()
	}
	if text, ok := written(v); ok {
		place := At{doc: d, path: at}
		o := place.Origin()
		if v.Type() == secretType {
			o = place.secretOrigin()
		}
		emit(Value{Path: at.String(), Text: text, Origin: o})
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for _, f := range d.fields(v.Type()) {
			d.walk(at.key(f.key), v.FieldByIndex(f.index), emit)
		}
	case reflect.Slice:
		for i := range v.Len() {
			d.walk(at.index(i), v.Index(i), emit)
		}
	case reflect.Map:
		for _, k := range sortedKeys(v) {
			d.walk(at.key(k.String()), v.MapIndex(k), emit)
		}
	}
}

// written gives a value as it stands in a file, if it takes one line: words, lists and tables of words, and what is
// empty.
func written(v reflect.Value) (string, bool) {
	switch {
	case leaf(v.Type()):
		return scalarText(v), true
	case v.Kind() == reflect.Slice && v.Len() > 0 && leaf(v.Type().Elem()):
		var words []string
		for i := range v.Len() {
			words = append(words, scalarText(v.Index(i)))
		}
		return "[" + strings.Join(words, ", ") + "]", true
	case v.Kind() == reflect.Map && v.Len() > 0 && leaf(v.Type().Elem()):
		var words []string
		for _, k := range sortedKeys(v) {
			words = append(words, k.String()+": "+scalarText(v.MapIndex(k)))
		}
		return "{" + strings.Join(words, ", ") + "}", true
	case v.Kind() == reflect.Slice && v.Len() == 0:
		return "[]", true
	case v.Kind() == reflect.Map && v.Len() == 0:
		return "{}", true
	}
	return "", false
}

func sortedKeys(v reflect.Value) []reflect.Value {
	return slices.SortedFunc(slices.Values(v.MapKeys()), func(a, b reflect.Value) int {
		return strings.Compare(a.String(), b.String())
	})
}

func scalarText(v reflect.Value) string {
	switch v.Type() {
	case durationType:
		return durationText(time.Duration(v.Int()))
	case timeType:
		t := v.Interface().(time.Time)
		if t.IsZero() {
			return ""
		}
		if t.Equal(t.Truncate(24 * time.Hour)) {
			return t.UTC().Format(time.DateOnly)
		}
		return t.UTC().Format(time.RFC3339)
	}
	if m, ok := v.Interface().(encoding.TextMarshaler); ok {
		text, err := m.MarshalText()
		if err != nil {
			return ""
		}
		return string(text)
	}
	switch v.Kind() {
	case reflect.String:
		return withoutLogin(v.String())
	case reflect.Bool:
		return strconv.FormatBool(v.Bool())
	case reflect.Float32, reflect.Float64:
		return strconv.FormatFloat(v.Float(), 'g', -1, v.Type().Bits())
	}
	return fmt.Sprint(v.Interface())
}

var login = regexp.MustCompile(`://[^/?#\s]*@`)

// withoutLogin hides the user and password of an address. Checks refuse such an address, but a list of what is wrong
// is shown to people too.
func withoutLogin(s string) string {
	if !strings.Contains(s, "://") || !strings.Contains(s, "@") {
		return s
	}
	if _, err := url.Parse(s); err != nil {
		return redacted
	}
	return login.ReplaceAllString(s, "://"+redacted+"@")
}

// durationText writes 72h and not 72h0m0s.
func durationText(t time.Duration) string {
	s := t.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
