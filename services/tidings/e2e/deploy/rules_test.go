package deploy

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
)

// A rule looks at one service, knowing all, and says what is wrong.
type rule struct {
	about string
	check func(p *types.Project, s types.ServiceConfig, say func(format string, args ...any))
}

// breaches lists what is wrong with a composition.
func breaches(p *types.Project) []string {
	var bad []string
	for _, name := range slices.Sorted(maps.Keys(p.Services)) {
		for _, r := range rules() {
			r.check(p, p.Services[name], func(format string, args ...any) {
				bad = append(bad, name+": "+r.about+": "+fmt.Sprintf(format, args...))
			})
		}
	}
	for name, n := range p.Networks {
		if strings.HasPrefix(name, "bus-") && !n.Internal {
			bad = append(bad, name+": a network of NATS leads outside")
		}
		if strings.HasPrefix(name, "front-") && n.DriverOpts["com.docker.network.bridge.enable_ip_masquerade"] != "false" {
			bad = append(bad, name+": a network that is reached from outside leads there")
		}
	}
	if len(p.Configs) > 0 {
		bad = append(bad, "configs: Compose 1.29 ignores them")
	}
	return bad
}

func rules() []rule {
	return []rule{
		{"rights", rights}, {"limits", limits}, {"end", end}, {"logs", logs}, {"image", image}, {"health", health}, {"mounts", mounts},
		{"ports", ports}, {"networks", networks}, {"secrets", secrets}, {"compatibility", compatibility},
	}
}

type sayer = func(format string, args ...any)

// once reports whether a service ends by itself.
func once(s types.ServiceConfig) bool { return s.Name == "init" || s.Name == "topology" }

// broker reports whether a service is a NATS server.
func broker(s types.ServiceConfig) bool {
	return s.Name == "nats" || strings.HasPrefix(s.Name, "nats-")
}

// userOf is as whom a service runs. Images of others own the folders of their volumes by a user of theirs.
func userOf(service string) string {
	switch service {
	case "prometheus":
		return "65534:65534"
	case "grafana":
		return "472:472"
	}
	return "65532:65532"
}

func rights(_ *types.Project, s types.ServiceConfig, say sayer) {
	if want := userOf(s.Name); s.User != want {
		say("user %q, want %s", s.User, want)
	}
	if !s.ReadOnly {
		say("the root can be written to")
	}
	if !slices.Equal(s.CapDrop, []string{"ALL"}) || len(s.CapAdd) > 0 || s.Privileged || len(s.Devices) > 0 {
		say("capabilities: drops %q, adds %q, privileged %t, %d devices", s.CapDrop, s.CapAdd, s.Privileged, len(s.Devices))
	}
	if !slices.Equal(s.SecurityOpt, []string{"no-new-privileges:true"}) {
		say("security_opt is %q", s.SecurityOpt)
	}
	if s.Pid != "" || s.Ipc != "" || s.UserNSMode != "" || s.Uts != "" || s.UseAPISocket || len(s.Sysctls) > 0 {
		say("it shares a namespace of the machine")
	}
}

func limits(_ *types.Project, s types.ServiceConfig, say sayer) {
	if s.CPUS <= 0 || s.MemLimit <= 0 || s.PidsLimit != 256 {
		say("cpus %v, mem_limit %d, pids_limit %d", s.CPUS, s.MemLimit, s.PidsLimit)
	}
}

func end(_ *types.Project, s types.ServiceConfig, say sayer) {
	want := "unless-stopped"
	if once(s) {
		want = "no"
	}
	if s.Restart != want {
		say("restart is %q, want %q", s.Restart, want)
	}
	if s.StopGracePeriod == nil || time.Duration(*s.StopGracePeriod) < 30*time.Second {
		say("stop_grace_period is below 30s")
	}
}

func logs(_ *types.Project, s types.ServiceConfig, say sayer) {
	if s.Logging == nil || s.Logging.Driver != "json-file" || s.Logging.Options["max-size"] != "10m" || s.Logging.Options["max-file"] != "3" {
		say("%+v, want json-file of 10m x 3", s.Logging)
	}
}

func image(_ *types.Project, s types.ServiceConfig, say sayer) {
	name, tag, _ := strings.Cut(s.Image[strings.LastIndexByte(s.Image, '/')+1:], ":")
	if tag == "" || tag == "latest" {
		say("%q has no version", s.Image)
	}
	// A name with a host, so that a missing image is not pulled out of a stranger's namespace.
	if s.Build != nil && s.Image != "localhost/tidings/"+name+":"+tag {
		say("%q is not on localhost", s.Image)
	}
	if s.Build != nil && s.Build.Target != name {
		say("%s is built from %s", s.Image, s.Build.Target)
	}
	if s.ContainerName != "" {
		say("container_name %q stands in the way of a second container", s.ContainerName)
	}
}

func health(p *types.Project, s types.ServiceConfig, say sayer) {
	if !once(s) && (s.HealthCheck == nil || s.HealthCheck.Disable || len(s.HealthCheck.Test) < 2) {
		say("there is no check")
	}
	if s.HealthCheck != nil && s.HealthCheck.StartInterval != nil {
		say("start_interval wants a newer engine")
	}
	for name, d := range s.DependsOn {
		on := p.Services[name]
		if want := map[bool]string{true: types.ServiceConditionCompletedSuccessfully, false: types.ServiceConditionHealthy}[once(on)]; d.Condition != want {
			say("waits for %s with %s, want %s", name, d.Condition, want)
		}
		if d.Restart {
			say("depends_on.restart is unknown to Compose 1.29")
		}
	}
}

func mounts(_ *types.Project, s types.ServiceConfig, say sayer) {
	for _, v := range s.Volumes {
		if v.Type != types.VolumeTypeBind && v.Type != types.VolumeTypeVolume || strings.Contains(v.Source, "docker.sock") {
			say("%s %s", v.Type, v.Source)
		}
		if v.Type == types.VolumeTypeBind && !v.ReadOnly {
			say("%s of the machine can be written to", v.Source)
		}
		if strings.HasPrefix(v.Source, "keys-") && !v.ReadOnly && s.Name != "init" {
			say("the keys %s can be written to", v.Source)
		}
	}
}

// ports: publish alone is for everybody, and what is for the operator is for this machine.
func ports(_ *types.Project, s types.ServiceConfig, say sayer) {
	for _, port := range s.Ports {
		public := s.Name == "publish" && port.Target == 8080
		if local := net.ParseIP(port.HostIP).IsLoopback(); !public && (!local || broker(s) || port.Target == 9090) {
			say("publishes %d at %q", port.Target, port.HostIP)
		}
	}
}

// networks: two services meet at NATS and nowhere else, and only those that must have a way out.
func networks(p *types.Project, s types.ServiceConfig, say sayer) {
	if s.NetworkMode != "" && s.NetworkMode != "none" {
		say("network_mode is %s", s.NetworkMode)
	}
	for name := range s.Networks {
		switch {
		case strings.HasPrefix(name, "bus-"), name == "dash" && slices.Contains([]string{"prometheus", "grafana"}, s.Name):
		case name == "out-"+s.Name && (s.Name == "ingest" || s.Name == "deliver"), name == "front-"+s.Name && len(s.Ports) > 0:
		default:
			say("it is on %s", name)
		}
		for _, other := range p.Services {
			_, meet := other.Networks[name]
			operator := func(s types.ServiceConfig) bool { return s.Name == "topology" || s.Name == "console" }
			watcher := func(s types.ServiceConfig) bool { return s.Name == "prometheus" || s.Name == "grafana" }
			if meet && s.Name < other.Name && !broker(s) && !broker(other) && !watcher(s) && !watcher(other) && (!operator(s) || !operator(other)) {
				say("it meets %s on %s", other.Name, name)
			}
			if meet && name == "bus-cluster" && !broker(other) {
				say("%s is on the network of the routes", other.Name)
			}
		}
	}
}

// secrets: what stands in the environment is seen by everybody who may look at the container.
func secrets(_ *types.Project, s types.ServiceConfig, say sayer) {
	for name := range s.Environment {
		for _, word := range []string{"SECRET", "TOKEN", "PASSWORD", "SEED", "KEY"} {
			if strings.Contains(name, word) && !strings.HasSuffix(name, "_FILE") {
				say("%s holds a secret", name)
			}
		}
	}
}

// compatibility: what Compose 1.29 or an engine of its time refuses or ignores.
func compatibility(_ *types.Project, s types.ServiceConfig, say sayer) {
	if s.Deploy != nil || len(s.Configs) > 0 || s.Extends != nil {
		say("deploy, configs and extends are not understood everywhere")
	}
}
