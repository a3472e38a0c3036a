package bus

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// What tests do behind the back of the package.

// Conn is the connection itself.
func (b *Bus) Conn() *nats.Conn { return b.nc }

// JetStream is the library itself.
func (b *Bus) JetStream() jetstream.JetStream { return b.js }

// CheckEvery has everything that follows a stream look at it that often. It is called before anything follows one.
func (b *Bus) CheckEvery(d time.Duration) { b.followEvery, b.evictEvery = d, d }

// SendChunk sends one chunk of a restore.
func (b *Bus) SendChunk(ctx context.Context, stream, subject string, chunk []byte) error {
	return b.sendChunk(ctx, stream, subject, chunk, chunkWait)
}

// Grace is how long running handlers may go on after a stop. It is set before anything is consumed.
func (b *Bus) Grace(d time.Duration) { b.grace = d }

// AcquireIn is [Bus.Acquire] with a bucket and times of the test's own.
func (b *Bus) AcquireIn(ctx context.Context, bucket, name string, renew, stop time.Duration) (*Lease, error) {
	return b.acquire(ctx, b.Bucket(bucket), name, renew, stop)
}

// Forget is what a watch does that had shown keys before an outage and finds the others of now after it.
func (k *Bucket) Forget(ctx context.Context, shown, now []string, each func(Entry)) error {
	set := func(keys []string) map[string]struct{} {
		m := map[string]struct{}{}
		for _, key := range keys {
			m[key] = struct{}{}
		}
		return m
	}
	return (&bucketWatch{Bucket: k, each: each, known: set(shown)}).forget(ctx, set(now))
}

// KindOfCode, Intersect and Narrow are for tables.
var (
	KindOfCode = kindOfCode
	Narrow     = narrow
)
