// Package parse reads a feed: RSS 0.9 to 2.0, RDF, Atom 0.3 and 1.0, JSON Feed 1.0 and 1.1.
//
// It is the only package that knows gofeed, and it uses its parsers of the single formats, since the universal one
// drops half of what feeds carry. What those lose, too (the type of a text, the exact bytes of an id, the base of a
// link), comes from the side table of package guard. The result is in the words of package article: every URL absolute,
// every date in UTC or absent, every text with its type, nothing longer than its limit.
//
// The package decides what a document says, not whether it is news: that is asked in package identity.
package parse
