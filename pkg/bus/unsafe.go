//go:build tidings_unsafe

package bus

// unsafeForFaultRun: see safe.go. A binary with this tag loses and repeats articles on purpose.
const unsafeForFaultRun = true
