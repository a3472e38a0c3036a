//go:build linux

package compose

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/hosttest"
)

// projects is how the names of all compositions begin that are run here.
const projects = "tidings-test-"

// stand is a running composition.
type stand struct {
	dir     string // of compose.yaml
	tool    []string
	env     []string
	project string
	gateway string // address of this machine as containers see it
}

// need returns the Compose tool. Where the machine lacks an engine of its own, or what the images are made of, the test is
// skipped, and fails where CI is true.
func need(t *testing.T) []string {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "docker", "info").CombinedOutput(); err != nil {
		hosttest.Lacks(t, "no Docker engine answers: "+strings.TrimSpace(string(out[:min(len(out), 200)]))+" "+err.Error())
	}
	if _, err := gateway(t); err != nil {
		hosttest.Lacks(t, "the Docker engine does not run on this machine itself: "+err.Error())
	}
	if _, err := exec.LookPath("ldd"); err != nil {
		hosttest.Lacks(t, "the libraries of the stand-ins cannot be found: "+err.Error())
	}
	if _, err := os.Stat(authorities); err != nil {
		hosttest.Lacks(t, "the certificates of the public authorities are not here: "+err.Error())
	}
	for _, tool := range [][]string{{"docker", "compose"}, {"docker-compose"}} {
		if exec.CommandContext(t.Context(), tool[0], append(tool[1:], "version")...).Run() == nil {
			return tool
		}
	}
	hosttest.Lacks(t, "neither \"docker compose\" nor docker-compose is installed")
	return nil
}

func run(t *testing.T, dir string, env []string, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, tail(out.String()))
	}
	return out.String()
}

// tail is the end of a long text.
func tail(s string) string { return s[max(0, len(s)-4000):] }

func docker(t *testing.T, args ...string) string {
	t.Helper()
	return strings.TrimSpace(run(t, "", nil, "docker", args...))
}

// compose runs the tool on the shipped file.
func (s *stand) compose(t *testing.T, args ...string) string {
	t.Helper()
	return run(t, s.dir, s.env, s.tool[0], append(s.tool[1:], args...)...)
}

// ids are the containers of a service.
func (s *stand) ids(t *testing.T, service string) []string {
	t.Helper()
	return strings.Fields(docker(t, "ps", "-aq", "--filter", "label=com.docker.compose.project="+s.project, "--filter", "label=com.docker.compose.service="+service))
}

// healthy waits until every container of the services says so.
func (s *stand) healthy(t *testing.T, services ...string) {
	t.Helper()
	until(t, 2*time.Minute, "healthy "+strings.Join(services, ", "), func() (bool, string) {
		for _, name := range services {
			ids := s.ids(t, name)
			if len(ids) == 0 {
				return false, name + " has no container"
			}
			for _, id := range ids {
				if state := docker(t, "inspect", "-f", "{{.State.Health.Status}}", id); state != "healthy" {
					return false, name + " is " + state + "\n" + tail(docker(t, "logs", "--tail", "20", id))
				}
			}
		}
		return true, ""
	})
}

func until(t *testing.T, limit time.Duration, what string, met func() (bool, string)) {
	t.Helper()
	end := time.NewTimer(limit)
	defer end.Stop()
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, seen := met()
		if ok {
			return
		}
		select {
		case <-end.C:
			t.Fatalf("waited %v in vain for %s; last seen: %s", limit, what, seen)
		case <-tick.C:
		}
	}
}

// root is the folder of go.work.
func root(t *testing.T) string {
	t.Helper()
	return filepath.Dir(strings.TrimSpace(run(t, "", nil, "go", "env", "GOWORK")))
}

// probe builds an image that dials an address, and returns its name.
func (s *stand) probe(t *testing.T) string {
	t.Helper()
	ctx := t.TempDir()
	dial := filepath.Join(ctx, "dial.go")
	write(t, dial, `package main

import ("net"; "os"; "time")

func main() {
	c, err := net.DialTimeout("tcp", os.Args[1], time.Second)
	if err != nil { os.Stdout.WriteString("no: " + err.Error()); return }
	c.Close()
	os.Stdout.WriteString("yes")
}
`)
	run(t, root(t), []string{"CGO_ENABLED=0"}, "go", "build", "-o", filepath.Join(ctx, "dial"), dial)
	write(t, filepath.Join(ctx, "Dockerfile"), "FROM scratch\nCOPY dial /dial\nENTRYPOINT [\"/dial\"]\n")
	name := s.project + "-probe"
	docker(t, "build", "-q", "--label", standing+"=yes", "-t", name, ctx)
	t.Cleanup(func() { docker(t, "rmi", "-f", name) })
	return name
}

// newStand copies the shipped files and starts nothing yet. Overlays are files that are put over compose.yaml.
func newStand(t *testing.T, version string, overlays ...string) *stand {
	t.Helper()
	address, err := gateway(t)
	if err != nil {
		t.Fatal(err)
	}
	project := projects + article.Digest(8, t.TempDir(), time.Now().String())
	s := &stand{dir: t.TempDir(), tool: need(t), project: project, gateway: address}
	s.env = []string{
		"COMPOSE_PROJECT_NAME=" + project, "COMPOSE_FILE=compose.yaml",
		"TIDINGS_VERSION=" + version, "TIDINGS_VOLUME=" + project + "-nats", "TIDINGS_PORT=" + ports(t),
	}
	for _, name := range []string{"compose.yaml", "nats.conf"} {
		s.ship(t, name)
	}
	for _, name := range overlays {
		s.overlay(t, name)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(s.compose(t, "ps") + s.compose(t, "logs", "--no-color", "--tail", "60"))
		}
		s.compose(t, "down", "-v", "--remove-orphans", "-t", "5")
	})
	return s
}

// ship copies a shipped file.
func (s *stand) ship(t *testing.T, name string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root(t), "deploy", name))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(s.dir, name), string(text))
}

// overlay puts a shipped file over the others from now on.
func (s *stand) overlay(t *testing.T, name string) {
	t.Helper()
	s.ship(t, name)
	for i, e := range s.env {
		if strings.HasPrefix(e, "COMPOSE_FILE=") {
			s.env[i] = e + string(os.PathListSeparator) + name
		}
	}
}

// gateway is the address of this machine on the engine's own bridge. There is none where the engine runs in a machine of
// its own.
func gateway(t *testing.T) (string, error) {
	t.Helper()
	subnet, err := exec.CommandContext(t.Context(), "docker", "network", "inspect", "bridge", "-f", "{{(index .IPAM.Config 0).Subnet}}").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("look at its bridge: %w: %s", err, tail(string(subnet)))
	}
	_, network, err := net.ParseCIDR(strings.TrimSpace(string(subnet)))
	if err != nil {
		return "", fmt.Errorf("its bridge has a subnet of another form: %w", err)
	}
	all, err := net.InterfaceAddrs()
	if err != nil {
		return "", fmt.Errorf("list the addresses of this machine: %w", err)
	}
	for _, a := range all {
		if ip, ok := a.(*net.IPNet); ok && network.Contains(ip.IP) {
			return ip.IP.String(), nil
		}
	}
	return "", fmt.Errorf("this machine has no address in %s", network)
}

// choosing is held by who chooses a range of ports, which is one only if nobody is given a port of it meanwhile.
var choosing sync.Mutex

// ports is a range of ports of which each replica of publish takes one.
func ports(t *testing.T) string {
	t.Helper()
	choosing.Lock()
	defer choosing.Unlock()
	const size, tries = 10, 50
	first, last := 0, 0
	for range tries * size {
		_, text, err := net.SplitHostPort(hosttest.Address(t))
		if err != nil {
			t.Fatal(err)
		}
		port, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		if port != last+1 {
			first = port
		}
		if last = port; last == first+size-1 {
			return fmt.Sprintf("%d-%d", first, last)
		}
	}
	t.Fatalf("no %d free ports were found one after the other", size)
	return ""
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// published are the addresses under which the containers of publish are reached from outside.
func (s *stand) published(t *testing.T) (addresses []string) {
	t.Helper()
	for _, id := range s.ids(t, "publish") {
		address, _, _ := strings.Cut(docker(t, "port", id, "8080"), "\n")
		addresses = append(addresses, "http://127.0.0.1:"+address[strings.LastIndexByte(address, ':')+1:])
	}
	return addresses
}

// admin connects as the operator, over the network on which topology does.
func (s *stand) admin(t *testing.T) *bus.Bus {
	t.Helper()
	var urls []string
	for _, name := range []string{"nats", "nats-2", "nats-3"} {
		for _, id := range s.ids(t, name) {
			urls = append(urls, "nats://"+docker(t, "inspect", "-f", `{{(index .NetworkSettings.Networks "`+s.project+`_bus-admin").IPAddress}}`, id)+":4222")
		}
	}
	// A copy out of a container is a tar of one file.
	reader := tar.NewReader(strings.NewReader(docker(t, "cp", s.ids(t, "topology")[0]+":/keys/admin/seed", "-")))
	if _, err := reader.Next(); err != nil {
		t.Fatal(err)
	}
	seed, err := io.ReadAll(reader)
	if err != nil {
		t.Fatal(err)
	}
	b, err := bus.Connect(t.Context(), bus.Config{Service: "tidings", URL: strings.Join(urls, ","), Seed: bytes.TrimSpace(seed)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = b.Close(ctx) // the servers may be gone by now
	})
	within, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := b.WaitConnected(within); err != nil {
		t.Fatal(err)
	}
	return b
}

// channel waits until the channel is older than anything that is added from now on: times of articles are whole seconds,
// and what is not younger than its channel is not posted.
func (s *stand) channel(t *testing.T) {
	t.Helper()
	b := s.admin(t)
	until(t, time.Minute, "the channel", func() (bool, string) {
		row, ok, err := b.Bucket(event.BucketDeliveries).Read(t.Context(), "c.hook")
		return err == nil && ok && time.Since(row.Created) > 2*time.Second, fmt.Sprint(err)
	})
}

// inspect decodes what the engine says of a container.
func inspect(t *testing.T, id string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(docker(t, "inspect", "-f", "{{json .HostConfig}}", id)), into); err != nil {
		t.Fatal(err)
	}
}
