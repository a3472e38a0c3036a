package app

import (
	"cmp"

	"tidings.internal/pkg/config"
	"tidings.internal/pkg/fault"
	"tidings.internal/services/publish/internal/feed"
)

// FeedInfo is a feed of the configuration as an operator sees it.
type FeedInfo struct {
	ID     string `json:"id"`
	Title  string `json:"title"`
	Status string `json:"status"`
	// Tokens are the names of the readers of a private feed.
	Tokens []string `json:"tokens,omitempty"`
	// Page is the address for people; of a private feed without its token.
	Page string `json:"page"`
}

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
		info := FeedInfo{ID: c.ID, Title: f.Head.Title, Status: cmp.Or(c.Status, feed.Active), Page: f.Head.Page}
		for _, t := range c.Tokens {
			info.Tokens = append(info.Tokens, t.Name)
		}
		if f.Private() {
			info.Page = f.Under("/t/TOKEN").Page
		}
		list = append(list, info)
	}
	return list, nil
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
	// Page is the address for people, with the token.
	Page string `json:"page"`
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
		return FeedToken{token, sum, f.Under("/t/" + token).Page}, nil
	}
	return FeedToken{}, fault.Errorf(fault.Invalid, "there is no feed %q in the configuration; \"tidings feeds list\" shows what there is", id)
}
