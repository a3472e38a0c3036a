// Command deliver is the deliver service as a process of its own.
package main

import (
	_ "time/tzdata" // quiet hours must not depend on what the machine has installed

	"tidings.internal/pkg/run"
	"tidings.internal/services/deliver/app"
)

func main() { run.Main(app.Program()) }
