package selection

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"tidings.internal/services/publish/internal/clean"
)

// The limits of a filter.
const (
	maxValues = 16
	maxLimit  = 60
	maxValue  = 200 // bytes
)

// Filter narrows a feed to what the parameters of its address ask for. The values of one parameter are joined by OR,
// parameters by AND.
type Filter struct {
	Tags, Languages, Sources, Authors []string // lower case, authors folded
	Query                             *Query
	Since                             time.Time
	Limit                             int    // 0 when it is not given
	Content                           string // full, summary or title; empty when it is not given
	// Canonical is the one spelling of the filter as the query of an address.
	Canonical string
}

// ParseFilter reads the query of an address. The error is a sentence for whoever wrote it.
func ParseFilter(raw string) (*Filter, error) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return nil, fmt.Errorf("the part after the question mark cannot be read; write it as name=value&name=value")
	}
	f, n := &Filter{}, 0
	canonical := url.Values{}
	for _, name := range slices.Sorted(maps.Keys(values)) { // so that the same address is always answered with the same sentence
		for _, v := range values[name] {
			if n++; n > maxValues {
				return nil, fmt.Errorf("there are more than %d values", maxValues)
			}
			v = strings.Join(strings.Fields(v), " ")
			if v == "" || len(v) > maxValue {
				return nil, wrong(name, v, fmt.Sprintf("1 to %d bytes", maxValue))
			}
			given := v
			if v, err = f.set(name, v); err != nil {
				return nil, err
			}
			if v == "" || len(v) > maxValue { // folding may leave nothing, or more than there was
				return nil, wrong(name, given, fmt.Sprintf("1 to %d bytes", maxValue))
			}
			canonical[name] = append(canonical[name], v)
		}
		slices.Sort(canonical[name])
		canonical[name] = slices.Compact(canonical[name])
		if single(name) && len(canonical[name]) > 1 {
			return nil, fmt.Errorf("parameter %s is given more than once; leave one", name)
		}
	}
	f.Canonical = canonical.Encode() // sorted by name
	return f, nil
}

func single(name string) bool {
	return slices.Contains([]string{"q", "since", "limit", "content"}, name)
}

// wrong is the sentence about a value. It is shown without control characters and anything like markup.
func wrong(name, value, allowed string) error {
	return fmt.Errorf("parameter %s has the value %q; allowed is %s", name, clean.Shorten(clean.Title(value, "-"), 40), allowed)
}

// set takes over a value and returns its one spelling.
func (f *Filter) set(name, v string) (string, error) {
	switch name {
	case "tag":
		v = strings.ToLower(v)
		f.Tags = append(f.Tags, v)
	case "lang":
		v = strings.ToLower(v)
		if clean.Language(v) == "" {
			return "", wrong(name, v, "a language code such as de or de-CH")
		}
		f.Languages = append(f.Languages, v)
	case "source":
		f.Sources = append(f.Sources, v)
	case "author":
		v = Fold(v)
		f.Authors = append(f.Authors, v)
	case "q":
		q, err := ParseQuery(v)
		if err != nil {
			return "", wrong(name, v, "words, of which "+err.Error())
		}
		f.Query = q
	case "since":
		t, err := time.Parse(time.RFC3339, v)
		if err != nil {
			t, err = time.Parse(time.DateOnly, v)
		}
		if err != nil || t.Year() < 1000 || t.Year() > 9998 { // the zone must not lead out of four digits
			return "", wrong(name, v, "a date such as 2026-11-02 or 2026-11-02T10:00:00Z")
		}
		f.Since = t.UTC().Truncate(time.Second)
		v = f.Since.Format(time.RFC3339)
	case "limit":
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 || n > maxLimit {
			return "", wrong(name, v, fmt.Sprintf("a number from 1 to %d", maxLimit))
		}
		f.Limit, v = n, strconv.Itoa(n)
	case "content":
		if v != "full" && v != "summary" && v != "title" {
			return "", wrong(name, v, "full, summary or title")
		}
		f.Content = v
	default:
		return "", fmt.Errorf("there is no parameter %q; there are tag, lang, source, author, q, since, limit and content", clean.Shorten(clean.Title(name, "-"), 40))
	}
	return v, nil
}
