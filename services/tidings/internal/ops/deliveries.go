package ops

import (
	"context"
	"time"

	deliver "tidings.internal/services/deliver/app"
	publish "tidings.internal/services/publish/app"
)

// DeliveryFilter selects deliveries.
type DeliveryFilter = deliver.DeliveryFilter

// DeliveryStatus is what an operator sees of one delivery in a list, DeliveryDetail of one alone.
type (
	DeliveryStatus = deliver.DeliveryStatus
	DeliveryDetail = deliver.DeliveryDetail
)

// Wish is what an operator wants of a delivery.
type Wish = deliver.Wish

// Deliveries lists deliveries, the last changed first.
func (o *Ops) Deliveries(ctx context.Context, f DeliveryFilter) ([]DeliveryStatus, error) {
	return deliver.Deliveries(ctx, o.bus, f)
}

// Delivery tells of one.
func (o *Ops) Delivery(ctx context.Context, id string) (DeliveryDetail, error) {
	return deliver.Delivery(ctx, o.bus, id)
}

// ApproveDelivery lets a held one go; already reports that it was approved before.
func (o *Ops) ApproveDelivery(ctx context.Context, w Wish) (already bool, err error) {
	return deliver.Approve(ctx, o.bus, w)
}

// RejectDelivery ends a held one unsent.
func (o *Ops) RejectDelivery(ctx context.Context, w Wish) error { return deliver.Reject(ctx, o.bus, w) }

// SkipDelivery ends any one that was not sent.
func (o *Ops) SkipDelivery(ctx context.Context, w Wish) error { return deliver.Skip(ctx, o.bus, w) }

// HoldDelivery stops one that was about to go: for a time, or with zero until it is approved.
func (o *Ops) HoldDelivery(ctx context.Context, w Wish, span time.Duration) error {
	return deliver.Hold(ctx, o.bus, w, span)
}

// SendDeliveryNow lets one go next, without regard to rate and quiet hours.
func (o *Ops) SendDeliveryNow(ctx context.Context, w Wish) error { return deliver.Now(ctx, o.bus, w) }

// EditDelivery gives one that did not begin to be sent a person's words. They are composed as publish composes, under
// the limits of the channel's network, or refused.
func (o *Ops) EditDelivery(ctx context.Context, w Wish, words string) (Post, error) {
	d, err := deliver.Delivery(ctx, o.bus, w.ID)
	if err != nil {
		return Post{}, err
	}
	p, err := publish.EditPost(ctx, o.bus, o.doc, d.Channel, d.Article, words)
	if err != nil {
		return Post{}, err
	}
	return p, deliver.Edit(ctx, o.bus, w, p)
}

// DeleteDelivery takes back what was posted.
func (o *Ops) DeleteDelivery(ctx context.Context, w Wish) error { return deliver.Delete(ctx, o.bus, w) }

// RetryDelivery tries a failed one again.
func (o *Ops) RetryDelivery(ctx context.Context, w Wish) error { return deliver.Retry(ctx, o.bus, w) }

// ResolveDelivery settles one of which nobody knows whether it arrived.
func (o *Ops) ResolveDelivery(ctx context.Context, w Wish, sent bool, url string) error {
	return deliver.Resolve(ctx, o.bus, w, sent, url)
}
