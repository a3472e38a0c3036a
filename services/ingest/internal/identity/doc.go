// Package identity tells which item of a document is which: new, known, edited, withdrawn.
//
// Publishers change guids, hosts, links and titles, double ids, drop items and show them again. A [Memory] holds what is
// known of a source's items under several keys each, and [Memory.Judge] compares a document with it. An item that is
// the same under any of its keys is the same article for ever; only a change of what people read is a revision.
//
// The package is a pure function of memory, document and time. It publishes and stores nothing: the caller commits the
// judged memory once everything it asks for is safe on the bus, and drops it otherwise.
package identity
