// Package bundle is what "tidings init DIR" writes: the files of the folder deploy that a machine without the source needs
// to run Tidings as containers.
//
// It holds copies, since what is embedded must lie within the module; a test compares them. The configuration of NATS is
// written from the permissions themselves. Keys are not in it: compose.yaml makes them in volumes, where no other container
// sees them.
package bundle

import (
	"embed"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
)

//go:embed files
var files embed.FS

// natsConf is the file that is not copied but written.
const natsConf = "nats.conf"

// copied are the files of the folder deploy that are embedded, by the names that they have there.
func copied() []string {
	return []string{
		"compose.yaml", "compose.cluster.yaml", "tidings.yaml", ".env.example", "upgrade.sh",
		"prometheus/prometheus.yaml", "prometheus/tidings.rules.yaml",
		"grafana/pipeline.json", "grafana/runtime.json", "grafana/sources-and-channels.json",
		"grafana/provisioning/dashboards/tidings.yaml", "grafana/provisioning/datasources/tidings.yaml",
	}
}

// name is how a file of the folder deploy is called in a bundle: its settings of Compose are in force at once, since none of
// them says anything yet.
func name(file string) string { return strings.TrimSuffix(file, ".example") }

// embedded is where a file lies in this package. A name that begins with a dot would be left out.
func embedded(file string) string { return path.Join("files", strings.TrimPrefix(file, ".")) }

// The outcomes of [File].
const (
	Written = "written"
	Kept    = "kept" // something of that name was there
)

// File is a file of a bundle and what became of it.
type File struct {
	Name    string `json:"name"`
	Outcome string `json:"outcome"`
}

// Write writes the bundle into a folder, which is made. What is there is kept, so it may be given again.
func Write(dir string) ([]File, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, writeError(dir, err)
	}
	list := []File{}
	for _, file := range slices.Concat(copied(), []string{natsConf}) {
		text, err := content(file)
		if err != nil {
			return list, err
		}
		outcome, err := create(filepath.Join(dir, name(file)), text)
		if err != nil {
			return list, err
		}
		list = append(list, File{name(file), outcome})
	}
	return list, nil
}

func content(file string) ([]byte, error) {
	if file == natsConf {
		return []byte(event.ServerConf(event.Users(), event.DefaultSettings().MaxFile)), nil
	}
	text, err := files.ReadFile(embedded(file))
	if err != nil {
		return nil, fault.Errorf(fault.Internal, "read %s of the bundle: %w", file, err)
	}
	if name(file) != file {
		// It says what the example is to be called.
		_, rest, _ := strings.Cut(string(text), ". ")
		text = []byte("# " + rest)
	}
	return text, nil
}

// create writes a file where none is. Everybody may read it: the containers run as a user of their own, and no secret is in
// it.
func create(file string, text []byte) (outcome string, err error) {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return "", writeError(file, err)
	}
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	switch {
	case errors.Is(err, fs.ErrExist):
		return Kept, nil
	case err != nil:
		return "", writeError(file, err)
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		_ = os.Remove(file) // half a file would be kept by the next try
		return "", writeError(file, err)
	}
	return Written, nil
}

func writeError(place string, err error) error {
	return fault.Errorf(fault.Invalid, "write the bundle: %s: %w; name a folder that this user may write to", place, err)
}
