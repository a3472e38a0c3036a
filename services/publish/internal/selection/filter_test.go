package selection

import (
	"strings"
	"testing"
)

func TestFilterHasOneSpelling(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"tag=b&tag=A&lang=DE":       "lang=de&tag=a&tag=b",
		"tag=a&tag=A":               "tag=a",
		"q=+crm++blog":              "q=crm+blog",
		"since=2026-11-02":          "since=2026-11-02T00%3A00%3A00Z",
		"author=Zo%C3%AB+Gro%C3%9F": "author=zoe+gross",
		"limit=007":                 "limit=7",
		"":                          "",
	} {
		f, err := ParseFilter(raw)
		if err != nil || f.Canonical != want {
			t.Errorf("%q: %v, %v, want %q", raw, f, err, want)
			continue
		}
		if again, err := ParseFilter(f.Canonical); err != nil || again.Canonical != f.Canonical {
			t.Errorf("%q is not the last spelling: %v, %v", f.Canonical, again, err)
		}
	}
}

func TestBadFilterIsASentence(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"limit=0": "1 to 60", "limit=x": "1 to 60", "limit=1&limit=2": "more than once", "content=all": "full, summary or title", "since=soon": "a date such as",
		"lang=%00": "a language code", "lang=x_y": "a language code", "q=%22open": "not closed", "author=%CC%88": "1 to 200 bytes", "tag=": "1 to 200 bytes", "other=1": "there is no parameter",
		"%zz": "cannot be read", strings.Repeat("tag=a&", 17): "more than 16 values", "tag=" + strings.Repeat("x", 201): "1 to 200 bytes",
		"limit=%3Cscript%3E": "‹script›",
	} {
		if _, err := ParseFilter(raw); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %q", raw, err, want)
		}
	}
}

func FuzzParseFilter(f *testing.F) {
	f.Add("tag=a&q=%22x%22&since=2026-11-02")
	f.Fuzz(func(t *testing.T, raw string) {
		a, err := ParseFilter(raw)
		if err != nil {
			return
		}
		if b, err := ParseFilter(a.Canonical); err != nil || b.Canonical != a.Canonical {
			t.Errorf("%q becomes %q, then %v, %v", raw, a.Canonical, b, err)
		}
	})
}

func TestTheFirstOfSeveralMistakesIsNamed(t *testing.T) {
	t.Parallel()
	for range 50 {
		if _, err := ParseFilter("since=never&limit=0&colour=red&lang=1"); err == nil || !strings.Contains(err.Error(), `"colour"`) {
			t.Fatalf("the mistake is %v", err)
		}
	}
}
