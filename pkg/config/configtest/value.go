package configtest

import (
	"testing"
	"time"

	"go.yaml.in/yaml/v4"
)

// Value reads YAML as a program that knows nothing of our types would, and hands on what JSON can hold: times are texts.
func Value(t testing.TB, text string) any {
	t.Helper()
	var v any
	if err := yaml.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	return untimed(v)
}

func untimed(v any) any {
	switch v := v.(type) {
	case time.Time:
		return v.Format(time.RFC3339)
	case []any:
		for i := range v {
			v[i] = untimed(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = untimed(v[k])
		}
	}
	return v
}
