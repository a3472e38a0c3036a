package ops

import (
	"context"

	deliver "tidings.internal/services/deliver/app"
)

// SubscriptionStatus is what an operator sees of a site that subscribed to a feed.
type SubscriptionStatus = deliver.SubscriptionStatus

// Subscriptions lists the sites that subscribed to a feed, or to any.
func (o *Ops) Subscriptions(ctx context.Context, feed string) ([]SubscriptionStatus, error) {
	return deliver.Subscriptions(ctx, o.bus, feed)
}

// EndSubscription ends one, and has the site told so.
func (o *Ops) EndSubscription(ctx context.Context, id string) error {
	return deliver.EndSubscription(ctx, o.bus, id)
}
