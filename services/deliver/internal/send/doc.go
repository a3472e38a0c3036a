// Package send is what every network must be able to do, and what the networks share: the request that a job makes,
// the meaning of an answer, and the removal of secrets from what a server says.
//
// A network is a folder below this one. It holds the address and the credentials of one channel, makes exactly one
// request for each call that may post something, and says by the kind of its error what is known of the outcome. It
// keeps no queue, retries nothing, knows no ledger row and writes no log: package dispatch does all that for all
// networks.
package send
