// Package ops is what an operator can do, each verb once: the command line prints what it returns, the console will
// show it.
//
// It knows neither flags nor terminals. An [Ops] is a connection to a running Tidings in the role of the operator; what
// needs none is a function of the package.
package ops
