// Command publish is the publish service as a process of its own.
package main

import (
	"tidings.internal/pkg/run"
	"tidings.internal/services/publish/app"
)

func main() { run.Main(app.Program()) }
