package poll

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/web"
	"tidings.internal/services/ingest/internal/cause"
	"tidings.internal/services/ingest/internal/identity"
	"tidings.internal/services/ingest/internal/schedule"
	"tidings.internal/services/ingest/internal/state"
	"tidings.internal/services/ingest/internal/websub"
)

// quietWrite is how often the state of a source is written that only says that nothing happened.
const quietWrite = time.Hour

// goneAfter is how far apart two 410 must lie before the source is taken for gone.
const goneAfter = 24 * time.Hour

// damagedWait is how soon a poll is tried again that only an operator can repair.
const damagedWait = 10 * time.Minute

// pushedEvery is how often a source is polled whose news are pushed: to see whether the hub keeps its word.
const pushedEvery = 24 * time.Hour

// endedEvery is how often a source is asked that says of itself that it has ended.
const endedEvery = 24 * time.Hour

// Fixed gives the interval that the operator chose for a source, zero when its own rhythm decides.
func (p *Poller) Fixed(s *Source) time.Duration {
	if s.Every > 0 {
		return s.Every
	}
	return p.config.DefaultEvery
}

// Interval gives how long a source waits between two polls while nothing fails: what the operator chose, else its own
// rhythm, and no less than its publisher asks for.
func (p *Poller) Interval(s *Source, st *state.Source, now time.Time) time.Duration {
	every := p.Fixed(s)
	if every <= 0 {
		every = max(schedule.Base(st.Memory.Arrivals(), st.Begun, now), st.Hints.Floor())
	}
	if st.Sub.Status == websub.Active && s.Every <= 0 {
		every = max(every, pushedEvery)
	}
	if st.Phase == state.Ended {
		every = max(every, endedEvery)
	}
	return every
}

// Due tells when a source is to be polled of which st is known: as was written, but no later than would be chosen now,
// since the operator may have shortened the interval. A wait after a failure stands.
func (p *Poller) Due(s *Source, now time.Time) time.Time {
	st := s.state
	if st.Reason != "" {
		return st.Next
	}
	// The tenth is that of the jitter.
	most := p.allowed(s, st, now.Add(p.Interval(s, st, now)*11/10))
	if st.Next.After(most) {
		return most
	}
	return st.Next
}

// allowed moves a time out of the hours in which the publisher wants no poll, unless the operator fixed the interval.
func (p *Poller) allowed(s *Source, st *state.Source, at time.Time) time.Time {
	if p.Fixed(s) > 0 {
		return at
	}
	return st.Hints.Allowed(at)
}

// succeeded commits a poll that gave a document, or the word that there is no other.
func (p *Poller) succeeded(ctx context.Context, t *turn, outcome string, report *identity.Report) Result {
	st := t.state
	was := st.Clone()
	firstPoll := st.First()
	st.Success = t.now
	st.Reason, st.Detail, st.Failures, st.Weight, st.GoneAt = "", "", 0, 0, time.Time{}
	st.Warning = t.warning
	if st.Phase != state.Ended && st.Phase != state.Merged {
		st.Phase = state.Active
	}
	if st.Begun.IsZero() {
		st.Begun = t.now
	}
	st.Interval = p.Interval(t.source, st, t.now)
	st.Next = t.renewal(p.allowed(t.source, st, t.now.Add(schedule.Jitter(st.Interval, t.source.ID, st.Polls))))
	p.observe.Fetched(outcome, t.took)
	changed := report != nil && (len(report.Changes) > 0 || report.Held > 0 || report.Demoted) || firstPoll ||
		was.Phase != st.Phase || !t.source.state.Climbed.Equal(st.Climbed) || t.source.state.Sub != st.Sub || t.source.state.Moved != st.Moved || t.source.state.Sighting != st.Sighting || was.Reason != "" || was.Warning != st.Warning || was.Body != t.source.state.Body ||
		!was.Whole.Equal(t.source.state.Whole) && t.source.state.Whole.IsZero() || was.ETag != t.source.state.ETag || was.LastModified != t.source.state.LastModified || t.source.revision == 0
	if changed || t.now.Sub(t.source.written) >= quietWrite {
		if err := p.commit(ctx, t); err != nil {
			return p.ours(t.source, err)
		}
	} else {
		t.source.state = st // known here, written within the hour: a crash costs one unconditional look at most
	}
	p.tell(ctx, t, t.source.ID, was, firstPoll, report)
	p.subscribe(ctx, t)
	return Result{Outcome: outcome, Next: st.Next, Took: t.took, Published: t.published}
}

// tell sends the notices that a success gives rise to.
func (p *Poller) tell(ctx context.Context, t *turn, id string, was *state.Source, firstPoll bool, report *identity.Report) {
	if firstPoll {
		n := 0
		if report != nil {
			n = len(report.Changes)
		}
		p.bus.Notice(ctx, event.Notice{Type: "source_first_poll", Source: id, Text: "the source was read for the first time", Data: map[string]string{"articles": strconv.Itoa(n)}})
	}
	if was.Phase == state.Failing || was.Phase == state.Dormant || was.Phase == state.Gone || was.Weight >= schedule.FailingWeight {
		p.log.Info("source recovered", "source", id)
		p.bus.Notice(ctx, event.Notice{Type: "source_recovered", Source: id, Text: "the source can be read again"})
	}
	if report == nil {
		return
	}
	if report.Demoted {
		p.log.Warn("source repeats or omits its ids, items go by their links", "source", id)
		p.bus.Notice(ctx, event.Notice{Type: "source_demoted", Source: id, Text: "the ids of the source repeat; its items go by their links"})
	}
	if report.Flapping > 0 {
		p.bus.Notice(ctx, event.Notice{Type: "source_flapping", Source: id, Text: "items change too often; they are left alone for a day", Data: map[string]string{"items": strconv.Itoa(report.Flapping)}})
	}
}

// commit writes the state. Only then does this replica believe it, too.
func (p *Poller) commit(ctx context.Context, t *turn) error {
	revision, err := state.Save(ctx, p.states, t.source.ID, t.state, t.source.revision)
	if err != nil {
		// A conflict: another owner was quicker, and what it knows counts. Anything else: whether it was written is not
		// known. Either way the next poll reads the state again and judges anew.
		t.source.Reset()
		return err
	}
	t.source.state, t.source.revision, t.source.written = t.state, revision, t.now
	// A kill here loses what is told, and tells nothing that did not happen.
	for _, n := range t.notices {
		p.bus.Notice(ctx, n)
	}
	t.notices = nil
	return nil
}

// ours ends a poll that failed for a reason that is not the source's: nothing is counted against it, and it is polled
// again soon.
func (p *Poller) ours(s *Source, err error) Result {
	if !cause.Ended(err) {
		p.log.Debug("poll not finished", "source", s.ID, "kind", fault.KindOf(err), "err", err)
	}
	wait := max(schedule.OursWait, fault.After(err))
	kind := fault.KindOf(err)
	switch {
	case kind == fault.Conflict:
		wait = time.Second // read again and go on
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		// Told to stop, or too busy: no fault of anybody's.
	case kind == fault.Malformed, kind == fault.Internal:
		// A state that cannot be read, or a bug: neither passes by itself.
		wait = damagedWait
		p.log.Error("source cannot be polled", "source", s.ID, "kind", kind, "err", err, "retry_in", wait)
	}
	p.observe.Fetched(string(cause.Ours), 0)
	return Result{Outcome: string(cause.Ours), Next: p.now().Add(schedule.Jitter(wait, s.ID, uint64(p.now().UnixNano()))), Err: err}
}

// failed accounts for a poll that gave no document.
func (p *Poller) failed(ctx context.Context, t *turn, hostport string, err error) Result {
	reason := cause.Of(err)
	if ctx.Err() != nil || reason == cause.Ours {
		return p.ours(t.source, err)
	}
	st := t.state
	was := st.Phase
	row := reason.Row()
	if p.cutOff(ctx, t, hostport, row, err) {
		p.observe.Fetched(Offline, t.took)
		return Result{Outcome: Offline, Next: t.now.Add(schedule.OursWait), Took: t.took, Err: err}
	}
	st.Reason, st.Failures, st.Weight = reason, st.Failures+1, st.Weight+row.Weight
	st.Detail, _ = article.Cut(err.Error(), maxDetail)
	if status := statusOf(err); status != 0 {
		st.Status = status
	}
	p.phase(t, err)
	t.home()
	st.Interval = p.backoff(t)
	next := p.allowed(t.source, st, t.now.Add(schedule.Jitter(st.Interval, t.source.ID, st.Polls)))
	st.Next = later(next, p.limited(ctx, t, hostport, err))
	p.observe.Fetched(outcomeOf(err), t.took)
	if err := p.commit(ctx, t); err != nil {
		return p.ours(t.source, err)
	}
	if was != st.Phase && st.Phase != state.Active {
		p.log.Warn("source cannot be read", "source", t.source.ID, "status", st.Phase, "kind", row.Kind, "err", err, "retry_in", st.Next.Sub(t.now).Round(time.Second))
		p.bus.Notice(ctx, event.Notice{Type: "source_" + string(st.Phase), Source: t.source.ID, Reason: string(reason), Text: row.Sentence,
			Data: map[string]string{"next": st.Next.Format(time.RFC3339)}})
	}
	return Result{Outcome: outcomeOf(err), Next: st.Next, Took: t.took, Err: err}
}

// maxDetail is the longest text of an error that is kept.
const maxDetail = 300

// phase brings the phase up to date after a failure. No number of failures ends a source: giving up silently is what
// readers are blamed for most.
func (p *Poller) phase(t *turn, err error) {
	st := t.state
	if !isGone(err) {
		st.GoneAt = time.Time{}
	} else if st.GoneAt.IsZero() {
		st.GoneAt = t.now
	}
	switch {
	case !st.GoneAt.IsZero() && t.now.Sub(st.GoneAt) >= goneAfter:
		st.Phase = state.Gone
	case st.Weight >= schedule.DormantWeight:
		st.Phase = state.Dormant
	case st.Weight >= schedule.FailingWeight:
		st.Phase = state.Failing
	}
}

func (p *Poller) backoff(t *turn) time.Duration {
	if t.state.Phase == state.Gone {
		return schedule.DormantInterval
	}
	return schedule.Interval(p.Interval(t.source, t.state, t.now), t.state.Weight)
}

// limited obeys a host that asks to be left alone: the whole host if it is a public one, the one source if it was
// reached through the allow-list, where many sources sit behind one bridge. It returns until when.
func (p *Poller) limited(ctx context.Context, t *turn, hostport string, err error) time.Time {
	if cause.Of(err) != cause.Reason(web.RateLimited) {
		return time.Time{}
	}
	wait := fault.After(err)
	if wait <= 0 {
		p.gate.Slow(hostport)
		return time.Time{}
	}
	until := t.now.Add(wait)
	if !private(err) {
		p.gate.Block(hostport, time.Now().Add(wait))
		p.bus.Notice(ctx, event.Notice{Type: "host_limited", Source: t.source.ID, Text: "the host asks to be left alone; none of its sources is polled until then",
			Data: map[string]string{"host": hostport, "until": until.Format(time.RFC3339)}})
	}
	return until
}

func private(err error) bool {
	e, ok := errors.AsType[*web.Error](err)
	return ok && e.Private
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// parseHost gives the host of an address without its port.
func parseHost(address string) (string, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return "", fmt.Errorf("read host: %w", err)
	case u.Hostname() == "":
		return "", errors.New("read host: there is none")
	}
	return u.Hostname(), nil
}
