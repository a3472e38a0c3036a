package app

import (
	"context"
	"encoding/json"
	"net/url"
	"time"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
)

// wish is what the bucket source_config holds for a source: what an operator wants of it while Tidings runs. Of a source
// that the configuration declares the definition does not count.
type wish struct {
	RefreshAt  time.Time `json:"refresh_at,omitzero"`
	IdentityAt time.Time `json:"identity_at,omitzero"`
	Paused     bool      `json:"paused,omitempty"`
	// Source is the definition of a source that was added at run time.
	Source *Definition `json:"source,omitempty"`
}

func readWish(b []byte) (wish, error) {
	var w wish
	err := json.Unmarshal(b, &w)
	return w, err
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
	if !w.IdentityAt.IsZero() {
		a.engine.Climb(e.Key, w.IdentityAt)
	}
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
