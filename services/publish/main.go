// Command publish is the publish service as a process of its own.
package main

import (
	_ "time/tzdata" // zones of readers must not depend on what the machine has installed

	"tidings.internal/pkg/run"
	"tidings.internal/services/publish/app"
)

func main() { run.Main(app.Program()) }
