// Package fault names the kinds of things that go wrong.
//
// The kind alone decides what happens next: whether a message is retried or becomes a dead letter, which label a
// metric carries, which code the process exits with, and which sentence an operator reads. [Table] is the one place
// where those consequences are written down. The package knows nothing of brokers, HTTP or configuration; the code
// that meets an error and understands it gives it its kind, everyone above only wraps.
package fault
