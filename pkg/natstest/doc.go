// Package natstest gives each test a NATS server of its own, in the process and without a port.
//
// It is the real server, not a mock of it, with the topology of Tidings applied. Starting one takes some milliseconds.
package natstest
