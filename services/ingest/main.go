// Command ingest is the ingest service as a process of its own.
package main

import (
	"tidings.internal/pkg/run"
	"tidings.internal/services/ingest/app"
)

func main() { run.Main(app.Program()) }
