// Package story decides which articles tell the same story, so that a story is posted once. The answer is the same in
// every replica and after every crash, and it never changes once given.
//
// The log of the bucket stories decides. For each article two keys stand in it:
//
//	claim.<article>.<revision>   what the article is known by: aliases, sketch of its text, terms, when it was first seen
//	member.<article>             its story, for ever
//
// The broker gives every write to the bucket a sequence, and that of an article's first claim orders it among all
// articles. Whoever handles an article creates its claim, waits until its own watch of the bucket has reached the
// claim, and so knows everything that was claimed before. The story is then a pure function of the earlier claims: that
// of the earliest article with an equal alias, else of the most alike, else a new one, named after the article itself.
// A text counts against the first article of a story and against the longest of those that are like the first one, so that
// small steps chain nothing; what belongs to a second story as well names it, and joins the first.
// A new one about the same names and phrases as a story of the last two days is related to it: both are told, and share a
// group.
//
// Before an answer is used it is created as the member record, and whoever comes second takes what is there: two replicas
// with different knowledge still give one answer. An answer that depends on another article which has no record yet first
// creates that one in the same way. A crash between any two steps repeats to the same result.
package story
