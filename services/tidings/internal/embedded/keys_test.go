package embedded

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
)

func TestKeysAreMadeOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	made, err := MakeKeys(dir)
	if err != nil || made != len(event.Users()) {
		t.Fatalf("made %d, %v", made, err)
	}
	conf := filepath.Join(dir, ServerKeys, usersConf)
	first, err := os.ReadFile(conf)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range event.Users() {
		file := filepath.Join(dir, u.Name, UserSeed)
		info, err := os.Stat(file)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", file, info.Mode(), err)
		}
		seed, err := os.ReadFile(file)
		if err != nil || !strings.HasPrefix(string(seed), "SU") {
			t.Errorf("%s holds no seed: %v", file, err)
		}
		if strings.Contains(string(first), string(seed)) || !strings.Contains(string(first), "NKEY_"+strings.ToUpper(u.Name)+" = U") {
			t.Errorf("the file of the server is\n%s", first)
		}
	}
	// One is lost: it is made anew, and only it.
	if err := os.Remove(filepath.Join(dir, "enrich", UserSeed)); err != nil {
		t.Fatal(err)
	}
	if made, err := MakeKeys(dir); err != nil || made != 1 {
		t.Errorf("made %d, %v", made, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "enrich", UserSeed), []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := MakeKeys(dir); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "holds no nkey seed") {
		t.Errorf("a file that is no seed: %v", err)
	}
}
