package deploy

import (
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

// Prometheus and Grafana are started by a profile alone, which no start without it changes.
func TestTheWatchersAreAProfile(t *testing.T) {
	t.Parallel()
	o, err := cli.NewProjectOptions([]string{path.Join(folder(), single)}, cli.WithName("tidings"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := o.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"prometheus", "grafana"} {
		if _, ok := p.Services[name]; ok {
			t.Errorf("%s is started without a profile", name)
		}
		if s := load(t, single).Services[name]; !slices.Equal(s.Profiles, []string{"observability"}) {
			t.Errorf("%s is started by %v", name, s.Profiles)
		}
	}
	listen := p.Services["publish"].Environment["TIDINGS_ADMIN__LISTEN"]
	if listen == nil || *listen != "127.0.0.1:9090" {
		t.Errorf("without it publish listens at %v", listen)
	}
}

// Prometheus reaches the admin port of every service by a network that both are in, Grafana reaches Prometheus and shows
// every dashboard, and what both are told lies where they look for it.
func TestTheProfileShowsEveryService(t *testing.T) {
	t.Parallel()
	p := load(t, single)
	const port = "9090"
	services := []string{"ingest", "enrich", "publish", "deliver"}
	reads := shipped(t, "prometheus/prometheus.yaml")
	for _, line := range []string{"{names: [" + strings.Join(services, ", ") + "], type: A, port: " + port + "}", "rule_files: [tidings.rules.yaml]"} {
		if !strings.Contains(reads, line) {
			t.Errorf("prometheus.yaml does not say %q", line)
		}
	}
	prometheus, grafana := p.Services["prometheus"], p.Services["grafana"]
	for _, name := range services {
		if n := shared(prometheus, p.Services[name]); n != 1 {
			t.Errorf("%s shares %d networks with Prometheus", name, n)
		}
		if n := shared(grafana, p.Services[name]); n != 0 {
			t.Errorf("%s shares %d networks with Grafana", name, n)
		}
		listen := shippedLine(t, single, "TIDINGS_ADMIN__LISTEN")
		if listen != `TIDINGS_ADMIN__LISTEN: "${TIDINGS_ADMIN_LISTEN:-127.0.0.1:`+port+`}"` || !strings.Contains(shipped(t, ".env.example"), "#TIDINGS_ADMIN_LISTEN=0.0.0.0:"+port+"\n") {
			t.Errorf("the admin port of %s is said by %q", name, listen)
		}
	}
	if !slices.Contains(prometheus.Command, "--config.file="+at(prometheus, "prometheus", "prometheus.yaml")) {
		t.Errorf("Prometheus is started with %v", prometheus.Command)
	}
	if shared(prometheus, grafana) != 1 || !strings.Contains(shipped(t, "grafana/provisioning/datasources/tidings.yaml"), `"http://prometheus:`+port+`"`) {
		t.Error("Grafana does not reach Prometheus")
	}
	if want := "{path: " + at(grafana, "grafana", "") + "}"; !strings.Contains(shipped(t, "grafana/provisioning/dashboards/tidings.yaml"), want) {
		t.Errorf("Grafana does not look for dashboards at %s", want)
	}
	if at(grafana, "provisioning", "") != "/etc/grafana/provisioning" {
		t.Errorf("Grafana is not told where to look: %v", grafana.Volumes)
	}
}

// shared counts the networks that two services are in.
func shared(a, b types.ServiceConfig) (n int) {
	for name := range a.Networks {
		if _, both := b.Networks[name]; both {
			n++
		}
	}
	return n
}

// at is where a service finds a file of a folder of the machine.
func at(s types.ServiceConfig, folder, file string) string {
	for _, v := range s.Volumes {
		if v.Type == types.VolumeTypeBind && path.Base(v.Source) == folder {
			return path.Join(v.Target, file)
		}
	}
	return "nowhere"
}

// shippedLine is the only form of the lines of a file that begin so, "" where they differ.
func shippedLine(t *testing.T, file, begins string) (line string) {
	t.Helper()
	for l := range strings.Lines(shipped(t, file)) {
		if l = strings.TrimSpace(l); strings.HasPrefix(l, begins) {
			if line != "" && line != l {
				return ""
			}
			line = l
		}
	}
	return line
}
