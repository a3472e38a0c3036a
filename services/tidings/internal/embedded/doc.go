// Package embedded runs a NATS server inside this process, so that one command is a whole Tidings.
//
// Its JetStream store lies in the data directory. It listens on loopback at a port of its own choice, or where the
// operator says, and knows one user whose nkey seed is made in the data directory; the file nats.json there tells the
// command line, which is another process, where the server is. What is in the store is the same as on a server of its
// own: package bus cannot tell the two apart.
//
// It is not a cluster, and not a way to configure a server: who wants more than one node runs NATS beside Tidings.
package embedded
