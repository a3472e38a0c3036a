//go:build linux

package compose

import (
	"encoding/json"
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tidings.internal/pkg/article"
)

// everything is what runs for good.
func everything() []string { return []string{"nats", "ingest", "enrich", "publish", "deliver"} }

var sources = flag.Int("compose.sources", 0, "also tell the memory of the containers with so many sources; it takes some minutes")

func TestTheShippedCompositionRuns(t *testing.T) {
	need(t)
	lock(t)
	sweep(t)
	version := "test-" + article.Digest(8, t.TempDir(), time.Now().String())
	build(t, version)
	// Side by side, since both mostly wait for the next look at the health.
	t.Run("one server", func(t *testing.T) {
		t.Parallel()
		alone(t, newStand(t, version), version)
	})
	t.Run("three servers", func(t *testing.T) {
		t.Parallel()
		together(t, newStand(t, version, "compose.cluster.yaml"))
	})
}

// alone kills every service and the one server in turn, and does what the manual tells of one server.
func alone(t *testing.T, s *stand, version string) {
	w := newWorld(t, s)
	began := time.Now()
	s.compose(t, "up", "-d", "--no-build")
	s.healthy(t, everything()...)
	t.Logf("all healthy after %v", time.Since(began).Round(100*time.Millisecond))
	w.served(t, s, w.offered()[0].Title)
	t.Logf("first article served after %v", time.Since(began).Round(100*time.Millisecond))
	s.channel(t)
	w.add()
	w.arrived(t, s)

	t.Run("containers are closed", func(t *testing.T) { closed(t, s) })
	t.Run("networks keep apart", func(t *testing.T) { apart(t, s, w.source) })
	for _, name := range everything() {
		w.add()
		id := s.ids(t, name)[0]
		docker(t, "kill", "-s", "KILL", id)
		w.add()
		docker(t, "start", id)
		s.healthy(t, everything()...)
		w.arrived(t, s)
	}
	s.compose(t, "up", "-d", "--no-build", "--scale", "enrich=2", "--scale", "publish=2")
	s.healthy(t, everything()...)
	w.add()
	before := w.arrived(t, s)
	if n, m := len(s.ids(t, "enrich")), len(s.ids(t, "publish")); n != 2 || m != 2 {
		t.Errorf("%d containers of enrich, %d of publish", n, m)
	}
	s.compose(t, "down")
	s.compose(t, "up", "-d", "--no-build")
	s.healthy(t, everything()...)
	if after := w.arrived(t, s); after != before {
		t.Errorf("after down and up the feed is another one:\n%s\n%s", before, after)
	}
	s.memory(t, "idle")
	if *sources > 0 {
		crowded(t, s, w)
	}
	checked(t, s, version)
	upgraded(t, s, w, version)
	moved(t, s, w)
}

// crowded tells what the containers take with many sources, once each was polled.
func crowded(t *testing.T, s *stand, w *world) {
	w.configure(*sources)
	s.compose(t, "restart", "ingest")
	s.healthy(t, everything()...)
	until(t, 10*time.Minute, "all sources to be polled", func() (bool, string) {
		var status struct{ Sources map[string]int }
		out := s.operator(t, "status", "--json")
		err := json.Unmarshal([]byte(out[strings.IndexByte(out, '{'):]), &status)
		return err == nil && status.Sources["active"] == *sources+1, fmt.Sprint(status, err)
	})
	s.memory(t, fmt.Sprintf("with %d sources", *sources))
	w.configure(0)
	s.compose(t, "restart", "ingest")
	s.healthy(t, everything()...)
}

// memory tells what each container takes.
func (s *stand) memory(t *testing.T, when string) {
	t.Helper()
	for _, name := range everything() {
		t.Logf("memory of %s, %s: %s", name, when, docker(t, "stats", "--no-stream", "--format", "{{.MemUsage}}", s.ids(t, name)[0]))
	}
}

// closed holds each container to the hardening of the file.
func closed(t *testing.T, s *stand) {
	for _, name := range everything() {
		var c struct {
			ReadonlyRootfs bool
			CapDrop        []string
			SecurityOpt    []string
			PidsLimit      int64
			Memory         int64
			PortBindings   map[string]any
		}
		id := s.ids(t, name)[0]
		inspect(t, id, &c)
		if !c.ReadonlyRootfs || !slices.Equal(c.CapDrop, []string{"ALL"}) || !slices.Contains(c.SecurityOpt, "no-new-privileges:true") || c.PidsLimit != 256 || c.Memory == 0 {
			t.Errorf("%s: %+v", name, c)
		}
		if user := docker(t, "inspect", "-f", "{{.Config.User}}", id); user != "65532:65532" {
			t.Errorf("%s runs as %s", name, user)
		}
		if open := len(c.PortBindings) > 0; open != (name == "publish") {
			t.Errorf("%s publishes %v", name, c.PortBindings)
		}
	}
}

// apart dials from inside of the containers.
func apart(t *testing.T, s *stand, outside string) {
	probe := s.probe(t)
	dial := func(from, address string) string {
		return docker(t, "run", "--rm", "--network", "container:"+s.ids(t, from)[0], probe, address)
	}
	addressOf := func(name string) []string {
		return strings.Fields(docker(t, "inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}", s.ids(t, name)[0]))
	}
	for _, c := range []struct {
		from, to string
		open     bool
	}{
		{"ingest", "nats:4222", true}, {"enrich", "nats:4222", true}, {"publish", "nats:4222", true}, {"deliver", "nats:4222", true},
		{"ingest", outside, true}, {"deliver", outside, true},
	} {
		if got := dial(c.from, c.to); (got == "yes") != c.open {
			t.Errorf("%s reaches %s: %s; want open %v", c.from, c.to, got, c.open)
		}
	}
	// This machine itself answers containers of any network through its bridges (deploy/README.md, "Networks"), so the way
	// further out is judged by what the engine was told.
	for network, want := range map[string]string{
		"bus-ingest": "true", "bus-enrich": "true", "bus-publish": "true", "bus-deliver": "true", "bus-admin": "true",
		"out-ingest": "false", "out-deliver": "false", "front-publish": "false map[com.docker.network.bridge.enable_ip_masquerade:false]",
	} {
		format := "{{.Internal}}"
		if strings.Contains(want, " ") {
			format += " {{.Options}}"
		}
		if got := docker(t, "network", "inspect", "-f", format, s.project+"_"+network); got != want {
			t.Errorf("network %s is %s, want %s", network, got, want)
		}
	}
	networks := func(name string) string {
		return docker(t, "inspect", "-f", "{{range $n, $x := .NetworkSettings.Networks}}{{$n}} {{end}}", s.ids(t, name)[0])
	}
	if got := networks("enrich"); got != s.project+"_bus-enrich" {
		t.Errorf("enrich is on %s, want NATS's network alone", got)
	}
	if got := networks("nats"); strings.Contains(got, "_out-") || strings.Contains(got, "_front-") {
		t.Errorf("nats is on %s", got)
	}
	for _, ip := range addressOf("publish") {
		for _, from := range []string{"ingest", "enrich", "deliver"} {
			if got := dial(from, ip+":8080"); got == "yes" {
				t.Errorf("%s reaches publish at %s", from, ip)
			}
		}
	}
}
