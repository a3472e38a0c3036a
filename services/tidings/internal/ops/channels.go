package ops

import (
	"context"

	deliver "tidings.internal/services/deliver/app"
)

// PauseChannel stops a channel and keeps its queue.
func (o *Ops) PauseChannel(ctx context.Context, id string) error {
	return deliver.Pause(ctx, o.bus, id)
}

// ResumeChannel ends a pause, whatever its reason. After a restore the channel begins anew at this moment.
func (o *Ops) ResumeChannel(ctx context.Context, id string) error {
	return deliver.Resume(ctx, o.bus, id)
}
