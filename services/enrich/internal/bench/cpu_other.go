//go:build !unix

package main

import "time"

var begun = time.Now()

// cpu is the time on the wall, where the system's own measure is not known.
func cpu() time.Duration { return time.Since(begun) }
