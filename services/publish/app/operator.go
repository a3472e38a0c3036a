package app

import (
	"cmp"
	"context"
	crand "crypto/rand"
	"fmt"
	"slices"
	"time"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/services/publish/internal/compose"
	"tidings.internal/services/publish/internal/feed"
	"tidings.internal/services/publish/internal/item"
)

// FeedInfo is a feed of the configuration as an operator sees it.
type FeedInfo struct {
	ID     string `json:"id"`
	Title  string `json:"title"`
	Status string `json:"status"`
	// Private: only those with a token read it.
	Private bool `json:"private,omitempty"`
	// Tokens are the names of the readers of a private feed.
	Tokens []string `json:"tokens,omitempty"`
	// Page is the address for people; of a private feed without its token.
	Page string `json:"page"`
}

// FeedGone is the status of a feed that is answered with 410.
const FeedGone = feed.Gone

// ListFeeds lists the feeds of the configuration. It asks nobody.
func ListFeeds(doc *config.Doc) ([]FeedInfo, error) {
	s := read(doc)
	if err := doc.Err(); err != nil {
		return nil, err
	}
	base := s.base(listening(s.publish.Listen))
	var list []FeedInfo
	for _, c := range s.feeds {
		f, err := feed.New(c, s.site, base)
		if err != nil {
			return nil, err
		}
		info := FeedInfo{ID: c.ID, Title: f.Head.Title, Status: cmp.Or(c.Status, feed.Active), Private: f.Private(), Page: f.Head.Page}
		for _, t := range c.Tokens {
			info.Tokens = append(info.Tokens, t.Name)
		}
		if f.Private() {
			info.Page = f.Under(tokenPlace).Page
		}
		list = append(list, info)
	}
	return list, nil
}

// Selecting names the feeds of the configuration that take an article, but for those that are gone. It asks nobody.
func Selecting(doc *config.Doc, a *article.Article) ([]string, error) {
	s := read(doc)
	if err := doc.Err(); err != nil {
		return nil, err
	}
	ids := []string{}
	for _, c := range s.feeds {
		f, err := feed.New(c, s.site, "")
		if err != nil {
			return nil, err
		}
		if c.Status != feed.Gone && f.Takes(a) {
			ids = append(ids, c.ID)
		}
	}
	return ids, nil
}

// listening is an address of the configuration as one that is listened on.
type listening string

// Network returns "tcp".
func (listening) Network() string { return "tcp" }

// String gives the address.
func (l listening) String() string { return string(l) }

// FeedToken is a new token of a private feed.
type FeedToken struct {
	Token  string `json:"token"`
	SHA256 string `json:"sha256"`
	// Page is the address for people, with the token, RSS that for readers.
	Page string `json:"page"`
	RSS  string `json:"rss"`
	// Public is set where the feed is not private: a token has no meaning there yet.
	Public bool `json:"public,omitempty"`
}

// NewFeedToken makes a token for a feed. Nothing is stored: it holds once its hash stands in the configuration.
func NewFeedToken(doc *config.Doc, id string) (FeedToken, error) {
	s := read(doc)
	if err := doc.Err(); err != nil {
		return FeedToken{}, err
	}
	for _, c := range s.feeds {
		if c.ID != id {
			continue
		}
		f, err := feed.New(c, s.site, s.base(listening(s.publish.Listen)))
		if err != nil {
			return FeedToken{}, err
		}
		token, sum := feed.NewToken()
		page := f.Under("/t/" + token).Page
		return FeedToken{Token: token, SHA256: sum, Page: page, RSS: page + ".rss", Public: !f.Private()}, nil
	}
	return FeedToken{}, fault.Errorf(fault.Invalid, "there is no feed %q in the configuration; \"tidings feeds list\" shows what there is", id)
}

// PostPreview is the very post that a channel would get.
type PostPreview struct {
	event.Post
	// Selected tells whether the channel's selection takes the article.
	Selected bool `json:"selected"`
}

// EditPost composes the post of a stored article for a channel with a person's words. Nothing is emitted.
func EditPost(ctx context.Context, b *bus.Bus, doc *config.Doc, channel, id, words string) (event.Post, error) {
	ch, site, err := find(doc, channel)
	if err != nil {
		return event.Post{}, err
	}
	a, err := stored(ctx, b, id)
	if err != nil {
		return event.Post{}, err
	}
	it, err := item.New(a, site)
	if err != nil {
		return event.Post{}, err
	}
	return ch.Edited(a, it, words)
}

// TestPost composes a post for a channel that says what it is: a test of the channel, of no article. Nothing is emitted.
func TestPost(doc *config.Doc, channel string, now time.Time) (event.Post, error) {
	ch, site, err := find(doc, channel)
	if err != nil {
		return event.Post{}, err
	}
	now = now.UTC()
	a := &article.Article{
		ID: article.NewID("channels-test", channel+" "+crand.Text()), Revision: 1, Title: "Test of channel " + channel + ", " + now.Format(time.RFC3339),
		URL: cmp.Or(read(doc).site.URL, "https://example.org/"), Published: &now, FirstSeen: now, Fetched: now,
		Summary:  "This post was sent to see whether the channel works. It is deleted again where the network allows that.",
		Language: article.Language{Code: "en", Confidence: 1}, Source: article.Source{ID: "channels-test", Title: "Test"},
	}
	a.Story = article.Story{ID: a.ID, FirstSeen: now}
	it, err := item.New(a, site)
	if err != nil {
		return event.Post{}, err
	}
	return ch.Post(a, it, event.ActionCreate, false)
}

// DifferentLimits compares the limits that a server named with those of a channel of the configuration, and returns the
// lines to write into the channel, sorted; none when they agree.
func DifferentLimits(doc *config.Doc, channel string, said map[string]int) ([]string, error) {
	ch, _, err := find(doc, channel)
	if err != nil || ch.Network().Limits == nil {
		return nil, err
	}
	var lines []string
	for key, mine := range ch.Network().Limits(ch.Settings) {
		if theirs, ok := said[key]; ok && theirs != mine {
			lines = append(lines, fmt.Sprintf("%s: %d", key, theirs))
		}
	}
	slices.Sort(lines)
	return lines, nil
}

// find returns a channel of the configuration, and the id of its site.
func find(doc *config.Doc, channel string) (*compose.Channel, string, error) {
	s := read(doc)
	if err := doc.Err(); err != nil {
		return nil, "", err
	}
	i := slices.IndexFunc(s.channels, func(c *compose.Channel) bool { return c.ID == channel })
	if i < 0 {
		return nil, "", fault.Errorf(fault.Invalid, "there is no channel %q in the configuration", channel)
	}
	return s.channels[i], feed.SiteID(s.site), nil
}

// PreviewPost composes a post for a channel of the configuration: of a stored article, or of a sample where none is
// named, for which b may be nil. Nothing is emitted.
func PreviewPost(ctx context.Context, b *bus.Bus, doc *config.Doc, channel, id string) (PostPreview, error) {
	ch, site, err := find(doc, channel)
	if err != nil {
		return PostPreview{}, err
	}
	a := sampleArticle()
	if id != "" {
		if a, err = stored(ctx, b, id); err != nil {
			return PostPreview{}, err
		}
	}
	it, err := item.New(a, site)
	if err != nil {
		return PostPreview{}, err
	}
	p, err := ch.Post(a, it, event.ActionCreate, a.Backfill)
	return PostPreview{p, ch.Takes(a)}, err
}

// sampleArticle is an article that has everything.
func sampleArticle() *article.Article {
	at := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	id := article.NewID("sample", "1")
	return &article.Article{
		ID: id, Revision: 1, URL: "https://example.org/articles/tides?from=feed", Title: "Schoolchildren run the tide gauges that the harbour could not afford",
		Summary: "Three classes took over the gauges of the old harbour. They read them twice a day, and the fishermen have begun to ask them first.",
		HTML:    "<p>Three classes took over the gauges of the old harbour.</p>", Language: article.Language{Code: "en", Confidence: 1}, Published: &at, FirstSeen: at, Fetched: at,
		Authors: []article.Person{{Name: "Jane Doe"}}, Image: &article.Image{URL: "https://example.org/tides.jpg", Type: "image/jpeg", Alt: "A gauge at low water"},
		Tags:   []article.Tag{{ID: "schools", Label: map[string]string{"en": "Schools"}}, {ID: "open-data", Label: map[string]string{"en": "Open data"}}},
		Source: article.Source{ID: "sample", Title: "Sample source", FeedURL: "https://example.org/feed"}, Story: article.Story{ID: id, FirstSeen: at},
	}
}

// stored reads an article.
func stored(ctx context.Context, b *bus.Bus, id string) (*article.Article, error) {
	subject, err := b.ArticleSubject(ctx, id)
	if err != nil {
		return nil, err
	}
	if subject == "" {
		return nil, fault.Errorf(fault.Invalid, "there is no article %q", id)
	}
	r, err := b.Last(ctx, subject)
	switch {
	case err != nil:
		return nil, err
	case r == nil:
		return nil, fault.Errorf(fault.Invalid, "article %q is not enriched yet", id)
	case r.Header.Value(event.HeaderType) == event.TypeDeleted:
		return nil, fault.Errorf(fault.Gone, "article %s was taken down", id)
	}
	_, a, err := event.DecodeEnriched(r.Message)
	return &a, err
}

// ListPosts lists the posts that are on the bus, of one channel or of all, those that were composed last first.
func ListPosts(ctx context.Context, b *bus.Bus, channel string) ([]event.Post, error) {
	list := []event.Post{}
	err := b.Read(ctx, event.StreamPosts, func(r bus.Record) error {
		if r.Header.Value(event.HeaderType) != event.TypePost {
			return nil // taken back, or a mark that one grew too old
		}
		_, p, err := event.DecodePost(r.Message)
		if err != nil {
			return nil // a dead letter tells of it
		}
		if channel == "" || p.Channel == channel {
			list = append(list, p)
		}
		return nil
	})
	slices.Reverse(list)
	return list, err
}

// ShowPost gives the post of a story on a channel.
func ShowPost(ctx context.Context, b *bus.Bus, channel, story string) (event.Post, error) {
	subject, err := event.PostSubject(channel, story)
	if err != nil {
		return event.Post{}, err
	}
	r, err := b.Last(ctx, subject)
	switch {
	case err != nil:
		return event.Post{}, err
	case r == nil || r.Marker:
		return event.Post{}, fault.Errorf(fault.Invalid, "there is no post of story %s for channel %s", story, channel)
	case r.Header.Value(event.HeaderType) != event.TypePost:
		return event.Post{}, fault.Errorf(fault.Invalid, "the post of story %s for channel %s was taken back; \"tidings deliveries show %[2]s/%[1]s\" tells what became of it", story, channel)
	}
	_, p, err := event.DecodePost(r.Message)
	return p, err
}
