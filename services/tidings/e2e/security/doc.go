// Package security shows that the shipped configuration of the NATS server keeps each service to its own.
//
// A real server runs from the very file deploy/nats.conf, with keys made in the test. Each user makes every call that
// its service makes, through package bus, and tries what is another's over a bare connection. What permissions cannot
// keep out is shown too, together with what becomes of it.
package security
