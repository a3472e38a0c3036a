package config

import (
	"net/url"
	"time"
)

// Site is the section `site`: who publishes. Feeds that say nothing else take their title, language and so on from it.
type Site struct {
	// ID is the name from which the ids of items are made. It is the host of URL unless set.
	ID          string    `yaml:"id"`
	Title       string    `yaml:"title"`
	Description string    `yaml:"description"`
	URL         string    `yaml:"url"`
	Language    string    `yaml:"language"`
	Author      string    `yaml:"author"`
	Rights      string    `yaml:"rights"`
	Icon        string    `yaml:"icon"`
	Logo        string    `yaml:"logo"`
	Created     time.Time `yaml:"created"`
}

var _ Checker = (*Site)(nil)

// DefaultSite returns the section as it is when the file has none.
func DefaultSite() Site {
	return Site{Title: "Tidings", Language: "en", Created: time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)}
}

// Check reports what is wrong, and completes the id.
func (s *Site) Check(at At) {
	if s.Title == "" {
		at.Key("title").Problemf("is empty; feeds need a title")
	}
	for _, a := range []struct{ key, text string }{{"url", s.URL}, {"icon", s.Icon}, {"logo", s.Logo}} {
		if a.text != "" {
			at.Key(a.key).URL(a.text)
		}
	}
	at.Key("language").Language(s.Language)
	if s.Created.Year() < 1990 {
		at.Key("created").Problemf("lies before 1990")
	}
	if u, err := url.Parse(s.URL); err == nil && s.ID == "" {
		s.ID = u.Hostname()
	}
}
