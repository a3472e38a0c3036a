package metadata

import (
	"encoding/json"
	"html"
	"slices"
	"strings"

	"tidings.internal/pkg/article"
)

// linked collects the things of a block of JSON-LD. What publishers write is often not quite JSON: line breaks inside strings and commas
// before a closing bracket are forgiven.
func (p *page) linked(source string) {
	var v any
	source = strings.Map(func(r rune) rune {
		if r < 0x20 {
			return ' '
		}
		return r
	}, source)
	if json.Unmarshal([]byte(source), &v) != nil && json.Unmarshal([]byte(forgive(source)), &v) != nil {
		return
	}
	nodes := 0
	var visit func(v any, depth int)
	visit = func(v any, depth int) {
		if nodes++; nodes > 2000 || depth > 20 {
			return
		}
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				visit(e, depth+1)
			}
		case map[string]any:
			p.things = append(p.things, v)
			visit(v["@graph"], depth+1)
			visit(v["mainEntity"], depth+1)
		}
	}
	visit(v, 0)
}

// forgive drops commas before a closing bracket, outside strings.
func forgive(s string) string {
	var b strings.Builder
	quoted, escaped := false, false
	for i, r := range s {
		switch {
		case escaped:
			escaped = false
		case quoted && r == '\\':
			escaped = true
		case r == '"':
			quoted = !quoted
		case r == ',' && !quoted:
			if rest := strings.TrimLeft(s[i+1:], " "); rest != "" && (rest[0] == '}' || rest[0] == ']') {
				continue
			}
		}
		b.WriteRune(r)
	}
	return b.String()
}

func isArticle(t any) bool {
	for _, s := range texts(t) {
		switch s {
		case "Article", "NewsArticle", "BlogPosting", "ReportageNewsArticle", "AnalysisNewsArticle", "OpinionNewsArticle", "TechArticle",
			"ScholarlyArticle", "LiveBlogPosting", "AdvertiserContentArticle", "Report", "SocialMediaPosting", "Review":
			return true
		}
	}
	return false
}

// describeAll reads the articles among the things that the page's blocks describe, and of the page itself what no article
// says. A thing may stand for another one by its @id alone.
func (p *page) describeAll() {
	byID := map[string]map[string]any{}
	for _, t := range p.things {
		if id, ok := t["@id"].(string); ok && len(t) > 1 {
			byID[id] = t
		}
	}
	for _, t := range p.things {
		if isArticle(t["@type"]) {
			p.describe(t, byID)
		}
	}
	for _, t := range p.things {
		if isPage(t["@type"]) {
			p.webPage = append(p.webPage, texts(t["datePublished"])...)
			p.changes = append(p.changes, texts(t["dateModified"])...)
			if len(p.authors) == 0 {
				p.authors = authorNames(t["author"], byID)
			}
		}
	}
}

func isPage(t any) bool {
	for _, s := range texts(t) {
		if s == "WebPage" || s == "ItemPage" || s == "AboutPage" || s == "FAQPage" || s == "CollectionPage" {
			return s == "WebPage" || s == "ItemPage"
		}
	}
	return false
}

func (p *page) describe(v map[string]any, byID map[string]map[string]any) {
	first := func(key string) string {
		if s := texts(v[key]); len(s) > 0 {
			return line(html.UnescapeString(s[0]), article.MaxTitle)
		}
		return ""
	}
	if p.headline == "" {
		p.headline = first("headline")
	}
	if s, ok := v["articleBody"].(string); ok && len(s) > len(p.body) {
		p.body = html.UnescapeString(s)
	}
	if s := first("datePublished"); s != "" {
		p.dates = append(p.dates, s)
	}
	p.changes = append(p.changes, texts(v["dateModified"])...)
	if len(p.authors) == 0 {
		p.authors = authorNames(v["author"], byID)
	}
	if names := texts(v["publisher"]); p.house == "" && len(names) > 0 {
		p.house = name(v["publisher"], byID)
	}
	for _, k := range texts(v["keywords"]) {
		for part := range strings.SplitSeq(k, ",") {
			p.keyword(html.UnescapeString(part))
		}
	}
	for _, s := range texts(v["articleSection"]) {
		p.keyword(html.UnescapeString(s))
	}
	p.pictures = append(p.pictures, texts(v["image"])...)
}

// authorNames takes persons; an organisation is the publisher and no author.
func authorNames(v any, byID map[string]map[string]any) []string {
	var out []string
	add := func(s string) {
		if s = line(html.UnescapeString(s), 200); s != "" && !strings.Contains(s, "://") && len(out) < 20 {
			out = append(out, s)
		}
	}
	switch v := v.(type) {
	case string:
		add(v)
	case []any:
		for _, e := range v {
			out = append(out, authorNames(e, byID)...)
		}
	case map[string]any:
		v = whole(v, byID)
		if organisation(v["@type"]) {
			return nil
		}
		for _, n := range texts(v["name"]) {
			add(n)
		}
	}
	return out
}

func organisation(kinds any) bool {
	return slices.ContainsFunc(texts(kinds), func(k string) bool { return strings.HasSuffix(k, "Organization") || k == "Corporation" })
}

// whole is the thing that a reference stands for, or what it says itself.
func whole(v map[string]any, byID map[string]map[string]any) map[string]any {
	if id, ok := v["@id"].(string); ok && v["name"] == nil && byID[id] != nil {
		return byID[id]
	}
	return v
}

func name(v any, byID map[string]map[string]any) string {
	if m, ok := v.(map[string]any); ok {
		s, _ := whole(m, byID)["name"].(string)
		return s
	}
	s, _ := v.(string)
	return s
}

// texts flattens a value that may be a text, a list, or an object with a URL or a name.
func texts(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		var out []string
		for _, e := range v {
			if len(out) < 50 {
				out = append(out, texts(e)...)
			}
		}
		return out
	case map[string]any:
		for _, key := range []string{"url", "contentUrl", "name", "@value"} {
			if s, ok := v[key].(string); ok {
				return []string{s}
			}
		}
	}
	return nil
}
