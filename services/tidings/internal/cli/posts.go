package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"tidings.internal/services/tidings/internal/ops"
)

type postsVerb struct {
	List    postListVerb    `cmd:"" help:"List the posts that were composed, the last first."`
	Show    postShowVerb    `cmd:"" help:"Show one as it stands on the bus."`
	Preview postPreviewVerb `cmd:"" help:"Show the very payload that a channel would get, with its count against the limit. Emits nothing."`
}

type postListVerb struct {
	Channel string `help:"Only those of a channel." placeholder:"ID"`
	lastRows
	asJSON
}

// Run is the verb posts list.
func (v *postListVerb) Run(w *world) error {
	if err := v.check(); err != nil {
		return err
	}
	return w.connected(func(ctx context.Context, o *ops.Ops) error {
		list, err := o.Posts(ctx, v.Channel)
		if err != nil {
			return err
		}
		list, left := newest(v.lastRows, list)
		defer w.leftOut(left)
		if v.JSON {
			return w.encode(list)
		}
		if len(list) == 0 {
			return w.printf("no posts\n")
		}
		rows := make([][]string, len(list))
		for i, p := range list {
			rows[i] = []string{p.Channel + "/" + p.Story, p.Network, p.Action, fmt.Sprintf("%d/%d", p.Count.Used, p.Count.Limit), p.Title}
		}
		return w.table([]string{"POST", "NETWORK", "ACTION", "LENGTH", "TITLE"}, rows)
	})
}

type postShowVerb struct {
	ID string `arg:"" help:"The post, channel/story."`
	asJSON
}

// Run is the verb posts show.
func (v *postShowVerb) Run(w *world) error {
	return w.connected(func(ctx context.Context, o *ops.Ops) error {
		p, err := o.Post(ctx, v.ID)
		if err != nil {
			return err
		}
		if v.JSON {
			return w.encode(p)
		}
		return w.post(p)
	})
}

type postPreviewVerb struct {
	Channel string `required:"" help:"Id of the channel." placeholder:"ID"`
	Article string `help:"Id of a stored article; else a sample, for which nothing need run." placeholder:"ID"`
	asJSON
}

// Run is the verb posts preview.
func (v *postPreviewVerb) Run(w *world) error {
	p, err := v.compose(w)
	if err != nil {
		return err
	}
	if v.JSON {
		return w.encode(p)
	}
	if err := w.post(p.Post); err != nil || v.Article == "" {
		return err
	}
	return w.printf("\n%s\n", fate(p))
}

// preview is a post with what becomes of it; of a sample nothing does.
type preview struct {
	ops.PostPreview
	Verdict *ops.Verdict `json:"verdict,omitempty"`
}

func (v *postPreviewVerb) compose(w *world) (p preview, err error) {
	if v.Article == "" {
		doc, _, err := w.target()
		if err != nil {
			return p, err
		}
		p.PostPreview, err = ops.PreviewSample(w.ctx, doc, v.Channel)
		return p, err
	}
	err = w.connected(func(ctx context.Context, o *ops.Ops) (err error) {
		if p.PostPreview, err = o.PreviewPost(ctx, v.Channel, v.Article); err == nil && p.Selected {
			p.Verdict, err = o.Judge(ctx, p.Post)
		}
		return err
	})
	return p, err
}

// fate is the sentence on what becomes of a post.
func fate(p preview) string {
	v := p.Verdict
	switch {
	case !p.Selected:
		return "The channel does not select this article: it would not be posted."
	case v == nil:
		return "No deliver runs that has the channel: what would become of it is not known."
	}
	var words string
	switch {
	case v.Known:
		words = strings.TrimSpace(fmt.Sprintf("The channel knows the story: its delivery is %s %s", v.State, v.Reason))
	case v.State == "held" && v.Reason == "manual":
		words = "It would be held for a person to approve"
	case v.State == "held":
		words = "It would be held"
	case v.State == "skipped":
		words = "It would be skipped: " + v.Reason
	case v.State == "listed":
		words = "It would be told in the next mail to each reader who wants it"
	default:
		words = "It would be sent"
	}
	switch {
	case v.At.IsZero():
	case v.State == "held":
		words += ", until " + when(v.At)
	default:
		words += ", at the earliest at " + when(v.At)
	}
	if v.Paused != "" {
		words += "; the channel is paused: " + v.Paused
	}
	return words + "."
}

// post prints a post: what a reader sees, its length, and the request with its placeholders.
func (w *world) post(p ops.Post) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s), %d of %d %s\n\n", p.Channel, p.Network, p.Count.Used, p.Count.Limit, p.Count.Unit)
	for line := range strings.SplitSeq(p.Text, "\n") {
		fmt.Fprintln(&b, "  "+visible(line))
	}
	fmt.Fprintf(&b, "\n%s %s\n", p.Request.Method, p.Request.Path)
	for _, name := range slices.Sorted(maps.Keys(p.Request.Headers)) {
		fmt.Fprintf(&b, "%s: %s\n", name, visible(p.Request.Headers[name]))
	}
	var body bytes.Buffer
	if len(p.Request.Body) > 0 && json.Indent(&body, p.Request.Body, "", "  ") == nil {
		fmt.Fprintf(&b, "\n%s\n", harmless(body.Bytes()))
	}
	for _, m := range p.Media {
		fmt.Fprintf(&b, "\n%s: %s, described as %q, at most %s\n", m.Name, visible(m.URL), m.Alt, size(uint64(max(m.MaxBytes, 0))))
	}
	return w.printf("%s", b.String())
}

// visible takes out what a terminal would obey, and cuts nothing.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		if steers(r) && r != '\u200d' && r != '\ufe0f' { // what holds emoji together steers nothing
			return -1
		}
		return r
	}, s)
}
