// Package compose makes posts: one payload for one channel, told from one article.
//
// A post is a pure function of the article and the configuration of the channel. It holds no credential, asks no
// server and reads no clock, so that everyone may look at it before it is sent and every replica composes the same.
// What only deliver knows stands in it as a placeholder.
//
// A network is a folder below this one that exports a [Network]: its limits, its way of counting, and the request its
// API takes. It imports this package and never another network. Which posts are due is decided in package composer,
// when they leave by deliver.
package compose
