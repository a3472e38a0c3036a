package bus

import (
	"archive/tar"
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"slices"

	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
)

// archive is a backup that was read from one end to the other and found whole.
type archive struct {
	Manifest
	f *os.File
	// id is the digest of the manifest, which has the digests of everything else in it.
	id string
	at map[string]int64 // where the content of each file begins
	// copies is how many servers are to hold each stream in the end.
	copies map[string]int
}

// ReadManifest reads a backup to its end and returns what it holds. One that is cut, changed or of a newer format is an
// error.
func ReadManifest(file string) (Manifest, error) {
	a, err := openBackup(file)
	if err != nil {
		return Manifest{}, err
	}
	return a.Manifest, a.f.Close()
}

func openBackup(file string) (*archive, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "read the backup: %w", err)
	}
	a := &archive{f: f, at: map[string]int64{}}
	if err := a.read(); err != nil {
		return nil, errors.Join(fault.Errorf(fault.KindOf(err), "read the backup %s: %w", file, err), f.Close())
	}
	return a, nil
}

func refused(format string, args ...any) error { return fault.Errorf(fault.Invalid, format, args...) }

// counter knows where in the file the reader of the archive stands.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

func (a *archive) read() error {
	in := &counter{r: bufio.NewReaderSize(a.f, 1<<20)}
	files := tar.NewReader(in)
	var found []Part
	var manifest, sum []byte
	var end int64
	for {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return refused("it is cut or no backup: %w", err)
		}
		if h.Typeflag != tar.TypeReg || sum != nil {
			return refused("it holds %q, which is not part of a backup", h.Name)
		}
		start := in.n
		switch {
		case h.Name == manifestFile && h.Size <= maxManifest:
			manifest, err = io.ReadAll(files)
		case h.Name == sumFile && h.Size <= maxManifest:
			sum, err = io.ReadAll(files)
		default:
			var p Part
			a.at[h.Name] = start
			p, err = digest(files, h)
			found = append(found, p)
		}
		if err != nil {
			return refused("it is cut: %w", err)
		}
		end = start + (h.Size+block-1)/block*block
		if !a.zero(start+h.Size, end) {
			return refused("it was changed behind %s", h.Name)
		}
	}
	if manifest == nil || sum == nil {
		return refused("it is cut: it has no manifest")
	}
	// The reader of the archive is content without its end; a copy that stopped there is cut all the same.
	if info, err := a.f.Stat(); err != nil || info.Size() != end+2*block || !a.zero(end, end+2*block) {
		return refused("it is cut, or something was added to it")
	}
	if digest := sha256.Sum256(manifest); string(sum) != sumLine(hex.EncodeToString(digest[:])) {
		return refused("its manifest was changed")
	}
	a.id = event.Hash(manifest)
	var version struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(manifest, &version); err != nil {
		return refused("its manifest cannot be read: %w", err)
	}
	if version.Format != BackupFormat {
		return refused("it has format %d, this version reads %d; use a newer release", version.Format, BackupFormat)
	}
	if err := json.Unmarshal(manifest, &a.Manifest); err != nil {
		return refused("its manifest cannot be read: %w", err)
	}
	return a.check(found)
}

// zero reports whether a part of the file, of a few blocks at most, holds nothing.
func (a *archive) zero(from, to int64) bool {
	part := make([]byte, to-from)
	_, err := a.f.ReadAt(part, from)
	return err == nil && !slices.ContainsFunc(part, func(b byte) bool { return b != 0 })
}

func digest(r io.Reader, h *tar.Header) (Part, error) {
	s := &summer{w: io.Discard, sum: sha256.New()}
	_, err := io.Copy(s, r)
	return Part{File: h.Name, Size: s.size, SHA256: hex.EncodeToString(s.sum.Sum(nil))}, err
}

// check compares what was found with what the manifest says, in both directions.
func (a *archive) check(found []Part) error {
	var names []string
	var parts []Part
	for _, m := range a.Members {
		var config struct {
			Name string `json:"name"`
		}
		if json.Unmarshal(m.Config, &config) != nil || config.Name != m.Name {
			return refused("its manifest has the settings of %q under the name of %s", config.Name, m.Name)
		}
		names = append(names, m.Name)
		parts = append(parts, m.Snapshot)
		if m.Tail != nil {
			parts = append(parts, *m.Tail)
		}
	}
	if !slices.Equal(names, backupOrder()) {
		return refused("it holds %v and not %v", names, backupOrder())
	}
	if len(parts) != len(found) {
		return refused("it holds %d files, its manifest says %d", len(found), len(parts))
	}
	for i, want := range parts {
		want.Messages = 0
		if found[i] != want {
			return refused("%s was changed", want.File)
		}
	}
	return nil
}

// open reads one file of the backup.
func (a *archive) open(p Part) io.Reader { return io.NewSectionReader(a.f, a.at[p.File], p.Size) }
