package readers

import (
	"context"
	"slices"
	"strings"

	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
)

// All reads the readers of a list, or of all lists for "", by list and address.
func All(ctx context.Context, bucket Bucket, list string) ([]*Reader, error) {
	filter := allReaders
	if list != "" {
		filter = readerKeys(list)
	}
	entries, err := bucket.Entries(ctx, filter)
	if err != nil {
		return nil, err
	}
	all := make([]*Reader, 0, len(entries))
	for _, e := range entries {
		r, err := decode(e)
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b *Reader) int {
		return strings.Compare(a.List+" "+domainOf(a.Address)+" "+string(a.Address), b.List+" "+domainOf(b.Address)+" "+string(b.Address))
	})
	return all, nil
}

// Erase removes every row of an address, or the one that an id names, and tells how many there were. Whether the address
// must not be written to stays known. It may be repeated, and must be after a crash.
func Erase(ctx context.Context, bucket Bucket, who string) (int, error) {
	all, err := All(ctx, bucket, "")
	if err != nil {
		return 0, err
	}
	s, n := NewStore(bucket, Keys{}), 0
	for _, r := range all {
		if r.ID != who && !strings.EqualFold(string(r.Address), who) {
			continue
		}
		if err := s.erase(ctx, r); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// Suppress has an address not written to any more, on no list.
func (d *Desk) Suppress(ctx context.Context, address event.Hidden) error {
	if err := event.CheckAddress(string(address)); err != nil {
		return err
	}
	ended, err := d.store.bar(ctx, string(address), ByOperator, d.Now())
	for _, r := range ended {
		d.Bus.Notice(ctx, event.Notice{Time: d.Now().UTC(), Type: "subscriber_suppressed", Channel: r.List, Reason: ByOperator})
	}
	if err != nil {
		return fault.Errorf(fault.KindOf(err), "suppress an address: %w", err)
	}
	return nil
}

// Lift takes that back, whatever it came from. It may be repeated, and must be after a crash.
func (d *Desk) Lift(ctx context.Context, address event.Hidden) error {
	if err := event.CheckAddress(string(address)); err != nil {
		return err
	}
	if err := d.store.lift(ctx, string(address), d.Now()); err != nil {
		return fault.Errorf(fault.KindOf(err), "lift the suppression of an address: %w", err)
	}
	return nil
}
