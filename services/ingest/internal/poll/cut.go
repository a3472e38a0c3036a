package poll

import (
	"context"
	"slices"
	"time"

	"tidings.internal/pkg/web"
	"tidings.internal/services/ingest/internal/cause"
	"tidings.internal/services/ingest/internal/outage"
	"tidings.internal/services/ingest/internal/schedule"
	"tidings.internal/services/ingest/internal/state"
)

// Offline is the outcome of a poll that was lost because it is us who are cut off. It counts against nobody.
const Offline = "offline"

// lost are the reasons that speak of the way to a host, silent those of a poll that sent nothing, and unsure those of a
// connection that was there and gave no answer, which a network that breaks off leaves behind, too.
var (
	lost   = []web.Reason{web.DNSTemporary, web.DNSUnknown, web.Connect}
	silent = []web.Reason{web.RefusedAddress, web.RefusedPort, web.RefusedScheme, web.BadURL}
	unsure = []web.Reason{web.Timeout, web.Truncated, web.TLSFailed}
)

// reached accounts for a host that answered.
func (p *Poller) reached(ctx context.Context, t *turn, hostport string) {
	if p.outage.Reached(t.source.ID, hostport) {
		p.online(ctx)
	}
}

// cutOff accounts for a poll that failed, and reports whether that is because we are cut off.
func (p *Poller) cutOff(ctx context.Context, t *turn, hostport string, row cause.Row, err error) bool {
	switch reason := web.Reason(row.Reason); {
	case slices.Contains(silent, reason):
		return false
	case slices.Contains(unsure, reason) && statusOf(err) == 0:
		return p.outage.Unsure(t.source.ID, hostport, row.Weight)
	case !slices.Contains(lost, reason):
		p.reached(ctx, t, hostport)
		return false
	}
	offline, began := p.outage.Lost(t.source.ID, hostport, row.Weight)
	if began {
		p.offline(ctx)
	}
	return offline
}

// Forgive takes back what counted against a source while we were cut off and did not know it yet. It returns when the
// source is due now. A kill before it leaves the source with a longer wait and nothing worse: one success ends it.
func (p *Poller) Forgive(ctx context.Context, s *Source, b outage.Blame) (next time.Time, err error) {
	if err := p.Load(ctx, s); err != nil {
		return time.Time{}, err
	}
	t := &turn{source: s, state: s.state.Clone(), now: p.now().UTC()}
	st := t.state
	if st.Failures == 0 {
		return st.Next, nil // read with success meanwhile
	}
	st.Failures, st.Weight = max(0, st.Failures-b.Polls), max(0, st.Weight-b.Weight)
	if st.Failures == 0 {
		st.Weight = 0 // the reason stays until a success, so that an operator sees what went wrong last
	}
	if st.Weight < schedule.FailingWeight && (st.Phase == state.Failing || st.Phase == state.Dormant) {
		st.Phase = state.Active
		if st.First() {
			st.Phase = state.Waiting
		}
	}
	st.Interval = p.backoff(t)
	if soon := t.now.Add(schedule.Jitter(st.Interval, s.ID, st.Polls)); soon.Before(st.Next) {
		st.Next = soon
	}
	return st.Next, p.commit(ctx, t)
}
