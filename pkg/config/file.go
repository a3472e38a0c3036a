package config

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"

	"go.yaml.in/yaml/v4"

	"tidings.internal/pkg/fault"
)

// Sections returns the names of all sections, in the order in which they are shown. A program skips the sections of
// the others; a name that is not in this list is a problem.
func Sections() []string {
	return []string{
		"site", "sources", "feeds", "channels", "taxonomy",
		"ingest", "enrich", "publish", "deliver", "nats", "log", "tracing", "admin",
	}
}

// maxFile is how much of a configuration file is read: 100,000 sources of 300 bytes.
const maxFile = 32 << 20

// Doc is a configuration file with the environment laid over it. It is not for concurrent use.
type Doc struct {
	name string
	root *yaml.Node // the top-level mapping; nil when the file is empty or is no YAML
	// broken says that the file could not be read as YAML: what it holds is not known, so no check is run on the
	// defaults that stand in for it.
	broken bool

	environment []variable

	problems map[Problem]bool
	wrong    map[string]bool   // paths that have a problem already
	settled  map[string]string // path of a value set by the environment, and the variable's name
	shapes   map[reflect.Type][]field
	decoded  []result
	rules    map[string]rule // by path: what checks ask of a text, for [Doc.Schema]
}

// result is a value that was decoded, kept for [Doc.Values].
type result struct {
	at    path
	value reflect.Value // a struct or slice
}

// Load reads the file at a path; an empty path means no file, all defaults and the environment. environ is
// [os.Environ], or what stands in for it. The error is that of opening or reading the file; what is wrong inside it is
// collected and returned by [Doc.Err].
func Load(path string, environ []string) (*Doc, error) {
	if path == "" {
		return New("", nil, environ), nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "read configuration: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "read configuration: %w", err)
	}
	if len(data) > maxFile {
		return nil, fault.Errorf(fault.Invalid, "read configuration %s: the file is larger than %d MB", path, maxFile>>20)
	}
	return New(path, data, environ), nil
}

// New makes a Doc of a text. The name stands before each position, and relative paths in the text start in its folder.
func New(name string, data []byte, environ []string) *Doc {
	d := &Doc{
		name:     name,
		problems: map[Problem]bool{},
		wrong:    map[string]bool{},
		settled:  map[string]string{},
		shapes:   map[reflect.Type][]field{},
	}
	d.readEnvironment(environ)
	root, problem := parse(data)
	if problem != nil {
		problem.Origin.File = name
		d.collect(*problem)
		d.broken = true
		return d
	}
	d.root = root
	if root == nil {
		return d
	}
	if root.Kind != yaml.MappingNode {
		d.add(d.origin(root), nil, "the file wants sections such as site: and sources:, and here is %s", what(root))
		d.root, d.broken = nil, true
		return d
	}
	dec := decoder{doc: d}
	for _, p := range dec.pairs(root, nil) {
		if !slices.Contains(Sections(), p.name) {
			hint, meant := suggest(p.name, Sections())
			if meant != "" && d.section(meant) == nil {
				d.wrong[meant] = true
			}
			d.add(d.origin(p.key), path{p.name}, "unknown section%s", hint)
		}
	}
	return d
}

// Section decodes a section into a pointer to a struct or a slice that the caller has filled with the defaults. The
// text of the file comes first, then the environment, then the Check methods of the value and of everything in it.
// Problems are collected. It may be called again for the same section, by another program of the process.
func (d *Doc) Section(name string, into any) {
	if !slices.Contains(Sections(), name) {
		panic(fmt.Sprintf("config: %q is not in the list of sections", name))
	}
	v := target(into)
	dec := decoder{doc: d}
	at := path{name}
	if n := d.section(name); n != nil {
		dec.value(n, v, field{key: name}, at)
	}
	dec.environment(name, v)
	d.finish(at, v)
}

// Peek decodes what a struct or slice asks for and leaves the rest of the section alone: no problem is collected, no
// check is run, no secret is read. It is for programs that need a word of a section that another one owns, such as the
// ids of all sources; the owner reports what is wrong there.
func (d *Doc) Peek(name string, into any) {
	v := target(into)
	dec := decoder{doc: d, peek: true}
	if n := d.section(name); n != nil {
		dec.value(n, v, field{key: name}, path{name})
	}
	dec.environment(name, v)
}

func target(into any) reflect.Value {
	v := reflect.ValueOf(into)
	if v.Kind() != reflect.Pointer || v.IsNil() || (v.Elem().Kind() != reflect.Struct && v.Elem().Kind() != reflect.Slice) {
		panic(fmt.Sprintf("config: a section is decoded into a pointer to a struct or slice, not into %T", into))
	}
	return v.Elem()
}

// finish checks what was decoded and keeps it for [Doc.Values].
func (d *Doc) finish(at path, v reflect.Value) {
	if !d.broken {
		d.unique(at, v)
		d.check(At{doc: d, path: at}, v)
	}
	d.decoded = append(d.decoded, result{at: at, value: v})
}

// section returns the node of a section, nil when the file has none.
func (d *Doc) section(name string) *yaml.Node {
	if d.root == nil {
		return nil
	}
	_, n := lookup(d.root, name)
	return n
}

// origin is the position of a node in the file.
func (d *Doc) origin(n *yaml.Node) Origin {
	return Origin{File: d.name, Line: n.Line, Column: n.Column}
}

// folder is where relative paths in the file start.
func (d *Doc) folder() string {
	if d.name == "" {
		return ""
	}
	return filepath.Dir(d.name)
}
