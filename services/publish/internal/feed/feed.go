// Package feed is what an operator says of an output feed, made ready: its selection, its policy, its words and
// addresses.
//
// It holds nothing that changes while the program runs; which items a feed shows is the matter of package projection.
package feed

import (
	"cmp"
	_ "embed" // for example.yaml
	"fmt"
	"net/url"
	"strings"
	"time"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/config"
	"tidings.internal/services/publish/internal/clean"
	"tidings.internal/services/publish/internal/item"
	"tidings.internal/services/publish/internal/render"
	"tidings.internal/services/publish/internal/selection"
)

// Example is the manual of the section `feeds`.
//
//go:embed example.yaml
var Example string

// All is the id of the feed that always exists and takes everything.
const All = "all"

// Config is an entry of the section `feeds`.
type Config struct {
	ID          string           `yaml:"id"`
	Title       string           `yaml:"title"`
	Description string           `yaml:"description"`
	Language    string           `yaml:"language"`
	Author      string           `yaml:"author"`
	Rights      string           `yaml:"rights"`
	Icon        string           `yaml:"icon"`
	Logo        string           `yaml:"logo"`
	Select      config.Selection `yaml:"select"`
	Duplicates  string           `yaml:"duplicates"`
	Prefer      []string         `yaml:"prefer"`
	Content     string           `yaml:"content"`
	Items       int              `yaml:"items"`
	Index       bool             `yaml:"index"`
	TTL         int              `yaml:"ttl"` // minutes
	Hubs        []string         `yaml:"hubs"`
	Attribution string           `yaml:"attribution"`
	// Was lists ids that the feed had before; they lead to it.
	Was    []string `yaml:"was"`
	Status string   `yaml:"status"`
	// Ended is the day on which the feed ended, for the status ending.
	Ended time.Time `yaml:"ended"`
	// Private leaves the feed no other address than those with one of its tokens. It is said in a word of its own, so that
	// a feed whose last token is taken out is read by nobody, and not by everybody.
	Private bool    `yaml:"private"`
	Tokens  []Token `yaml:"tokens"`
}

// The values of [Config.Status].
const (
	Active = "active"
	Ending = "ending" // nothing new comes, and readers are told
	Gone   = "gone"   // answered with 410
)

// The values of [Config.Duplicates].
const (
	First     = "first"     // the article of a story that was seen first
	Preferred = "preferred" // the one whose source stands first in prefer
	Every     = "all"       // all of them
)

var (
	_ config.Checker   = (*Config)(nil)
	_ config.Defaulter = (*Config)(nil)
)

// SetDefaults fills in what an entry need not say.
func (c *Config) SetDefaults() {
	*c = Config{Duplicates: First, Content: "full", Items: 30, Index: true, TTL: 60, Attribution: None, Status: Active}
}

// Check reports what is wrong.
func (c *Config) Check(at config.At) {
	if at.Key("id").Name(c.ID) {
		for _, prefix := range []string{"tag-", "source-", "lang-"} {
			if strings.HasPrefix(c.ID, prefix) {
				at.Key("id").Problemf("%q begins with %s, which is reserved for feeds made automatically", c.ID, prefix)
			}
		}
	}
	if c.Language != "" {
		at.Key("language").Language(c.Language)
	}
	for _, a := range []struct{ key, value string }{{"icon", c.Icon}, {"logo", c.Logo}} {
		if a.value != "" {
			at.Key(a.key).URL(a.value)
		}
	}
	for i, hub := range c.Hubs {
		at.Key("hubs").Index(i).URL(hub)
	}
	at.Key("duplicates").OneOf(c.Duplicates, First, Preferred, Every)
	at.Key("content").OneOf(c.Content, "full", "summary", "title")
	if c.Items < 10 || c.Items > 40 {
		at.Key("items").Problemf("%d is not within 10 and 40", c.Items)
	}
	if c.TTL < 1 || c.TTL > 7*24*60 {
		at.Key("ttl").Problemf("%d minutes are not within 1 and 10080", c.TTL)
	}
	at.Key("attribution").OneOf(c.Attribution, None, Above, Below, InTitle)
	at.Key("status").OneOf(c.Status, Active, Ending, Gone)
	switch {
	case c.Status == Ending && c.Ended.IsZero():
		at.Key("ended").Problemf("is missing; it is the day on which the feed ended, such as 2026-11-28")
	case c.Status != Ending && !c.Ended.IsZero():
		at.Key("ended").Problemf("has no meaning without status: ending")
	case c.Ended.After(time.Now()):
		at.Key("ended").Problemf("lies in the future; readers refuse items of the future")
	}
	for i, id := range c.Was {
		at.Key("was").Index(i).Name(id)
	}
	if c.Private && len(c.Hubs) > 0 {
		at.Key("hubs").Problemf("has no meaning with private: true; a hub would hand the feed to anybody")
	}
	if !c.Private && len(c.Tokens) > 0 {
		at.Key("tokens").Problemf("has no meaning without private: true; everybody reads the feed")
	}
	checkTokens(at.Key("tokens"), c.Tokens)
	if c.Duplicates == Preferred && len(c.Prefer) == 0 {
		at.Key("prefer").Problemf("is missing; it lists the sources that go before others")
	}
	if c.Duplicates != Preferred && len(c.Prefer) > 0 {
		at.Key("prefer").Problemf("has no meaning without duplicates: preferred")
	}
	for i, source := range c.Prefer {
		at.Key("prefer").Index(i).Name(source)
	}
	for key, query := range map[string]string{"query": c.Select.Query, "exclude_query": c.Select.ExcludeQuery} {
		if _, err := selection.ParseQuery(query); err != nil {
			at.Key("select").Key(key).Problemf("%s", err)
		}
	}
}

// Feed is a feed made ready.
type Feed struct {
	ID     string
	Head   render.Feed
	Level  article.Syndicate // the most it passes on
	Items  int
	Index  bool
	Policy string
	// Hub is the address of our own hub, empty when it is off or the feed private.
	Hub         string
	attribution string
	ended       time.Time
	last        *item.Item // of a feed that has ended
	private     bool
	tokens      []Token
	base        string
	prefer      map[string]int
	selection   *selection.Selection
}

// New makes a feed ready. base is the address under which the feeds are served, without a slash at its end.
func New(c Config, site config.Site, base string) (*Feed, error) {
	s, err := selection.Compile(c.Select)
	if err != nil {
		return nil, fmt.Errorf("make feed %s: select.%w", c.ID, err)
	}
	title := c.Title
	if title == "" {
		title = site.Title
		if c.ID != All {
			title += ": " + c.ID
		}
	}
	page := base + "/feeds/" + url.PathEscape(c.ID)
	f := &Feed{
		ID: c.ID, Items: c.Items, Index: c.Index, Policy: c.Duplicates, selection: s, prefer: map[string]int{}, attribution: c.Attribution,
		private: c.Private, tokens: c.Tokens, base: base,
		Head: render.Feed{
			URN: item.URN(SiteID(site), "feed:"+c.ID), Title: clean.Title(title, c.ID),
			Description: clean.Title(cmp.Or(c.Description, site.Description, title), c.ID),
			Language:    clean.Language(cmp.Or(c.Language, site.Language)), Author: clean.Title(cmp.Or(c.Author, site.Author), ""),
			Rights: clean.Plain(cmp.Or(c.Rights, site.Rights)), Icon: link(cmp.Or(c.Icon, site.Icon)), Logo: link(cmp.Or(c.Logo, site.Logo)),
			Page: page, Self: map[render.Format]string{}, TTL: c.TTL, Created: site.Created,
		},
	}
	for _, format := range render.Formats() {
		f.Head.Self[format] = page + "." + string(format)
	}
	for _, hub := range c.Hubs {
		if h := link(hub); h != "" {
			f.Head.Hubs = append(f.Head.Hubs, h)
		}
	}
	for i, source := range c.Prefer {
		if _, there := f.prefer[source]; !there {
			f.prefer[source] = i
		}
	}
	if c.Status == Ending {
		f.end(c, site, base)
	}
	switch c.Content {
	case "summary":
		f.Level = article.Excerpt
	case "title":
		f.Level = article.Headline
	default:
		f.Level = article.Full
	}
	return f, nil
}

// Join has our own hub, at the address hub, tell of the feed. It is named before those of others: who takes the first one
// is told by whoever knows first. A private feed stays as it is.
func (f *Feed) Join(hub string) {
	if !f.Private() {
		f.Hub = hub
		f.Head.Hubs = append([]string{hub}, f.Head.Hubs...)
	}
}

// OtherHubs are those of others, which want to be told that there is news.
func (f *Feed) OtherHubs() []string {
	if f.Hub == "" {
		return f.Head.Hubs
	}
	return f.Head.Hubs[1:]
}

// Automatic makes the feed of a reserved prefix ready. What it takes is told by its id alone.
func Automatic(id string, site config.Site, base string) (*Feed, error) {
	var c Config
	c.SetDefaults()
	c.ID, c.Title = id, cmp.Or(site.Title, id)
	return New(c, site, base)
}

func link(s string) string {
	s, _ = clean.Link(s)
	return s
}

// Takes reports whether an article belongs to the feed. One that has ended takes nothing that was seen after its last day.
func (f *Feed) Takes(a *article.Article) bool {
	return (f.ended.IsZero() || a.FirstSeen.Before(f.ended.AddDate(0, 0, 1))) && f.selection.Match(a)
}

// Searches reports whether [Feed.Takes] looks into the text of articles.
func (f *Feed) Searches() bool { return f.selection.Searches() }

// Rank is the place of a source in the order of preference: smaller goes first, and sources that are not named are
// equal and last.
func (f *Feed) Rank(source string) int {
	if n, ok := f.prefer[source]; ok {
		return n
	}
	return len(f.prefer)
}

// SiteID is the name from which the ids of items are made. Without an address of the site it is a fixed word, so that
// ids do not depend on the port that a program happened to get.
func SiteID(s config.Site) string { return cmp.Or(s.ID, "tidings") }
