// Package pipeline measures how many articles travel from a source to a feed in one process.
//
//	go test ./services/tidings/e2e/pipeline -run '^$' -bench . -benchtime 1x
//
// The figure to compare with is that of the same run: plain publishes of the same size, each waiting for its ack, to a
// server with the same sync interval.
package pipeline
