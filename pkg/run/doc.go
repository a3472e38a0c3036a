// Package run is a process: what every Tidings binary does around its work.
//
// It reads the flags and the configuration, sets up logging and metrics, serves the admin port (/healthz, /readyz,
// /metrics, /version, POST /-/reload, pprof when asked for), listens to signals, and ends in a fixed order within a
// fixed time: first not ready, then the app, the admin port last. It is the only package that touches flags, signals
// and exit codes.
//
// It is no framework: it knows nothing of brokers, feeds or channels, restarts nothing that failed, and offers no
// states. A program gives it a [Program]; the program's [App] blocks in Run until its context ends.
package run
