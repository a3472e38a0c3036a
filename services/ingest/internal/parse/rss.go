package parse

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/mmcdole/gofeed/rss"

	"tidings.internal/pkg/article"
	"tidings.internal/services/ingest/internal/cause"
	"tidings.internal/services/ingest/internal/guard"
)

// rss reads RSS 0.9x, 1.0 and 2.0.
func (r *reader) rss() error {
	feed, err := (&rss.Parser{}).Parse(bytes.NewReader(r.scanned.Data))
	if err != nil {
		return cause.Errorf(cause.Malformed, "parse RSS: %w", err)
	}
	r.match(len(feed.Items))
	r.doc.Version = feed.Version
	r.rssFeed(feed)
	for i, it := range feed.Items {
		if it == nil {
			r.skip("broken")
			continue
		}
		r.doc.Items = append(r.doc.Items, r.rssItem(it, r.element(i)))
	}
	return nil
}

func (r *reader) rssFeed(in *rss.Feed) {
	head := &r.scanned.Head
	e := extensions(in.Extensions)
	f := &r.doc.Feed
	f.Title = title(first(in.Title, e.text("dc", "title"), e.text("media", "title")))
	f.Description = oneLine(plain(first(in.Description, e.text("itunes", "summary"), e.text("itunes", "subtitle"), e.text("dc", "description"))))
	f.Description, _ = article.Cut(f.Description, article.MaxTitle)
	f.Title, _ = article.Cut(f.Title, article.MaxTitle)
	links := e.links()
	f.SiteURL = r.link(first(append(in.Links, in.Link, links.href("alternate"))...), fieldBase(head, "link"))
	f.SelfURL = r.link(links.href("self"), head.Base)
	if f.NextURL = r.link(links.href("next"), head.Base); f.NextURL == "" {
		f.NextURL = r.link(links.href("prev-archive"), head.Base) // RFC 5005 section 4
	}
	f.Hubs = r.hubs(links.all("hub"), head.Base)
	f.Language = short(first(head.Lang, in.Language, e.text("dc", "language"), r.options.ContentLanguage))
	f.Rights = short(first(in.Copyright, e.text("dc", "rights"), e.text("media", "copyright"), e.text("cc", "license"), e.text("creativeCommons", "license")))
	if in.Image != nil {
		f.Image = r.link(in.Image.URL, head.Base)
	}
	if in.ITunesExt != nil {
		f.Image = first(f.Image, r.link(in.ITunesExt.Image, head.Base))
		f.Ended = yes(in.ITunesExt.Complete)
		f.NewURL = r.link(in.ITunesExt.NewFeedURL, head.Base)
	}
	var authors people
	authors.read("", in.ManagingEditor)
	if len(authors) == 0 && in.DublinCoreExt != nil {
		authors.read("", append(in.DublinCoreExt.Creator, in.DublinCoreExt.Author...)...)
	}
	if len(authors) == 0 && in.ITunesExt != nil {
		authors.read("", in.ITunesExt.Author)
	}
	f.Authors = authors
	f.TTL = max(minutes(in.TTL), updatePeriod(e.text("sy", "updatePeriod"), e.text("sy", "updateFrequency")))
	f.SkipHours, f.SkipDays = hours(in.SkipHours), days(in.SkipDays)
	r.deleted(e)
}

func (r *reader) rssItem(in *rss.Item, side *guard.Element) Item {
	e := extensions(in.Extensions)
	it := Item{About: strings.TrimSpace(side.About)}
	if in.GUID != nil {
		it.GUID = strings.TrimSpace(in.GUID.Value)
		if f := side.Find("guid"); f != nil {
			it.GUID = strings.TrimSpace(f.Text())
		}
		it.Permalink = !strings.EqualFold(strings.TrimSpace(in.GUID.IsPermalink), "false")
	}
	r.rssLinks(&it, in, side, e)
	it.Title = title(first(in.Title, e.text("media", "title"), e.text("dc", "title"), e.text("itunes", "title")))
	r.rssTexts(&it, in, side, e)
	r.rssPeople(&it, in, e)
	it.PublishedRaw = first(in.PubDate, e.text("dc", "date"), e.text("dcterms", "issued"), e.text("dcterms", "created"),
		e.text("dcterms", "available"), e.text("prism", "publicationDate"), e.text("atom", "published"))
	it.UpdatedRaw = first(e.text("atom", "updated"), e.text("dcterms", "modified"), e.text("prism", "modificationDate"))
	for _, c := range in.Categories {
		if c != nil {
			it.Categories = addCategory(it.Categories, article.Category{Term: title(c.Value), Scheme: c.Domain})
		}
	}
	it.Categories = e.categories(it.Categories)
	for _, enc := range in.Enclosures {
		if enc != nil {
			r.addEnclosure(&it.Raw, article.Enclosure{URL: r.link(enc.URL, fieldBase(side, "enclosure")), Type: enc.Type, Length: length(enc.Length)})
		}
	}
	for _, l := range e.links().all("enclosure") {
		r.addEnclosure(&it.Raw, article.Enclosure{URL: r.link(l, side.Base)})
	}
	r.media(&it.Raw, e, side.Base)
	if in.Source != nil {
		it.Origin = &article.Origin{Title: short(title(in.Source.Title)), URL: r.link(in.Source.URL, side.Base)}
	} else if s := e.text("dc", "source"); s != "" {
		it.Origin = &article.Origin{Title: short(s)}
	}
	it.Comments = r.link(first(in.Comments, e.text("wfw", "commentRss")), fieldBase(side, "comments"))
	it.Rights = first(e.text("dc", "rights"), e.text("media", "copyright"), r.doc.Feed.Rights)
	it.Licence = short(first(e.text("cc", "license"), e.attr("cc", "license", "resource"), e.text("creativeCommons", "license"), e.links().href("license")))
	it.Language = first(side.Lang, e.text("dc", "language"), r.doc.Feed.Language)
	it.Podcast = podcast(in.ITunesExt)
	return it
}

func (r *reader) rssLinks(it *Item, in *rss.Item, side *guard.Element, e ext) {
	base := fieldBase(side, "link")
	it.Link = r.link(first(append(in.Links, in.Link)...), base)
	if it.Link == "" && it.Permalink && looksAbsolute(it.GUID) {
		it.Link = r.link(it.GUID, base)
	}
	if it.Link == "" {
		it.Link = r.link(first(e.links().href("alternate"), it.About), base)
	}
	it.OriginLink = r.link(e.text("feedburner", "origLink"), side.Base)
	it.Via = r.link(e.links().href("via"), side.Base)
	it.Related = r.link(e.links().href("related"), side.Base)
}

// prefixed are the tags of XHTML whose names have one of the usual prefixes.
var prefixed = regexp.MustCompile(`(</?)(?:xhtml|html|h):`)

// rssTexts finds body and summary. A description that stands alone is the body if it looks like one.
func (r *reader) rssTexts(it *Item, in *rss.Item, side *guard.Element, e ext) {
	content := first(in.Content, in.Custom["fullitem"], in.Custom["encoded"], e.text("atom", "content"))
	summary := first(in.Description, e.text("media", "description"), e.text("dc", "description"), e.text("dcterms", "abstract"))
	if in.ITunesExt != nil {
		summary = first(summary, in.ITunesExt.Summary, in.ITunesExt.Subtitle)
	}
	if page := side.Find("body"); content == "" && page != nil && len(strings.TrimSpace(string(page.Inner))) > 0 {
		body := *page
		body.Inner = []byte(prefixed.ReplaceAllString(string(page.Inner), "$1"))
		it.Content = r.xhtml(&body)
		it.Summary = r.html(summary, fieldLang(side.Find("description"), side), fieldBase(side, "description"))
		return
	}
	name := "encoded"
	if content == "" && (len(summary) > longDescription || block.MatchString(summary)) {
		content, summary, name = summary, "", "description"
	}
	body, head := side.Find(name), side.Find("description")
	it.Content = r.html(content, fieldLang(body, side), fieldBaseOf(body, side))
	it.Summary = r.html(summary, fieldLang(head, side), fieldBaseOf(head, side))
}

func (r *reader) rssPeople(it *Item, in *rss.Item, e ext) {
	var list people
	if in.DublinCoreExt != nil {
		list.read("", append(in.DublinCoreExt.Creator, in.DublinCoreExt.Author...)...)
	}
	list.read("", in.Author)
	if len(list) == 0 && in.ITunesExt != nil {
		list.read("", in.ITunesExt.Author)
	}
	for _, a := range e.all("atom", "author") {
		list.add(article.Person{Name: child(a, "name"), Email: child(a, "email"), URL: r.link(child(a, "uri"), "")})
	}
	for _, c := range e.all("media", "credit") {
		list.read(first(c.Attrs["role"], "credit"), c.Value)
	}
	if in.DublinCoreExt != nil {
		list.read("contributor", in.DublinCoreExt.Contributor...)
	}
	if len(list) == 0 {
		list = r.doc.Feed.Authors
	}
	it.Authors = list
}

func looksAbsolute(s string) bool {
	lower := strings.ToLower(s)
	return strings.HasPrefix(lower, "http://") || strings.HasPrefix(lower, "https://")
}

// fieldBase gives the base of the first field of a name, else of the element.
func fieldBase(e *guard.Element, name string) string { return fieldBaseOf(e.Find(name), e) }

func fieldBaseOf(f *guard.Field, e *guard.Element) string {
	if f != nil {
		return f.Base
	}
	return e.Base
}

func fieldLang(f *guard.Field, e *guard.Element) string {
	if f != nil {
		return f.Lang
	}
	return e.Lang
}

func yes(s string) bool {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "yes", "true", "explicit", "1":
		return true
	}
	return false
}

func length(s string) int64 {
	n, err := strconv.ParseInt(strings.ReplaceAll(strings.TrimSpace(s), ",", ""), 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// maxTTL bounds what a publisher may ask for.
const maxTTL = 24 * time.Hour

func minutes(s string) time.Duration {
	n, err := strconv.Atoi(strings.TrimSpace(s))
	if err != nil || n <= 0 {
		return 0
	}
	return min(time.Duration(min(n, 1<<20))*time.Minute, maxTTL)
}

// updatePeriod reads the syndication module of RSS 1.0: how often in a period.
func updatePeriod(period, frequency string) time.Duration {
	d := map[string]time.Duration{
		"hourly": time.Hour, "daily": 24 * time.Hour, "weekly": 7 * 24 * time.Hour, "monthly": 30 * 24 * time.Hour, "yearly": 365 * 24 * time.Hour,
	}[strings.ToLower(strings.TrimSpace(period))]
	if n, err := strconv.Atoi(strings.TrimSpace(frequency)); err == nil && n > 0 {
		d /= time.Duration(n)
	}
	return min(d, maxTTL)
}

func hours(list []string) []int {
	var out []int
	for _, s := range list {
		if n, err := strconv.Atoi(strings.TrimSpace(s)); err == nil && n >= 0 && n <= 24 && len(out) < 24 {
			out = append(out, n%24)
		}
	}
	return out
}

func days(list []string) []time.Weekday {
	var out []time.Weekday
	for _, s := range list {
		for d := time.Sunday; d <= time.Saturday; d++ {
			if strings.EqualFold(strings.TrimSpace(s), d.String()) && len(out) < 7 {
				out = append(out, d)
			}
		}
	}
	return out
}
