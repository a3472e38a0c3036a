package run

import (
	"cmp"
	"runtime"
	"runtime/debug"
)

// version is set by the release build: -ldflags "-X tidings.internal/pkg/run.version=1.2.3".
var version string

// Build says which build this is.
type Build struct {
	// Version is the release, or what the Go toolchain knows of the main module, "(devel)" in a checkout.
	Version string `json:"version"`
	// Revision is the commit, with "+dirty" after it when the tree had changes, or empty when the build did not
	// record it.
	Revision string `json:"revision"`
	// Go is the toolchain.
	Go string `json:"goversion"`
}

// BuildInfo returns the build of the running binary.
func BuildInfo() Build {
	b := Build{Version: version, Go: runtime.Version()}
	info, ok := debug.ReadBuildInfo()
	if ok {
		b.Version = cmp.Or(b.Version, info.Main.Version)
		dirty := false
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				b.Revision = s.Value
			case "vcs.modified":
				dirty = s.Value == "true"
			}
		}
		if dirty && b.Revision != "" {
			b.Revision += "+dirty"
		}
	}
	b.Version = cmp.Or(b.Version, "(devel)")
	return b
}

// String is the line that the verb version prints after the program's name.
func (b Build) String() string {
	if b.Revision == "" {
		return b.Version + " (" + b.Go + ")"
	}
	return b.Version + " (revision " + b.Revision + ", " + b.Go + ")"
}
