package bundle

import (
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tidings.internal/pkg/fault"
)

var update = flag.Bool("update", false, "copy the files of the folder deploy anew")

func deploy(file string) string { return filepath.Join("..", "..", "..", "..", "deploy", file) }

func TestTheCopiesAreTheFilesOfTheFolderDeploy(t *testing.T) {
	t.Parallel()
	for _, file := range copied() {
		want, err := os.ReadFile(deploy(file))
		if err != nil {
			t.Fatal(err)
		}
		if *update {
			if err := errors.Join(os.MkdirAll(filepath.Dir(embedded(file)), 0o755), os.WriteFile(embedded(file), want, 0o644)); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(embedded(file))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s differs from deploy/%s; go test ./services/tidings/internal/bundle -update copies it (-deploy +copy):\n%s", embedded(file), file, diff)
		}
	}
}

func TestABundleIsWrittenOnceAndWhatIsThereIsKept(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new", "folder")
	list, err := Write(dir)
	if err != nil || len(list) != len(copied())+1 {
		t.Fatalf("%v, %v", list, err)
	}
	for _, f := range list {
		text, err := os.ReadFile(filepath.Join(dir, f.Name))
		if err != nil || f.Outcome != Written {
			t.Errorf("%+v: %v", f, err)
			continue
		}
		want, err := os.ReadFile(deploy(f.Name))
		switch {
		case errors.Is(err, fs.ErrNotExist) && f.Name == ".env":
			if strings.Contains(string(text), "Copy to .env") || strings.HasPrefix(string(text), "TIDINGS") {
				t.Errorf(".env is\n%s", text)
			}
		case err != nil || string(want) != string(text):
			t.Errorf("%s is not what deploy has: %v", f.Name, err)
		}
		if info, err := os.Stat(filepath.Join(dir, f.Name)); err != nil || info.Mode().Perm()&0o044 != 0o044 {
			t.Errorf("%s: the user of the containers cannot read it: %v, %v", f.Name, info.Mode(), err)
		}
	}

	mine := filepath.Join(dir, "tidings.yaml")
	if err := errors.Join(os.WriteFile(mine, []byte("site: {title: Mine}\n"), 0o600), os.Remove(filepath.Join(dir, "nats.conf"))); err != nil {
		t.Fatal(err)
	}
	list, err = Write(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range list {
		if want := map[bool]string{true: Written, false: Kept}[f.Name == "nats.conf"]; f.Outcome != want {
			t.Errorf("the second time %s is %s", f.Name, f.Outcome)
		}
	}
	if text, err := os.ReadFile(mine); err != nil || string(text) != "site: {title: Mine}\n" {
		t.Errorf("the operator's file is %q, %v", text, err)
	}
}

func TestABundleIsNotWrittenIntoAFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Write(filepath.Join(file, "below")); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), file) {
		t.Errorf("%v", err)
	}
}
