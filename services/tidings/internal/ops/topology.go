package ops

import (
	"context"

	"tidings.internal/pkg/bus"
)

// Plan compares what the broker holds with what it should hold.
func (o *Ops) Plan(ctx context.Context) (bus.Plan, error) {
	t, err := Topology(o.nats)
	if err != nil {
		return bus.Plan{}, err
	}
	return o.bus.Plan(ctx, t)
}

// WithReplicas is the operator for whom streams are to lie on so many servers, whatever the configuration says; 0 leaves it.
func (o *Ops) WithReplicas(n int) *Ops {
	if n == 0 {
		return o
	}
	other := *o
	other.nats.Replicas = n
	return &other
}

// Apply carries the difference out and returns what it was. What could lose data is refused unless yes.
func (o *Ops) Apply(ctx context.Context, yes bool) (bus.Plan, error) {
	p, err := o.Plan(ctx)
	if err != nil {
		return p, err
	}
	return p, o.bus.Apply(ctx, p, yes)
}
