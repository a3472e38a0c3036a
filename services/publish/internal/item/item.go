// Package item is an article as feeds and posts show it: cleaned once, cut to what its source allows, with an id that
// is the same on every machine.
//
// An item is a pure function of the article and of the id of the site; it has no clock and no order of maps in it, so
// that two replicas give the same bytes. It knows no format: package render writes items, package compose tells of
// them.
package item

import (
	"cmp"
	"strings"
	"time"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/fault"
	"tidings.internal/services/publish/internal/clean"
)

const (
	// maxBody is the longest body in bytes. A longer one is passed on as its summary: Google takes articles of 1 MB,
	// and a page of 20 such bodies would be too much for any reader.
	maxBody = 256 << 10
	// maxExcerpt is the length of a summary in graphemes where the source allows no more than an excerpt.
	maxExcerpt = 500
	// maxSummary bounds a summary where the whole article may be passed on.
	maxSummary = 2000
	maxAuthors = 20
	maxTags    = 50
)

// The reasons for which an item shows less than its article has.
const (
	Unsafe   = "item_unsafe"    // the body holds what a sanitised body never holds
	TooLarge = "item_too_large" // the body is longer than any reader wants
)

// Item is an article, fit to be published. All texts are plain but HTML.
type Item struct {
	ID      string // urn:uuid
	Article string
	Story   string

	URL      string
	Title    string
	Summary  string
	HTML     string
	Language string // BCP 47, empty when it is not known

	Published time.Time // UTC, whole seconds, never after the article was first seen
	Updated   time.Time // never before Published

	Authors   []Author
	Tags      []Tag
	Image     *Image
	Enclosure *Enclosure // audio or video, else the image
	Rights    string
	Source    Source

	// Level is how much of the article the item shows.
	Level article.Syndicate
	// Reduced names why the body is missing although the level would allow it: [Unsafe], [TooLarge] or empty.
	Reduced string
}

// Author is a person by name.
type Author struct{ Name, URL string }

// Tag is a subject of an item.
type Tag struct {
	Term   string // the slug
	Scheme string // an address that names the taxonomy, empty for free phrases
	Label  string // in the language of the item
	// Hashtag is how enrich would write it, without the sign; often empty.
	Hashtag string
}

// Image is the picture that leads an item. Type is empty when it is not known.
type Image struct {
	URL, Type, Alt, Credit string
	Bytes                  int64
	Width, Height          int
}

// Enclosure is the one attached file.
type Enclosure struct {
	URL, Type, Title string
	Bytes            int64   // 0 when unknown
	Duration         float64 // seconds, 0 when unknown
}

// Source is where an item came from.
type Source struct{ ID, URN, Title, FeedURL, SiteURL, Rights string }

// New makes the item of an article. site is the name from which ids are made ([config.Site.ID]). An article without an
// address that can be linked to is no item: the error's kind is invalid.
func New(a *article.Article, site string) (*Item, error) {
	it, err := outline(a)
	if err != nil {
		return nil, err
	}
	it.ID, it.Source = URN(site, a.ID), source(&a.Source, site)
	it.Language, it.Rights = clean.Language(a.Language.Code), clean.Line(cmp.Or(a.Rights, a.Source.Rights))
	it.Authors = authors(a.Authors)
	it.Tags = tags(a.Tags, it.Language)
	it.Image = image(a.Image, it.Title)
	it.Enclosure = enclosure(a, it.Image)
	if it = it.At(a.Source.Syndicate); it.Level == article.Full {
		it.body(a)
	}
	return it, nil
}

// Brief is what an index needs of [New]: story, address, title, summary, dates and level. It wants of the text of the article
// only what [Untitled] says.
func Brief(a *article.Article) (*Item, error) {
	it, err := outline(a)
	if err != nil {
		return nil, err
	}
	return it.At(a.Source.Syndicate), nil
}

func outline(a *article.Article) (*Item, error) {
	link, ok := clean.Link(a.URL)
	if !ok {
		return nil, fault.Errorf(fault.Invalid, "publish article %s: it has no absolute http or https address", a.ID)
	}
	it := &Item{
		Article: a.ID, Story: cmp.Or(a.Story.ID, a.ID), URL: link, Title: clean.Title(a.Title, cmp.Or(a.Summary, a.Text, link)),
		Summary: clean.Shorten(clean.Plain(a.Summary), maxSummary), Level: article.Full,
	}
	it.Published, it.Updated = Times(a)
	return it, nil
}

// Untitled reports whether the title of an item is made of the text of its article.
func Untitled(a *article.Article) bool { return a.Summary == "" && clean.Plain(a.Title) == "" }

// body takes over the article's HTML, or says why not. A body that travels in the object store is longer than any that
// is passed on, so it is never fetched.
func (it *Item) body(a *article.Article) {
	if a.HTMLBlob != nil || len(a.HTML) > maxBody {
		it.Reduced = TooLarge
		return
	}
	html, ok := clean.Body(a.HTML)
	switch {
	case !ok:
		it.Reduced = Unsafe
	case len(html) > maxBody:
		it.Reduced = TooLarge
	default:
		it.HTML = html
	}
}

// At returns the item with no more than a level allows. What a source forbids stays away whatever is asked for.
func (it *Item) At(level article.Syndicate) *Item {
	less := *it
	less.Level = it.Level.Lesser(level)
	switch less.Level {
	case article.Excerpt:
		less.HTML, less.Summary = "", clean.Shorten(it.Summary, maxExcerpt)
	case article.Headline:
		less.HTML, less.Summary, less.Image, less.Enclosure = "", "", nil, nil
	}
	return &less
}

// Size is about the number of bytes that an item of an article takes, by which feeds are cut into pages. html is the length
// of the body before it is cleaned, so that a brief item tells its size, too.
func (it *Item) Size(a *article.Article, html int) int {
	n := len(it.Title) + len(it.Summary)
	if it.Level == article.Full && a.HTMLBlob == nil && html <= maxBody {
		n += html
	}
	return n
}

// oldest is the earliest date that readers take for true; one before it is a mistake of the source.
var oldest = time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC)

// Times returns when an article was published and last changed. Published is never after the article was first seen,
// so that a date in the future cannot pin it to the top. Updated moves only with the content: the source's own date
// where it is credible, else the time when the revision was fetched.
func Times(a *article.Article) (published, updated time.Time) {
	published = a.When()
	if published.Before(oldest) {
		published = a.FirstSeen
	}
	updated = published
	latest := a.FirstSeen
	if a.Revision > 1 && a.Fetched.After(latest) {
		latest = a.Fetched
		updated = a.Fetched
	}
	if u := a.Updated; u != nil && !u.Before(published) && !u.After(latest) {
		updated = *u
	}
	return published.UTC().Truncate(time.Second), updated.UTC().Truncate(time.Second)
}

func source(s *article.Source, site string) Source {
	feed, _ := clean.Link(s.FeedURL)
	home, _ := clean.Link(s.SiteURL)
	return Source{
		ID: s.ID, URN: URN(site, "source:"+s.ID), Title: clean.Title(s.Title, s.ID), FeedURL: feed, SiteURL: home,
		Rights: clean.Line(s.Rights),
	}
}

func authors(people []article.Person) []Author {
	var list []Author
	seen := map[string]bool{}
	for _, p := range people {
		name := clean.Person(p.Name)
		if name == "" || seen[name] || len(list) == maxAuthors {
			continue
		}
		seen[name] = true
		link, _ := clean.Link(p.URL)
		list = append(list, Author{name, link})
	}
	return list
}

func tags(all []article.Tag, language string) []Tag {
	var list []Tag
	seen := map[string]bool{}
	for _, t := range all {
		label := clean.Title(t.Name(language), t.ID)
		term := clean.Line(t.ID)
		if term == "" || label == "" || seen[term] || len(list) == maxTags {
			continue
		}
		seen[term] = true
		scheme := ""
		if strings.Contains(t.Scheme, ":") {
			scheme, _ = clean.Link(t.Scheme) // a scheme is an IRI in Atom (RFC 4287 section 4.2.2.2)
		}
		list = append(list, Tag{term, scheme, label, clean.Line(t.Hashtag)})
	}
	return list
}
