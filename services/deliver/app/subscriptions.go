package app

import (
	"context"
	"time"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
	"tidings.internal/services/deliver/internal/websub"
)

// SubscriptionStatus is what an operator sees of a site that subscribed to a feed. Neither its secret nor more of its
// callback than the host stand in it.
type SubscriptionStatus struct {
	ID    string    `json:"id"`
	Feed  string    `json:"feed"`
	Topic string    `json:"topic"`
	Host  string    `json:"host"`
	State string    `json:"state"` // live, failing or ended
	Since time.Time `json:"since"`
	Lease time.Time `json:"lease"`
	// Attempts is how often the last push has failed, Due when the next try is.
	Attempts int       `json:"attempts,omitempty"`
	Due      time.Time `json:"due,omitzero"`
	Signed   bool      `json:"signed"`
	// History holds the last steps but pushes that worked at once.
	History []websub.Step `json:"history"`
}

// Subscriptions lists the sites that subscribed to a feed, or to any.
func Subscriptions(ctx context.Context, b *bus.Bus, feed string) ([]SubscriptionStatus, error) {
	rows, err := websub.List(ctx, b.Bucket(event.BucketSubscriptions))
	if err != nil {
		return nil, err
	}
	list, now := []SubscriptionStatus{}, time.Now()
	for _, n := range rows {
		if feed != "" && n.Feed != feed {
			continue
		}
		s := SubscriptionStatus{
			ID: n.ID, Feed: n.Feed, Topic: n.Topic, Host: n.Host(), State: "live", Since: n.Since, Lease: n.Lease, Signed: n.Secret != "", History: n.History,
		}
		switch {
		case !n.Live(now):
			s.State = "ended"
		case n.Retry != nil:
			s.State, s.Attempts, s.Due = "failing", n.Retry.Attempt, n.Retry.Due
		}
		list = append(list, s)
	}
	return list, nil
}

// EndSubscription ends one, and has the site told so.
func EndSubscription(ctx context.Context, b *bus.Bus, id string) error {
	return websub.End(ctx, b.Bucket(event.BucketSubscriptions), id, "the operator of this hub has ended the subscription")
}
