package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// engine stands in for Docker: it writes down what it is asked for, has the services of a cluster, fails where a word says so, and
// a server of it is healthy when it is asked the second time.
const engine = `#!/bin/sh
[ "$2" = version ] && exit 0
echo "$*" >> "$LOG"
[ -n "$FAIL" ] && case "$*" in *"$FAIL"*) exit 1 ;; esac
case "$*" in
"compose config --services") echo init nats nats-2 nats-3 topology publish ;;
*wget*) [ -e "$LOG.$4" ] || { : > "$LOG.$4"; exit 1; } ;;
esac
`

// asked runs the shipped script, which meets a failure where failing stands, and returns the steps that it took with an engine.
func asked(t *testing.T, failing string) ([]string, error) {
	t.Helper()
	dir := t.TempDir()
	log := filepath.Join(dir, "log")
	if err := os.Mkdir(filepath.Join(dir, "backup"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"docker": engine, "sleep": "#!/bin/sh\n", "upgrade.sh": shipped(t, "upgrade.sh")} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "sh", "upgrade.sh")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "LOG="+log, "FAIL="+failing)
	out, failed := cmd.CombinedOutput()
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var steps []string
	for line := range strings.Lines(string(text)) {
		for _, step := range []string{"backup /backup/", "topology plan", "topology apply", "--force-recreate nats-2", "--force-recreate nats-3", "--force-recreate nats", "wget", "up -d", "status --wait"} {
			if strings.Contains(line, step) {
				steps = append(steps, strings.TrimSpace(step))
				break
			}
		}
	}
	return steps, failed
}

// A server reads its permissions at a start. One that ran on would refuse what the new services need; and of three, two must
// be there at any time.
func TestAnUpgradeStartsTheServersBeforeTheServicesOneByOne(t *testing.T) {
	t.Parallel()
	all := []string{
		"backup /backup/", "topology plan", "topology apply",
		"--force-recreate nats", "wget", "wget", "--force-recreate nats-2", "wget", "wget", "--force-recreate nats-3", "wget", "wget",
		"up -d", "status --wait",
	}
	for failing, want := range map[string][]string{
		"": all, "backup /backup/": all[:1], "topology apply": all[:3], "--force-recreate nats-2": all[:7],
		"wget": append(slices.Clone(all[:4]), slices.Repeat([]string{"wget"}, 300)...),
	} {
		got, err := asked(t, failing)
		if !slices.Equal(got, want) || (err == nil) != (failing == "") {
			t.Errorf("with a failure of %q: %v, %v; want %v", failing, got, err, want)
		}
	}
}
