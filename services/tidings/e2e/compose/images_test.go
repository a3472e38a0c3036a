//go:build linux

package compose

import (
	"archive/tar"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	natsImage = "nats:2.15.2-alpine"
	// authorities is where the image that the Dockerfile builds in has the certificates, and this machine too.
	authorities = "/etc/ssl/certs/ca-certificates.crt"
)

// targets are those of the shipped Dockerfile that compose.yaml names.
func targets() []string { return []string{"ingest", "enrich", "publish", "deliver", "tidings"} }

// own is how long a run takes at most, with some time for a slow machine.
const own = 10 * time.Minute

// lock keeps the engine to this run: the stand-ins have the names of real images, so another run on this machine would use
// ours, and lose them when we end. The kernel drops the lock of a process that dies. The file is at one place for all users,
// whatever their TMPDIR is, since there is one engine.
func lock(t *testing.T) {
	t.Helper()
	const name = "/tmp/tidings-engine.lock"
	f, err := os.Open(name) // reading is enough to lock
	if errors.Is(err, fs.ErrNotExist) {
		if f, err = os.OpenFile(name, os.O_RDONLY|os.O_CREATE, 0o666); err == nil {
			err = f.Chmod(0o666) // whatever the umask is, other users are to open it
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() }) // which unlocks
	wait := time.Hour
	if end, ok := t.Deadline(); ok {
		wait = max(0, time.Until(end)-own).Round(time.Second)
	}
	until(t, wait, fmt.Sprintf("another run on this engine to end; this one needs %v itself, so give it more time with -timeout 20m", own), func() (bool, string) {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		return err == nil, fmt.Sprintf("%s: %v", name, err)
	})
}

// standing is the label of every image that is made here.
const standing = "tidings.standin"

// sweep removes what a run left that was killed or ran into its timeout, as then no cleanup runs. Whoever holds the lock
// knows that nobody uses it. What cannot be removed is in the way of nothing: names of projects and versions are new in
// each run, and [standIn] replaces what is there of its own.
func sweep(t *testing.T) {
	t.Helper()
	const project = `{{.Label "com.docker.compose.project"}}`
	for _, c := range []struct{ list, remove []string }{
		{[]string{"ps", "-a", "--format", "{{.ID}} " + project}, []string{"rm", "-f", "-v"}},
		{[]string{"network", "ls", "--format", "{{.ID}} " + project}, []string{"network", "rm"}},
		{[]string{"volume", "ls", "--format", "{{.Name}} " + project}, []string{"volume", "rm"}},
	} {
		for line := range strings.Lines(docker(t, c.list...)) {
			if name, of, _ := strings.Cut(strings.TrimSpace(line), " "); strings.HasPrefix(of, projects) {
				leftover(t, append(c.remove, name)...)
			}
		}
	}
	// The newest come first, so that none has another that was made of it.
	for line := range strings.Lines(docker(t, "images", "--filter", "label="+standing, "--format", "{{.ID}} {{.Repository}}:{{.Tag}}")) {
		id, name, _ := strings.Cut(strings.TrimSpace(line), " ")
		if strings.Contains(name, "<none>") {
			name = id
		}
		leftover(t, "rmi", "-f", name)
	}
}

// leftover calls docker to remove something, and notes what came of it.
func leftover(t *testing.T, args ...string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "docker", args...).CombinedOutput()
	t.Logf("left by an earlier run: docker %s: %v\n%s", strings.Join(args, " "), err, tail(string(out)))
}

// build builds every target of the shipped Dockerfile under the names of compose.yaml, from a copy of the tree that brings
// its modules along: neither the module proxy nor a registry is asked. The copy lacks the tests, since the classic builder
// looks at every file in every step.
func build(t *testing.T, version string) {
	t.Helper()
	base, tree := root(t), filepath.Join(t.TempDir(), "tree")
	for _, part := range []string{"go.work", "go.work.sum", "pkg", "services", "deploy"} {
		replicate(t, filepath.Join(base, part), filepath.Join(tree, part))
	}
	run(t, tree, []string{"GOWORK=", "GOFLAGS="}, "go", "work", "vendor")
	golang(t, tree)
	nats(t, base)
	var group sync.WaitGroup
	defer group.Wait()
	for i, target := range append([]string{"build", "tidings"}, targets()[:4]...) {
		tag := "localhost/tidings/" + target + ":" + version
		one := func() {
			began := time.Now()
			out, err := exec.CommandContext(t.Context(), "docker", "build", "-q", "--label", standing+"=yes", "-f", filepath.Join(tree, "deploy", "Dockerfile"), "--target", target, "-t", tag, tree).CombinedOutput()
			if err != nil {
				t.Errorf("build %s: %v\n%s", target, err, tail(string(out)))
			}
			t.Logf("built %s in %v", target, time.Since(began).Round(100*time.Millisecond))
		}
		t.Cleanup(func() { docker(t, "rmi", "-f", tag) })
		// The stage has a name, so that its end takes along what the classic builder keeps of it. That builder goes through all
		// stages for the last, which leaves little to do for the others.
		if i < 2 {
			one()
			continue
		}
		group.Go(one)
	}
}

func replicate(t *testing.T, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, file)
		if err != nil {
			return err
		}
		name = filepath.Join(to, name)
		switch {
		case d.IsDir() && d.Name() == "testdata":
			return fs.SkipDir
		case d.IsDir(), strings.HasSuffix(file, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		return os.WriteFile(name, text, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// golang stands in for the image that the Dockerfile builds in: the toolchain of this machine, its shell and the two
// commands that the Dockerfile calls, and what its build cache holds of the packages, which saves two minutes.
func golang(t *testing.T, tree string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(tree, "deploy", "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	from := regexp.MustCompile(`(?m)^FROM (\S+) AS build$`).FindSubmatch(text)
	if from == nil {
		t.Fatal("the Dockerfile has no stage build")
	}
	goroot := strings.TrimSpace(run(t, "", nil, "go", "env", "GOROOT"))
	image := map[string]string{authorities: authorities, "/tmp": t.TempDir()}
	for _, part := range []string{"VERSION", "go.env", "bin", "pkg", "lib"} {
		image["/usr/local/go/"+part] = filepath.Join(goroot, part)
	}
	sources, err := os.ReadDir(filepath.Join(goroot, "src"))
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range sources {
		if d.Name() != "cmd" { // a third of all files, for nothing
			image["/usr/local/go/src/"+d.Name()] = filepath.Join(goroot, "src", d.Name())
		}
	}
	for _, name := range []string{"sh", "mkdir", "cp"} {
		file, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		image["/bin/"+name] = file
		for lib := range strings.FieldsSeq(run(t, "", nil, "ldd", file)) {
			if filepath.IsAbs(lib) {
				image[lib] = lib
			}
		}
	}
	packages, cached := packages(t, tree, image)
	t.Logf("%d of %d packages come from the cache of this machine", cached, packages)
	standIn(t, string(from[1]), image, "ENV PATH=/usr/local/go/bin:/bin HOME=/root GOTOOLCHAIN=local")
}

// packages adds what the build cache holds of the packages of the programs, and counts them. The cache is keyed by all that
// goes into a package, so what does not fit is compiled again and cannot be wrong.
func packages(t *testing.T, tree string, image map[string]string) (all, cached int) {
	t.Helper()
	args := []string{"list", "-trimpath", "-export", "-deps", "-f", "{{.BuildID}}"}
	for _, name := range targets() {
		args = append(args, "./services/"+name)
	}
	ids := run(t, tree, []string{"CGO_ENABLED=0", "GOWORK=", "GOFLAGS="}, "go", args...)
	cache := strings.TrimSpace(run(t, "", nil, "go", "env", "GOCACHE"))
	entry := func(name string) (in, out string) {
		return path.Join("/root/.cache/go-build", name[:2], name), filepath.Join(cache, name[:2], name)
	}
	for id := range strings.FieldsSeq(ids) {
		all++
		// The first half of a build id is the beginning of the key.
		action, _, _ := strings.Cut(id, "/")
		key, err := base64.URLEncoding.DecodeString(action)
		if err != nil || len(key) == 0 {
			continue
		}
		_, pattern := entry(hex.EncodeToString(key))
		found, err := filepath.Glob(pattern + "*-a")
		if err != nil || len(found) != 1 {
			continue
		}
		text, err := os.ReadFile(found[0])
		if fields := strings.Fields(string(text)); err == nil && len(fields) > 2 {
			in, out := entry(fields[2] + "-d")
			image[in] = out
			in, out = entry(filepath.Base(found[0]))
			image[in] = out
			cached++
		}
	}
	return all, cached
}

// nats stands in for the image of NATS: the server of go.mod's version, and what its health check calls.
func nats(t *testing.T, base string) {
	t.Helper()
	dir := t.TempDir()
	server, wget := filepath.Join(dir, "nats-server"), filepath.Join(dir, "wget")
	run(t, base, []string{"CGO_ENABLED=0"}, "go", "build", "-trimpath", "-o", server, "github.com/nats-io/nats-server/v2")
	write(t, wget+".go", `package main

import ("io"; "net/http"; "os"; "slices"; "time")

func main() {
	r, err := (&http.Client{Timeout: 2 * time.Second}).Get(os.Args[len(os.Args)-1])
	if err != nil || r.StatusCode != 200 { os.Exit(1) }
	if slices.Contains(os.Args, "-") { io.Copy(os.Stdout, r.Body) }
}
`)
	run(t, base, []string{"CGO_ENABLED=0"}, "go", "build", "-o", wget, wget+".go")
	standIn(t, natsImage, map[string]string{"/bin/nats-server": server, "/bin/wget": wget}, "ENV PATH=/bin")
}

// standIn makes an image of files and folders of this machine, unless a real one of that name is there, and removes it at
// the end. One that an earlier run left is made anew: it may be of another tree, and would stay for ever.
func standIn(t *testing.T, name string, image map[string]string, change string) {
	t.Helper()
	if docker(t, "images", "-q", name) != "" && docker(t, "images", "-q", "--filter", "label="+standing, name) == "" {
		return
	}
	cmd := exec.CommandContext(t.Context(), "docker", "import", "-c", change, "-c", "LABEL "+standing+"=yes", "-", name)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	written := make(chan error, 1)
	go func() { written <- errors.Join(archive(in, image), in.Close()) }()
	out, err := cmd.CombinedOutput()
	if err := errors.Join(err, <-written); err != nil {
		t.Fatalf("make a stand-in for %s: %v\n%s", name, err, tail(string(out)))
	}
	t.Cleanup(func() { docker(t, "rmi", "-f", name) })
}

// archive writes files, and whole folders without what only tests need, under their names in the image.
func archive(to io.Writer, image map[string]string) error {
	w := tar.NewWriter(to)
	for name, from := range image {
		err := filepath.WalkDir(from, func(file string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && d.Name() == "testdata":
				return fs.SkipDir
			case strings.HasSuffix(file, "_test.go"):
				return nil
			}
			inside, err := filepath.Rel(from, file)
			if err != nil {
				return err
			}
			inside = strings.TrimPrefix(path.Join(name, filepath.ToSlash(inside)), "/")
			if d.IsDir() {
				return w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: inside + "/", Mode: 0o755})
			}
			return add(w, inside, file)
		})
		if err != nil {
			return err
		}
	}
	return w.Close()
}

// add writes one file; a link becomes what it leads to.
func add(w *tar.Writer, name, file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if err := w.WriteHeader(&tar.Header{Name: name, Mode: int64(info.Mode().Perm()), Size: info.Size(), ModTime: info.ModTime()}); err != nil {
		return err
	}
	_, err = io.Copy(w, f)
	return err
}
