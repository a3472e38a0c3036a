package embedded

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/nats-io/nkeys"

	"tidings.internal/pkg/fault"
)

const (
	seedName    = "nats.seed"
	addressName = "nats.json"
	storeName   = "nats"
	begunName   = "nats.begun"
)

// SeedFile is where a data directory keeps the seed of the one user. Whoever may read it may do everything.
func SeedFile(data string) string { return filepath.Join(data, seedName) }

// user is the one who may connect.
type user struct {
	seed   []byte
	public string
}

// readUser reads the seed of a data directory and makes it at the first start. The file appears whole or not at all:
// a half-written seed would lock the CLI out after a crash.
func readUser(data string) (user, error) {
	file := SeedFile(data)
	seed, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		if seed, err = newSeed(); err == nil {
			err = writeWhole(file, seed)
		}
	}
	if err != nil {
		return user{}, storeError(data, err)
	}
	pair, err := nkeys.ParseDecoratedNKey(seed)
	if err != nil {
		return user{}, fault.Errorf(fault.Invalid, "read %s: it holds no nkey seed; remove it, and a new one is made", file)
	}
	public, err := pair.PublicKey()
	if err != nil {
		return user{}, fault.Errorf(fault.Invalid, "read %s: it holds no nkey seed; remove it, and a new one is made", file)
	}
	return user{seed, public}, nil
}

func newSeed() ([]byte, error) {
	pair, err := nkeys.CreateUser()
	if err != nil {
		return nil, err
	}
	return pair.Seed()
}

// Address is where the server of a data directory is while it runs.
type Address struct {
	URL string `json:"url"`
}

// ReadAddress returns where the server of a data directory listens. A server that was killed leaves its address
// behind; then nothing answers there. No server at all is unreachable.
func ReadAddress(data string) (Address, error) {
	var a Address
	body, err := os.ReadFile(filepath.Join(data, addressName))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return a, fault.Errorf(fault.Unreachable, "no Tidings runs in data directory %s; start one, or name another directory with --data", data)
	case err != nil:
		return a, fault.Errorf(fault.Invalid, "read the address of NATS: %w", err)
	}
	if err := json.Unmarshal(body, &a); err != nil {
		return a, fault.Errorf(fault.Invalid, "read %s: %w; start Tidings again", filepath.Join(data, addressName), err)
	}
	return a, nil
}

func writeAddress(data string, a Address) error {
	body, err := json.Marshal(a)
	if err != nil {
		return fault.Errorf(fault.Internal, "write the address of NATS: %w", err)
	}
	if err := writeWhole(filepath.Join(data, addressName), append(body, '\n')); err != nil {
		return storeError(data, err)
	}
	return nil
}

// Begun reports whether a store was begun in a data directory. It is known beside the store, so that one that is gone, or
// another one in its place, does not pass for a first start.
func Begun(data string) bool {
	_, err := os.Stat(filepath.Join(data, begunName))
	return err == nil
}

// Begin notes that the store has what it needs.
func Begin(data string) error {
	if Begun(data) {
		return nil
	}
	if err := writeWhole(filepath.Join(data, begunName), nil); err != nil {
		return storeError(data, err)
	}
	return nil
}

// writeWhole puts a file into place by a rename, mode 0600.
func writeWhole(file string, body []byte) error {
	f, err := os.CreateTemp(filepath.Dir(file), ".new-*") // CreateTemp uses 0600
	if err != nil {
		return err
	}
	_, err = f.Write(body)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
