// Command ingest is the ingest service as a process of its own, and a reader of feeds from disk.
package main

import "tidings.internal/services/ingest/app"

func main() { app.Main() }
