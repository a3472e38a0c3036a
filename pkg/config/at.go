package config

import (
	"fmt"
	"reflect"

	"go.yaml.in/yaml/v4"
)

// Checker is implemented by types of sections, of their entries and of their parts. Check is called on a pointer to
// the value once the file and the environment are in it; it reports what is wrong with at.Key("every").Problemf(...).
type Checker interface {
	Check(at At)
}

// Defaulter is implemented by types of entries: SetDefaults is called on a new entry of a list or a map, and on a
// value behind a pointer, before the text is decoded into it.
type Defaulter interface {
	SetDefaults()
}

// At is a place in the configuration, whether or not the file has it.
type At struct {
	doc  *Doc
	path path
}

// At returns the place of a path such as "sources", 2, "url": strings are keys, ints are positions in a list.
func (d *Doc) At(path ...any) At { return At{doc: d, path: path} }

// Key returns the place of a key below.
func (a At) Key(name string) At { return At{doc: a.doc, path: a.path.key(name)} }

// Index returns the place of an entry of a list, from 0.
func (a At) Index(i int) At { return At{doc: a.doc, path: a.path.index(i)} }

// String gives the path, such as sources[2].url.
func (a At) String() string { return a.path.String() }

// Origin says where the value of the place came from.
func (a At) Origin() Origin {
	if o, exact := a.doc.find(a.path); exact {
		return o
	}
	return Origin{}
}

// secretOrigin is the origin of a secret, which may stand in the file under its _file key.
func (a At) secretOrigin() Origin {
	if o := a.Origin(); o != (Origin{}) || len(a.path) == 0 {
		return o
	}
	last, ok := a.path[len(a.path)-1].(string)
	if !ok {
		return Origin{}
	}
	return At{doc: a.doc, path: path(a.path[:len(a.path)-1]).key(last + twin)}.Origin()
}

// Given reports whether the file or the environment sets the place, so that it is no default.
func (a At) Given() bool { return a.Origin() != Origin{} }

// Problemf collects a problem at the place: at the value, or where it is missing at what would hold it. A place whose
// text could not be read keeps that problem and gets no second one.
func (a At) Problemf(format string, args ...any) {
	for n := len(a.path); n > 0; n-- {
		if a.doc.wrong[a.path[:n].String()] {
			return
		}
	}
	o, _ := a.doc.find(a.path)
	a.doc.collect(Problem{Origin: o, Path: a.path.String(), Text: fmt.Sprintf(format, args...)})
}

// find returns the origin of a path, or of the longest part of it that the file or the environment has; exact tells
// which. A block of keys is found at the key above it, since its own first line may be far from what is missing.
func (d *Doc) find(p path) (o Origin, exact bool) {
	for n := len(p); n > 0; n-- {
		if name, ok := d.settled[p[:n].String()]; ok {
			return Origin{Env: name}, true
		}
	}
	o = Origin{File: d.name}
	node := d.root
	for i, e := range p {
		var key, next *yaml.Node
		switch e := e.(type) {
		case string:
			key, next = lookup(node, e)
		case int:
			if list := follow(node); list != nil && list.Kind == yaml.SequenceNode && e < len(list.Content) {
				next = list.Content[e]
			}
		}
		if next == nil {
			return o, false
		}
		place := next
		if key != nil && (next.Kind == yaml.MappingNode || next.Kind == yaml.SequenceNode) && next.Style&yaml.FlowStyle == 0 {
			place = key
		}
		o, node = d.origin(place), next
		exact = i == len(p)-1
	}
	return o, exact
}

// check calls the Check methods of a value and of everything that was decoded within it.
func (d *Doc) check(at At, v reflect.Value) {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return
		}
		v = v.Elem()
	}
	if leaf(v.Type()) {
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for _, f := range d.fields(v.Type()) {
			d.check(At{doc: d, path: at.path.key(f.key)}, v.FieldByIndex(f.index))
		}
	case reflect.Slice:
		for i := range v.Len() {
			d.check(at.Index(i), v.Index(i))
		}
	case reflect.Map:
		// The values of a map cannot be addressed: check a copy and put it back, for a Check may complete a value.
		for _, k := range v.MapKeys() {
			entry := reflect.New(v.Type().Elem()).Elem()
			entry.Set(v.MapIndex(k))
			d.check(at.Key(k.String()), entry)
			v.SetMapIndex(k, entry)
		}
	}
	if v.CanAddr() {
		if c, ok := v.Addr().Interface().(Checker); ok {
			c.Check(at)
		}
	}
}

// unique reports entries of a list that have the id of an earlier one.
func (d *Doc) unique(at path, v reflect.Value) {
	if v.Kind() != reflect.Slice || v.Type().Elem().Kind() != reflect.Struct {
		return
	}
	var id []int
	for _, f := range d.fields(v.Type().Elem()) {
		if f.key == "id" && f.typ.Kind() == reflect.String {
			id = f.index
		}
	}
	if id == nil {
		return
	}
	first := map[string]int{}
	for i := range v.Len() {
		name := v.Index(i).FieldByIndex(id).String()
		if name == "" {
			continue
		}
		if j, ok := first[name]; ok {
			o, _ := d.find(at.index(j).key("id"))
			d.add(d.At(append(at[:len(at):len(at)], i, "id")...).Origin(), at.index(i).key("id"), "%s is the id of an earlier entry, at %s", quote(name), o)
			continue
		}
		first[name] = i
	}
}
