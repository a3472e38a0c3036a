package ops

import (
	"context"
	"strconv"
	"time"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/run"
	deliver "tidings.internal/services/deliver/app"
	ingest "tidings.internal/services/ingest/app"
)

// Manifest says what a backup holds.
type Manifest = bus.Manifest

// Member is one stream of a backup.
type Member = bus.Member

// noticeBackup is the type of the notice that a backup was made.
const noticeBackup = "backup_made"

// Backup writes everything that the broker holds for Tidings into a file, while services run.
func (o *Ops) Backup(ctx context.Context, file string, progress func(Member)) (Manifest, error) {
	m, err := o.bus.Backup(ctx, file, run.BuildInfo().Version, progress)
	if err == nil {
		messages := uint64(0)
		for _, one := range m.Members {
			messages += one.Messages
		}
		o.bus.Notice(ctx, event.Notice{Type: noticeBackup, Data: map[string]string{"messages": strconv.FormatUint(messages, 10)}})
	}
	return m, err
}

// Restored is what a restore did.
type Restored struct {
	Manifest
	// Raised counts the articles whose revision in the state of their source was behind.
	Raised int `json:"raised"`
	// Channels are paused now; Skipped counts the deliveries that waited in them and may have been sent since.
	Channels int `json:"channels"`
	Skipped  int `json:"skipped"`
}

// Restore puts a backup into an empty instance on which no service runs, and brings its parts to terms with each other.
func (o *Ops) Restore(ctx context.Context, file string, progress func(Member)) (Restored, error) {
	var done Restored
	t, err := Topology(o.nats)
	if err != nil {
		return done, err
	}
	done.Manifest, err = o.bus.Restore(ctx, file, t, func(ctx context.Context) (err error) {
		if done.Raised, err = ingest.Reconcile(ctx, o.bus); err != nil {
			return err
		}
		done.Channels, done.Skipped, err = deliver.Restored(ctx, o.bus, time.Now())
		return err
	}, progress)
	if err == nil {
		o.bus.Notice(ctx, event.Notice{Type: "restored", Data: map[string]string{"backup": done.Time.Format(time.RFC3339)}})
	}
	return done, err
}
