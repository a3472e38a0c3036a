// Package origintest is a scripted origin of feeds: a web server on loopback whose feeds a test writes while it runs.
//
// A [Feed] is a list of items that a test adds to, edits and removes from; the origin serves it as RSS, Atom and JSON
// Feed with validators, and answers conditional requests. [Origin.Script] makes chosen requests go wrong: any status,
// slow, cut, endless, malformed, encoded, redirected, raw bytes. Every request is recorded.
//
// It renders feeds by itself, with the standard library, so that a mistake in what we publish is not repeated in what
// we test with. It is for tests and for the programs that tests run; it speaks plain HTTP and checks nothing.
package origintest
