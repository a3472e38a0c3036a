package embedded

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
)

func TestKeysAreMadeOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	made, err := MakeKeys(dir, false)
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
		if err != nil || info.Mode().Perm() != 0o400 {
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
	if made, err := MakeKeys(dir, false); err != nil || made != 1 {
		t.Errorf("made %d, %v", made, err)
	}
	// All are to be new, and the server is to know these and no other.
	old, err := os.ReadFile(filepath.Join(dir, "deliver", UserSeed))
	if err != nil {
		t.Fatal(err)
	}
	known, err := os.ReadFile(conf)
	if err != nil {
		t.Fatal(err)
	}
	if made, err := MakeKeys(dir, true); err != nil || made != len(event.Users()) {
		t.Errorf("rotated %d, %v", made, err)
	}
	fresh, err := os.ReadFile(filepath.Join(dir, "deliver", UserSeed))
	if err != nil || string(fresh) == string(old) {
		t.Errorf("the seed of deliver is the same: %v", err)
	}
	if now, err := os.ReadFile(conf); err != nil || slices.ContainsFunc(strings.Split(string(now), "\n"), func(line string) bool {
		return strings.HasPrefix(line, "NKEY_") && strings.Contains(string(known), line)
	}) {
		t.Errorf("the server still knows a former key: %v\n%s", err, now)
	}
	if err := os.Remove(filepath.Join(dir, "enrich", UserSeed)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "enrich", UserSeed), []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := MakeKeys(dir, false); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "holds no nkey seed") {
		t.Errorf("a file that is no seed: %v", err)
	}
}
