package run

import (
	"log/slog"
	"strconv"
)

// ComposeVersion is that of the compose.yaml which this version of the programs wants. It rises when something there has to
// be as it is, and stands in the first line of the file and in TIDINGS_COMPOSE of each service.
const ComposeVersion = 1

// warnOfCompose says that the containers were started by a file of an older release: an image alone was renewed.
func warnOfCompose(environ []string, log *slog.Logger) {
	text := lookup(environ, "TIDINGS_COMPOSE")
	if text == "" {
		return // not a container, or one that somebody else describes
	}
	if n, err := strconv.Atoi(text); err != nil || n < ComposeVersion {
		log.Warn("compose.yaml is older than this program", "TIDINGS_COMPOSE", oneLine(text), "wanted", ComposeVersion,
			"hint", "put the compose.yaml of this release in its place; own additions belong into compose.override.yaml")
	}
}
