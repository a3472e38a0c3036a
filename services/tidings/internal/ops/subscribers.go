package ops

import (
	"context"

	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	deliver "tidings.internal/services/deliver/app"
)

type (
	// SubscriberStatus is what an operator sees of a reader of a list.
	SubscriberStatus = deliver.SubscriberStatus
	// SubscriberProof is how that reader asked and agreed.
	SubscriberProof = deliver.SubscriberProof
	// NewSubscriber is an address that an operator brings.
	NewSubscriber = deliver.NewSubscriber
)

// Subscribers lists the readers of a list, or of all lists for "". whole gives addresses and proofs.
func (o *Ops) Subscribers(ctx context.Context, list string, whole bool) ([]SubscriberStatus, error) {
	return deliver.Subscribers(ctx, o.bus, list, whole)
}

// PresetOfList is what the configuration gives readers of a list who do not choose.
func PresetOfList(doc *config.Doc, list string) (event.Wishes, error) {
	return deliver.Preset(doc, list)
}

// AddSubscriber asks the owner of an address whether he wants a list.
func (o *Ops) AddSubscriber(ctx context.Context, doc *config.Doc, list string, n NewSubscriber) error {
	return deliver.AddSubscriber(ctx, o.bus, doc, list, n)
}

// EraseSubscriber removes every row of an address, or the one that an id names, and tells how many there were.
func (o *Ops) EraseSubscriber(ctx context.Context, who string) (int, error) {
	return deliver.EraseSubscriber(ctx, o.bus, who)
}

// SuppressSubscriber has an address not written to any more; lift takes that back.
func (o *Ops) SuppressSubscriber(ctx context.Context, address string, lift bool) error {
	return deliver.SuppressSubscriber(ctx, o.bus, address, lift)
}

// PreviewMail returns the bytes of a test mail of a list before they are signed. Nothing is sent.
func (o *Ops) PreviewMail(ctx context.Context, list, address string) ([]byte, error) {
	return deliver.PreviewMail(ctx, o.bus, list, address)
}

// TestMail has a mail of a list sent that is marked as a test.
func (o *Ops) TestMail(ctx context.Context, list, address string) error {
	return deliver.TestMail(ctx, o.bus, list, address)
}
