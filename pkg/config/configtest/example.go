// Package configtest holds an example.yaml to what it claims: that it loads without a problem, names every key and no
// other, and states the true default of each. It is for tests alone.
//
// An example is a file with one section. A paragraph of comment stands before each key and contains its default as
// "Default: 72h." or "Default: none."; a key that holds others, and has no value of its own, needs a paragraph but no
// default. A key that excludes another one of the example is written as "#listen: 127.0.0.1:4222", without a space
// behind the sign. Files that the example names are made, so secrets are shown in their _file form.
package configtest

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tidings.internal/pkg/config"
)

// Section checks the example of a section. into is what the owner hands to [config.Doc.Section]: a pointer to a struct
// that holds the defaults, or to an empty slice.
func Section(t testing.TB, section, text string, into any) {
	t.Helper()
	Check(t, text, section, config.Keys(into), func(doc *config.Doc) {
		fresh := reflect.New(reflect.TypeOf(into).Elem())
		fresh.Elem().Set(reflect.ValueOf(into).Elem())
		doc.Section(section, fresh.Interface())
	})
}

// Network checks the example of a network's settings: a section `channels` with one entry. settings makes what the
// owner returns to [config.Doc.Channels], others are the keys that the other service has for the network.
func Network(t testing.TB, network, text string, settings func() any, others []string) {
	t.Helper()
	Check(t, text, "channels", config.Keys(settings()), func(doc *config.Doc) {
		doc.Channels(func(name string) (any, []string) {
			if name != network {
				return nil, nil
			}
			return settings(), others
		})
	})
}

// Check is what [Section] and [Network] have in common. keys are all keys below the section, or below an entry of it;
// decode asks a Doc for the section.
func Check(t testing.TB, text, section string, keys []string, decode func(*config.Doc)) {
	t.Helper()
	for _, problem := range problems(t, text, section, keys, decode) {
		t.Error(problem)
	}
}

func problems(t testing.TB, text, section string, keys []string, decode func(*config.Doc)) []string {
	dir := t.TempDir()
	if err := makeFiles(dir, text); err != nil {
		return []string{err.Error()}
	}
	doc := config.New(filepath.Join(dir, "example.yaml"), []byte(text), nil)
	decode(doc)
	var list []string
	if err := doc.Err(); err != nil {
		list = append(list, fmt.Sprintf("the example does not load:\n%v", err))
	}
	for v := range doc.Values() {
		if !strings.HasPrefix(v.Path, section) {
			list = append(list, fmt.Sprintf("%s is not in the section %s", v.Path, section))
		}
	}
	named := config.Paragraphs(text)
	truth := defaults(text, section, decode)
	for _, key := range keys {
		paragraph, ok := named[section+"."+key]
		if !ok {
			paragraph, ok = named[section+"."+key+"_file"]
		}
		if !ok {
			list = append(list, key+": the example does not name the key")
			continue
		}
		value, ends := truth[key]
		if paragraph == "" && (ends || !slices.ContainsFunc(keys, func(k string) bool { return strings.HasPrefix(k, key+".") })) {
			list = append(list, key+": no paragraph stands before the key")
			continue
		}
		if stated := "Default: " + value + "."; ends && !strings.Contains(paragraph, stated) {
			list = append(list, fmt.Sprintf("%s: the paragraph does not state %q", key, stated))
		}
	}
	return list
}

// defaults decodes an entry or section that says nothing but which network it is, and gives the text of each value.
// What it lacks is reported by checks, which do not matter here.
func defaults(text, section string, decode func(*config.Doc)) map[string]string {
	bare := ""
	if network := regexp.MustCompile(`(?m)^    network: (\S+)$`).FindStringSubmatch(text); network != nil {
		bare = "channels: [{network: " + network[1] + "}]\n"
	} else if regexp.MustCompile(`(?m)^  - `).MatchString(text) {
		bare = section + ": [{}]\n"
	}
	doc := config.New("default.yaml", []byte(bare), nil)
	decode(doc)
	texts := map[string]string{}
	for v := range doc.Values() {
		if v.Origin != (config.Origin{}) {
			continue // the network itself
		}
		key := strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(v.Path, section), "[0]"), ".")
		switch v.Text {
		case "", "[]", "{}":
			texts[key] = "none"
		default:
			texts[key] = v.Text
		}
	}
	return texts
}

// makeFiles makes the files that an example names, so that their absence is no problem.
func makeFiles(dir, text string) error {
	files := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)_file: +"?([^"\s]+)"?\s*$`).FindAllStringSubmatch(text, -1) {
		files[m[1]] = true
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if !filepath.IsLocal(name) {
			continue
		}
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			return fmt.Errorf("make the folder of %s: %w", name, err)
		}
		if err := os.WriteFile(name, []byte("example\n"), 0o600); err != nil {
			return fmt.Errorf("make %s: %w", name, err)
		}
	}
	return nil
}
