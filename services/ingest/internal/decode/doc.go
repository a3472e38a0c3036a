// Package decode turns the bytes of an answer into clean UTF-8: it undoes the content codings within limits, finds the
// character encoding, and removes what no XML parser accepts.
//
// It looks at bytes only. Whether they are a feed is asked in package guard, what they say in package parse. The result
// is UTF-8 whatever the document declares, so nothing behind this package may convert again.
package decode
