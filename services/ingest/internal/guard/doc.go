// Package guard stands between a stranger's document and the parser. One pass over the bytes refuses what would blow up
// a parser, repairs what would stop one, and notes what the parser loses.
//
// Refused ([cause.TooDeep], [cause.TooDense]) are documents that nest, declare or chop more than any feed does: the
// parser's work and stack grow with those faster than with the length. Repaired are tags that nobody closed, end tags
// that nothing opened, bare angle brackets, attributes without quotes, documents that end early: what leaves this
// package holds only elements, attributes and text in their plain forms, so that the parser cannot read a byte
// differently from the guard. Comments, processing instructions and document type declarations are dropped: no entity
// is ever expanded, no other file read. Noted in the side table are the exact bytes and types of texts, ids and links,
// and the language and base that hold for them.
//
// The package knows the outlines of RSS, RDF, Atom and JSON Feed, and nothing of what their fields mean.
package guard
