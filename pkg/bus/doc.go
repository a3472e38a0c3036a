// Package bus is the only package that talks to NATS JetStream.
//
// It carries the messages of package event: [Bus.Append] adds raw articles with a message id, [Bus.Emit] replaces the
// newest version on a subject by compare-and-set, [Bus.Consume] hands messages to a handler and turns its answer into
// the verdict that package fault names, [Bus.Follow] folds a stream into memory, and the rest is state: buckets,
// blobs, leases, dead letters, and the topology itself.
//
// The rules it keeps for everybody: nothing is acknowledged before it is safe elsewhere; an ack is only a hint, so
// every handler may see a message twice; a version on a subject never goes back; a message that no handler can take
// becomes a dead letter and never blocks the others. The package knows nothing of feeds, posts or articles beyond
// their envelopes.
package bus
