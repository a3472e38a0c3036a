package app

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/services/ingest/internal/engine"
	"tidings.internal/services/ingest/internal/poll"
	"tidings.internal/services/ingest/internal/state"
	"tidings.internal/services/ingest/internal/websub"
)

// SourceStatus is how a source stands, for an operator.
type SourceStatus struct {
	ID    string `json:"id"`
	URL   string `json:"url"`
	Title string `json:"title,omitempty"`
	// MovedTo is where it is polled instead, since its host said for good that it moved there.
	MovedTo string `json:"moved_to,omitempty"`
	// Tags and Language are as the operator gave them.
	Tags     []string `json:"tags,omitempty"`
	Language string   `json:"language,omitempty"`
	// State is waiting, active, failing, dormant, gone, ended, merged or paused.
	State       string    `json:"state"`
	LastSuccess time.Time `json:"last_success,omitzero"`
	LastPoll    time.Time `json:"last_poll,omitzero"`
	LastNew     time.Time `json:"last_new,omitzero"`
	NextPoll    time.Time `json:"next_poll,omitzero"`
	// Reason is a closed word for what went wrong, Sentence the same for people, Detail the error itself.
	Reason   string `json:"reason,omitempty"`
	Sentence string `json:"sentence,omitempty"`
	Detail   string `json:"detail,omitempty"`
	Status   int    `json:"status,omitempty"` // of HTTP
	// Errors counts the failures in a row, Weight is their sum by weight, from which the wait follows.
	Errors int     `json:"errors,omitempty"`
	Weight float64 `json:"weight,omitempty"`
	// Items counts what is remembered, Published the articles and revisions ever sent.
	Items     int    `json:"items"`
	Published uint64 `json:"published"`
	Format    string `json:"format,omitempty"`
	// Added is set on a source that was added at run time and stands in no file.
	Added bool `json:"added,omitempty"`
}

// SourceDetail is everything that is known of a source, but its items and its secrets.
type SourceDetail struct {
	SourceStatus
	// Why says in words when the source is polled next, and why then.
	Why string `json:"why"`
	// Interval is the wait that was chosen last, before jitter; nanoseconds.
	Interval time.Duration `json:"interval,omitempty"`
	// Day counts the items first seen within 24 hours.
	Day          int    `json:"items_24h"`
	ETag         string `json:"etag,omitempty"`
	LastModified string `json:"last_modified,omitempty"`
	// Rung is how items get their keys: 0 by id, 1 by link, 2 by link, date and title.
	Rung int `json:"rung"`
	// WebSub is how the source's pushes stand.
	WebSub     websub.Subscription `json:"websub,omitzero"`
	Definition Definition          `json:"definition"`
	Recent     []engine.Look       `json:"recent,omitempty"`
}

// verbSources asks how the sources stand that a replica owns.
const verbSources = "sources"

// question is what verbSources takes: one source by its id, or none for a glance at all.
type question struct {
	ID string `json:"id,omitempty"`
}

// answer is what it gives. Glances are the times of the last and the next poll in Unix seconds, which is what the bucket
// may be an hour behind with.
type answer struct {
	Glances map[string][2]int64 `json:"glances,omitempty"`
	State   *state.Source       `json:"state,omitempty"`
	Recent  []engine.Look       `json:"recent,omitempty"`
}

// maxGlances keeps an answer below what the broker takes as one message, at some 50 bytes each.
const maxGlances = 16_000

// answer says how things stand with this replica.
func (a *App) answer(_ context.Context, request []byte) (any, error) {
	var q question
	if err := json.Unmarshal(request, &q); err != nil && string(request) != "null" {
		return nil, fault.Errorf(fault.Malformed, "read the question about sources: %w", err)
	}
	all := a.engine.Status()
	if q.ID != "" {
		if st, ok := all[q.ID]; ok {
			return answer{State: &st, Recent: a.engine.Recent(q.ID)}, nil
		}
		return answer{}, nil
	}
	out := answer{Glances: map[string][2]int64{}}
	for _, id := range slices.Sorted(maps.Keys(all)) {
		if st := all[id]; !st.Polled.IsZero() && len(out.Glances) < maxGlances {
			out.Glances[id] = [2]int64{st.Polled.Unix(), st.Next.Unix()}
		}
	}
	return out, nil
}

// ask puts the question to every replica. None at all is no error: then the bucket is all there is.
func ask(ctx context.Context, b *bus.Bus, q question, take func(answer)) error {
	err := b.AskAll(ctx, Name, verbSources, q, func(reply []byte) error {
		var a answer
		if err := json.Unmarshal(reply, &a); err != nil {
			return err
		}
		take(a)
		return nil
	})
	if fault.KindOf(err) == fault.Unreachable {
		return nil
	}
	return err
}

// Sources lists the sources as they stand: as the bucket holds them, with the times of the last and the next poll as
// the replicas of ingest know them at the moment.
func Sources(ctx context.Context, b *bus.Bus, doc *config.Doc) ([]SourceStatus, error) {
	var c *catalogue
	known, damaged := map[string]*state.Source{}, map[string]error{}
	var answers []answer
	// At once, since with many sources the first two take the time of a core each, and the third mostly waits.
	group, within := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		c, err = openCatalogue(within, b, doc)
		return err
	})
	group.Go(func() error {
		entries, err := b.Bucket(event.BucketSourceState).Entries(within)
		for _, e := range entries {
			if st, err := state.Decode(e.Value); err == nil {
				known[e.Key] = st
			} else {
				damaged[e.Key] = err
			}
		}
		return err
	})
	group.Go(func() error {
		return ask(within, b, question{}, func(a answer) { answers = append(answers, a) })
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	for _, a := range answers {
		for id, times := range a.Glances {
			if st := known[id]; st != nil && times[0] > st.Polled.Unix() {
				// Nothing came of the polls since it was written, or it would have been written.
				st.Polled, st.Success, st.Next = time.Unix(times[0], 0).UTC(), time.Unix(times[0], 0).UTC(), time.Unix(times[1], 0).UTC()
			}
		}
	}
	list := make([]SourceStatus, 0, len(c.list)+len(c.damaged))
	for _, src := range c.list {
		list = append(list, c.status(src, known[src.ID], damaged[src.ID]))
	}
	for _, id := range slices.Sorted(maps.Keys(c.damaged)) {
		list = append(list, SourceStatus{
			ID: id, State: string(state.Failing), Added: true, Detail: c.damaged[id].Error(),
			Sentence: "what was said of the source at run time cannot be used; remove it and add it again",
		})
	}
	return list, nil
}

// status joins what is wished of a source and what is known of it. Nothing is known of another address than it has.
func (c *catalogue) status(src *poll.Source, st *state.Source, damaged error) SourceStatus {
	if st == nil || st.URL != src.URL {
		st = state.New(src.URL, "")
	}
	one := SourceStatus{
		ID: src.ID, URL: src.URL, Title: src.Title, Tags: src.Tags, Language: src.Language, State: string(st.Phase),
		LastSuccess: st.Success, LastPoll: st.Polled, LastNew: st.LastNew, NextPoll: st.Next,
		Reason: string(st.Reason), Detail: st.Detail, Status: st.Status, Errors: st.Failures, Weight: st.Weight,
		MovedTo: st.Moved, Items: st.Count, Published: st.Published, Format: st.Format,
	}
	if one.Title == "" {
		one.Title = st.Title
	}
	switch {
	case st.Reason != "":
		one.Sentence = st.Reason.Row().Sentence
	case st.Warning != "":
		one.Sentence = st.Warning
	}
	w := c.wishes[src.ID]
	one.Added = w.Source != nil && !c.declares(src.ID)
	if w.Paused {
		one.State, one.NextPoll = string(state.Paused), time.Time{}
	}
	if damaged != nil {
		one.State, one.Sentence, one.Detail = string(state.Failing), "what is remembered of the source cannot be read; restore the bucket source_state, or delete its key", damaged.Error()
	}
	return one
}

// ShowSource tells everything about one source.
func ShowSource(ctx context.Context, b *bus.Bus, doc *config.Doc, id string) (SourceDetail, error) {
	c, err := openCatalogue(ctx, b, doc)
	if err != nil {
		return SourceDetail{}, err
	}
	at := slices.IndexFunc(c.list, func(s *poll.Source) bool { return s.ID == id })
	switch {
	case at < 0 && c.damaged[id] != nil:
		return SourceDetail{}, fault.Errorf(fault.Malformed, "what was said of source %s at run time cannot be used: %w", id, c.damaged[id])
	case at < 0:
		return SourceDetail{}, fault.Errorf(fault.Invalid, "there is no source %.60q; \"tidings sources list\" shows what there is", id)
	}
	src := c.list[at]
	st, _, damaged := state.Load(ctx, b.Bucket(event.BucketSourceState), id)
	if damaged != nil && fault.KindOf(damaged) != fault.Malformed {
		return SourceDetail{}, damaged
	}
	now := time.Now()
	out := SourceDetail{Definition: define(src)}
	if st != nil && st.URL == src.URL {
		for _, came := range st.Memory.Arrivals() {
			if now.Sub(came) < 24*time.Hour {
				out.Day++
			}
		}
	} else {
		st = state.New(src.URL, "")
	}
	if err := ask(ctx, b, question{ID: id}, func(a answer) {
		if a.State != nil && a.State.URL == src.URL && a.State.Polled.After(st.Polled) {
			a.State.Memory.Rung = a.State.Rung
			st = a.State
		}
		out.Recent = append(out.Recent, a.Recent...)
	}); err != nil {
		return SourceDetail{}, err
	}
	out.SourceStatus = c.status(src, st, damaged)
	out.Interval, out.ETag, out.LastModified, out.Rung, out.WebSub = st.Interval, st.ETag, st.LastModified, st.Rung, st.Sub
	out.Why = why(out, c.fixed(src), st, now)
	return out, nil
}

func (c *catalogue) fixed(src *poll.Source) time.Duration {
	if src.Every > 0 {
		return src.Every
	}
	return c.settings.ingest.DefaultEvery
}

// why says in words when a source is polled next, and why then.
func why(d SourceDetail, fixed time.Duration, st *state.Source, now time.Time) string {
	next := "at " + d.NextPoll.UTC().Format("2006-01-02 15:04:05 UTC")
	if !d.NextPoll.After(now) {
		next = "as soon as its turn comes"
	}
	every := round(st.Interval)
	rhythm := fmt.Sprintf("every %s, which is half of what usually lies between its news, and no more often than its publisher asks for", every)
	if fixed > 0 {
		rhythm = fmt.Sprintf("every %s, as the operator fixed it", round(fixed))
	}
	switch state.Phase(d.State) {
	case state.Paused:
		return "never, until it is resumed: it was paused by the operator"
	case state.Waiting:
		if st.Polled.IsZero() {
			return "as soon as its turn comes: it was never polled"
		}
	case state.Gone:
		return next + ": the host said twice, a day apart, that it is gone for good; it is looked at every 30 days all the same"
	case state.Dormant:
		return next + ": it has failed for so long that it is looked at every 30 days; one success makes it active again"
	case state.Merged:
		return "never, while another source polls " + d.MovedTo + ", where it moved to"
	case state.Ended:
		return next + ": it says of itself that nothing will come; it is looked at daily"
	}
	if st.Sub.Status == websub.Active && st.Reason == "" {
		return next + ": its news are pushed by its hub, and it is looked at daily whether all of them were"
	}
	if st.Reason != "" && st.Failures == 0 {
		return next + ": no host could be reached, so it was us who were cut off, and nothing counts against it"
	}
	if st.Reason != "" {
		if st.Failures == 1 {
			return fmt.Sprintf("%s: it failed once, which stretches its interval to %s; one success resets it", next, every)
		}
		return fmt.Sprintf("%s: %d failures in a row stretch its interval to %s; one success resets it", next, st.Failures, every)
	}
	return next + ": it is polled " + rhythm
}

func round(d time.Duration) time.Duration {
	if d > time.Minute {
		return d.Round(time.Second)
	}
	return d.Round(10 * time.Millisecond)
}
