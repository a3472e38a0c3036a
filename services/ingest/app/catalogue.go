package app

import (
	"context"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/services/ingest/internal/identity"
	"tidings.internal/services/ingest/internal/poll"
)

// catalogue is every source that there is: those of the configuration and those that were added at run time.
type catalogue struct {
	settings settings
	wishes   map[string]wish
	// damaged says what is wrong with an entry of the bucket that cannot be used.
	damaged map[string]error
	// list has the declared sources in their order and behind them, by id, those that were added.
	list []*poll.Source
	// feeds finds the id of a source by the address of its feed.
	feeds map[string]string
}

func openCatalogue(ctx context.Context, b *bus.Bus, doc *config.Doc) (*catalogue, error) {
	c := &catalogue{settings: read(doc), wishes: map[string]wish{}, damaged: map[string]error{}, feeds: map[string]string{}}
	if err := doc.Err(); err != nil {
		return nil, err
	}
	entries, err := b.Bucket(event.BucketSourceConfig).Entries(ctx)
	if err != nil {
		return nil, err
	}
	c.list = slices.Clone(c.settings.sources)
	for _, e := range entries {
		w, err := readWish(e.Value)
		if err != nil {
			c.damaged[e.Key] = err
			continue
		}
		c.wishes[e.Key] = w
		if w.Source == nil || c.declares(e.Key) {
			continue
		}
		src, err := w.Source.source()
		if err == nil && src.ID != e.Key {
			err = fault.Errorf(fault.Invalid, "its id is %.40q and not that of its entry", src.ID)
		}
		if err != nil {
			c.damaged[e.Key] = err
			continue
		}
		c.list = append(c.list, src)
	}
	slices.SortFunc(c.list[len(c.settings.sources):], func(a, b *poll.Source) int { return strings.Compare(a.ID, b.ID) })
	for _, s := range slices.Backward(c.list) { // so that the first of several counts
		c.feeds[identity.SameFeed(s.URL)] = s.ID
	}
	return c, nil
}

func (c *catalogue) declares(id string) bool {
	return slices.ContainsFunc(c.settings.sources, func(s *poll.Source) bool { return s.ID == id })
}

// Outcome is what became of a source that was to be added.
type Outcome string

// The outcomes.
const (
	Added   Outcome = "added"
	Exists  Outcome = "exists"  // nothing new was said of it
	Updated Outcome = "updated" // it was there, and what was said of it is new
	Refused Outcome = "error"
)

// Addition tells what became of a definition.
type Addition struct {
	ID      string  `json:"id,omitempty"`
	Outcome Outcome `json:"outcome"`
	// Why says more where the outcome needs it.
	Why string `json:"why,omitempty"`
}

// plan is what a definition comes to, before it is written.
type plan struct {
	Addition
	definition Definition
}

// add decides what a definition comes to, and takes it up, so that the next one is judged beside it.
func (c *catalogue) add(d Definition) plan {
	feed := identity.SameFeed(d.URL)
	if there := c.feeds[feed]; d.ID == "" && there != "" {
		d.ID = there
	}
	if d.ID == "" {
		d.ID = article.RunTimeSource(feed)
	}
	refused := func(why string) plan { return plan{Addition: Addition{ID: d.ID, Outcome: Refused, Why: why}} }
	if _, err := d.source(); err != nil {
		return refused(err.Error())
	}
	there := c.feeds[feed]
	was := c.wishes[d.ID].Source
	switch {
	case there == d.ID && c.declares(d.ID):
		return plan{Addition: Addition{ID: d.ID, Outcome: Exists, Why: "it stands in the configuration and is changed there"}}
	case c.declares(d.ID):
		return refused("source " + d.ID + " stands in the configuration; change it there")
	case there != "" && there != d.ID:
		return plan{Addition: Addition{ID: there, Outcome: Exists, Why: "there is a source of this feed with another id"}}
	case was != nil && identity.SameFeed(was.URL) != feed:
		return refused("there is a source " + d.ID + " already, with the address " + was.URL + "; give another --id, or remove that one first")
	}
	outcome := Added
	if was != nil {
		merged, news := d.over(*was)
		if outcome = Updated; !news {
			outcome = Exists
		}
		d = merged
	}
	w := c.wishes[d.ID]
	w.Source = &d
	c.wishes[d.ID], c.feeds[feed] = w, d.ID
	return plan{Addition{ID: d.ID, Outcome: outcome}, d}
}

// writers is how many sources are written at a time.
const writers = 16

// AddSources adds sources and tells of each what became of it. What is there already takes over what is newly said of
// it. One that is refused does not stop the others; an error says that the broker is away: what was written until then
// stays, and adding all of them again is harmless. With dry nothing is written.
func AddSources(ctx context.Context, b *bus.Bus, doc *config.Doc, list []Definition, dry bool) ([]Addition, error) {
	c, err := openCatalogue(ctx, b, doc)
	if err != nil {
		return nil, err
	}
	out, last := make([]Addition, len(list)), map[string]int{}
	plans := make([]plan, len(list))
	for i, d := range list {
		plans[i] = c.add(d)
		out[i] = plans[i].Addition
		if o := out[i].Outcome; o == Added || o == Updated {
			last[out[i].ID] = i // it holds what was said before it, too
		}
	}
	if dry {
		return out, nil
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(writers)
	for _, i := range last {
		group.Go(func() error {
			err := write(ctx, b, plans[i].definition)
			if err == nil && plans[i].Outcome == Added {
				b.Notice(ctx, event.Notice{Type: "source_added", Source: out[i].ID, Text: "an operator added the source"})
			}
			if fault.KindOf(err) == fault.Invalid {
				out[i] = Addition{ID: out[i].ID, Outcome: Refused, Why: err.Error()}
				return nil
			}
			return err
		})
	}
	return out, group.Wait()
}

// write stores a definition, unless somebody else gave its id to another feed since it was judged.
func write(ctx context.Context, b *bus.Bus, d Definition) error {
	return want(ctx, b, d.ID, func(w wish, _ bool) (map[string]any, error) {
		next := d
		if w.Source != nil {
			if identity.SameFeed(w.Source.URL) != identity.SameFeed(d.URL) {
				return nil, fault.Errorf(fault.Invalid, "there is a source %s already, with the address %s", d.ID, w.Source.URL)
			}
			var news bool
			if next, news = d.over(*w.Source); !news {
				return nil, nil
			}
		}
		return map[string]any{"source": next}, nil
	})
}

// EditSource changes what is said of a source that was added at run time: each change is key=value, and an empty value
// means the default. The key identity, with the value 0, lets a source go by its ids again that gave bad ones; it may be
// given for a declared source, too.
func EditSource(ctx context.Context, b *bus.Bus, doc *config.Doc, id string, changes []string) error {
	c, err := openCatalogue(ctx, b, doc)
	if err != nil {
		return err
	}
	fields := map[string]any{}
	var pairs [][2]string
	for _, text := range changes {
		key, value, ok := strings.Cut(text, "=")
		switch {
		case !ok:
			return fault.Errorf(fault.Invalid, "%.80q is not KEY=VALUE, such as every=15m", text)
		case key != "identity":
			pairs = append(pairs, [2]string{key, value})
		case value != "0":
			return fault.Errorf(fault.Invalid, "identity can be set to 0 only: the source goes by its ids again")
		default:
			fields["identity_at"] = time.Now().UTC()
		}
	}
	switch {
	case len(pairs) > 0 && c.declares(id):
		return fault.Errorf(fault.Invalid, "source %s stands in the configuration; change it there", id)
	case c.declares(id):
	case c.wishes[id].Source == nil:
		return noSource(id)
	}
	return want(ctx, b, id, func(w wish, _ bool) (map[string]any, error) {
		if len(pairs) == 0 {
			return fields, nil
		}
		if w.Source == nil {
			return nil, noSource(id)
		}
		next, err := w.Source.edited(pairs)
		if err != nil {
			return nil, err
		}
		if _, err := next.source(); err != nil {
			return nil, err
		}
		if there := c.feeds[identity.SameFeed(next.URL)]; there != "" && there != id {
			return nil, fault.Errorf(fault.Invalid, "source %s polls %s already", there, next.URL)
		}
		fields["source"] = next
		return fields, nil
	})
}

func noSource(id string) error { return fault.Errorf(fault.Invalid, "there is no source %.60q", id) }

// RemoveSource ends a source that was added at run time. Its articles stay, and so does what is remembered of it: added
// again, it goes on where it was.
func RemoveSource(ctx context.Context, b *bus.Bus, doc *config.Doc, id string) error {
	s := read(doc)
	if err := doc.Err(); err != nil {
		return err
	}
	if slices.ContainsFunc(s.sources, func(src *poll.Source) bool { return src.ID == id }) {
		return fault.Errorf(fault.Invalid, "source %s stands in the configuration; take it out there, or pause it", id)
	}
	bucket := b.Bucket(event.BucketSourceConfig)
	e, ok, err := bucket.Read(ctx, id)
	if err != nil {
		return err
	}
	if w, bad := readWish(e.Value); !ok || bad == nil && w.Source == nil {
		return noSource(id)
	}
	if err := bucket.DeleteAt(ctx, id, e.Revision); err != nil {
		return err
	}
	b.Notice(ctx, event.Notice{Type: "source_removed", Source: id, Text: "an operator removed the source; its articles stay"})
	return nil
}

// Definitions says of every source, by id, what can be said at run time.
func Definitions(ctx context.Context, b *bus.Bus, doc *config.Doc) ([]Definition, error) {
	c, err := openCatalogue(ctx, b, doc)
	if err != nil {
		return nil, err
	}
	list := make([]Definition, len(c.list))
	for i, s := range c.list {
		list[i] = define(s)
	}
	slices.SortFunc(list, func(a, b Definition) int { return strings.Compare(a.ID, b.ID) })
	return list, nil
}
