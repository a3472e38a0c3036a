package page

import (
	"encoding/xml"
	"fmt"
	"strings"
	"time"
)

// Listed is an article in the sitemap for news.
type Listed struct {
	URL, Title, Language string
	Published            time.Time
}

type sitemap struct {
	XMLName xml.Name `xml:"urlset"`
	Space   string   `xml:"xmlns,attr"`
	News    string   `xml:"xmlns:news,attr"`
	URLs    []sitemapURL
}

type sitemapURL struct {
	XMLName     xml.Name `xml:"url"`
	Loc         string   `xml:"loc"`
	Publication string   `xml:"news:news>news:publication>news:name"`
	Language    string   `xml:"news:news>news:publication>news:language"`
	Date        string   `xml:"news:news>news:publication_date"`
	Title       string   `xml:"news:news>news:title"`
}

// Sitemap writes the news of the last days for search engines (developers.google.com, "News sitemaps"). name and language
// are those of the site; an article may have a language of its own.
func Sitemap(name, language string, list []Listed) ([]byte, error) {
	s := sitemap{Space: "http://www.sitemaps.org/schemas/sitemap/0.9", News: "http://www.google.com/schemas/sitemap-news/0.9"}
	for _, l := range list {
		if l.Language == "" || l.Language == "und" {
			l.Language = language
		}
		s.URLs = append(s.URLs, sitemapURL{Loc: l.URL, Publication: name, Language: base(l.Language), Date: l.Published.UTC().Format(time.RFC3339), Title: l.Title})
	}
	body, err := xml.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write sitemap: %w", err)
	}
	return append([]byte(xml.Header), append(body, '\n')...), nil
}

// base is the language without script and country, as the sitemap wants it. Only of Chinese it tells the two ways of writing
// apart, by the countries that they are known for.
func base(language string) string {
	code, rest, _ := strings.Cut(strings.ToLower(language), "-")
	if code != "zh" {
		return code
	}
	for part := range strings.SplitSeq(rest, "-") {
		switch part {
		case "hant", "tw", "hk", "mo":
			return "zh-tw"
		case "hans":
			return "zh-cn"
		}
	}
	return "zh-cn"
}
