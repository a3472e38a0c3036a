package compose

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"text/template"
	"time"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/services/publish/internal/item"
	"tidings.internal/services/publish/internal/selection"
)

// Channel is a channel made ready to compose for.
type Channel struct {
	config.Channel
	site      config.Site
	network   Network
	selection *selection.Selection
	template  *template.Template
}

// New makes a channel ready: its selection is taken apart and its template tried on samples, so that what is wrong
// shows at the start and not at the first article. The error is a sentence that begins with the key.
func New(c config.Channel, n Network, site config.Site) (*Channel, error) {
	ch := &Channel{Channel: c, site: site, network: n}
	var err error
	if ch.selection, err = selection.Compile(c.Select); err != nil {
		return nil, fmt.Errorf("select.%w", err)
	}
	if n.Template == "" {
		if c.Template != "" {
			return nil, fmt.Errorf("template: a channel of network %s has none", n.Name)
		}
		return ch, nil
	}
	if ch.template, err = ch.parse(cmp.Or(c.Template, n.Template)); err != nil {
		return nil, fmt.Errorf("template: %w", err)
	}
	for _, it := range samples() {
		if _, err := n.Compose(ch.input(it, event.ActionCreate, 1, false)); err != nil {
			return nil, fmt.Errorf("template: %w", err)
		}
	}
	return ch, nil
}

// Network returns the network of the channel.
func (c *Channel) Network() Network { return c.network }

// Takes reports whether the channel's selection takes an article.
func (c *Channel) Takes(a *article.Article) bool { return c.selection.Match(a) }

// Level is how much of an article the channel may pass on.
func (c *Channel) Level() article.Syndicate {
	switch c.Content {
	case "summary":
		return article.Excerpt
	case "title":
		return article.Headline
	default:
		return article.Full
	}
}

func (c *Channel) input(it *item.Item, action string, revision uint64, backfill bool) Input {
	it = it.At(c.Level())
	return Input{Channel: c, Item: it, Link: mark(it.URL, c.UTM), Action: action, Revision: revision, Backfill: backfill}
}

// Post composes a post of an article. it is the article's item in full.
func (c *Channel) Post(a *article.Article, it *item.Item, action string, backfill bool) (event.Post, error) {
	return c.compose(a, c.input(it, action, a.Revision, backfill))
}

// Edited composes a first post of an article with a person's words, under the limits and with the escapes of every other.
// Words that are too long are an error: nothing of them is left out.
func (c *Channel) Edited(a *article.Article, it *item.Item, words string) (event.Post, error) {
	in := c.input(it, event.ActionCreate, a.Revision, false)
	switch in.Words = tidy(words); {
	case c.template == nil:
		return event.Post{}, &Error{NoWords, fault.Errorf(fault.Invalid, "compose for channel %s: posts of network %s have no text to edit", c.ID, c.network.Name)}
	case in.Words == "":
		return event.Post{}, &Error{NoWords, fault.Errorf(fault.Invalid, "compose for channel %s: the text is empty", c.ID)}
	case len(in.Words) > maxOutput:
		return event.Post{}, &Error{PostTooLong, fault.Errorf(fault.TooLarge, "compose for channel %s: the text has %d bytes, more than %d", c.ID, len(in.Words), maxOutput)}
	}
	return c.compose(a, in)
}

func (c *Channel) compose(a *article.Article, in Input) (event.Post, error) {
	d, err := c.network.Compose(in)
	if err != nil {
		if e, ok := errors.AsType[*Error](err); ok {
			return event.Post{}, &Error{e.Class, fault.Errorf(fault.Invalid, "compose for channel %s: %w", c.ID, err)}
		}
		return event.Post{}, fault.Errorf(fault.Internal, "compose for channel %s: %w", c.ID, err)
	}
	p := event.Post{
		Channel: c.ID, Network: c.network.Name, Story: in.Item.Story, Article: a.ID, Revision: a.Revision, Action: in.Action,
		Backfill: in.Backfill, FirstSeen: a.FirstSeen.UTC(), Published: in.Item.Published, Title: in.Item.Title, URL: in.Item.URL,
		Language: in.Item.Language, Text: d.Text, Count: d.Count, Request: d.Request, Media: d.Media,
	}
	if !a.Story.FirstSeen.IsZero() {
		p.FirstSeen = a.Story.FirstSeen.UTC()
	}
	if p.Hash, err = hash(d); err != nil {
		return event.Post{}, fault.Errorf(fault.Internal, "compose for channel %s: %w", c.ID, err)
	}
	return p, nil
}

// hash is [event.Hash] of the text, the request and the media of a draft, written as one document. The body is taken as it
// is: [JSON] has made it, and to write it within the document would be to read it again, byte by byte.
func hash(d Draft) (string, error) {
	var doc struct {
		Text    string
		Request event.Request
	}
	doc.Text, doc.Request = d.Text, d.Request
	doc.Request.Body = nil
	head, err := event.Marshal(doc)
	if err != nil {
		return "", err
	}
	media, err := event.Marshal(d.Media)
	if err != nil {
		return "", err
	}
	// The body is the last field of the request, and the media follow it.
	head = bytes.TrimSuffix(head, []byte("}}"))
	name := []byte(`,"body":`)
	switch {
	case len(d.Request.Body) == 0:
		name = nil
	case bytes.HasSuffix(head, []byte("{")): // there is no field before it
		name = name[1:]
	}
	return event.Hash(head, name, d.Request.Body, []byte(`},"Media":`), media, []byte("}")), nil
}

// Changed reports whether a post is worth an edit of the one that was composed before.
func (c *Channel) Changed(before, now *event.Post) bool {
	if c.network.AnyChange {
		return before.Hash != now.Hash
	}
	return before.Title != now.Title || before.URL != now.URL
}

// mark puts the channel's marks on a link: before the fragment, and never over marks that are there already.
func mark(link string, utm config.UTM) string {
	if utm == (config.UTM{}) {
		return link
	}
	u, err := url.Parse(link)
	if err != nil {
		return link
	}
	var query []string
	if u.RawQuery != "" {
		query = append(query, u.RawQuery)
	}
	there := u.Query()
	for _, m := range [][2]string{{"utm_source", utm.Source}, {"utm_medium", utm.Medium}, {"utm_campaign", utm.Campaign}} {
		if m[1] != "" && !there.Has(m[0]) {
			query = append(query, m[0]+"="+url.QueryEscape(m[1]))
		}
	}
	u.RawQuery = strings.Join(query, "&")
	return u.String()
}

// samples are what a template is tried on: an article with everything, and one with as little as there can be.
func samples() []*item.Item {
	at := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	rich := &item.Item{
		ID: "urn:uuid:00000000-0000-5000-8000-000000000000", URL: "https://example.org/article", Title: "A title of some words",
		Summary: "A summary. It has two sentences.", HTML: "<p>Text</p>", Language: "en", Published: at, Updated: at,
		Authors: []item.Author{{Name: "Jane Doe"}}, Tags: []item.Tag{{Term: "sample", Label: "Sample tag"}},
		Source: item.Source{ID: "sample", Title: "Sample source"}, Level: article.Full,
	}
	poor := &item.Item{ID: rich.ID, URL: rich.URL, Title: rich.Title, Published: at, Updated: at, Level: article.Full}
	return []*item.Item{rich, poor}
}

// limit is a builder that refuses to grow past a number of bytes.
type limit struct {
	strings.Builder
	most int
}

// Write keeps what fits and fails when it is more.
func (l *limit) Write(p []byte) (int, error) {
	if l.Len()+len(p) > l.most {
		return 0, fmt.Errorf("the template writes more than %d bytes", l.most)
	}
	return l.Builder.Write(p)
}

// first returns at most n entries of a list.
func first[T any](list []T, n int) []T { return slices.Clip(list[:min(max(n, 0), len(list))]) }
