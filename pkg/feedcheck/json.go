package feedcheck

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

type object = map[string]any

func (c *checker) json() {
	var feed object
	d := json.NewDecoder(bytes.NewReader(c.doc))
	if err := d.Decode(&feed); err != nil || d.More() {
		c.add("NotWellFormed", "document", "it is not one JSON object: %v", err)
		return
	}
	if feed["version"] != "https://jsonfeed.org/version/1.1" {
		c.add("NotJSONFeed", "version", "it is %v", feed["version"])
	}
	c.members("feed", feed, "version", "title", "home_page_url", "feed_url", "description", "user_comment", "next_url", "icon",
		"favicon", "authors", "language", "expired", "hubs", "items")
	if s, _ := feed["title"].(string); s == "" {
		c.add("MissingElement", "feed", "title is missing or empty")
	}
	c.links("feed", feed, "home_page_url", "feed_url", "next_url", "icon", "favicon")
	if feed["feed_url"] != c.Self {
		c.add("WrongSelf", "feed", "feed_url is %v, but it is served as %q", feed["feed_url"], c.Self)
	}
	c.optionalLanguage("feed", feed)
	c.people("feed", feed)
	for i, h := range list(feed["hubs"]) {
		hub, _ := h.(object)
		c.links(fmt.Sprintf("hubs[%d]", i), hub, "url")
		if hub["type"] == nil || hub["url"] == nil {
			c.add("MissingElement", fmt.Sprintf("hubs[%d]", i), "type or url is missing")
		}
	}
	items, ok := feed["items"].([]any)
	if !ok {
		c.add("MissingElement", "feed", "items is no array")
	}
	for i, item := range items {
		o, _ := item.(object)
		c.jsonItem(fmt.Sprintf("items[%d]", i), o)
	}
}

func list(v any) []any {
	l, _ := v.([]any)
	return l
}

func (c *checker) jsonItem(where string, o object) {
	c.members(where, o, "id", "url", "external_url", "title", "content_html", "content_text", "summary", "image", "banner_image",
		"date_published", "date_modified", "authors", "tags", "language", "attachments")
	id, _ := o["id"].(string)
	c.id(where, id)
	c.links(where, o, "url", "external_url", "image", "banner_image")
	html, _ := o["content_html"].(string)
	text, _ := o["content_text"].(string)
	if html == "" && text == "" {
		c.add("MissingElement", where, "there is no content")
	}
	c.body(where+".content_html", html)
	if title, ok := o["title"].(string); ok {
		c.noHTML(where+".title", title, "")
	}
	for _, key := range []string{"date_published", "date_modified"} {
		if s, ok := o[key].(string); ok {
			c.date(where+"."+key, s, rfc3339)
		} else if o[key] != nil {
			c.add("BadDate", where, "%s is no text", key)
		}
	}
	c.optionalLanguage(where, o)
	c.people(where, o)
	for _, t := range list(o["tags"]) {
		if s, _ := t.(string); strings.TrimSpace(s) == "" {
			c.add("BadTag", where, "%v is no tag", t)
		}
	}
	for i, a := range list(o["attachments"]) {
		at := fmt.Sprintf("%s.attachments[%d]", where, i)
		file, _ := a.(object)
		c.members(at, file, "url", "mime_type", "title", "size_in_bytes", "duration_in_seconds")
		if file["url"] == nil || file["mime_type"] == nil {
			c.add("MissingElement", at, "url or mime_type is missing")
		}
		c.links(at, file, "url")
		if t, ok := file["mime_type"].(string); ok {
			c.mediaType(at, t)
		}
	}
}

// members reports names that the standard does not know. An extension begins with an underscore.
func (c *checker) members(where string, o object, known ...string) {
	for key := range o {
		if !strings.HasPrefix(key, "_") && !slices.Contains(known, key) {
			c.add("UndefinedElement", where, "%s does not belong there", key)
		}
	}
}

func (c *checker) links(where string, o object, keys ...string) {
	for _, key := range keys {
		switch v := o[key].(type) {
		case nil:
		case string:
			c.link(where+"."+key, v)
		default:
			c.add("InvalidURI", where, "%s is no text", key)
		}
	}
}

func (c *checker) optionalLanguage(where string, o object) {
	if l, ok := o["language"].(string); ok {
		c.language(where+".language", l)
	}
}

func (c *checker) people(where string, o object) {
	for i, a := range list(o["authors"]) {
		at := fmt.Sprintf("%s.authors[%d]", where, i)
		person, _ := a.(object)
		if person["name"] == nil && person["url"] == nil && person["avatar"] == nil {
			c.add("MissingElement", at, "it says nothing of the author")
		}
		c.links(at, person, "url", "avatar")
	}
}
