package bus

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"hash"
	"io"
	"os"
	"path/filepath"
	"time"

	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
)

// BackupFormat is the format of the files that [Bus.Backup] writes.
const BackupFormat = 1

// Manifest says what a backup holds. It is the last file in it but one, so that a file that was cut has none.
type Manifest struct {
	Format   int       `json:"format"`
	Version  string    `json:"version"` // of Tidings
	Server   string    `json:"server"`  // of NATS
	Topology int       `json:"topology"`
	Time     time.Time `json:"time"` // when it began
	// Fence is above the fence of every lease that a version in the backup can have.
	Fence   uint64   `json:"fence"`
	Members []Member `json:"members"`
}

// Member is one stream, bucket or store of a backup.
type Member struct {
	Name string `json:"name"` // as the broker knows it
	// Config and State are the broker's words.
	Config   json.RawMessage `json:"config"`
	State    json.RawMessage `json:"state"`
	First    uint64          `json:"first"`
	Last     uint64          `json:"last"`
	Messages uint64          `json:"messages"`
	Bytes    uint64          `json:"bytes"`
	Snapshot Part            `json:"snapshot"`
	// Tail is what was stored while the snapshot was taken, where a snapshot alone could miss a subject.
	Tail *Part `json:"tail,omitempty"`
}

// Part is a file in a backup.
type Part struct {
	File     string `json:"file"`
	Size     int64  `json:"size"`
	SHA256   string `json:"sha256"`
	Messages int    `json:"messages,omitempty"` // of a tail
}

// sumLine is all that the file of the manifest's digest holds.
func sumLine(digest string) string { return digest + "  " + manifestFile + "\n" }

const (
	manifestFile = "manifest.json"
	// sumFile has the form of sha256sum, so that a person can check the manifest, too.
	sumFile     = manifestFile + ".sha256"
	partSuffix  = ".part"
	tailSuffix  = ".tail"
	streamsDir  = "streams/"
	maxManifest = 4 << 20
)

// backupOrder lists the members of a backup in the order in which they are taken, which is what makes it safe: the
// snapshots are not of one instant. A source_state or RAW that is older than what follows only repeats work that
// compare-and-set drops, bodies are younger than what points to them, and the ledger comes last, so that it knows every
// post that anything before it could lead to.
func backupOrder() []string {
	bucket := func(name string) string { return event.Stream{Kind: event.KindBucket, Name: name}.StreamName() }
	store := func(name string) string { return event.Stream{Kind: event.KindStore, Name: name}.StreamName() }
	return []string{
		bucket(event.BucketSourceConfig), bucket(event.BucketSourceState), event.StreamRaw, event.StreamArticles, bucket(event.BucketStories),
		bucket(event.BucketTaxonomy), event.StreamFeeds, event.StreamPosts, store(event.StoreBlobs), store(event.StoreSnapshots),
		bucket(event.BucketSubscribers), bucket(event.BucketRequests), bucket(event.BucketSubscriptions), event.StreamDead, event.StreamEvents, bucket(event.BucketDeliveries),
	}
}

// notInBackup is what a backup leaves out: who owned what when it was taken means nothing later.
func notInBackup() string {
	return event.Stream{Kind: event.KindBucket, Name: event.BucketLeases}.StreamName()
}

// Backup writes everything that the broker holds for Tidings into a file, while services run. The file has its name
// only when it is whole and on the disk; until then it is FILE.part. version is that of the program, progress, if set,
// hears of each member that is done.
func (b *Bus) Backup(ctx context.Context, file, version string, progress func(Member)) (Manifest, error) {
	m := Manifest{Format: BackupFormat, Version: version, Server: b.nc.ConnectedServerVersion(), Topology: event.TopologyNumber, Time: time.Now().UTC(), Members: []Member{}}
	part := file + partSuffix
	// One that was left by a kill goes; made anew it has our mode and is nobody's link.
	if err := os.Remove(part); err != nil && !errors.Is(err, os.ErrNotExist) {
		return m, fault.Errorf(fault.Invalid, "write the backup: %w", err)
	}
	f, err := os.OpenFile(part, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return m, fault.Errorf(fault.Invalid, "write the backup: %w", err)
	}
	a := &archiver{f: f}
	err = b.fill(ctx, a, &m, progress)
	if err == nil {
		err = a.finish(m)
	}
	if err == nil {
		err = publishFile(f, part, file)
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return m, errors.Join(err, os.Remove(part))
	}
	return m, nil
}

func (b *Bus) fill(ctx context.Context, a *archiver, m *Manifest, progress func(Member)) error {
	for _, name := range backupOrder() {
		member, err := b.backupMember(ctx, a, name)
		if err != nil {
			return err
		}
		m.Members = append(m.Members, member)
		if progress != nil {
			progress(member)
		}
	}
	leases, err := b.StreamState(ctx, notInBackup())
	m.Fence = leases.Last
	return err
}

func (b *Bus) backupMember(ctx context.Context, a *archiver, name string) (Member, error) {
	member := Member{Name: name}
	var taken snapshot
	var err error
	member.Snapshot, err = a.file(streamsDir+name, func(w io.Writer) (err error) {
		taken, err = b.snapshot(ctx, name, w)
		return err
	})
	if err != nil {
		return member, err
	}
	member.Config, member.State = taken.Config, taken.State
	var config struct {
		PerSubject int64 `json:"max_msgs_per_subject"`
	}
	if err := errors.Join(json.Unmarshal(taken.Config, &config), member.read()); err != nil {
		return member, fault.Errorf(fault.Malformed, "read what the broker says of %s: %w", name, err)
	}
	if config.PerSubject <= 0 {
		return member, nil // nothing is replaced: what came later is later than the backup
	}
	var count int
	tail, err := a.file(streamsDir+name+tailSuffix, func(w io.Writer) (err error) {
		count, err = b.tail(ctx, name, member.Last, w)
		return err
	})
	tail.Messages = count
	member.Tail = &tail
	return member, err
}

// read takes the figures out of the broker's words.
func (m *Member) read() error {
	var state struct {
		Messages uint64 `json:"messages"`
		Bytes    uint64 `json:"bytes"`
		First    uint64 `json:"first_seq"`
		Last     uint64 `json:"last_seq"`
	}
	err := json.Unmarshal(m.State, &state)
	m.Messages, m.Bytes, m.First, m.Last = state.Messages, state.Bytes, state.First, state.Last
	return err
}

// publishFile gives a finished file its name, once its content is on the disk.
func publishFile(f *os.File, part, file string) error {
	fail := func(err error) error { return fault.Errorf(fault.Internal, "finish the backup: %w", err) }
	if err := f.Sync(); err != nil {
		return fail(err)
	}
	ours, err := f.Stat()
	if err != nil {
		return fail(err)
	}
	there, err := os.Lstat(part)
	if err != nil {
		return fail(err)
	}
	if !os.SameFile(ours, there) {
		return fault.Errorf(fault.Conflict, "finish the backup: another one writes to %s", part)
	}
	if err := os.Rename(part, file); err != nil {
		return fail(err)
	}
	dir, err := os.Open(filepath.Dir(file))
	if err != nil {
		return fail(err)
	}
	// Without this a power cut could take the name back.
	if err := errors.Join(dir.Sync(), dir.Close()); err != nil {
		return fail(err)
	}
	return nil
}

// archiver writes a tar file whose members are of unknown size until they are written: the header, one block of 512
// bytes, is filled in afterwards.
type archiver struct {
	f   *os.File
	end int64
}

const block = 512

// file adds a file with what write writes.
func (a *archiver) file(name string, write func(io.Writer) error) (Part, error) {
	at := a.end
	sum := &summer{w: io.NewOffsetWriter(a.f, at+block), sum: sha256.New()}
	if err := write(sum); err != nil {
		return Part{}, err
	}
	p := Part{File: name, Size: sum.size, SHA256: hex.EncodeToString(sum.sum.Sum(nil))}
	var head bytes.Buffer
	// The GNU form has one block for every name of ours, and holds sizes above the 8 GB of the older one.
	err := tar.NewWriter(&head).WriteHeader(&tar.Header{Name: name, Size: p.Size, Mode: 0o600, ModTime: time.Now().Truncate(time.Second), Typeflag: tar.TypeReg, Format: tar.FormatGNU})
	if err != nil {
		return p, fault.Errorf(fault.Internal, "write the backup: %w", err)
	}
	if head.Len() != block {
		return p, fault.Errorf(fault.Internal, "write the backup: the header of %s has %d bytes", name, head.Len())
	}
	if _, err := a.f.WriteAt(head.Bytes(), at); err != nil {
		return p, fault.Errorf(fault.Internal, "write the backup: %w", err)
	}
	a.end = at + block + (p.Size+block-1)/block*block
	if err := a.f.Truncate(a.end); err != nil { // the rest of the last block is zero
		return p, fault.Errorf(fault.Internal, "write the backup: %w", err)
	}
	return p, nil
}

// finish adds the manifest and the end of the archive, two empty blocks.
func (a *archiver) finish(m Manifest) error {
	body, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return fault.Errorf(fault.Internal, "write the manifest: %w", err)
	}
	p, err := a.file(manifestFile, func(w io.Writer) error { _, err := w.Write(body); return err })
	if err != nil {
		return err
	}
	_, err = a.file(sumFile, func(w io.Writer) error { _, err := io.WriteString(w, sumLine(p.SHA256)); return err })
	if err != nil {
		return err
	}
	if err := a.f.Truncate(a.end + 2*block); err != nil {
		return fault.Errorf(fault.Internal, "write the backup: %w", err)
	}
	return nil
}

// summer counts and digests what it passes on.
type summer struct {
	w    io.Writer
	sum  hash.Hash
	size int64
}

func (s *summer) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	s.sum.Write(p[:n])
	s.size += int64(n)
	return n, err
}
