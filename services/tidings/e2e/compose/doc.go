// Package compose runs the shipped compose.yaml and the overlay for a cluster, unchanged, on a Docker engine, with images
// that the shipped Dockerfile, unchanged, builds. No registry is asked: the base images are stood in for by what is on this
// machine, its Go toolchain and a NATS server compiled from its module. So it has tests on Linux alone, and they want an
// engine that runs on this machine itself.
package compose
