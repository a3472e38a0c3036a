package ledger

import (
	"strconv"
	"strings"

	"tidings.internal/pkg/article"
)

// Key is the place of a story's row in the bucket.
func Key(channel, story string) string { return "p." + channel + "." + story }

// Keys is the filter for all post rows of a channel.
func Keys(channel string) string { return "p." + channel + ".>" }

// AllKeys is the filter for the post rows of every channel.
const AllKeys = "p.>"

// ChannelKey is the place of a channel's own row.
func ChannelKey(channel string) string { return "c." + channel }

// ChannelKeys is the filter for the rows of all channels.
const ChannelKeys = "c.*"

// StoryOf takes the story out of the key of a post row.
func StoryOf(key string) string { return key[strings.LastIndexByte(key, '.')+1:] }

// CreateKey is the idempotency key of a first post. It leaves the revision out, so that a crash and an edit between
// two tries still make one post.
func CreateKey(channel, story string) string { return article.Digest(article.IDLength, channel, story) }

// EditKey is the idempotency key of an edit or a deletion.
func EditKey(channel, story string, op Op, revision uint64) string {
	return article.Digest(article.IDLength, channel, story, string(op), strconv.FormatUint(revision, 10))
}
