package ops

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	deliver "tidings.internal/services/deliver/app"
	enrich "tidings.internal/services/enrich/app"
	publish "tidings.internal/services/publish/app"
)

// TakenDown is what became of one article of a takedown.
type TakenDown struct {
	bus.TakenDown
	Error string `json:"error,omitempty"`
}

// Takedown removes articles for good: from every feed, from the networks that can delete, and from the store. Each
// stands for itself: one that cannot be removed does not stop the others, and the first error is returned. The reason
// goes into the event that tells of it.
func (o *Ops) Takedown(ctx context.Context, ids []string, reason string) (done []TakenDown, failed error) {
	done = []TakenDown{}
	if strings.TrimSpace(reason) == "" {
		return done, fault.Errorf(fault.Invalid, "take articles down: a reason is needed")
	}
	for _, id := range ids {
		var result bus.TakenDown
		// The verdicts go first: after a kill between the two the article is still listed under its source, so the verb
		// that is repeated comes by here again.
		err := enrich.ForgetVerdicts(ctx, o.bus, id)
		if err == nil {
			result, err = o.bus.Takedown(ctx, id)
		}
		d := TakenDown{TakenDown: result}
		if err != nil {
			d.Error = err.Error()
			if failed == nil {
				failed = err
			}
		} else {
			o.bus.Notice(ctx, event.Notice{Type: "article_taken_down", Source: result.Source, Article: id, Story: result.Story, Reason: event.DeletedTakedown, Text: reason})
		}
		done = append(done, d)
	}
	return done, failed
}

// ArticlesOf lists the ids of the articles of a source that are on their way or stored.
func (o *Ops) ArticlesOf(ctx context.Context, source string) ([]string, error) {
	ids := map[string]bool{}
	for _, place := range []struct {
		stream string
		space  event.Space
	}{{event.StreamRaw, event.SpaceRaw}, {event.StreamRaw, event.SpaceBackfill}, {event.StreamArticles, event.SpaceEnriched}} {
		filter, err := event.OfSource(place.space, source)
		if err != nil {
			return nil, err
		}
		for from := uint64(1); ; {
			r, err := o.bus.Next(ctx, place.stream, filter, from)
			if err != nil {
				return nil, err
			}
			if r == nil {
				break
			}
			from = r.Sequence + 1
			if r.Header.Value(event.HeaderType) == event.TypeDeleted {
				continue // a tombstone has nothing that could be taken down
			}
			if env, err := event.Decode(r.Message); err == nil && env.Article != "" {
				ids[env.Article] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(ids)), nil
}

// Article is an article on its way through the stages.
type Article struct {
	ID     string `json:"id"`
	Source string `json:"source"`
	Story  string `json:"story,omitempty"`
	// Raw are the revisions that RAW still holds, oldest first.
	Raw []Stored `json:"raw"`
	// Enriched is the newest version, or the tombstone; nil where enrich had no success yet.
	Enriched *Stored `json:"enriched,omitempty"`
	Fields   []Field `json:"fields"`
	// Feeds are those of the configuration that select it, nil where it has mistakes. Of a story in several sources a feed
	// shows one article.
	Feeds      []string                 `json:"feeds"`
	Posts      []Stored                 `json:"posts"`
	Deliveries []deliver.DeliveryStatus `json:"deliveries"`
	Dead       []bus.DeadLetter         `json:"dead_letters"`
}

// Stored is one message of an article.
type Stored struct {
	Event
	Version event.Version `json:"version"`
	// Trace is the id of the poll that brought it, as it stands in the logs.
	Trace string `json:"trace,omitempty"`
	// Deleted is the reason of a tombstone.
	Deleted string `json:"deleted,omitempty"`
}

// Field is what enrich made of a field of the newest raw article.
type Field struct {
	Name     string `json:"name"`
	Raw      string `json:"raw"`
	Enriched string `json:"enriched"`
}

// Article follows an article through the stages.
func (o *Ops) Article(ctx context.Context, id string) (Article, error) {
	a := Article{ID: id, Story: id, Raw: []Stored{}, Fields: []Field{}, Feeds: []string{}, Posts: []Stored{}, Deliveries: []deliver.DeliveryStatus{}, Dead: []bus.DeadLetter{}}
	if !article.ValidID(id) {
		return a, fault.Errorf(fault.Invalid, "%q is no article id", id)
	}
	t, err := o.bus.Trail(ctx, id)
	if err != nil {
		return a, err
	}
	if s, err := event.ParseSubject(t.Subject); err == nil {
		a.Source = s.Source
	}
	for _, r := range t.Raw {
		a.Raw = append(a.Raw, stored(r))
	}
	for _, r := range t.Posts {
		a.Posts = append(a.Posts, stored(r))
	}
	a.Dead = append(a.Dead, t.Dead...)
	if t.Article != nil {
		a.Enriched = new(stored(*t.Article))
		a.compare(t)
		if _, x, err := event.DecodeEnriched(t.Article.Message); err == nil {
			// A configuration with a mistake must not hide where the article is; which feeds take it is not known then.
			a.Feeds, _ = publish.Selecting(o.doc, &x)
		}
	}
	rows, err := deliver.Deliveries(ctx, o.bus, deliver.DeliveryFilter{})
	if err != nil {
		return a, err
	}
	a.Deliveries = append(a.Deliveries, slices.DeleteFunc(rows, func(d deliver.DeliveryStatus) bool { return d.Story != a.Story && d.Article != id })...)
	slices.SortFunc(a.Deliveries, func(x, y deliver.DeliveryStatus) int { return cmp.Compare(x.Channel, y.Channel) })
	return a, nil
}

func stored(r bus.Record) Stored {
	s := Stored{Event: seen(r)}
	if env, err := event.Decode(r.Message); err == nil {
		s.Version = env.Version
		// A traceparent is version-trace-span-flags (W3C Trace Context section 3.2).
		if parts := strings.Split(env.Traceparent, "-"); len(parts) == 4 {
			s.Trace = parts[1]
		}
	}
	if r.Header.Value(event.HeaderType) == event.TypeDeleted {
		if _, d, err := event.DecodeDeleted(r.Message); err == nil {
			s.Deleted = d.Reason
		}
	}
	return s
}

// compare fills in the story and, where both are there, what enrich made of the raw fields.
func (a *Article) compare(t bus.Trail) {
	if _, d, err := event.DecodeDeleted(t.Article.Message); err == nil && d.Story != "" {
		a.Story = d.Story
	}
	_, x, err := event.DecodeEnriched(t.Article.Message)
	if err != nil {
		return
	}
	if x.Story.ID != "" {
		a.Story = x.Story.ID
	}
	if len(t.Raw) == 0 {
		return
	}
	var raw article.Raw
	if json.Unmarshal(t.Raw[len(t.Raw)-1].Body, &raw) != nil {
		return
	}
	date := func(t *time.Time) string {
		if t == nil {
			return ""
		}
		return t.UTC().Format(time.RFC3339)
	}
	people := func(list []article.Person) string {
		var names []string
		for _, p := range list {
			names = append(names, p.Name)
		}
		return strings.Join(names, ", ")
	}
	var terms, tags []string
	for _, c := range raw.Categories {
		terms = append(terms, c.Term)
	}
	for _, t := range x.Tags {
		tags = append(tags, t.ID)
	}
	a.Fields = []Field{
		{"title", raw.Title, x.Title}, {"url", raw.URL, x.URL}, {"language", raw.Language, x.Language.Code},
		{"published", date(raw.Published), date(x.Published)}, {"updated", date(raw.Updated), date(x.Updated)},
		{"authors", people(raw.Authors), people(x.Authors)}, {"categories, tags", strings.Join(terms, ", "), strings.Join(tags, ", ")},
	}
}
