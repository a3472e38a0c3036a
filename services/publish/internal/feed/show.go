package feed

import (
	"fmt"
	"html"
	"strings"
	"time"

	"tidings.internal/pkg/config"
	"tidings.internal/services/publish/internal/clean"
	"tidings.internal/services/publish/internal/item"
	"tidings.internal/services/publish/internal/render"
)

// The values of [Config.Attribution]: where an item says of itself from which source it comes. Many readers do not show
// the element that says so.
const (
	None    = "none"
	Above   = "above"
	Below   = "below"
	InTitle = "title"
)

// words are those that a feed adds to what it passes on.
type words struct {
	from, ended, goodbye string
}

var spoken = map[string]words{
	"de": {"Ursprünglich bei %s", "Dieser Feed ist beendet", "„%s“ ist seit dem %s beendet; hier kommt nichts Neues mehr. Die anderen Feeds stehen unter %s"},
	"en": {"Originally at %s", "This feed has ended", "“%s” ended on %s; nothing new will come here. The other feeds are listed at %s"},
}

// say gives the words in the language of a feed, else in English.
func say(lang string) words {
	base, _, _ := strings.Cut(lang, "-")
	if w, ok := spoken[base]; ok {
		return w
	}
	return spoken["en"]
}

// Show gives an item as the feed passes it on: no more of it than the feed's level, and with the name of its source
// where the feed wants that.
func (f *Feed) Show(it *item.Item) *item.Item {
	it = it.At(f.Level)
	name := it.Source.Title
	if name == "" || f.attribution == None || f.attribution == "" {
		return it
	}
	own := *it
	line := fmt.Sprintf(say(f.Head.Language).from, name)
	paragraph := fmt.Sprintf(`<p><a href="%s">%s</a></p>`, html.EscapeString(it.URL), html.EscapeString(line))
	join := func(parts ...string) string {
		return strings.Join(strings.FieldsFunc(strings.Join(parts, "\x00"), func(r rune) bool { return r == 0 }), " ")
	}
	switch {
	case f.attribution == InTitle:
		own.Title = clean.Title(fmt.Sprintf("%s (%s)", clean.Shorten(it.Title, 150-clean.Length(name)-3), name), it.Title)
	case it.HTML != "" && f.attribution == Above:
		own.HTML = paragraph + it.HTML
	case it.HTML != "":
		own.HTML = it.HTML + paragraph
	case it.Summary == "": // a headline stays one
	case f.attribution == Above:
		own.Summary = join(line+":", it.Summary)
	default:
		own.Summary = join(it.Summary, "("+line+")")
	}
	return &own
}

// end makes the feed one that has ended: readers are told so by its last item.
func (f *Feed) end(c Config, site config.Site, base string) {
	f.ended = c.Ended.UTC().Truncate(24 * time.Hour)
	f.Head.Ended = true
	w := say(f.Head.Language)
	day := f.ended.Format("2 January 2006")
	if strings.HasPrefix(f.Head.Language, "de") {
		day = f.ended.Format("02.01.2006")
	}
	text := fmt.Sprintf(w.goodbye, f.Head.Title, day, base+"/")
	f.last = &item.Item{
		ID: item.URN(SiteID(site), "ended:"+c.ID), Title: clean.Title(w.ended, ""), Summary: clean.Plain(text), Language: f.Head.Language,
		HTML: "<p>" + html.EscapeString(text) + "</p>", Published: f.ended, Updated: f.ended,
		Source: item.Source{ID: c.ID, URN: f.Head.URN, Title: f.Head.Title},
	}
}

// Complete gives the entries of the current document with what the feed itself has to say. The last item of a feed that
// has ended stands first, as the newest, bears no date that an article of its last day would be after, and leads to the
// address of the feed under which head is served: the public one of a private feed leads nowhere.
func (f *Feed) Complete(head *render.Feed, entries []render.Entry) []render.Entry {
	if f.last == nil {
		return entries
	}
	last := *f.last
	for _, e := range entries {
		if e.Published.After(last.Published) {
			last.Published = e.Published
		}
	}
	last.Updated = last.Published
	last.URL, last.Source.SiteURL, last.Source.FeedURL = head.Page, head.Page, head.Self[render.Atom]
	return append([]render.Entry{{Item: last.At(f.Level)}}, entries...)
}
