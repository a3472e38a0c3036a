package bus

import (
	"context"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tidings.internal/pkg/fault"
)

// spreadWait is how long servers may take to copy everything that was restored.
const spreadWait = 10 * time.Minute

// spread gives each stream the replicas that it has here, and returns when each of them holds all of it. A kill before
// that leaves streams that are not complete, and the restore is repeated.
func (b *Bus) spread(ctx context.Context, a *archive) error {
	for _, m := range a.Members {
		info, err := b.streamInfo(ctx, m.Name)
		if err != nil {
			return err
		}
		if info.Config.Replicas >= a.copies[m.Name] {
			continue
		}
		info.Config.Replicas = a.copies[m.Name]
		if err := b.declare(ctx, info.Config); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, spreadWait)
	defer cancel()
	for _, m := range a.Members {
		if err := b.awaitCopies(ctx, m.Name, a.copies[m.Name]); err != nil {
			return err
		}
	}
	return nil
}

// awaitCopies waits until so many servers hold a stream. The broker counts one among them once it has caught up
// (nats-server 2.15.2, server/jetstream_cluster.go).
func (b *Bus) awaitCopies(ctx context.Context, stream string, copies int) error {
	tick := time.NewTicker(handLook)
	defer tick.Stop()
	for {
		info, err := b.streamInfo(ctx, stream)
		if err == nil && whole(info.Cluster, copies) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fault.Errorf(fault.Unreachable, "restore %s: %d servers were to hold it, and they do not yet; see that all of them run, and restore again: %w", stream, copies, ctx.Err())
		case <-tick.C:
		}
	}
}

// whole reports whether a stream is where it is wanted. A server that is alone has no others to tell of.
func whole(c *jetstream.ClusterInfo, copies int) bool {
	if copies <= 1 || c == nil {
		return copies <= 1
	}
	return c.Desired == nil && len(c.Replicas) == copies-1 && !slices.ContainsFunc(c.Replicas, func(p *jetstream.PeerInfo) bool { return !p.Current })
}
