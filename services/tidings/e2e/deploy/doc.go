// Package deploy reads the shipped compose files as Compose does and holds them to the rules for containers: no root, no
// capability, no writable root, limits for everything, NATS as the only way from service to service. It starts nothing;
// package compose runs the files.
package deploy
