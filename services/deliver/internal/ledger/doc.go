// Package ledger remembers what was sent to which channel.
//
// The ledger is the queue: a post that has a row is never waited for on the bus. A row is written before a post leaves
// and completed when its receipt arrives, so that a crash between the two shows as an open row and never as a second
// post. Its key is channel and story alone: whatever else changes about an article, the story is posted once.
//
// The package knows the states, the ways between them and what an arriving post means for a row; every change is a
// compare-and-set. It sends nothing, and it decides nothing about time: dispatch asks it, send fills it.
package ledger
