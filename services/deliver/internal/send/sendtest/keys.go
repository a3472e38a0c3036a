package sendtest

import "reflect"

// keysOf lists the YAML keys of a struct of settings.
func keysOf(settings any) []string {
	t := reflect.TypeOf(settings).Elem()
	var keys []string
	for field := range t.Fields() {
		if key := field.Tag.Get("yaml"); key != "" && key != "-" {
			keys = append(keys, key)
		}
	}
	return keys
}
