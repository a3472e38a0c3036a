//go:build linux

package compose

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tidings.internal/pkg/config"
	"tidings.internal/services/tidings/internal/ops"
)

// What the manual tells to type, run as it stands there.

// operator runs a verb in the container of topology, with the folder of backups.
func (s *stand) operator(t *testing.T, args ...string) string {
	t.Helper()
	all := append([]string{"run", "--rm", "--no-deps", "-T", "-v", filepath.Join(s.dir, "backup") + ":/backup", "topology"}, args...)
	return s.compose(t, append(all, "--config", "/etc/tidings/tidings.yaml")...)
}

// backups makes the folder that the user of the containers writes into.
func (s *stand) backups(t *testing.T) {
	t.Helper()
	dir := filepath.Join(s.dir, "backup")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if os.Chown(dir, 65532, 65532) != nil { // only root may
		if err := os.Chmod(dir, 0o777); err != nil {
			t.Fatal(err)
		}
	}
}

// checked tries what the configuration names: sources and channels beside the containers, the streams from within.
func checked(t *testing.T, s *stand, version string) {
	out := docker(t, "run", "--rm", "-v", filepath.Join(s.dir, "tidings.yaml")+":/tidings.yaml:ro", "localhost/tidings/tidings:"+version, "check", "/tidings.yaml", "--online")
	if !strings.Contains(out, "no problem found") || !strings.Contains(out, "tried: 1 sources, 1 channels") {
		t.Errorf("check --online says %s", out)
	}
	if out := s.operator(t, "topology", "plan"); !strings.Contains(out, "nothing to change") {
		t.Errorf("topology plan says %s", out)
	}
}

// upgraded takes the composition to another version by the script. It stops where data could be lost and leaves everything
// as it was; after that is mended it goes through, and nothing is lost or posted twice.
func upgraded(t *testing.T, s *stand, w *world, version string) {
	s.ship(t, "upgrade.sh")
	next := version + "-next"
	for _, target := range targets() {
		docker(t, "tag", "localhost/tidings/"+target+":"+version, "localhost/tidings/"+target+":"+next)
		t.Cleanup(func() { docker(t, "rmi", "-f", "localhost/tidings/"+target+":"+next) })
	}
	for i, e := range s.env {
		if strings.HasPrefix(e, "TIDINGS_VERSION=") {
			s.env[i] = "TIDINGS_VERSION=" + next
		}
	}
	s.backups(t)
	upgrade := func() (string, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 5*time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, "sh", "upgrade.sh")
		cmd.Dir, cmd.Env = s.dir, append(os.Environ(), s.env...)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	images := func() (list string) {
		for _, name := range everything()[1:] {
			list += " " + docker(t, "inspect", "-f", "{{.Config.Image}}", s.ids(t, name)[0])
		}
		return list
	}

	// The streams hold a subject that the next version does not know, as after a downgrade.
	b := s.admin(t)
	top, err := ops.Topology(config.DefaultNATS())
	if err != nil {
		t.Fatal(err)
	}
	wanted := top.Streams[0].Subjects
	top.Streams[0].Subjects = append(append([]string{}, wanted...), "article.other.>")
	apply := func() {
		t.Helper()
		plan, err := b.Plan(t.Context(), top)
		if err == nil {
			err = b.Apply(t.Context(), plan, true)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	apply()
	before := images()
	if out, err := upgrade(); err == nil || !strings.Contains(out, "need --yes") || !strings.Contains(out, "article.other.>") || strings.Contains(out, "3 servers") {
		t.Errorf("where data could be lost the upgrade says %v\n%s", err, out)
	}
	if now := images(); now != before {
		t.Errorf("an upgrade that was refused has changed%s to%s", before, now)
	}
	top.Streams[0].Subjects = wanted
	apply()
	w.add()
	began := time.Now()
	if out, err := upgrade(); err != nil {
		t.Fatalf("upgrade: %v\n%s", err, out)
	}
	t.Logf("upgraded in %v", time.Since(began).Round(100*time.Millisecond))
	s.healthy(t, everything()...)
	if now := images(); strings.Count(now, next) != len(everything())-1 {
		t.Errorf("after the upgrade run%s", now)
	}
	if files, err := os.ReadDir(filepath.Join(s.dir, "backup")); err != nil || len(files) != 2 {
		t.Errorf("%d backups, %v; want one of each try", len(files), err)
	}
	w.add()
	w.arrived(t, s)
}

// moved takes the composition from the one server to three.
func moved(t *testing.T, s *stand, w *world) {
	s.backups(t)
	s.compose(t, "stop", "ingest", "enrich", "publish", "deliver")
	s.operator(t, "backup", "/backup/tidings.tar")
	s.compose(t, "down")
	s.overlay(t, "compose.cluster.yaml")
	s.compose(t, append([]string{"up", "-d", "--no-build"}, servers()...)...)
	s.healthy(t, servers()...)
	if out := s.operator(t, "restore", "/backup/tidings.tar"); !strings.Contains(out, "1 channels are paused") {
		t.Errorf("restore says %s", out)
	}
	s.compose(t, "up", "-d", "--no-build")
	all := append(servers(), everything()[1:]...)
	s.healthy(t, all...)
	w.arrived(t, s)
	if out := s.operator(t, "channels", "list"); !strings.Contains(out, "paused: restored") {
		t.Errorf("after the move the channel is not paused: %s", out)
	}
	s.operator(t, "channels", "resume", "hook")
	s.channel(t)
	w.add()
	w.arrived(t, s)
}
