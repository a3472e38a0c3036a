// Package projection keeps the documents of all feeds, ready to be served, as a fold of ARTICLES.
//
// Every replica folds the whole stream for itself. The index holds a row of metadata for each article; bodies only for
// those that some current document shows, read again by a direct get where they are missing. The documents are a
// function of the stream and the configuration alone: two replicas, and one that is rebuilt on another machine, hold
// the same bytes with the same ETags.
//
// What was rendered once stays served while the broker is away or an index is built anew; a half-built feed never is.
package projection
