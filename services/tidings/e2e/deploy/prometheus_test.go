package deploy

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The Prometheus that the manual shows reaches the admin port of every service, by a network that both are in.
func TestThePrometheusOfTheManualReachesEveryService(t *testing.T) {
	t.Parallel()
	_, rest, ok := strings.Cut(shipped(t, "README.md"), "```yaml\nx-admin:")
	text, _, closed := strings.Cut(rest, "```")
	if !ok || !closed {
		t.Fatal("the manual shows no compose.override.yaml with a Prometheus")
	}
	override := filepath.Join(t.TempDir(), "compose.override.yaml")
	if err := os.WriteFile(override, []byte("x-admin:"+text), 0o600); err != nil {
		t.Fatal(err)
	}
	// The place of an override is that of compose.yaml: paths in it begin there.
	here, err := filepath.Abs(folder())
	if err != nil {
		t.Fatal(err)
	}
	relative, err := filepath.Rel(here, override)
	if err != nil {
		t.Fatal(err)
	}
	p := load(t, single, relative)
	const port = "9090"
	services := []string{"ingest", "enrich", "publish", "deliver"}
	reads := shipped(t, "prometheus/prometheus.yaml")
	for _, line := range []string{"{names: [" + strings.Join(services, ", ") + "], type: A, port: " + port + "}", "rule_files: [tidings.rules.yaml]"} {
		if !strings.Contains(reads, line) {
			t.Errorf("prometheus.yaml does not say %q", line)
		}
	}
	prometheus := p.Services["prometheus"]
	for _, name := range services {
		s := p.Services[name]
		if listen := s.Environment["TIDINGS_ADMIN__LISTEN"]; listen == nil || *listen != "0.0.0.0:"+port {
			t.Errorf("%s listens at %v", name, listen)
		}
		shared := 0
		for network := range s.Networks {
			if _, both := prometheus.Networks[network]; both {
				shared++
			}
		}
		if shared != 1 || len(s.Environment) < 3 {
			t.Errorf("%s shares %d networks with Prometheus, its environment is %v", name, shared, s.Environment)
		}
	}
	for _, p := range prometheus.Ports {
		if p.HostIP != "127.0.0.1" {
			t.Errorf("Prometheus is published at %s:%s", p.HostIP, p.Published)
		}
	}
	if !slices.ContainsFunc(prometheus.Command, func(arg string) bool { return arg == "--config.file=/etc/prometheus/prometheus.yaml" }) || len(prometheus.Volumes) != 1 {
		t.Errorf("it is started with %v and %v", prometheus.Command, prometheus.Volumes)
	}
}
