// Package cluster tries three NATS servers in this process, with the shipped configuration file: encrypted routes, and a
// backup that is restored onto all three. What servers do to each other as containers is in package compose.
package cluster
