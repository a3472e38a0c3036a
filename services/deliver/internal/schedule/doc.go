// Package schedule says when something may be sent: how often, not at night, and how long to wait after a failure.
//
// It is arithmetic over times that the caller brings. It knows no clock, no timer and no channel, and what it must
// remember is a value that the caller stores, so that a restart refills nothing.
package schedule
