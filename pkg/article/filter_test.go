package article

import "testing"

func TestFilters(t *testing.T) {
	t.Parallel()
	raw := &Raw{
		Title: "Anzeige: Schuhe", Link: "https://example.org/ad?x=1", OriginLink: "https://origin.example/ad", Authors: []Person{{Name: "Eva Muster", Email: "eva@example.org"}},
		Categories: []Category{{Term: "crm", Label: "Kundenpflege"}}, Content: &Text{Value: "<p>Ein <b>Text</b></p>"}, Summary: &Text{Value: "kurz"},
	}
	enriched := &Article{
		Title: "Anzeige: Schuhe", URL: "https://example.org/ad", Authors: []Person{{Name: "Eva Muster"}}, Categories: []Category{{Term: "crm"}}, HTML: "<p>Ein Text von der Seite</p>",
		Text: "Ein Text von der Seite", Tags: []Tag{{ID: "werbung"}},
	}
	for name, c := range map[string]struct {
		filters       *Filters
		raw, enriched bool
	}{
		"none":               {nil, true, true},
		"empty":              {&Filters{}, true, true},
		"drop by title":      {&Filters{Drop: []string{"title ~ (?i)^anzeige"}}, false, false},
		"drop misses":        {&Filters{Drop: []string{"title ~ ^Schuhe"}}, true, true},
		"drop by url":        {&Filters{Drop: []string{"url ~ example.org/ad"}}, false, false},
		"drop by origin":     {&Filters{Drop: []string{"url ~ origin.example"}}, false, true},
		"drop by author":     {&Filters{Drop: []string{"author~Muster$"}}, false, false},
		"drop by tag":        {&Filters{Drop: []string{"tag ~ ^crm$"}}, false, false},
		"drop by label":      {&Filters{Drop: []string{"tag ~ Kunden"}}, false, true},
		"drop by found tag":  {&Filters{Drop: []string{"tag ~ werbung"}}, true, true},
		"drop by page":       {&Filters{Drop: []string{"content ~ der Seite"}}, true, false},
		"drop by summary":    {&Filters{Drop: []string{"content ~ ^kurz$"}}, false, true},
		"keep one of two":    {&Filters{Keep: []string{"title ~ nie", "tag ~ crm"}}, true, true},
		"keep none":          {&Filters{Keep: []string{"title ~ nie"}}, false, false},
		"drop wins":          {&Filters{Keep: []string{"tag ~ crm"}, Drop: []string{"title ~ Schuhe"}}, false, false},
		"a rule that is bad": {&Filters{Drop: []string{"title ~ (", "nonsense"}}, true, true},
		"an unknown field":   {&Filters{Drop: []string{"colour ~ ."}}, true, true},
	} {
		f := c.filters.Compile()
		if got := f.Pass(raw.Field); got != c.raw {
			t.Errorf("%s: the raw article passes: %t", name, got)
		}
		if got := f.Pass(enriched.Field); got != c.enriched {
			t.Errorf("%s: the enriched article passes: %t", name, got)
		}
	}
}
