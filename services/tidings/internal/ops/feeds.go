package ops

import (
	"tidings.internal/pkg/config"
	publish "tidings.internal/services/publish/app"
)

// What publish says of feeds.
type (
	FeedInfo  = publish.FeedInfo
	FeedToken = publish.FeedToken
)

// Feeds lists the feeds of a configuration.
func Feeds(doc *config.Doc) ([]FeedInfo, error) { return publish.ListFeeds(doc) }

// NewFeedToken makes a token for a private feed.
func NewFeedToken(doc *config.Doc, id string) (FeedToken, error) {
	return publish.NewFeedToken(doc, id)
}
