// Package article is the domain of Tidings: what an article is before and after it was enriched, how it is named, and
// how long its texts may be.
//
// It holds values and pure functions only. It knows no broker, no HTTP, no file and no clock, and imports nothing but
// the standard library, so that every service means the same thing by the same word. How a value travels is said in
// package event.
package article
