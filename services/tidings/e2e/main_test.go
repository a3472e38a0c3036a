package e2e

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// binary is the tidings command, built anew for this run: the test cache sees no child process.
var binary string

func TestMain(m *testing.M) {
	flag.Parse()
	dir, err := os.MkdirTemp("", "tidings-e2e-*")
	if err == nil {
		binary = filepath.Join(dir, "tidings")
		err = build(binary)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "build the binary that these tests run:", err)
		os.Exit(1)
	}
	code := m.Run()
	if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, "clean up:", err)
	}
	os.Exit(code)
}

func build(to string) error {
	out, err := exec.Command("go", "build", "-o", to, "tidings.internal/services/tidings").CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
}

// root is the folder of go.work.
func root(t *testing.T) string {
	t.Helper()
	dir, err := workspace()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// workspace asks the go command once: a test may ask for each of all files.
var workspace = sync.OnceValues(func() (string, error) {
	out, err := exec.Command("go", "env", "GOWORK").Output()
	file := strings.TrimSpace(string(out))
	if err != nil || file == "" || file == "off" {
		return "", fmt.Errorf("no go.work in use (GOWORK is %q, %v): these tests see one module only and would pass on nothing", file, err)
	}
	return filepath.Dir(file), nil
})
