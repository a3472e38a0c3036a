package poll

import (
	"net/http"
	"net/url"
	"slices"
	"time"

	"tidings.internal/pkg/event"
	"tidings.internal/pkg/web"
	"tidings.internal/services/ingest/internal/fetch"
	"tidings.internal/services/ingest/internal/schedule"
	"tidings.internal/services/ingest/internal/state"
)

// A source has moved when its host has said so for good, on several polls over two days, and the same items stood at the
// other end: one misconfigured day must not lead all readers of a feed somewhere else for ever.
const (
	moveSightings = 3
	moveAfter     = 48 * time.Hour
)

// sight accounts for where an answer came from. known tells that an item was met there that was known before.
func (p *Poller) sight(t *turn, a *fetch.Answer, newURL string, known bool) {
	st := t.state
	to := a.URL
	switch {
	case len(a.Hops) > 0 && !permanent(a.Hops):
		return // a detour of today says nothing, for or against
	case len(a.Hops) == 0 && newURL == "" || to == st.Address() && newURL == "":
		st.Sighting = state.Sighting{} // it answers where it is asked
		return
	case len(a.Hops) == 0:
		// What a document says of itself (itunes:new-feed-url) is a beginning and no more: anybody can write a name.
		if st.Sighting.URL != newURL && newURL != st.Address() {
			st.Sighting = state.Sighting{URL: newURL, First: t.now, Count: 1}
		}
		return
	case !known:
		return
	}
	if st.Sighting.URL != to {
		st.Sighting = state.Sighting{URL: to, First: t.now}
	}
	st.Sighting.Count++
	if st.Sighting.Count < moveSightings || t.now.Sub(st.Sighting.First) < moveAfter || !mayMove(st.Address(), to, &t.source.Options) {
		return
	}
	from := st.Address()
	st.Sighting, st.Moved = state.Sighting{}, to
	if to == st.URL {
		st.Moved = "" // back home
	}
	if other := p.covers(t.source.ID, to); other != "" {
		st.Phase = state.Merged
		p.log.Warn("source moved to where another one is polled already; it is left to that one", "source", t.source.ID, "other", other)
		t.notices = append(t.notices, event.Notice{Type: "source_merged", Source: t.source.ID, Text: "the source moved to the feed of source " + other + ", which goes on alone", Data: map[string]string{"other": other}})
		return
	}
	p.log.Info("source moved", "source", t.source.ID, "host", hostOf(to))
	t.notices = append(t.notices, event.Notice{Type: "source_moved", Source: t.source.ID, Text: "the source is polled at its new address from now on", Data: map[string]string{"from": from, "to": to}})
}

// permanent reports whether every hop of a chain was meant for good (RFC 9110 sections 15.4.2 and 15.4.9).
func permanent(hops []web.Hop) bool {
	return !slices.ContainsFunc(hops, func(h web.Hop) bool {
		return h.Status != http.StatusMovedPermanently && h.Status != http.StatusPermanentRedirect
	})
}

// mayMove reports whether an address may take the place of another one. What was entrusted to one host goes to no other,
// and a connection that was encrypted stays so.
func mayMove(from, to string, o *web.Options) bool {
	a, errA := url.Parse(from)
	b, errB := url.Parse(to)
	if errA != nil || errB != nil || a.Scheme == "https" && b.Scheme != "https" {
		return false
	}
	return !o.Secret() || web.HostPort(a) == web.HostPort(b)
}

// covers gives the id of the other source that polls an address, or "".
func (p *Poller) covers(id, address string) string {
	if p.other == nil {
		return ""
	}
	return p.other(id, address)
}

// mergedEvery is how often it is looked at whether the other source still is there.
const mergedEvery = 24 * time.Hour

// merged ends a poll of a source that is left to another one, for as long as that one is there. It sends no request.
func (p *Poller) merged(t *turn) (Result, bool) {
	st := t.state
	if st.Phase != state.Merged {
		return Result{}, false
	}
	if p.covers(t.source.ID, st.Address()) != "" {
		st.Next = t.now.Add(schedule.Jitter(mergedEvery, t.source.ID, st.Polls))
		t.source.state = st // not worth a write: whoever loads the state decides the same
		return Result{Outcome: "unchanged", Next: st.Next}, true
	}
	st.Phase = state.Active
	return Result{}, false
}

// home goes back to the configured address of a source that cannot be read where it moved to.
func (t *turn) home() {
	if t.state.Moved == "" || t.state.Weight < schedule.FailingWeight {
		return
	}
	t.state.Moved, t.state.Sighting = "", state.Sighting{}
	t.state.ETag, t.state.LastModified, t.state.Asked, t.state.Body = "", "", "", ""
}

func hostOf(address string) string {
	if u, err := url.Parse(address); err == nil {
		return u.Host
	}
	return ""
}
