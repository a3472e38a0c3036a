package parse

import (
	"slices"
	"strconv"
	"strings"

	extension "github.com/mmcdole/gofeed/extensions"

	"tidings.internal/pkg/article"
	"tidings.internal/services/ingest/internal/dates"
)

// ext are the foreign elements of a feed or item, by the prefix that their namespace usually has.
type ext map[string]map[string][]extension.Extension

func extensions(e extension.Extensions) ext { return ext(e) }

// all gives the elements of a name, in the order of the document.
func (e ext) all(prefix, name string) []extension.Extension { return e[prefix][name] }

// text gives the text of the first element of a name that has one.
func (e ext) text(prefix, name string) string {
	for _, x := range e[prefix][name] {
		if s := strings.TrimSpace(x.Value); s != "" {
			return s
		}
	}
	return ""
}

func (e ext) attr(prefix, name, attr string) string {
	for _, x := range e[prefix][name] {
		if s := strings.TrimSpace(x.Attrs[attr]); s != "" {
			return s
		}
	}
	return ""
}

func child(x extension.Extension, name string) string {
	for _, c := range x.Children[name] {
		if s := strings.TrimSpace(c.Value); s != "" {
			return s
		}
	}
	return ""
}

// links are the atom:link elements inside another format.
type links []extension.Extension

func (e ext) links() links {
	return append(slices.Clone(e["atom"]["link"]), e["atom03"]["link"]...)
}

func (l links) all(rel string) []string {
	var list []string
	for _, x := range l {
		if has := first(x.Attrs["rel"], "alternate"); strings.EqualFold(has, rel) && x.Attrs["href"] != "" {
			list = append(list, x.Attrs["href"])
		}
	}
	return list
}

func (l links) href(rel string) string { return first(l.all(rel)...) }

// maxHubs is more than any publisher names.
const maxHubs = 8

func (r *reader) hubs(list []string, base string) []string {
	var out []string
	for _, s := range list {
		if u := r.link(s, base); u != "" && !slices.Contains(out, u) && len(out) < maxHubs {
			out = append(out, u)
		}
	}
	return out
}

// categories adds the subject words of Dublin Core, Media RSS and iTunes.
func (e ext) categories(list []article.Category) []article.Category {
	for _, x := range e.all("dc", "subject") {
		list = addCategory(list, article.Category{Term: title(x.Value)})
	}
	for _, x := range e.all("media", "category") {
		list = addCategory(list, article.Category{Term: title(x.Value), Scheme: x.Attrs["scheme"], Label: x.Attrs["label"]})
	}
	for _, prefix := range []string{"media", "itunes"} {
		for word := range strings.SplitSeq(e.text(prefix, "keywords"), ",") {
			list = addCategory(list, article.Category{Term: title(word)})
		}
	}
	return list
}

func addCategory(list []article.Category, c article.Category) []article.Category {
	c.Term, c.Scheme, c.Label = strings.TrimSpace(c.Term), strings.TrimSpace(c.Scheme), strings.TrimSpace(c.Label)
	if c.Term == "" {
		c.Term, c.Label = c.Label, ""
	}
	if c.Term == "" || len(list) > article.MaxCategories || slices.Contains(list, c) {
		return list
	}
	return append(list, c)
}

func (r *reader) addEnclosure(raw *article.Raw, e article.Enclosure) {
	if e.URL == "" || len(raw.Enclosures) > article.MaxEnclosures {
		return
	}
	if slices.ContainsFunc(raw.Enclosures, func(o article.Enclosure) bool { return o.URL == e.URL }) {
		return
	}
	raw.Enclosures = append(raw.Enclosures, e)
}

// media reads Media RSS and the image of iTunes.
func (r *reader) media(raw *article.Raw, e ext, base string) {
	contents := slices.Clone(e.all("media", "content"))
	for _, g := range e.all("media", "group") {
		contents = append(contents, g.Children["content"]...)
		r.pictures(raw, g.Children["thumbnail"], base)
	}
	for _, x := range contents {
		m := article.Media{
			URL: r.link(x.Attrs["url"], base), Type: x.Attrs["type"], Width: number(x.Attrs["width"]), Height: number(x.Attrs["height"]),
			Kind:   first(x.Attrs["medium"], strings.Split(x.Attrs["type"], "/")[0]),
			Title:  first(child(x, "title"), e.text("media", "title")),
			Credit: first(child(x, "credit"), e.text("media", "credit")), Rating: first(child(x, "rating"), e.text("media", "rating")),
		}
		addMedia(raw, m)
		r.pictures(raw, x.Children["thumbnail"], base)
	}
	r.pictures(raw, e.all("media", "thumbnail"), base)
	for _, x := range e.all("media", "player") {
		addMedia(raw, article.Media{Kind: "player", URL: r.link(x.Attrs["url"], base), Width: number(x.Attrs["width"]), Height: number(x.Attrs["height"])})
	}
	addMedia(raw, article.Media{Kind: "image", URL: r.link(e.attr("itunes", "image", "href"), base)})
}

func (r *reader) pictures(raw *article.Raw, list []extension.Extension, base string) {
	for _, x := range list {
		addMedia(raw, article.Media{Kind: "thumbnail", URL: r.link(x.Attrs["url"], base), Width: number(x.Attrs["width"]), Height: number(x.Attrs["height"])})
	}
}

func addMedia(raw *article.Raw, m article.Media) {
	if m.URL == "" || len(raw.Media) > article.MaxMedia || slices.ContainsFunc(raw.Media, func(o article.Media) bool { return o.URL == m.URL }) {
		return
	}
	raw.Media = append(raw.Media, m)
}

func number(s string) int {
	n, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(s), "px"))
	if err != nil || n < 0 || n > 1<<20 {
		return 0
	}
	return n
}

// podcast reads what only episodes have.
func podcast(x *extension.ITunesItemExtension) *article.Podcast {
	if x == nil {
		return nil
	}
	p := article.Podcast{
		Duration: duration(x.Duration), Episode: number(x.Episode), Season: number(x.Season), Type: short(x.EpisodeType), Explicit: yes(x.Explicit),
	}
	if p == (article.Podcast{}) {
		return nil
	}
	return &p
}

// duration reads seconds, minutes:seconds or hours:minutes:seconds.
func duration(s string) float64 {
	total := 0.0
	parts := strings.Split(strings.TrimSpace(s), ":")
	if len(parts) > 3 {
		return 0
	}
	for _, part := range parts {
		n, err := strconv.ParseFloat(part, 64)
		if err != nil || n < 0 || n > 1e7 {
			return 0
		}
		total = total*60 + n
	}
	return total
}

// maxDeleted bounds the tombstones of a document.
const maxDeleted = 2000

// deleted reads at:deleted-entry (RFC 6721). gofeed names the prefix as the document does, since the namespace is not
// among those it knows, so every prefix is looked at.
func (r *reader) deleted(e ext) {
	for _, names := range e {
		for _, x := range names["deleted-entry"] {
			ref := strings.TrimSpace(x.Attrs["ref"])
			if ref == "" || len(r.doc.Deleted) >= maxDeleted {
				continue
			}
			d := Deleted{Ref: ref}
			if t, ok := dates.Parse(x.Attrs["when"], dates.Unknown); ok {
				d.When = &t
			}
			r.doc.Deleted = append(r.doc.Deleted, d)
		}
	}
}
