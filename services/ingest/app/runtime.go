package app

import (
	"context"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/services/ingest/internal/identity"
	"tidings.internal/services/ingest/internal/poll"
)

// wish is what the bucket source_config holds for a source: what an operator wants of it while Tidings runs. Of a source
// that the configuration declares only the first two count.
type wish struct {
	RefreshAt time.Time `json:"refresh_at,omitzero"`
	Paused    bool      `json:"paused,omitempty"`
	// Source is the definition of a source that was added at run time.
	Source *Added `json:"source,omitempty"`
}

// Added is what can be said of a source at run time. Secrets and headers are named by files and stand in the
// configuration only.
type Added struct {
	ID        string   `json:"id"`
	URL       string   `json:"url"`
	Title     string   `json:"title,omitempty"`
	Tags      []string `json:"tags,omitempty"`
	Syndicate string   `json:"syndicate,omitempty"`
	Rights    string   `json:"rights,omitempty"`
	Language  string   `json:"language,omitempty"`
	Every     string   `json:"every,omitempty"` // a duration such as 15m
	Deletions string   `json:"deletions,omitempty"`
}

// source checks a definition by the rules of the section sources.
func (a *Added) source() (*poll.Source, error) {
	text, err := json.Marshal(map[string]any{"sources": []*Added{a}})
	if err != nil {
		return nil, fault.Errorf(fault.Internal, "read source %s: %w", a.ID, err)
	}
	doc := config.New("source "+a.ID, text, nil) // JSON is YAML
	s := read(doc)
	if err := doc.Err(); err != nil {
		return nil, fault.Errorf(fault.Invalid, "%s", inFile.ReplaceAllString(err.Error(), ""))
	}
	return s.sources[0], nil
}

// inFile is the place of a problem in a file that there is not.
var inFile = regexp.MustCompile(`(?m)^source [^:]*:\d+:\d+: sources\[0\]\.?`)

func readWish(b []byte) (wish, error) {
	var w wish
	err := json.Unmarshal(b, &w)
	return w, err
}

// runTime reads what was wished at run time, by source.
func runTime(ctx context.Context, b *bus.Bus) (map[string]wish, error) {
	entries, err := b.Bucket(event.BucketSourceConfig).Entries(ctx)
	if err != nil {
		return nil, err
	}
	all := map[string]wish{}
	for _, e := range entries {
		if w, err := readWish(e.Value); err == nil {
			all[e.Key] = w
		}
	}
	return all, nil
}

func (s *settings) declares(id string) bool {
	return slices.ContainsFunc(s.sources, func(src *poll.Source) bool { return src.ID == id })
}

// with lists the declared sources and behind them, by id, those that were added.
func (s *settings) with(added map[string]wish) []*poll.Source {
	list := slices.Clone(s.sources)
	for id, w := range added {
		if w.Source == nil || s.declares(id) {
			continue
		}
		if src, err := w.Source.source(); err == nil {
			list = append(list, src)
		}
	}
	slices.SortFunc(list[len(s.sources):], func(a, b *poll.Source) int { return strings.Compare(a.ID, b.ID) })
	return list
}

// wishTries is how often a wish is written that others write at the same moment.
const wishTries = 10

// want changes the entry of a source by compare-and-set. Keys that a newer version knows stay as they are.
func want(ctx context.Context, b *bus.Bus, id string, change func(w wish, exists bool) (map[string]any, error)) error {
	bucket := b.Bucket(event.BucketSourceConfig)
	for range wishTries {
		e, ok, err := bucket.Read(ctx, id)
		if err != nil {
			return err
		}
		fields, w := map[string]json.RawMessage{}, wish{}
		if ok && len(e.Value) > 0 {
			if err := json.Unmarshal(e.Value, &fields); err != nil {
				return fault.Errorf(fault.Malformed, "read what is wished of source %s: %w", id, err)
			}
			if w, err = readWish(e.Value); err != nil {
				return fault.Errorf(fault.Malformed, "read what is wished of source %s: %w", id, err)
			}
		}
		changes, err := change(w, ok)
		if err != nil || changes == nil {
			return err
		}
		for key, v := range changes {
			if fields[key], err = json.Marshal(v); err != nil {
				return fault.Errorf(fault.Internal, "write what is wished of source %s: %w", id, err)
			}
		}
		value, err := json.Marshal(fields)
		if err != nil {
			return fault.Errorf(fault.Internal, "write what is wished of source %s: %w", id, err)
		}
		if ok {
			_, err = bucket.Update(ctx, id, value, e.Revision)
		} else {
			_, err = bucket.Create(ctx, id, value)
		}
		if fault.KindOf(err) != fault.Conflict {
			return err
		}
	}
	return fault.Errorf(fault.Conflict, "change source %s: others change it all the time", id)
}

// Refresh asks for a poll of a source as soon as its host may be asked, whatever its backoff.
func Refresh(ctx context.Context, b *bus.Bus, id string) error {
	return want(ctx, b, id, func(wish, bool) (map[string]any, error) {
		return map[string]any{"refresh_at": time.Now().UTC()}, nil
	})
}

// PauseSource stops the polling of a source, or lets it go on. Once more changes nothing.
func PauseSource(ctx context.Context, b *bus.Bus, id string, paused bool) error {
	return want(ctx, b, id, func(w wish, _ bool) (map[string]any, error) {
		if w.Paused == paused {
			return nil, nil
		}
		return map[string]any{"paused": paused}, nil
	})
}

// AddSource adds a source and returns its id, which is made of its address unless it is given. Adding the same once more
// changes nothing and returns the id of the one that is there; added is false then. With dry nothing is written.
func AddSource(ctx context.Context, b *bus.Bus, doc *config.Doc, a Added, dry bool) (id string, added bool, err error) {
	s := read(doc)
	if err := doc.Err(); err != nil {
		return "", false, err
	}
	canonical := sameFeed(a.URL)
	if a.ID == "" {
		a.ID = article.RunTimeSource(canonical)
	}
	if _, err := a.source(); err != nil {
		return "", false, err
	}
	known, err := runTime(ctx, b)
	if err != nil {
		return "", false, err
	}
	for _, other := range s.with(known) {
		switch same := sameFeed(other.URL) == canonical; {
		case other.ID == a.ID && s.declares(a.ID):
			return "", false, fault.Errorf(fault.Invalid, "source %s stands in the configuration; change it there", a.ID)
		case other.ID == a.ID && !same:
			return "", false, fault.Errorf(fault.Invalid, "there is a source %s already, with the address %s; give another --id, or remove that one first", a.ID, other.URL)
		case other.ID != a.ID && same:
			return other.ID, false, nil
		}
	}
	if dry {
		return a.ID, true, nil
	}
	err = want(ctx, b, a.ID, func(w wish, _ bool) (map[string]any, error) {
		if w.Source != nil {
			return nil, nil
		}
		added = true
		return map[string]any{"source": a}, nil
	})
	return a.ID, added && err == nil, err
}

// sameFeed is what two spellings of the address of one feed have in common.
func sameFeed(address string) string {
	if c := identity.Canonical(address); c != "" {
		return c
	}
	return address
}

// RemoveSource ends a source that was added at run time. Its articles stay, and so does what is remembered of it: added
// again, it goes on where it was.
func RemoveSource(ctx context.Context, b *bus.Bus, doc *config.Doc, id string) error {
	s := read(doc)
	if err := doc.Err(); err != nil {
		return err
	}
	if s.declares(id) {
		return fault.Errorf(fault.Invalid, "source %s stands in the configuration; take it out there, or pause it", id)
	}
	bucket := b.Bucket(event.BucketSourceConfig)
	e, ok, err := bucket.Read(ctx, id)
	if err != nil {
		return err
	}
	if w, bad := readWish(e.Value); !ok || bad == nil && w.Source == nil {
		return fault.Errorf(fault.Invalid, "there is no source %q", id)
	}
	return bucket.DeleteAt(ctx, id, e.Revision)
}

// watch does what is wished at run time, as it is written. level is called once all that is written has been done.
func (a *App) watch(ctx context.Context, level func()) error {
	return a.bus.Bucket(event.BucketSourceConfig).Watch(ctx, ">", func(e bus.Entry) { a.obey(ctx, e) }, level)
}

func (a *App) obey(ctx context.Context, e bus.Entry) {
	w, err := readWish(e.Value)
	switch {
	case e.Deleted:
		w = wish{}
	case err != nil:
		a.log.Warn("ignored what is wished of a source", "source", e.Key, "err", err)
		return
	}
	a.obeySource(ctx, e.Key, w)
	a.engine.Pause(ctx, e.Key, w.Paused)
	if !w.RefreshAt.IsZero() {
		a.engine.Refresh(e.Key, w.RefreshAt)
	}
}

// obeySource adds, changes or drops a source that the configuration does not declare.
func (a *App) obeySource(ctx context.Context, id string, w wish) {
	if a.declared[id] {
		return
	}
	wanted, was := w.Source, a.added[id]
	switch {
	case wanted == nil && was == "":
		return
	case wanted == nil:
		delete(a.added, id)
		a.engine.Drop(id)
		a.log.Info("stopped polling a source", "source", id)
		return
	}
	text, err := json.Marshal(wanted)
	if err != nil || string(text) == was {
		return
	}
	src, err := wanted.source()
	if err != nil || src.ID != id {
		a.log.Warn("ignored a source that was added", "source", id, "err", err)
		return
	}
	src.Options.Proxy = a.proxy
	a.added[id] = string(text)
	a.engine.Put(ctx, src, w.Paused)
	a.log.Info("polls a source", "source", id, "host", hostOf(src.URL))
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host
}
