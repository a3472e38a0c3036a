package metadata

import (
	"net/url"
	"strings"

	"tidings.internal/pkg/article"
	"tidings.internal/services/enrich/internal/decode"
)

// line makes one clean line of a text.
func line(s string, limit int) string {
	s, _ = article.Cut(strings.Join(strings.Fields(decode.Clean(s)), " "), limit)
	return s
}

func authors(in []article.Person) []article.Person {
	var out []article.Person
	for _, p := range in {
		p.Name, p.Role = line(p.Name, 200), line(p.Role, 200)
		if p.Name == "" && p.Email == "" || strings.Contains(p.Name, "://") {
			continue
		}
		out = append(out, p)
	}
	return out
}

func categories(in []article.Category) []article.Category {
	var out []article.Category
	for _, c := range in {
		c.Term, c.Label = line(c.Term, 200), line(c.Label, 200)
		if c.Term != "" || c.Label != "" {
			out = append(out, c)
		}
	}
	return out
}

// merge adds keywords to categories, each once, and at most as many as an article may have.
func merge(have []article.Category, keywords []string) []article.Category {
	seen := map[string]bool{}
	var out []article.Category
	add := func(c article.Category) {
		key := strings.ToLower(c.Scheme + "\x00" + c.Term + "\x00" + c.Label)
		if !seen[key] && len(out) < article.MaxCategories {
			seen[key] = true
			out = append(out, c)
		}
	}
	for _, c := range have {
		add(c)
		seen[strings.ToLower("\x00"+c.Term+"\x00")] = true
	}
	for _, k := range keywords {
		add(article.Category{Term: k})
	}
	return out
}

// picture is the leading image of the feed's media and enclosures.
func picture(raw *article.Raw) *article.Image {
	var best *article.Image
	for _, m := range raw.Media {
		if m.Kind != "image" && m.Kind != "thumbnail" && !strings.HasPrefix(m.Type, "image/") || !web(m.URL) {
			continue
		}
		img := &article.Image{URL: m.URL, Type: m.Type, Width: m.Width, Height: m.Height, Alt: line(m.Title, 2000), Credit: line(m.Credit, 500)}
		if best == nil || m.Kind == "image" && img.Width > best.Width {
			best = img
		}
	}
	if best != nil {
		return best
	}
	for _, e := range raw.Enclosures {
		if strings.HasPrefix(e.Type, "image/") && web(e.URL) {
			return &article.Image{URL: e.URL, Type: e.Type, Bytes: e.Length}
		}
	}
	return nil
}

func web(address string) bool {
	u, err := url.Parse(address)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil
}
