package newsletter

import (
	"reflect"
	"regexp"
	"slices"
	"testing"
)

// Every page says the same in each language: nothing is empty, and what the code fills in stands in each.
func TestLanguagesAreEqual(t *testing.T) {
	t.Parallel()
	verbs := regexp.MustCompile(`%[a-z]`)
	all := catalogue()
	codes, _ := languages()
	if len(codes) != len(all) {
		t.Errorf("%d languages are chosen from, %d there are", len(codes), len(all))
	}
	base := reflect.ValueOf(*all["en"])
	for code, w := range all {
		v := reflect.ValueOf(*w)
		if w.Code != code || !slices.Contains(codes, code) {
			t.Errorf("%s calls itself %s", code, w.Code)
		}
		for i := range v.NumField() {
			name := v.Type().Field(i).Name
			if v.Field(i).IsZero() {
				t.Errorf("%s has no %s", code, name)
			}
			if a, b := verbs.FindAllString(v.Field(i).String(), -1), verbs.FindAllString(base.Field(i).String(), -1); !slices.Equal(a, b) {
				t.Errorf("%s of %s is filled in with %v, that of en with %v", name, code, a, b)
			}
			if code != "en" && v.Field(i).Equal(base.Field(i)) {
				t.Errorf("%s of %s is that of en", name, code)
			}
		}
		for i, day := range w.Weekdays {
			if day == "" {
				t.Errorf("%s has no day %d", code, i+1)
			}
		}
	}
}
