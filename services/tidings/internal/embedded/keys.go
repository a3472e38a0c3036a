package embedded

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/nats-io/nkeys"

	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
)

// The files below the folder of a user, and that of the server's.
const (
	UserSeed   = "seed"
	ServerKeys = "nats"
	usersConf  = "users.conf"
	// mountPoint is where compose.yaml puts nats.conf beside users.conf: in a read-only volume the file must be there.
	mountPoint = "nats.conf"
)

// MakeKeys makes a seed for each user of nats.conf that has none, in DIR/USER/seed, readable by its owner alone, and
// writes the public keys to DIR/nats/users.conf. What exists is kept, so it may run at each start, unless rotate wants new
// seeds for all; made counts the new seeds. A kill in between leaves whole files only, and the next run makes the rest.
func MakeKeys(dir string, rotate bool) (made int, err error) {
	var conf strings.Builder
	conf.WriteString("# The public keys of the users of nats.conf, written by \"tidings init --keys\".\n")
	for _, u := range event.Users() {
		folder := filepath.Join(dir, u.Name)
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return made, keysError(folder, err)
		}
		file := filepath.Join(folder, UserSeed)
		seed, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) || err == nil && rotate {
			if seed, err = newSeed(); err == nil {
				err = writeWhole(file, seed)
			}
			made++
		}
		if err == nil {
			err = os.Chmod(file, 0o400) // nothing writes into it again; a new one takes its place
		}
		if err != nil {
			return made, keysError(file, err)
		}
		pair, err := nkeys.ParseDecoratedNKey(seed)
		if err != nil {
			return made, fault.Errorf(fault.Invalid, "read %s: it holds no nkey seed; remove it, and a new one is made", file)
		}
		public, err := pair.PublicKey()
		if err != nil {
			return made, fault.Errorf(fault.Invalid, "read %s: it holds no nkey seed; remove it, and a new one is made", file)
		}
		fmt.Fprintf(&conf, "NKEY_%s = %s\n", strings.ToUpper(u.Name), public)
	}
	folder := filepath.Join(dir, ServerKeys)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return made, keysError(folder, err)
	}
	if err := writeWhole(filepath.Join(folder, usersConf), []byte(conf.String())); err != nil {
		return made, keysError(folder, err)
	}
	f, err := os.OpenFile(filepath.Join(folder, mountPoint), os.O_CREATE, 0o644)
	if err != nil {
		return made, keysError(folder, err)
	}
	return made, f.Close()
}

func keysError(name string, err error) error {
	return fault.Errorf(fault.Invalid, "make keys: cannot read or write %s; give the folder to the user of this process: %w", name, err)
}
