// Package clean makes what came from outside fit for feeds and posts: characters that XML allows, addresses that every
// reader accepts, titles of one line, bodies that no reader warns of.
//
// It is the last gate, not the first: enrich has sanitised the articles already, and what is found wrong here is
// dropped or falls back to less, never passed on. All functions are pure and give the same result when applied twice.
// The package knows no feed format and no network.
package clean
