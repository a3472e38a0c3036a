package app

import (
	"context"
	"time"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/services/ingest/internal/state"
)

// SourceStatus is how a source stands, for an operator.
type SourceStatus struct {
	ID    string `json:"id"`
	URL   string `json:"url"`
	Title string `json:"title,omitempty"`
	// Tags and Language are as the operator gave them.
	Tags     []string `json:"tags,omitempty"`
	Language string   `json:"language,omitempty"`
	// State is waiting, active, failing, dormant, gone, ended or paused.
	State       string    `json:"state"`
	LastSuccess time.Time `json:"last_success,omitzero"`
	LastPoll    time.Time `json:"last_poll,omitzero"`
	NextPoll    time.Time `json:"next_poll,omitzero"`
	// Reason is a closed word for what went wrong, Sentence the same for people, Detail the error itself.
	Reason   string `json:"reason,omitempty"`
	Sentence string `json:"sentence,omitempty"`
	Detail   string `json:"detail,omitempty"`
	Status   int    `json:"status,omitempty"` // of HTTP
	// Errors counts the failures in a row, Items what is remembered, Published the articles and revisions ever sent.
	Errors    int    `json:"errors,omitempty"`
	Items     int    `json:"items"`
	Published uint64 `json:"published"`
	Format    string `json:"format,omitempty"`
	// Added is set on a source that was added at run time and stands in no file.
	Added bool `json:"added,omitempty"`
}

// verbSources asks for the states of the sources that a replica owns.
const verbSources = "sources"

// Sources lists the sources of the configuration as they stand: as the bucket holds them, and where a replica of ingest
// answers, as it knows them at the moment.
func Sources(ctx context.Context, b *bus.Bus, doc *config.Doc) ([]SourceStatus, error) {
	s := read(doc)
	if err := doc.Err(); err != nil {
		return nil, err
	}
	entries, err := b.Bucket(event.BucketSourceState).Entries(ctx)
	if err != nil {
		return nil, err
	}
	known, damaged := map[string]*state.Source{}, map[string]error{}
	for _, e := range entries {
		if st, err := state.Decode(e.Value); err == nil {
			known[e.Key] = st
		} else {
			damaged[e.Key] = err
		}
	}
	live := map[string]state.Source{}
	if err := b.Ask(ctx, Name, verbSources, nil, &live); err != nil && fault.KindOf(err) != fault.Unreachable {
		return nil, err
	}
	added, err := runTime(ctx, b)
	if err != nil {
		return nil, err
	}
	list := make([]SourceStatus, 0, len(s.sources)+len(added))
	for _, src := range s.with(added) {
		st := known[src.ID]
		if now, ok := live[src.ID]; ok && (st == nil || now.Polled.After(st.Polled)) {
			st = &now
		}
		if st == nil || st.URL != src.URL {
			st = state.New(src.URL, "")
		}
		one := status(src.ID, src.Title, st)
		one.Tags, one.Language = src.Tags, src.Language
		if a, ok := added[src.ID]; ok {
			one.Added = a.Source != nil && !s.declares(src.ID)
			if a.Paused {
				one.State = string(state.Paused)
			}
		}
		if err := damaged[src.ID]; err != nil {
			one.State, one.Sentence, one.Detail = string(state.Failing), "what is remembered of the source cannot be read; restore the bucket source_state, or delete its key", err.Error()
		}
		list = append(list, one)
	}
	return list, nil
}

func status(id, title string, st *state.Source) SourceStatus {
	if title == "" {
		title = st.Title
	}
	out := SourceStatus{
		ID: id, URL: st.URL, Title: title, State: string(st.Phase), LastSuccess: st.Success, LastPoll: st.Polled, NextPoll: st.Next,
		Reason: string(st.Reason), Detail: st.Detail, Status: st.Status, Errors: st.Failures, Items: st.Count, Published: st.Published, Format: st.Format,
	}
	switch {
	case st.Reason != "":
		out.Sentence = st.Reason.Row().Sentence
	case st.Warning != "":
		out.Sentence = st.Warning
	}
	return out
}
