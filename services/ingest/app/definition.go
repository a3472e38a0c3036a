package app

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/config"
	"tidings.internal/pkg/fault"
	"tidings.internal/services/ingest/internal/poll"
)

// Definition is what can be said of a source at run time, in the words of the section sources. Secrets, headers and
// certificates stand in the configuration only: what is written here anybody may read who may read the bucket.
type Definition struct {
	ID        string           `json:"id"`
	URL       string           `json:"url"`
	Title     string           `json:"title,omitempty"`
	Tags      []string         `json:"tags,omitempty"`
	Syndicate string           `json:"syndicate,omitempty"`
	Rights    string           `json:"rights,omitempty"`
	Language  string           `json:"language,omitempty"`
	Fulltext  string           `json:"fulltext,omitempty"`
	Every     string           `json:"every,omitempty"` // a duration such as 15m
	WebSub    string           `json:"websub,omitempty"`
	Deletions string           `json:"deletions,omitempty"`
	Filters   *article.Filters `json:"filters,omitempty"`
	// Fill makes it give way to what is said already of a source that is there; its tags are added.
	Fill bool `json:"-"`
}

// define says of a source of the configuration what can be said at run time, leaving out what is the default.
func define(s *poll.Source) Definition {
	usual := config.Source{}
	usual.SetDefaults()
	other := func(text, usual string) string {
		if text == usual {
			return ""
		}
		return text
	}
	d := Definition{
		ID: s.ID, URL: s.URL, Title: s.Title, Tags: s.Tags, Syndicate: other(s.Syndicate, usual.Syndicate), Rights: s.Rights, Language: s.Language,
		Fulltext: other(s.Fulltext, usual.Fulltext), WebSub: other(s.WebSub, usual.WebSub), Deletions: other(s.Deletions, usual.Deletions),
	}
	if s.Every > 0 {
		d.Every = s.Every.String()
	}
	d.Filters = filters(s.Filters)
	return d
}

// source checks a definition by the rules of the section sources.
func (d *Definition) source() (*poll.Source, error) {
	text, err := json.Marshal(map[string]any{"sources": []*Definition{d}})
	if err != nil {
		return nil, fault.Errorf(fault.Internal, "read source %s: %w", d.ID, err)
	}
	doc := config.New("source "+d.ID, text, nil) // JSON is YAML
	s := read(doc)
	if err := doc.Err(); err != nil {
		return nil, fault.Errorf(fault.Invalid, "%s", inFile.ReplaceAllString(err.Error(), ""))
	}
	return s.sources[0], nil
}

// inFile is the place of a problem in a file that there is not.
var inFile = regexp.MustCompile(`(?m)^source [^:]*:\d+:\d+: sources\[0\]\.?`)

// over lays what a definition says over another one of the same source; what it does not say stays. That it says
// nothing new shows in the second result.
func (d *Definition) over(old Definition) (Definition, bool) {
	lay := func(to *string, text string) {
		if text != "" && (*to == "" || !d.Fill) {
			*to = text
		}
	}
	merged := old
	for _, f := range []struct {
		to   *string
		text string
	}{
		{&merged.Title, d.Title}, {&merged.Syndicate, d.Syndicate}, {&merged.Rights, d.Rights}, {&merged.Language, d.Language},
		{&merged.Fulltext, d.Fulltext}, {&merged.Every, d.Every}, {&merged.WebSub, d.WebSub}, {&merged.Deletions, d.Deletions},
	} {
		lay(f.to, f.text)
	}
	switch {
	case d.Fill:
		merged.Tags = slices.Clone(old.Tags)
		for _, t := range d.Tags {
			if !slices.Contains(merged.Tags, t) {
				merged.Tags = append(merged.Tags, t)
			}
		}
	case len(d.Tags) > 0:
		merged.Tags = d.Tags
	}
	if d.Filters != nil && (old.Filters == nil || !d.Fill) {
		merged.Filters = d.Filters
	}
	return merged, !merged.equal(old)
}

func (d *Definition) equal(o Definition) bool {
	a, errA := json.Marshal(d)
	b, errB := json.Marshal(o)
	return errA == nil && errB == nil && bytes.Equal(a, b)
}

// editable are the keys that [EditSource] takes, in the order in which a person is told of them.
var editable = []string{"url", "title", "tags", "syndicate", "rights", "language", "fulltext", "every", "websub", "deletions", "drop", "keep", "identity"}

// edited applies changes, each as key=value. An empty value means the default; the first drop or keep replaces all
// rules of its kind and each further one adds a rule.
func (d *Definition) edited(changes [][2]string) (Definition, error) {
	next := *d
	rulesOf := article.Filters{}
	if d.Filters != nil {
		rulesOf = *d.Filters
	}
	begun := map[string]bool{}
	text := map[string]*string{
		"url": &next.URL, "title": &next.Title, "syndicate": &next.Syndicate, "rights": &next.Rights, "language": &next.Language,
		"fulltext": &next.Fulltext, "every": &next.Every, "websub": &next.WebSub, "deletions": &next.Deletions,
	}
	rules := map[string]*[]string{"drop": &rulesOf.Drop, "keep": &rulesOf.Keep}
	for _, c := range changes {
		key, value := c[0], strings.TrimSpace(c[1])
		switch {
		case text[key] != nil:
			*text[key] = value
		case key == "tags":
			next.Tags = nil
			for t := range strings.SplitSeq(value, ",") {
				if t = strings.TrimSpace(t); t != "" {
					next.Tags = append(next.Tags, t)
				}
			}
		case rules[key] != nil:
			if !begun[key] {
				*rules[key], begun[key] = nil, true
			}
			if value != "" {
				*rules[key] = append(*rules[key], value)
			}
		default:
			return next, fault.Errorf(fault.Invalid, "%.40q is none of %s", key, strings.Join(editable, ", "))
		}
	}
	next.Filters = nil
	if len(rulesOf.Drop)+len(rulesOf.Keep) > 0 {
		next.Filters = &rulesOf
	}
	return next, nil
}
