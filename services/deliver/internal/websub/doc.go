// Package websub is the working half of our WebSub hub (W3C Recommendation of 23 January 2018): it verifies what sites
// asked publish for, keeps their subscriptions, and pushes each new document of a feed to them.
//
// One replica does the work, under a lease; compare-and-set on every row is the fence. Nothing that must be remembered
// is kept in memory alone: a request stays in its bucket until it is dealt with, the row of a topic says which document
// is owed to all, and the row of a subscription that its last push failed. Only a push that worked writes nothing. So a
// kill at any moment loses nothing, and at worst pushes once more the very bytes that a site has already.
//
// The package knows nothing of feeds: which documents are new it hears on the bus, and the bytes it asks publish for.
package websub
