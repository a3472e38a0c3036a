package parse

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"tidings.internal/pkg/article"
)

const (
	maxGUID = 4 << 10
	maxName = 512 // bytes of a name, a term, a word
	maxDate = 100
)

// limit cuts what is too long and names it in Truncated.
func limit(it *Item) {
	cut := func(field string, s *string, most int) {
		var was bool
		if *s, was = article.Cut(printable(*s), most); was {
			it.Truncated = append(it.Truncated, field)
		}
	}
	cut("title", &it.Title, article.MaxTitle)
	cut("guid", &it.GUID, maxGUID)
	cut("about", &it.About, maxGUID)
	cut("rights", &it.Rights, article.MaxTitle)
	cut("published_raw", &it.PublishedRaw, maxDate)
	cut("updated_raw", &it.UpdatedRaw, maxDate)
	if it.Content != nil {
		cut("content", &it.Content.Value, article.MaxContent)
	}
	if it.Summary != nil {
		cut("summary", &it.Summary.Value, article.MaxSummary)
	}
	it.Categories = few(it, "categories", it.Categories, article.MaxCategories)
	it.Authors = few(it, "authors", it.Authors, article.MaxAuthors)
	it.Enclosures = few(it, "enclosures", it.Enclosures, article.MaxEnclosures)
	it.Media = few(it, "media", it.Media, article.MaxMedia)
	for i := range it.Categories {
		c := &it.Categories[i]
		c.Term, c.Scheme, c.Label = short(c.Term), short(c.Scheme), short(c.Label)
	}
	for i := range it.Authors {
		a := &it.Authors[i]
		a.Name, a.Email, a.Role = short(a.Name), short(a.Email), short(a.Role)
	}
	for i := range it.Enclosures {
		e := &it.Enclosures[i]
		e.Type, e.Title = short(e.Type), short(e.Title)
	}
	for i := range it.Media {
		m := &it.Media[i]
		m.Kind, m.Type, m.Title, m.Credit, m.Rating = short(m.Kind), short(m.Type), short(m.Title), short(m.Credit), short(m.Rating)
	}
	it.Language = short(it.Language)
	slices.Sort(it.Truncated)
	it.Truncated = slices.Compact(it.Truncated)
}

func few[T any](it *Item, field string, list []T, most int) []T {
	if len(list) <= most {
		return list
	}
	it.Truncated = append(it.Truncated, field)
	return list[:most:most]
}

// short makes one line of at most maxName bytes.
func short(s string) string {
	s, _ = article.Cut(oneLine(printable(s)), maxName)
	return s
}

// printable takes out control characters, which JSON can carry and XML cannot, and what is no character.
func printable(s string) string {
	clean := utf8.ValidString(s)
	for i := 0; clean && i < len(s); i++ {
		clean = s[i] >= ' ' && s[i] != 0x7f || s[i] == '\n' || s[i] == '\t' || s[i] == '\r'
	}
	if clean {
		return s
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' && r != '\r' {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

// oneLine puts one space where there are several, or line breaks.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
