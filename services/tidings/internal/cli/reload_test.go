package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A file that is no YAML does not say where the processes are either: what is wrong with it is told, not that nobody
// answers at the usual address.
func TestAReloadOfABrokenFileNamesTheLine(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "tidings.yaml")
	if err := os.WriteFile(file, []byte("nats: {url: \"nats://127.0.0.1:1\"}\nsite: [\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	code := Command(t.Context(), []string{"reload", "--config", file}, []string{"TIDINGS_ADMIN__LISTEN=127.0.0.1:1"}, &out, &errs)
	if code != 1 || !strings.Contains(errs.String(), "tidings.yaml:3:1") || strings.Contains(errs.String(), "nothing answers") {
		t.Errorf("exit code %d: %s%s", code, out.String(), errs.String())
	}
}
