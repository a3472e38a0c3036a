//go:build !tidings_unsafe

package bus

// unsafeForFaultRun is true only in the negative control of the fault run (build tag tidings_unsafe), which switches
// message ids and compare-and-set off to show that the history checker sees what they prevent.
const unsafeForFaultRun = false
