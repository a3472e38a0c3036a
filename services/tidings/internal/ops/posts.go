package ops

import (
	"context"
	"strings"

	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	deliver "tidings.internal/services/deliver/app"
	publish "tidings.internal/services/publish/app"
)

// Post is a post as it stands on the bus, PostPreview one as it would, Count its length against the limit.
type (
	Post        = event.Post
	Count       = event.Count
	PostPreview = publish.PostPreview
)

// Verdict is what becomes of a post.
type Verdict = deliver.Verdict

// Judge tells what would become of a post if it were composed now; nil where no deliver runs that could tell.
func (o *Ops) Judge(ctx context.Context, p Post) (*Verdict, error) {
	v, err := deliver.Judge(ctx, o.bus, p)
	switch fault.KindOf(err) {
	case "":
		return &v, nil
	case fault.Unreachable, fault.Invalid:
		return nil, nil
	}
	return nil, err
}

// PreviewSample composes a post of a sample article for a channel. It asks nobody.
func PreviewSample(ctx context.Context, doc *config.Doc, channel string) (PostPreview, error) {
	return publish.PreviewPost(ctx, nil, doc, channel, "")
}

// PreviewPost composes the post of a stored article for a channel, and emits nothing.
func (o *Ops) PreviewPost(ctx context.Context, channel, article string) (PostPreview, error) {
	return publish.PreviewPost(ctx, o.bus, o.doc, channel, article)
}

// Posts lists posts, those that were composed last first.
func (o *Ops) Posts(ctx context.Context, channel string) ([]Post, error) {
	return publish.ListPosts(ctx, o.bus, channel)
}

// Post gives the post of a channel/story.
func (o *Ops) Post(ctx context.Context, id string) (Post, error) {
	channel, story, ok := strings.Cut(id, "/")
	if !ok {
		return Post{}, fault.Errorf(fault.Invalid, "%q is not channel/story", id)
	}
	return publish.ShowPost(ctx, o.bus, channel, story)
}
