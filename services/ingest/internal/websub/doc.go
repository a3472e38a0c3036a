// Package websub is the subscriber's side of WebSub (W3C Recommendation of 23 January 2018): a source that names a hub
// is asked for pushes there, so that its news come within seconds and it is polled once a day only.
//
// The package speaks the protocol and decides how a subscription goes on. It keeps nothing: a [Subscription] is a part
// of the state of its source, and whoever owns the source, or receives a push, changes it by compare-and-set. Nothing
// secret is stored: callback and secret are made of a key that every replica has.
package websub
