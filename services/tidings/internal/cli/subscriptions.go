package cli

import (
	"context"
	"strconv"

	"tidings.internal/services/tidings/internal/ops"
)

type subscriptionsVerb struct {
	List subscriptionListVerb `cmd:"" help:"List the sites that our hub tells of news."`
	End  subscriptionEndVerb  `cmd:"" help:"End a subscription; the site is told so."`
}

type subscriptionListVerb struct {
	Feed string `help:"Only those to this feed." placeholder:"ID"`
	rowLimit
	asJSON
}

// Run is the verb subscriptions list.
func (v *subscriptionListVerb) Run(w *world) error {
	return w.connected(func(ctx context.Context, o *ops.Ops) error {
		list, err := o.Subscriptions(ctx, v.Feed)
		if err != nil {
			return err
		}
		if v.JSON {
			return w.encode(list)
		}
		if len(list) == 0 {
			return w.printf("no subscriptions\n")
		}
		rows := make([][]string, len(list))
		for i, s := range list {
			last := ""
			if n := len(s.History); n > 0 {
				h := s.History[n-1]
				last = h.What + " " + when(h.At)
				switch {
				case h.Status != 0:
					last += ", HTTP " + strconv.Itoa(h.Status)
				case h.Reason != "":
					last += ", " + h.Reason
				}
			}
			rows[i] = []string{s.ID, s.Topic, s.Host, s.State, when(s.Lease), last}
		}
		return v.list(w, []string{"SUBSCRIPTION", "TOPIC", "HOST", "STATE", "LEASE UNTIL", "LAST NOTE"}, rows)
	})
}

type subscriptionEndVerb struct {
	ID string `arg:"" help:"The subscription, as list prints it."`
	asJSON
}

// Run is the verb subscriptions end.
func (v *subscriptionEndVerb) Run(w *world) error {
	return w.connected(func(ctx context.Context, o *ops.Ops) error {
		return v.done(w, "subscription", v.ID, "ended", o.EndSubscription(ctx, v.ID))
	})
}
