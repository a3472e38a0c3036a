package taxonomy

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
)

// mediaTopic is an entry of the IPTC Media Topics as one list of JSON objects.
type mediaTopic struct {
	ID      string            `json:"id"`
	Broader string            `json:"broader"`
	Retired any               `json:"retired"`
	Labels  map[string]string `json:"labels"`
	Defs    map[string]string `json:"defs"`
	WD      string            `json:"wd"`
}

// languages are the codes that the IPTC writes otherwise than BCP 47: Swedish and Danish by their countries, and
// languages with a region or script where one code serves all.
var languages = map[string]string{"se": "sv", "dk": "da", "no-nb": "nb", "no-nn": "nn", "zh-hans": "zh", "pt-pt": "pt", "en-gb": "en"}

// mediaTopics reads the list. Of two forms of one language the first preferred counts, and the other is a further name.
func (v *Vocabulary) mediaTopics(f File, places map[string]place) Problems {
	in := json.NewDecoder(bytes.NewReader(f.Data))
	line, start, seen := 1, 0, 0 // lines are counted as they go by: a list may be long, and stand on one line
	at := func() place {
		end := min(int(in.InputOffset()), len(f.Data))
		passed := f.Data[seen:end]
		line += bytes.Count(passed, []byte("\n"))
		if i := bytes.LastIndexByte(passed, '\n'); i >= 0 {
			start = seen + i + 1
		}
		seen = end
		return place{f.Name, line, end - start + 1}
	}
	if token, err := in.Token(); err != nil || token != json.Delim('[') {
		return Problems{at().problemf("expected a list of topics, each with id and labels")}
	}
	var problems Problems
	for in.More() && len(problems) < maxProblems {
		here := at()
		var t mediaTopic
		if err := in.Decode(&t); err != nil {
			odd, ok := errors.AsType[*json.UnmarshalTypeError](err)
			if !ok {
				return append(problems, at().problemf("the list breaks off or is no JSON here: %v", err)) // nothing comes behind it
			}
			problems = append(problems, here.problemf("a topic cannot be read: %s", misfit(odd)))
			continue
		}
		c := v.add(slugOf(t.ID), here, places)
		if c == nil {
			problems = append(problems, here.problemf("a topic has no id"))
			continue
		}
		v.topic(c, t)
	}
	if len(problems) < maxProblems {
		if token, err := in.Token(); err != nil || token != json.Delim(']') {
			problems = append(problems, at().problemf("the list is not closed"))
		}
	}
	return problems
}

// misfit says in words of JSON what is not what it should be.
func misfit(e *json.UnmarshalTypeError) string {
	if e.Field == "" {
		return e.Value + " stands where an object with id and labels should"
	}
	return e.Field + " is " + e.Value + ", which does not belong there"
}

func (v *Vocabulary) topic(c *Concept, t mediaTopic) {
	if prefix, code, ok := strings.Cut(t.ID, ":"); ok && prefix == "medtop" {
		c.Exact = append(c.Exact, "http://cv.iptc.org/newscodes/mediatopic/"+code)
	}
	if t.WD != "" {
		c.Exact = append(c.Exact, t.WD)
	}
	pref := map[string]bool{}
	for _, lang := range slices.Sorted(maps.Keys(t.Labels)) {
		kind, code := Pref, alias(lang)
		if pref[code] {
			kind = Alt
		}
		pref[code] = true
		text := strings.Join(strings.Fields(t.Labels[lang]), " ")
		if text != "" && !slices.ContainsFunc(c.Labels, func(l Label) bool { return l.Lang == code && l.Text == text }) {
			c.Labels = append(c.Labels, Label{Lang: code, Text: text, Kind: kind})
		}
	}
	for _, lang := range slices.Sorted(maps.Keys(t.Defs)) {
		c.define(alias(lang), strings.Join(strings.Fields(t.Defs[lang]), " "))
	}
	if id := slugOf(t.Broader); id != "" {
		c.Broader = append(c.Broader, id)
	}
	if t.Retired != nil {
		c.Status = Deprecated
	}
}

func alias(lang string) string {
	lang = strings.ToLower(lang)
	if code, ok := languages[lang]; ok {
		return code
	}
	base, _, _ := strings.Cut(lang, "-")
	return base
}
