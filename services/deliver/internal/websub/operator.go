package websub

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/fault"
)

// Named is a subscription under the name that operators use.
type Named struct {
	ID string
	Subscription
	revision uint64
	key      string
}

// idLength is how much of a key names a subscription: 48 bits.
const idLength = 12

// List reads all subscriptions, those of a feed together.
func List(ctx context.Context, rows *bus.Bucket) ([]Named, error) {
	entries, err := rows.Entries(ctx, subscriptionKeys+">")
	if err != nil {
		return nil, err
	}
	list := make([]Named, 0, len(entries))
	for _, e := range entries {
		n := Named{key: e.Key, revision: e.Revision}
		if err := json.Unmarshal(e.Value, &n.Subscription); err != nil {
			return nil, fault.Errorf(fault.Malformed, "read subscription %s: %w", e.Key, err)
		}
		last := e.Key[strings.LastIndexByte(e.Key, '.')+1:]
		n.ID = last[:min(idLength, len(last))]
		list = append(list, n)
	}
	slices.SortFunc(list, func(a, b Named) int { return strings.Compare(a.Topic+" "+a.ID, b.Topic+" "+b.ID) })
	return list, nil
}

// Host is the host of the callback. The rest of it may be a secret.
func (n *Named) Host() string { return hostOf(n.Callback) }

// End ends a subscription: nothing is pushed any more, and whoever works on subscriptions tells the site the reason. Once
// more does no harm.
func End(ctx context.Context, rows *bus.Bucket, id, reason string) error {
	for range maxConflicts {
		list, err := List(ctx, rows)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(list, func(n Named) bool { return n.ID == id })
		if i < 0 {
			return fault.Errorf(fault.Invalid, "there is no subscription %.40q", id)
		}
		n := list[i]
		if n.Ended != "" {
			return nil
		}
		n.Ended = reason
		value, err := json.Marshal(n.Subscription)
		if err != nil {
			return fault.Errorf(fault.Internal, "end subscription %s: %w", id, err)
		}
		if _, err = rows.Update(ctx, n.key, value, n.revision); fault.KindOf(err) != fault.Conflict {
			return err
		}
	}
	return fault.Errorf(fault.Conflict, "end subscription %s: it changes all the time", id)
}
