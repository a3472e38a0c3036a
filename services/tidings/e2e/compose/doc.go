// Package compose runs the shipped compose.yaml, unchanged, on a Docker engine: images with the final stages of the shipped
// Dockerfile around binaries that were just built, and a stand-in for the image of NATS, since no registry is asked.
package compose
