package cli

import (
	"context"

	"tidings.internal/services/tidings/internal/ops"
)

type backupVerb struct {
	File string `arg:"" help:"File to write. It replaces an older one once it is whole."`
	asJSON
}

// Run is the verb backup.
func (v *backupVerb) Run(w *world) error {
	return w.kept(func(ctx context.Context, o *ops.Ops) error {
		m, err := o.Backup(ctx, v.File, w.member)
		if err != nil {
			return err
		}
		if v.JSON {
			return w.encode(m)
		}
		return w.printf("%s holds %d streams\n", plain(v.File), len(m.Members))
	})
}

// member tells of one that is done.
func (w *world) member(m ops.Member) {
	w.progress("%-18s %8d messages  %s\n", m.Name, m.Messages, size(uint64(m.Snapshot.Size)))
}

type restoreVerb struct {
	File string `arg:"" help:"A backup."`
	asJSON
}

// Run is the verb restore.
func (v *restoreVerb) Run(w *world) error {
	return w.store(func(ctx context.Context, o *ops.Ops) error {
		done, err := o.Restore(ctx, v.File, w.member)
		if err != nil {
			return err
		}
		if v.JSON {
			return w.encode(done)
		}
		err = w.printf("restored the backup of %s\n", when(done.Time))
		if err == nil && done.Channels > 0 {
			err = w.printf("%d channels are paused, since nobody knows what they sent after it; resume each when every source was polled\n%d deliveries that waited were skipped\n", done.Channels, done.Skipped)
		}
		return err
	})
}
