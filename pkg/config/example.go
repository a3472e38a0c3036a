package config

import "embed"

//go:embed examples/*.yaml
var examples embed.FS

// Example returns the example of a section that lives in this package, which is also its manual: a paragraph for each
// key with its unit, its default, what excludes it and what a reload does. ok is false for the sections that a service
// owns; their examples are beside their types.
func Example(section string) (text string, ok bool) {
	data, err := examples.ReadFile("examples/" + section + ".yaml")
	return string(data), err == nil
}
