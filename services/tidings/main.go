// Command tidings is the whole of Tidings in one process, and the operator's command line.
package main

import (
	_ "time/tzdata" // quiet hours must not depend on what the machine has installed

	"tidings.internal/services/tidings/internal/cli"
)

func main() { cli.Main() }
