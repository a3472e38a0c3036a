package metadata

import (
	"slices"
	"strings"

	"tidings.internal/pkg/article"
)

// title prefers the headline that the page marks as such; a site's name behind a bar does not belong to it.
func (p *page) title() string {
	name := line(p.first("og:title", "twitter:title", "dc.title"), article.MaxTitle)
	if name == "" {
		name = p.name
	}
	switch {
	case p.headline != "":
		return p.unsuffixed(p.headline)
	case p.h1 != "" && (strings.HasPrefix(name, p.h1) || strings.HasSuffix(name, p.h1)):
		return p.h1
	case name == "":
		return p.h1
	}
	return p.unsuffixed(name)
}

// unsuffixed cuts the site's name off the end of a title.
func (p *page) unsuffixed(title string) string {
	for _, sep := range []string{" | ", " - ", " – ", " — ", " · ", " • ", " « "} {
		if i := strings.LastIndex(title, sep); i > 0 && p.site(title[i+len(sep):]) {
			return strings.TrimSpace(title[:i])
		}
	}
	return title
}

// maxSite is the most words that a site's name in a title has when it is known by its host alone.
const maxSite = 4

// site reports whether a text is the site's name: as the page gives it, or by its host, part of which it holds or is.
func (p *page) site(text string) bool {
	key := letters(text)
	if key == "" {
		return false
	}
	if key == letters(p.first("og:site_name", "application-name")) || key == letters(p.house) || p.base != nil && key == letters(strings.TrimPrefix(p.base.Hostname(), "www.")) {
		return true
	}
	if len(strings.Fields(text)) > maxSite || p.base == nil {
		return false
	}
	return slices.ContainsFunc(hostLabels(p.base.Hostname()), func(label string) bool {
		return label == key || len(label) >= minLabel && strings.Contains(key, label) || len(key) >= minLabel && strings.Contains(label, key)
	})
}

// minLabel is the length in bytes from which a part of a host counts within a longer name.
const minLabel = 4

// hostLabels returns the parts of a host in front of its last one that may name a site.
func hostLabels(host string) []string {
	labels := strings.Split(strings.ToLower(host), ".")
	labels = labels[:max(len(labels)-1, 1)]
	for i, l := range labels {
		labels[i] = letters(l)
	}
	return slices.DeleteFunc(labels, func(l string) bool {
		return l == "" || slices.Contains([]string{"www", "blog", "news", "co", "com"}, l)
	})
}
