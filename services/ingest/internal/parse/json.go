package parse

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"

	feed "github.com/mmcdole/gofeed/json"

	"tidings.internal/pkg/article"
	"tidings.internal/services/ingest/internal/cause"
	"tidings.internal/services/ingest/internal/guard"
)

// envelope is the top of a JSON Feed. gofeed's own knows no hubs and fails whole on one wrong type.
type envelope struct {
	version, title, home, self, next, description, language, icon, favicon string
	authors                                                                []article.Person
	hubs                                                                   []string
	expired                                                                bool
}

// json reads JSON Feed 1.0 and 1.1, item by item, so that one broken item costs only itself.
func (r *reader) json() error {
	dec := json.NewDecoder(bytes.NewReader(r.scanned.Data))
	if tok, err := dec.Token(); err != nil || tok != json.Delim('{') {
		return cause.Errorf(cause.NotAFeed, "parse JSON Feed: it is no JSON object")
	}
	var env envelope
	var items []*feed.Item
	found := false
	for dec.More() {
		key, err := dec.Token()
		name, isName := key.(string)
		if err != nil || !isName {
			return r.brokenJSON(&env, items, found, err)
		}
		if name == "items" {
			found = true
			if items, err = r.jsonItems(dec); err != nil {
				return r.brokenJSON(&env, items, found, err)
			}
			continue
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return r.brokenJSON(&env, items, found, err)
		}
		r.member(&env, name, value)
	}
	if !found && !strings.Contains(env.version, "jsonfeed.org") {
		return cause.Errorf(cause.NotAFeed, "parse JSON Feed: it is JSON, but no feed")
	}
	r.jsonFeed(&env, items)
	return nil
}

// brokenJSON keeps the items that were whole before the text broke.
func (r *reader) brokenJSON(env *envelope, items []*feed.Item, found bool, err error) error {
	if !found || len(items) == 0 {
		if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			return cause.Errorf(cause.Truncated, "parse JSON Feed: it ends before its first item does")
		}
		return cause.Errorf(cause.Malformed, "parse JSON Feed: %w", err)
	}
	r.doc.Partial = true
	r.jsonFeed(env, items)
	return nil
}

// jsonItems reads the array of items. On an error it returns those before it, too.
func (r *reader) jsonItems(dec *json.Decoder) ([]*feed.Item, error) {
	tok, err := dec.Token()
	if err != nil {
		return nil, err
	}
	if tok != json.Delim('[') {
		return nil, errors.New("items is no array")
	}
	var items []*feed.Item
	for dec.More() {
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return items, err
		}
		if len(items) == guard.MaxItems {
			r.doc.Partial = true
			continue
		}
		item := &feed.Item{}
		if json.Unmarshal(value, item) != nil && !repaired(value, item) || string(value) == "null" {
			r.skip("broken")
			r.doc.Partial = true
			continue
		}
		items = append(items, item)
	}
	_, err = dec.Token()
	return items, err
}

// repaired reads an item whose members have the wrong type: a lone value where a list is meant becomes a list of one, a
// number where a text is meant a text, and what makes no sense is left out.
func repaired(value json.RawMessage, into *feed.Item) bool {
	var members map[string]json.RawMessage
	if json.Unmarshal(value, &members) != nil || members == nil {
		return false
	}
	for name, v := range members {
		switch name {
		case "tags":
			members[name], _ = json.Marshal(words(v))
		case "authors", "attachments":
			if len(v) > 0 && v[0] == '{' {
				v = append(append(json.RawMessage{'['}, v...), ']')
			}
			var list []json.RawMessage
			var objects []map[string]json.RawMessage
			_ = json.Unmarshal(v, &list) // a value that is no list gives none
			for _, one := range list {
				var object map[string]json.RawMessage
				if json.Unmarshal(one, &object) == nil && object != nil {
					for k, m := range object {
						if k != "size_in_bytes" && k != "duration_in_seconds" {
							object[k], _ = json.Marshal(word(m))
						}
					}
					objects = append(objects, object)
				}
			}
			members[name], _ = json.Marshal(objects)
		case "author":
			var object map[string]json.RawMessage
			if json.Unmarshal(v, &object) != nil || object == nil {
				members[name], _ = json.Marshal(map[string]string{"name": word(v)})
				continue
			}
			for k, m := range object {
				object[k], _ = json.Marshal(word(m))
			}
			members[name], _ = json.Marshal(object)
		default:
			if strings.HasPrefix(name, "_") {
				delete(members, name)
				continue
			}
			members[name], _ = json.Marshal(word(v))
		}
	}
	fixed, err := json.Marshal(members)
	return err == nil && json.Unmarshal(fixed, into) == nil
}

// word gives the text of a JSON text or number; of anything else nothing.
func word(v json.RawMessage) string {
	var s string
	if json.Unmarshal(v, &s) == nil {
		return s
	}
	var n json.Number
	if json.Unmarshal(v, &n) == nil {
		return n.String()
	}
	return ""
}

// words gives the texts of a list, or of a lone value.
func words(v json.RawMessage) []string {
	var list []json.RawMessage
	if json.Unmarshal(v, &list) != nil {
		list = []json.RawMessage{v}
	}
	var out []string
	for _, one := range list {
		if s := word(one); s != "" && len(out) <= article.MaxCategories {
			out = append(out, s)
		}
	}
	return out
}

// member takes one member of the envelope; one of a wrong type is as good as none.
func (r *reader) member(env *envelope, name string, value json.RawMessage) {
	texts := map[string]*string{
		"version": &env.version, "title": &env.title, "home_page_url": &env.home, "feed_url": &env.self, "next_url": &env.next,
		"description": &env.description, "language": &env.language, "icon": &env.icon, "favicon": &env.favicon,
	}
	if into, ok := texts[name]; ok {
		*into = word(value)
		return
	}
	switch name {
	case "expired":
		env.expired = string(value) == "true" || yes(word(value))
	case "author", "authors":
		var many []*feed.Author
		if json.Unmarshal(value, &many) != nil {
			var one feed.Author
			if json.Unmarshal(value, &one) != nil {
				one.Name = word(value)
			}
			many = []*feed.Author{&one}
		}
		env.authors = append(env.authors, r.jsonPeople(many, nil)...)
	case "hubs":
		var hubs []struct{ Type, URL string }
		if json.Unmarshal(value, &hubs) == nil {
			for _, h := range hubs {
				env.hubs = append(env.hubs, h.URL)
			}
		}
	}
}

func (r *reader) jsonFeed(env *envelope, items []*feed.Item) {
	r.doc.Version = strings.TrimPrefix(short(env.version), "https://jsonfeed.org/version/")
	f := &r.doc.Feed
	f.Title, _ = article.Cut(oneLine(printable(env.title)), article.MaxTitle)
	f.Description, _ = article.Cut(oneLine(printable(env.description)), article.MaxTitle)
	f.SiteURL, f.SelfURL, f.NextURL = r.link(env.home, ""), r.link(env.self, ""), r.link(env.next, "")
	f.Language = short(first(env.language, r.options.ContentLanguage))
	f.Image = r.link(first(env.icon, env.favicon), "")
	f.Authors, f.Ended = env.authors, env.expired
	f.Hubs = r.hubs(env.hubs, "")
	for _, in := range items {
		r.doc.Items = append(r.doc.Items, r.jsonItem(in))
	}
}

func (r *reader) jsonItem(in *feed.Item) Item {
	it := Item{}
	it.GUID = strings.TrimSpace(in.ID)
	it.Link = r.link(first(in.URL, in.ExternalURL), "")
	if it.Link == "" && looksAbsolute(it.GUID) {
		it.Link = r.link(it.GUID, "")
	}
	if in.URL != "" {
		it.Related = r.link(in.ExternalURL, "")
	}
	it.Title = oneLine(in.Title)
	it.Content = r.html(in.ContentHTML, "", "")
	if it.Content == nil {
		it.Content = text(in.ContentText, "")
	}
	it.Summary = text(in.Summary, "")
	it.PublishedRaw, it.UpdatedRaw = strings.TrimSpace(in.DatePublished), strings.TrimSpace(in.DateModified)
	it.Authors = r.jsonPeople(in.Authors, in.Author)
	if len(it.Authors) == 0 {
		it.Authors = r.doc.Feed.Authors
	}
	for _, t := range in.Tags {
		it.Categories = addCategory(it.Categories, article.Category{Term: t})
	}
	if in.Attachments != nil {
		for _, a := range *in.Attachments {
			r.addEnclosure(&it.Raw, article.Enclosure{
				URL: r.link(a.URL, ""), Type: a.MimeType, Length: max(a.SizeInBytes, 0), Duration: float64(max(a.DurationInSeconds, 0)), Title: a.Title,
			})
		}
	}
	for _, image := range []string{in.Image, in.BannerImage} {
		addMedia(&it.Raw, article.Media{Kind: "image", URL: r.link(image, "")})
	}
	it.Language = first(in.Language, r.doc.Feed.Language)
	return it
}

func (r *reader) jsonPeople(many []*feed.Author, one *feed.Author) []article.Person {
	var list people
	for _, a := range append(many, one) {
		if a != nil {
			list.add(article.Person{Name: oneLine(printable(a.Name)), URL: r.link(a.URL, ""), Avatar: r.link(a.Avatar, "")})
		}
	}
	return list
}
