package config

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// field is a key of a struct type.
//
// The tag is `yaml:"name"`; without one the key is the field's name in lower case. `yaml:"-"` is no key, ",inline" puts
// the keys of an embedded struct among those of the outer one, and ",path" makes a relative path start in the folder
// of the configuration file.
type field struct {
	key   string
	index []int
	typ   reflect.Type
	path  bool
}

// twin is what the key of a secret gets appended to name a file that holds it.
const twin = "_file"

var (
	secretType   = reflect.TypeFor[Secret]()
	durationType = reflect.TypeFor[time.Duration]()
	timeType     = reflect.TypeFor[time.Time]()
	textType     = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// fields lists the keys of a struct type, computed once a Doc: a file may hold thousands of entries of one type.
func (d *Doc) fields(t reflect.Type) []field {
	list, ok := d.shapes[t]
	if !ok {
		list = shape(t)
		d.shapes[t] = list
	}
	return list
}

func shape(t reflect.Type) []field {
	var list []field
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		words := strings.Split(options, ",")
		if name == "-" || !f.IsExported() {
			continue
		}
		if slices.Contains(words, "inline") || f.Anonymous && f.Tag.Get("yaml") == "" && f.Type.Kind() == reflect.Struct {
			for _, inner := range shape(f.Type) {
				inner.index = append([]int{i}, inner.index...)
				list = append(list, inner)
			}
			continue
		}
		if name == "" {
			name = strings.ToLower(f.Name)
		}
		list = append(list, field{key: name, index: []int{i}, typ: f.Type, path: slices.Contains(words, "path")})
	}
	return list
}

// leaf reports whether a type is written as one scalar, whatever its Go kind.
func leaf(t reflect.Type) bool {
	return t == secretType || t == timeType || t == durationType || reflect.PointerTo(t).Implements(textType) ||
		!slices.Contains([]reflect.Kind{reflect.Struct, reflect.Slice, reflect.Map, reflect.Pointer}, t.Kind())
}

// Keys returns every key that a struct, or the entries of a slice, may have, as paths such as http.basic.user. A key
// that holds keys is in the list too. The key of a secret is listed without its _file form.
func Keys(of any) []string {
	t := reflect.TypeOf(of)
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		panic(fmt.Sprintf("config: %T has no keys", of))
	}
	return keys(t, "")
}

func keys(t reflect.Type, prefix string) []string {
	var list []string
	for _, f := range shape(t) {
		list = append(list, prefix+f.key)
		inner := f.typ
		for !leaf(inner) && inner.Kind() != reflect.Struct {
			inner = inner.Elem()
		}
		if !leaf(inner) {
			list = append(list, keys(inner, prefix+f.key+".")...)
		}
	}
	return list
}
