package ops

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/feedcheck"
	publish "tidings.internal/services/publish/app"
)

// What publish says of feeds.
type (
	FeedInfo  = publish.FeedInfo
	FeedToken = publish.FeedToken
)

// FeedGone is the status of a feed that is answered with 410.
const FeedGone = publish.FeedGone

// Feeds lists the feeds of a configuration.
func Feeds(doc *config.Doc) ([]FeedInfo, error) { return publish.ListFeeds(doc) }

// NewFeedToken makes a token for a private feed.
func NewFeedToken(doc *config.Doc, id string) (FeedToken, error) {
	return publish.NewFeedToken(doc, id)
}

// FeedDetail is all that is known of one feed.
type FeedDetail struct {
	FeedInfo
	// Settings are what the configuration says of it; none of the feed "all" where the file does not name it.
	Settings []Setting `json:"settings"`
	// Documents is how it is served now; none where no publish runs, and for a feed that is gone.
	Documents []FeedDocument `json:"documents"`
}

// FeedDocument is a feed in one format.
type FeedDocument struct {
	Format  string    `json:"format"`
	Address string    `json:"address"`
	Bytes   int       `json:"bytes"`
	Packed  int       `json:"packed"`
	Changed time.Time `json:"changed,omitzero"`
	SHA256  string    `json:"sha256"`
	// Problems are the rules that the document breaks; only a check looks for them.
	Problems []feedcheck.Problem `json:"problems,omitempty"`
}

// checkers are the formats with what checks them.
func checkers() map[string]func([]byte, feedcheck.Expect) []feedcheck.Problem {
	return map[string]func([]byte, feedcheck.Expect) []feedcheck.Problem{"rss": feedcheck.RSS, "atom": feedcheck.Atom, "json": feedcheck.JSON}
}

// formats in the order in which they are shown.
func formats() []string { return []string{"rss", "atom", "json"} }

// Feed tells of a feed of the configuration.
func (o *Ops) Feed(ctx context.Context, id string) (FeedDetail, error) {
	d := FeedDetail{Settings: []Setting{}, Documents: []FeedDocument{}}
	list, err := Feeds(o.doc)
	if err != nil {
		return d, err
	}
	i := slices.IndexFunc(list, func(f FeedInfo) bool { return f.ID == id })
	if i < 0 {
		return d, noFeed(id)
	}
	d.FeedInfo = list[i]
	for n, f := range o.feedEntries() {
		if f == id {
			d.Settings = said(Settings(o.doc, fmt.Sprintf("feeds[%d]", n)))
		}
	}
	if d.Status == FeedGone {
		return d, nil
	}
	for _, format := range formats() {
		one, _, err := o.document(ctx, event.FeedRequest{Feed: id, Format: format, Look: true})
		switch {
		case fault.KindOf(err) == fault.Unreachable:
			return d, nil // nobody is there who could tell
		case err != nil:
			return d, err
		}
		d.Documents = append(d.Documents, one)
	}
	return d, nil
}

// said leaves out what nobody has said.
func said(list []Setting) []Setting {
	return slices.DeleteFunc(list, func(s Setting) bool { return s.Origin == "default" })
}

// feedEntries are the ids of the feeds in the file, in its order.
func (o *Ops) feedEntries() []string {
	var entries []struct {
		ID string `yaml:"id"`
	}
	o.doc.Peek("feeds", &entries)
	ids := make([]string, len(entries))
	for i, e := range entries {
		ids[i] = e.ID
	}
	return ids
}

func noFeed(id string) error {
	return fault.Errorf(fault.Invalid, "there is no feed %q in the configuration; \"tidings feeds list\" shows what there is", id)
}

// CheckFeed holds a feed, as publish serves it now, to the rules of its three formats. Feeds that come into being by
// themselves have an id, too.
func (o *Ops) CheckFeed(ctx context.Context, id string) ([]FeedDocument, error) {
	var list []FeedDocument
	for _, format := range formats() {
		d, body, err := o.document(ctx, event.FeedRequest{Feed: id, Format: format})
		switch {
		case fault.KindOf(err) == fault.Gone && o.gone(id):
			return nil, fault.Errorf(fault.Invalid, "feed %s has \"status: gone\": readers are answered 410, and there is nothing to check", id)
		case fault.KindOf(err) == fault.Gone:
			return nil, noFeed(id)
		case err != nil:
			return nil, err
		}
		d.Problems = checkers()[format](body, feedcheck.Expect{Self: d.Address, Now: time.Now()})
		list = append(list, d)
	}
	return list, nil
}

// gone reports whether the configuration has given a feed up.
func (o *Ops) gone(id string) bool {
	list, err := Feeds(o.doc)
	return err == nil && slices.ContainsFunc(list, func(f FeedInfo) bool { return f.ID == id && f.Status == FeedGone })
}

// maxDocument bounds what a document may unpack to.
const maxDocument = 64 << 20

// document asks publish for a document.
func (o *Ops) document(ctx context.Context, r event.FeedRequest) (FeedDocument, []byte, error) {
	var reply event.FeedReply
	if err := o.bus.Ask(ctx, event.UserPublish, event.VerbFeed, r, &reply); err != nil {
		return FeedDocument{}, nil, err
	}
	d := FeedDocument{Format: r.Format, Address: reply.Self, Bytes: reply.Bytes, Packed: reply.Packed, Changed: reply.Changed, SHA256: reply.SHA256}
	if r.Look {
		return d, nil, nil
	}
	z, err := gzip.NewReader(bytes.NewReader(reply.Gzip))
	if err != nil {
		return d, nil, fault.Errorf(fault.Malformed, "unpack feed %s as %s: %w", r.Feed, strings.ToUpper(r.Format), err)
	}
	body, err := io.ReadAll(io.LimitReader(z, maxDocument))
	if err != nil {
		return d, nil, fault.Errorf(fault.Malformed, "unpack feed %s as %s: %w", r.Feed, strings.ToUpper(r.Format), err)
	}
	return d, body, nil
}
