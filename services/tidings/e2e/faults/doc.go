// Package faults shows that a crash loses nothing and repeats nothing.
//
// The four services and a NATS server run as processes of their own between a scripted origin and a webhook sink,
// while a killer sends kill -9 to a random one of the five every second. Afterwards a checker reads the streams from
// their first message to their last and the log of the sink, and holds them against what the origin offered. A run of
// 20 seconds is part of the tests; a longer one is
//
//	go test ./services/tidings/e2e/faults -run TestKills -faults.kills=1000 -timeout 60m
//
// In another run sites subscribe to a feed while all are killed: whoever was told 202 is asked, and has in the end what
// readers get.
//
// Further runs press where it hurts without a kill: enrich that is away, a channel whose receiver is down, a broker that
// is away (for longer with -faults.outage=60s), a stop in the middle of work.
//
// The negative control runs the same with binaries whose message ids and compare-and-set are switched off (build tag
// tidings_unsafe) and demands that the checker objects: a checker that cannot see the fault is worth nothing.
package faults
