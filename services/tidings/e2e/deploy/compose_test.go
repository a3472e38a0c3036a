package deploy

import (
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"

	"tidings.internal/pkg/run"
)

const (
	single  = "compose.yaml"
	cluster = "compose.cluster.yaml"
)

// folder is where the shipped files are.
func folder() string { return filepath.Join("..", "..", "..", "..", "deploy") }

func shipped(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder(), name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// load reads files one over the other, with every profile and nothing from the environment.
func load(t *testing.T, files ...string) *types.Project {
	t.Helper()
	paths := make([]string, len(files))
	for i, name := range files {
		paths[i] = filepath.Join(folder(), name)
	}
	o, err := cli.NewProjectOptions(paths, cli.WithName("tidings"), cli.WithProfiles([]string{"*"}))
	if err != nil {
		t.Fatal(err)
	}
	p, err := o.LoadProject(t.Context())
	if err != nil {
		t.Fatalf("load %q: %v", files, err)
	}
	return p
}

func TestTheShippedCompositionsKeepTheRules(t *testing.T) {
	t.Parallel()
	for name, files := range map[string][]string{"one server": {single}, "three servers": {single, cluster}} {
		p := load(t, files...)
		if len(p.Services) < 7 {
			t.Errorf("%s: only %d services were read", name, len(p.Services))
		}
		for _, b := range breaches(p) {
			t.Errorf("%s: %s", name, b)
		}
	}
}

// A rule is worth what it sees: each seeded breach must be named, in a service of each kind.
func TestEachBreachIsSeen(t *testing.T) {
	t.Parallel()
	short := types.Duration(10 * time.Second)
	for name, c := range map[string]struct {
		service string
		spoil   func(p *types.Project, s *types.ServiceConfig)
		want    string
	}{
		"root":              {"enrich", func(_ *types.Project, s *types.ServiceConfig) { s.User = "" }, "enrich: rights: user"},
		"writable root":     {"nats-2", func(_ *types.Project, s *types.ServiceConfig) { s.ReadOnly = false }, "nats-2: rights: the root"},
		"capability":        {"ingest", func(_ *types.Project, s *types.ServiceConfig) { s.CapAdd = []string{"NET_RAW"} }, "ingest: rights: capabilities"},
		"capabilities left": {"nats", func(_ *types.Project, s *types.ServiceConfig) { s.CapDrop = nil }, "nats: rights: capabilities"},
		"privileges":        {"deliver", func(_ *types.Project, s *types.ServiceConfig) { s.SecurityOpt = nil }, "deliver: rights: security_opt"},
		"pid namespace":     {"deliver", func(_ *types.Project, s *types.ServiceConfig) { s.Pid = "host" }, "deliver: rights: it shares"},
		"no memory limit":   {"nats-3", func(_ *types.Project, s *types.ServiceConfig) { s.MemLimit = 0 }, "nats-3: limits"},
		"no limit of pids":  {"init", func(_ *types.Project, s *types.ServiceConfig) { s.PidsLimit = 0 }, "init: limits"},
		"no restart":        {"publish", func(_ *types.Project, s *types.ServiceConfig) { s.Restart = "" }, "publish: end: restart"},
		"no time to end":    {"publish", func(_ *types.Project, s *types.ServiceConfig) { s.StopGracePeriod = &short }, "publish: end: stop_grace_period"},
		"endless logs":      {"enrich", func(_ *types.Project, s *types.ServiceConfig) { s.Logging = nil }, "enrich: logs"},
		"latest":            {"nats", func(_ *types.Project, s *types.ServiceConfig) { s.Image = "nats:latest" }, "nats: image"},
		"a stranger's name": {"ingest", func(_ *types.Project, s *types.ServiceConfig) { s.Image = "tidings/ingest:1.0.0" }, "ingest: image"},
		"another target":    {"ingest", func(_ *types.Project, s *types.ServiceConfig) { s.Build.Target = "deliver" }, "ingest: image"},
		"a fixed name":      {"ingest", func(_ *types.Project, s *types.ServiceConfig) { s.ContainerName = "ingest" }, "ingest: image"},
		"no health":         {"deliver", func(_ *types.Project, s *types.ServiceConfig) { s.HealthCheck = nil }, "deliver: health"},
		"started too early": {"deliver", func(_ *types.Project, s *types.ServiceConfig) {
			s.DependsOn["topology"] = types.ServiceDependency{Condition: types.ServiceConditionStarted}
		}, "deliver: health: waits"},
		"a writable file": {"ingest", func(_ *types.Project, s *types.ServiceConfig) {
			for i := range s.Volumes {
				s.Volumes[i].ReadOnly = false
			}
		}, "ingest: mounts"},
		"a port of NATS": {"nats", func(_ *types.Project, s *types.ServiceConfig) {
			s.Ports = []types.ServicePortConfig{{HostIP: "127.0.0.1", Target: 4222}}
		}, "nats: ports"},
		"a second public port": {"publish", func(_ *types.Project, s *types.ServiceConfig) {
			s.Ports = append(s.Ports, types.ServicePortConfig{Target: 9090})
		}, "publish: ports"},
		"a way out":       {"enrich", func(_ *types.Project, s *types.ServiceConfig) { s.Networks["out-ingest"] = nil }, "enrich: networks: it is on out-ingest"},
		"a meeting":       {"enrich", func(_ *types.Project, s *types.ServiceConfig) { s.Networks["bus-publish"] = nil }, "enrich: networks: it meets publish"},
		"on the routes":   {"ingest", func(_ *types.Project, s *types.ServiceConfig) { s.Networks["bus-cluster"] = nil }, "ingest is on the network of the routes"},
		"the host's":      {"ingest", func(_ *types.Project, s *types.ServiceConfig) { s.NetworkMode = "host" }, "ingest: networks: network_mode"},
		"a secret":        {"deliver", func(_ *types.Project, s *types.ServiceConfig) { s.Environment["HOOK_SECRET"] = nil }, "deliver: secrets"},
		"deploy":          {"deliver", func(_ *types.Project, s *types.ServiceConfig) { s.Deploy = &types.DeployConfig{} }, "deliver: compatibility"},
		"an open network": {"nats", func(p *types.Project, _ *types.ServiceConfig) { p.Networks["bus-cluster"] = types.NetworkConfig{} }, "bus-cluster: a network of NATS"},
		"a way back":      {"publish", func(p *types.Project, _ *types.ServiceConfig) { p.Networks["front-publish"] = types.NetworkConfig{} }, "front-publish: a network"},
		"configs":         {"nats", func(p *types.Project, _ *types.ServiceConfig) { p.Configs = types.Configs{"x": {}} }, "configs: Compose 1.29"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := load(t, single, cluster)
			s := p.Services[c.service]
			c.spoil(p, &s)
			p.Services[c.service] = s
			if bad := strings.Join(breaches(p), "\n"); !strings.Contains(bad, c.want) {
				t.Errorf("want %q in\n%s", c.want, bad)
			}
		})
	}
}

func TestTheImageOfNATSIsTheVersionThatIsTested(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Version}}", "github.com/nats-io/nats-server/v2").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want := "nats:" + strings.TrimPrefix(strings.TrimSpace(string(out)), "v") + "-alpine"
	for name, s := range load(t, single, cluster).Services {
		if broker(s) && s.Image != want {
			t.Errorf("%s is %s, go.mod says %s", name, s.Image, want)
		}
	}
}

// The store lies on a volume of its own, named so that a folder that moves finds it again, which init has made writable.
func TestTheStoreLiesOnAVolumeOfItsOwn(t *testing.T) {
	t.Parallel()
	store := regexp.MustCompile(`(?m)^jetstream .*store_dir: "([^"]*)"`).FindStringSubmatch(shipped(t, "nats.conf"))
	if store == nil {
		t.Fatal("nats.conf names no store_dir")
	}
	for name, files := range map[string][]string{"one server": {single}, "three servers": {single, cluster}} {
		p := load(t, files...)
		made, used := volumesOf(p.Services["init"]), map[string]string{}
		for _, s := range p.Services {
			if !broker(s) {
				continue
			}
			volume := volumesOf(s)[store[1]]
			if volume == "" || used[volume] != "" {
				t.Errorf("%s: %s keeps its store on %q, as does %q", name, s.Name, volume, used[volume])
			}
			used[volume] = s.Name
			if v := p.Volumes[volume]; !strings.HasPrefix(v.Name, "tidings-nats") {
				t.Errorf("%s: volume %s is named %s", name, volume, v.Name)
			}
			if !slices.Contains(slices.Collect(maps.Values(made)), volume) {
				t.Errorf("%s: init does not mount %s, so it would be root's", name, volume)
			}
		}
		// Owner and mode of an empty volume come from the folder of the image, so each needs one.
		for target := range made {
			if !slices.Contains(strings.Fields(shipped(t, "Dockerfile")), "/folders"+target) {
				t.Errorf("%s: the image has no folder %s that belongs to the user", name, target)
			}
		}
	}
	// The one server's store must not get into a cluster, which would drop its streams.
	for _, s := range load(t, single, cluster).Services {
		if broker(s) && volumesOf(s)[store[1]] == "tidings-nats" {
			t.Errorf("%s takes the store of the one server", s.Name)
		}
	}
}

// volumesOf maps folders of a container to volumes.
func volumesOf(s types.ServiceConfig) map[string]string {
	m := map[string]string{}
	for _, v := range s.Volumes {
		if v.Type == types.VolumeTypeVolume {
			m[v.Target] = v.Source
		}
	}
	return m
}

func TestTheServersOfTheClusterKnowEachOther(t *testing.T) {
	t.Parallel()
	p := load(t, single, cluster)
	var names, routes, urls []string
	duck := regexp.MustCompile(`(?m)^lame_duck_duration: "([^"]*)"`).FindStringSubmatch(shipped(t, "nats.conf"))
	if duck == nil {
		t.Fatal("nats.conf names no lame_duck_duration")
	}
	leave, err := time.ParseDuration(duck[1])
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(p.Services)) {
		s := p.Services[name]
		if !broker(s) {
			continue
		}
		aliases := s.Networks["bus-cluster"].Aliases
		if len(aliases) != 1 || slices.Contains(routes, aliases[0]) {
			t.Fatalf("%s is %q on the network of the routes", name, aliases)
		}
		names, routes, urls = append(names, name), append(routes, aliases[0]), append(urls, "nats://"+name+":4222")
		if s.StopSignal != "SIGUSR2" || time.Duration(*s.StopGracePeriod) <= leave {
			t.Errorf("%s is stopped by %s within %v, and takes %v to leave", name, s.StopSignal, time.Duration(*s.StopGracePeriod), leave)
		}
	}
	if len(names) != 3 {
		t.Fatalf("the servers are %q", names)
	}
	for i, name := range names {
		s := p.Services[name]
		// Routes have no login: they may listen on their own network only.
		want := []string{"-c=/etc/nats/nats.conf", "--name=" + name, "--cluster_name=tidings", "--cluster=nats://" + routes[i] + ":6222",
			"--routes=nats://" + strings.Join(routes, ":6222,nats://") + ":6222", "--no_advertise=true"}
		if !slices.Equal(s.Command, want) {
			t.Errorf("%s runs with %q, want %q", name, s.Command, want)
		}
		for network := range p.Services["nats"].Networks {
			if _, ok := s.Networks[network]; !ok {
				t.Errorf("%s is not on %s", name, network)
			}
		}
	}
	for name, s := range p.Services {
		if url, ok := s.Environment["TIDINGS_NATS__URL"]; ok && *url != strings.Join(urls, ",") {
			t.Errorf("%s knows %s, want all of %q", name, *url, urls)
		}
		if _, ok := s.DependsOn["nats"]; ok && len(s.DependsOn) != len(names) {
			t.Errorf("%s waits for %v", name, s.DependsOn)
		}
	}
	if n := p.Services["topology"].Environment["TIDINGS_NATS__REPLICAS"]; n == nil || *n != "3" {
		t.Errorf("topology makes streams of %v replicas", n)
	}
}

func TestTheFilesSayTheirVersion(t *testing.T) {
	t.Parallel()
	first := func(name string) string { line, _, _ := strings.Cut(shipped(t, name), "\n"); return line }
	if a, b := first(single), first(cluster); !regexp.MustCompile(`^# compose-version: [1-9][0-9]*$`).MatchString(a) || a != b {
		t.Errorf("the files begin with %q and %q", a, b)
	}
}

// Compose leaves compose.override.yaml out without a word where files are named, so whoever tells how to name them tells
// that too.
func TestTheOverlayLeavesTheOverrideIn(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"README.md": "COMPOSE_FILE=" + single + ":" + cluster + ":compose.override.yaml", ".env.example": "COMPOSE_FILE=" + single + ":" + cluster + ":compose.override.yaml",
		cluster: "-f " + single + " -f " + cluster + " -f compose.override.yaml",
	} {
		if !strings.Contains(shipped(t, name), want) {
			t.Errorf("%s does not say %q", name, want)
		}
	}
}

// The manual runs verbs in the containers of topology and deliver, and checks in one of the same image outside of them.
func TestVerbsFindWhatTheyNeedInTheContainers(t *testing.T) {
	t.Parallel()
	manual := shipped(t, "README.md")
	for name, files := range map[string][]string{"one server": {single}, "three servers": {single, cluster}} {
		p := load(t, files...)
		operator, sender := p.Services["topology"], p.Services["deliver"]
		for _, verb := range []string{"status", "topology plan", "backup /backup/tidings.tar", "restore /backup/tidings.tar"} {
			if want := " topology " + verb + " --config " + configOf(operator); !strings.Contains(manual, want) {
				t.Errorf("%s: the manual has no command %q", name, want)
			}
		}
		seed := operator.Environment["TIDINGS_NATS__CREDENTIALS_FILE"]
		if seed == nil || volumesOf(operator)[path.Dir(*seed)] != "keys-admin" || operator.Environment["TIDINGS_NATS__URL"] == nil {
			t.Errorf("%s: topology cannot connect as the operator: %v, %v", name, operator.Environment, operator.Volumes)
		}
		for _, s := range p.Services {
			if _, ok := s.Networks["bus-admin"]; broker(s) && !ok {
				t.Errorf("%s: topology does not reach %s", name, s.Name)
			}
		}
		if file := sender.Environment["TIDINGS_CONFIG"]; file == nil || *file != configOf(sender) {
			t.Errorf("%s: deliver check finds no configuration", name)
		}
		if !strings.Contains(manual, " "+operator.Image+" check ") || len(operator.Entrypoint) > 0 || len(sender.Entrypoint) > 0 {
			t.Errorf("%s: %s is not what the manual checks with", name, operator.Image)
		}
		if user := regexp.MustCompile(`(?m)^install -d -m 0700 -o (\d+) -g (\d+) backup `).FindStringSubmatch(manual); user == nil || user[1]+":"+user[2] != operator.User {
			t.Errorf("%s: the folder of the backup is for %q, topology runs as %s", name, user, operator.User)
		}
	}
}

// configOf is where a container has the configuration.
func configOf(s types.ServiceConfig) string {
	for _, v := range s.Volumes {
		if v.Type == types.VolumeTypeBind && filepath.Base(v.Source) == "tidings.yaml" {
			return v.Target
		}
	}
	return "nowhere"
}

// Each service is told by which file it was started, so that it can say when that is older than it is.
func TestServicesKnowTheVersionOfTheirFile(t *testing.T) {
	t.Parallel()
	want := strconv.Itoa(run.ComposeVersion)
	if first, _, _ := strings.Cut(shipped(t, single), "\n"); first != "# compose-version: "+want {
		t.Errorf("the first line is %q, the programs want version %s", first, want)
	}
	services := load(t, single).Services
	for _, name := range []string{"ingest", "enrich", "publish", "deliver"} {
		if said := services[name].Environment["TIDINGS_COMPOSE"]; said == nil || *said != want {
			t.Errorf("%s is not told version %s", name, want)
		}
	}
}
