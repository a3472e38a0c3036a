// Command enrich is the enrich service as a process of its own, and the same steps on a file: "enrich run --in FILE".
package main

import "tidings.internal/services/enrich/app"

func main() { app.Main() }
