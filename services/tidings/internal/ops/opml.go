package ops

import (
	"cmp"
	"encoding/json"

	"tidings.internal/pkg/fault"
	"tidings.internal/services/tidings/internal/opml"
)

// outline says of a source what a list of feeds can carry. title is what the feed calls itself.
func outline(d SourceDefinition, title string) (opml.Outline, error) {
	o := opml.Outline{Title: cmp.Or(d.Title, title, d.ID), URL: d.URL, Language: d.Language, Tags: d.Tags, Own: map[string]string{}}
	for name, value := range map[string]string{
		"id": d.ID, "title": d.Title, "every": d.Every, "fulltext": d.Fulltext, "syndicate": d.Syndicate, "rights": d.Rights, "websub": d.WebSub, "deletions": d.Deletions,
	} {
		if value != "" {
			o.Own[name] = value
		}
	}
	for name, value := range map[string]any{"tags": d.Tags, "filters": d.Filters} {
		text, err := json.Marshal(value)
		if err != nil {
			return o, fault.Errorf(fault.Internal, "write the %s of source %s: %w", name, d.ID, err)
		}
		if string(text) != "null" {
			o.Own[name] = string(text)
		}
	}
	return o, nil
}

// definition is what an outline says of a source. One that was written here says it in our own words; one of another
// reader's list gives way to what is said already of a source that is there.
func definition(o opml.Outline) (SourceDefinition, error) {
	d := SourceDefinition{URL: o.URL, Title: o.Title, Language: o.Language, Tags: o.Tags, Fill: true}
	if o.Own["id"] == "" {
		return d, nil
	}
	d = SourceDefinition{
		ID: o.Own["id"], URL: o.URL, Title: o.Own["title"], Language: o.Language, Every: o.Own["every"], Fulltext: o.Own["fulltext"],
		Syndicate: o.Own["syndicate"], Rights: o.Own["rights"], WebSub: o.Own["websub"], Deletions: o.Own["deletions"],
	}
	for name, into := range map[string]any{"tags": &d.Tags, "filters": &d.Filters} {
		if text := o.Own[name]; text != "" {
			if err := json.Unmarshal([]byte(text), into); err != nil {
				return d, fault.Errorf(fault.Invalid, "its attribute %s is not what an export writes: %w", name, err)
			}
		}
	}
	return d, nil
}
