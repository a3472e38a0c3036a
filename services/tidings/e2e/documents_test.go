package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// shown is a command of a document, and who runs it.
type shown struct {
	command string
	// args are run in the folder of a running demo, want is the exit code, says is part of what it prints.
	args []string
	want int
	says string
	// elsewhere names the test or the file of the gate that runs the command, for commands that need another scene.
	elsewhere string
}

// commands lists every command of the documents in the order in which they are run. {article}, {file} and {channel} stand
// for what the demo has.
func commands() []shown {
	const programs, lost, kills, gate = "TestTheProgramsWorkUnderTheirPermissions", "TestALostMachineComesBackFromItsBackup", "TestKills", ".ci/run"
	const comeAndGo = "TestSourcesComeAndGoAtRunTime"
	const composition, verbs = "TestTheShippedCompositionRuns", "TestVerbsFindWhatTheyNeedInTheContainers"
	const decides = "TestAPersonDecidesAboutHeldPosts"
	const edits = "TestAPersonHoldsEditsSendsAndDeletes"
	return []shown{
		{command: "tidings", elsewhere: "TestReadmeShowsWhatTheFirstCommandPrints"},
		{command: "tidings run --config tidings.yaml", elsewhere: lost},
		{command: "tidings run --config /etc/tidings/tidings.yaml --data /var/lib/tidings", elsewhere: lost},
		{command: "nats-server -js -sd /var/lib/nats", elsewhere: kills},
		{command: "tidings topology apply --config tidings.yaml", elsewhere: kills},
		{command: "ingest --config tidings.yaml", elsewhere: programs},
		{command: "enrich --config tidings.yaml", elsewhere: programs},
		{command: "enrich run --in FILE --out - --config tidings.yaml --only extract", elsewhere: "TestSelectorsAreTriedOffline"},
		{command: "publish --config tidings.yaml", elsewhere: programs},
		{command: "deliver --config tidings.yaml", elsewhere: programs},
		{command: "docker-compose up -d", elsewhere: composition},
		{command: "docker compose up -d", elsewhere: composition},
		{command: "docker-compose up -d --scale enrich=2 --scale publish=2", elsewhere: composition},
		{command: "docker-compose down", elsewhere: composition},
		{command: "docker-compose -f compose.yaml -f compose.cluster.yaml up -d", elsewhere: composition},
		{command: "nats-server -c nats.conf --name nats-2 --cluster_name tidings --cluster nats://10.0.0.2:6222 --routes nats://10.0.0.1:6222,nats://10.0.0.2:6222,nats://10.0.0.3:6222", elsewhere: composition},
		{command: "tidings topology apply", elsewhere: composition},
		{command: "docker-compose run --rm --no-deps topology status --config /etc/tidings/tidings.yaml", elsewhere: verbs},
		{command: "docker-compose run --rm --no-deps topology topology plan --config /etc/tidings/tidings.yaml", elsewhere: verbs},
		{command: `docker-compose run --rm --no-deps -v "$PWD/backup:/backup" topology backup /backup/tidings.tar --config /etc/tidings/tidings.yaml`, elsewhere: verbs},
		{command: `docker-compose run --rm --no-deps -v "$PWD/backup:/backup" topology restore /backup/tidings.tar --config /etc/tidings/tidings.yaml`, elsewhere: verbs},
		{command: "docker-compose run --rm --no-deps deliver check", elsewhere: verbs},
		{command: `docker run --rm -v "$PWD/tidings.yaml:/tidings.yaml:ro" -v "$PWD/secrets/hook:/run/secrets/hook:ro" localhost/tidings/tidings:1.0.0 check /tidings.yaml --online`, elsewhere: verbs},
		{command: "sh upgrade.sh", elsewhere: composition},
		{command: "docker-compose stop ingest enrich publish deliver", elsewhere: composition},
		{command: "docker-compose up -d nats nats-2 nats-3", elsewhere: composition},
		{command: "docker-compose ps", elsewhere: composition},
		{command: "docker-compose stop nats-2", elsewhere: composition},
		{command: "docker-compose start nats-2", elsewhere: composition},
		{command: "tidings init --keys DIR", args: []string{"init", "--keys", "keys"}, says: "made 6 keys"},
		{command: "tidings init --keys DIR --rotate", args: []string{"init", "--keys", "keys", "--rotate"}, says: "made 6 keys"},
		{command: "tidings init DIR", args: []string{"init", "bundle"}, says: "written"},
		{command: "tidings check", args: []string{"check"}, says: "no problem"},
		{command: "tidings check tidings.yaml", args: []string{"check", "wrong.yaml"}, want: 1, says: `unknown key; did you mean "every"?`},
		{command: "tidings check --online", elsewhere: "TestCheckTriesWhatTheConfigurationNames"},
		{command: "tidings config show", args: []string{"config", "show"}, says: "nats.sync"},
		{command: "tidings config example", args: []string{"config", "example"}, says: "sources:"},
		{command: "tidings config example sources", args: []string{"config", "example", "sources"}, says: "every:"},
		{command: "tidings config schema", args: []string{"config", "schema"}, says: "draft/2020-12"},
		{command: "tidings health", args: []string{"health", "{admin}"}, says: "ready"},
		{command: "ingest health", elsewhere: programs},
		{command: "tidings sources list", args: []string{"sources", "list"}, says: "notebook"},
		{command: "tidings sources test URL", args: []string{"sources", "test", "feed.xml"}, says: "An entry"},
		{command: "tidings sources refresh ID", args: []string{"sources", "refresh", "notebook"}},
		{command: "tidings sources add URL", elsewhere: comeAndGo},
		{command: "tidings sources edit ID KEY=VALUE", elsewhere: comeAndGo},
		{command: "tidings sources show ID", args: []string{"sources", "show", "notebook"}, says: "next poll"},
		{command: "tidings sources import FILE", elsewhere: comeAndGo},
		{command: "tidings sources export", args: []string{"sources", "export"}, says: "<opml"},
		{command: "tidings sources pause ID", args: []string{"sources", "pause", "notebook"}},
		{command: "tidings sources resume ID", args: []string{"sources", "resume", "notebook"}},
		{command: "tidings sources remove ID", elsewhere: comeAndGo},
		{command: "tidings tail"},
		{command: "tidings tail 'event.>' --since 24h"},
		{command: "tidings dead list", args: []string{"dead", "list"}, says: "no dead letters"},
		{command: "dead show N", args: []string{"dead", "show", "1"}, want: 1},
		{command: "dead retry N", args: []string{"dead", "retry", "1"}, want: 1},
		{command: "dead retry --reason malformed --rate 10/s", args: []string{"dead", "retry", "--reason", "malformed", "--rate", "10/s"}, says: "no dead letters"},
		{command: "dead drop N --yes", args: []string{"dead", "drop", "1", "--yes"}, want: 1},
		{command: "tidings deliveries list --state held", args: []string{"deliveries", "list", "--state", "held"}, says: "no deliveries"},
		{command: "tidings deliveries list --state uncertain", args: []string{"deliveries", "list", "--state", "uncertain"}, says: "no deliveries"},
		{command: "tidings deliveries list --state waiting", args: []string{"deliveries", "list", "--state", "waiting"}, says: "no deliveries"},
		{command: "tidings deliveries show channel/story", elsewhere: decides},
		{command: "deliveries approve channel/story", elsewhere: decides},
		{command: `deliveries reject channel/story --reason "..."`, elsewhere: decides},
		{command: "deliveries hold channel/story", elsewhere: edits},
		{command: "deliveries now channel/story", elsewhere: edits},
		{command: "deliveries edit channel/story --file words.txt", elsewhere: edits},
		{command: "deliveries delete channel/story --yes", elsewhere: edits},
		{command: "deliveries retry channel/story", elsewhere: decides},
		{command: "deliveries skip channel/story", elsewhere: "TestVerbsOfTheOperator"},
		{command: "deliveries resolve channel/story --not-sent", elsewhere: decides},
		{command: "tidings channels list", args: []string{"channels", "list"}, says: "{channel}"},
		{command: "tidings channels show ID", args: []string{"channels", "show", "{channel}"}, says: "network"},
		{command: "tidings channels test ID", args: []string{"channels", "test", "{channel}"}, says: "--post finds out"},
		{command: "tidings channels test ID --post", args: []string{"channels", "test", "{channel}", "--post"}, says: "posted and deleted again"},
		{command: "tidings channels catchup ID --last 20", elsewhere: "TestAChannelCatchesUp"},
		{command: "tidings channels rebind ID --yes", elsewhere: "TestAChannelIsRebound"},
		{command: "tidings channels pause ID", args: []string{"channels", "pause", "{channel}"}},
		{command: "tidings channels resume ID", args: []string{"channels", "resume", "{channel}"}},
		{command: "tidings articles show ID", args: []string{"articles", "show", "{article}"}, says: "{article}"},
		{command: "tidings posts list", args: []string{"posts", "list"}, says: "{channel}/"},
		{command: "tidings posts preview --channel ID", args: []string{"posts", "preview", "--channel", "{channel}"}, says: "tide gauges"},
		{command: "tidings posts preview --channel ID --article ID", args: []string{"posts", "preview", "--channel", "{channel}", "--article", "{article}"}, says: "The channel "},
		{command: "tidings posts show channel/story", args: []string{"posts", "show", "{channel}/nothing"}, want: 1},
		{command: "tidings status", args: []string{"status"}, says: "RAW"},
		{command: "tidings status --watch"},
		{command: "tidings topology plan", args: []string{"topology", "plan"}, says: "nothing to change"},
		{command: "go test ./services/tidings/e2e/pipeline -run '^$' -bench . -benchtime 1x -timeout 30m", elsewhere: "services/tidings/e2e/pipeline/doc.go"},
		{command: "tidings status --wait 60s", args: []string{"status", "--wait", "60s"}, says: "RAW"},
		{command: "tidings reload", elsewhere: "TestAReloadTakesTheFileOverAsAWhole"},
		{command: "tidings reload URL", elsewhere: "TestAReloadTakesTheFileOverAsAWhole"},
		{command: "ingest reload", elsewhere: kills},
		{command: "tidings feeds list", args: []string{"feeds", "list"}, says: "everybody"},
		{command: "tidings feeds token ID", args: []string{"feeds", "token", "all"}, says: "sha256: "},
		{command: "tidings feeds token ID NAME", args: []string{"feeds", "token", "all", "ada"}, says: `name: "ada"`},
		{command: "tidings feeds show ID", args: []string{"feeds", "show", "all"}, says: "/feeds/all.atom"},
		{command: "tidings feeds check ID", args: []string{"feeds", "check", "all"}, says: "valid"},
		{command: "tidings articles list", args: []string{"articles", "list"}, says: "{article}"},
		{command: "tidings subscriptions list", args: []string{"subscriptions", "list"}, says: "no subscriptions"},
		{command: "tidings subscriptions end ID", elsewhere: "TestTheHubKeepsItsWordThroughKills"},
		{command: "tidings subscribers list", args: []string{"subscribers", "list"}, says: "no subscribers"},
		{command: "tidings subscribers test LIST ADDRESS", elsewhere: "TestAReaderSubscribesReadsAndLeavesThroughKills"},
		{command: "tidings subscribers add LIST ADDRESS", elsewhere: "TestGoldenOutputOfEveryVerb"},
		{command: "tidings subscribers import LIST FILE", elsewhere: "TestGoldenOutputOfEveryVerb"},
		{command: "tidings subscribers export LIST", elsewhere: "TestGoldenOutputOfEveryVerb"},
		{command: "tidings subscribers erase ADDRESS", elsewhere: "TestGoldenOutputOfEveryVerb"},
		{command: "tidings subscribers suppress ADDRESS", elsewhere: "TestGoldenOutputOfEveryVerb"},
		{command: "tidings taxonomy list", args: []string{"taxonomy", "list"}, says: "CRM"},
		{command: "tidings taxonomy show CONCEPT", args: []string{"taxonomy", "show", "crm"}, says: "kunden"},
		{command: "tidings taxonomy why ARTICLE", args: []string{"taxonomy", "why", "{article}"}, says: "BECAUSE OF"},
		{command: "tidings taxonomy export --format csv -o themen.csv", args: []string{"taxonomy", "export", "--format", "csv", "-o", "themen.csv"}},
		{command: "tidings taxonomy test themen.csv", args: []string{"taxonomy", "test", "themen.csv"}, says: "articles looked at"},
		{command: `tidings taxonomy test --text "Customer care by phone"`, args: []string{"taxonomy", "test", "--text", "CRM software for craftsmen"}, says: "BECAUSE OF"},
		{command: "tidings taxonomy import themen.csv", args: []string{"taxonomy", "import", "themen.csv"}, says: "0 added, 0 changed"},
		{command: "tidings taxonomy accept CONCEPT ARTICLE", args: []string{"taxonomy", "accept", "crm", "{article}"}, says: "Said of 1"},
		{command: "tidings taxonomy unsay TAG ARTICLE", args: []string{"taxonomy", "unsay", "crm", "{article}"}, says: "Taken back"},
		{command: "tidings taxonomy reject TAG ARTICLE", args: []string{"taxonomy", "reject", "wirtschaft", "{article}"}, says: "Said of 1"},
		{command: "tidings taxonomy inbox", args: []string{"taxonomy", "inbox"}, says: "PHRASE"},
		{command: `tidings taxonomy inbox --adopt "Kalte Küche" --lang de`, args: []string{"taxonomy", "inbox", "--adopt", "Kalte Küche", "--lang", "de"}, says: "kalte-kueche"},
		{command: `tidings taxonomy inbox --ignore "Kalte Suppe"`, args: []string{"taxonomy", "inbox", "--ignore", "Kalte Suppe"}, says: "1 ignored"},
		{command: "tidings taxonomy revert CONCEPT", args: []string{"taxonomy", "revert", "kalte-kueche"}, says: "1 reverted"},
		{command: "tidings replay --since 14d", args: []string{"replay", "--since", "14d"}},
		{command: "tidings replay --since 72h", args: []string{"replay", "--since", "72h"}},
		{command: "tidings support FILE.zip", args: []string{"support", "help.zip"}, says: "status.json"},
		{command: "tidings support FILE.zip --process URL", elsewhere: "TestPlantedSecretsComeUpNowhere"},
		{command: "tidings backup", args: []string{"backup", "first.tar"}},
		{command: "tidings backup FILE", args: []string{"backup", "second.tar"}},
		{command: "tidings restore FILE", args: []string{"restore", "second.tar"}, want: 1},
		{command: `tidings articles takedown ID --reason "..."`, args: []string{"articles", "takedown", "{article}", "--reason", "a test"}},
		{command: "go test work", elsewhere: gate},
		{command: "bash .ci/run", elsewhere: gate},
		{command: "go mod tidy", elsewhere: gate},
		{command: "go work sync", elsewhere: gate},
		{command: "go test ./pkg/bus", elsewhere: gate},
		{command: "go test -timeout 20m ./services/tidings/e2e/compose", elsewhere: gate},
		{command: "go test ./services/tidings/e2e/deploy", elsewhere: gate},
		{command: "go test ./services/tidings/e2e/faults -run TestKills -faults.kills=1000 -timeout 60m", elsewhere: kills},
	}
}

// placeholders are commands that hold a word to be replaced, that a document warns of, that measure the machine as well as the
// program or that write files of the checkout anew: nothing runs as it stands.
var placeholders = []string{
	"go -C services/ingest get MODULE@VERSION", "go test PACKAGE -update", "go test -run '^$' -fuzz FuzzX -fuzztime 60s PACKAGE", "go build ./...",
	"go test -run '^$' -bench . -timeout 30m ./services/publish/...", "go doc ./pkg/event", "go test ./services/tidings/e2e -run References -update",
	"go generate ./services/enrich/internal/language",
}

var (
	fenceForm  = regexp.MustCompile("(?s)```[a-z]*\n(.*?)```")
	inlineForm = regexp.MustCompile("`([^`\n]+)`")
	ourForm    = regexp.MustCompile(`^(tidings|ingest|enrich|publish|deliver|nats-server|dead|deliveries|go|bash|docker|docker-compose|sh)( |$)`)
)

// documented lists the commands that a document shows, as an operator with the binaries types them.
func documented(text string) []string {
	for _, name := range []string{"configuration", "metrics"} {
		if before, _, after, ok := between(text, name); ok {
			text = before + after
		}
	}
	var out []string
	add := func(line string) {
		line, _, _ = strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "$ "), " #")
		line = strings.Join(strings.Fields(line), " ")
		if rest, ok := strings.CutPrefix(line, "go run ./services/"); ok {
			line = rest
		}
		if ourForm.MatchString(line) && !slices.Contains(out, line) {
			out = append(out, line)
		}
	}
	for _, block := range fenceForm.FindAllStringSubmatch(text, -1) {
		for line := range strings.Lines(block[1]) {
			add(line)
		}
	}
	for _, span := range inlineForm.FindAllStringSubmatch(fenceForm.ReplaceAllString(text, ""), -1) {
		if strings.Contains(span[1], " ") {
			add(span[1])
		}
	}
	return out
}

func TestEveryCommandOfTheDocumentsIsRun(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, c := range commands() {
		known[c.command] = true
	}
	for _, file := range []string{"README.md", "deploy/README.md", "CONTRIBUTING.md"} {
		text, err := os.ReadFile(filepath.Join(root(t), file))
		if err != nil {
			t.Fatal(err)
		}
		list := documented(string(text))
		if len(list) < 5 {
			t.Errorf("%s shows %d commands; does the test still read it?", file, len(list))
		}
		for _, c := range list {
			if !known[c] && !slices.Contains(placeholders, c) {
				t.Errorf("%s shows %q, which no test runs: add it to commands()", file, c)
			}
		}
	}
}

func TestCommandsOfTheDocumentsDoAsTheySay(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := start(t, dir, anyPort())
	p.awaitReady(t)
	awaitSamples(t, p, 20*time.Second)
	write(t, filepath.Join(dir, "wrong.yaml"), "sources:\n  - {id: a, url: \"https://example.org/f\", evry: 15m}\n")
	write(t, filepath.Join(dir, "feed.xml"), `<rss version="2.0"><channel><title>A feed</title><item><guid>1</guid><title>An entry</title></item></channel></rss>`)
	fill := strings.NewReplacer("{admin}", p.address(t, "admin"), "{article}", anArticle(t, dir), "{channel}", aChannel(t, dir))
	for _, c := range commands() {
		switch {
		case c.elsewhere != "":
			runElsewhere(t, c)
		case strings.HasPrefix(c.command, "tidings tail"), strings.HasSuffix(c.command, " --watch"):
			interrupted(t, dir, strings.Fields(strings.ReplaceAll(strings.TrimPrefix(c.command, "tidings "), "'", ""))...)
		default:
			args := slices.Clone(c.args)
			for i := range args {
				args[i] = fill.Replace(args[i])
			}
			if out := both(t, dir, c.want, args...); !strings.Contains(out, fill.Replace(c.says)) {
				t.Errorf("%s prints\n%s\nwithout %q", c.command, out, fill.Replace(c.says))
			}
		}
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// both runs a verb and returns all that it printed.
func both(t *testing.T, dir string, want int, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, args...)
	cmd.Dir, cmd.Env = dir, environ()
	out, _ := cmd.CombinedOutput()
	if code := cmd.ProcessState.ExitCode(); code != want {
		t.Errorf("tidings %s: exit code %d, want %d\n%s", strings.Join(args, " "), code, want, out)
	}
	return string(out)
}

// interrupted runs a verb that goes on until it is told to stop.
func interrupted(t *testing.T, dir string, args ...string) {
	t.Helper()
	if args[0] == "tail" && !slices.Contains(args, "--since") {
		args = append(args, "--since", "1h") // else it waits for the next event
	}
	p := start(t, dir, nil, args...)
	within(t, 10*time.Second, "output of "+strings.Join(args, " "), func() (bool, string) { return len(p.lines()) > 0, p.errors() })
	if err := p.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if code := p.exit(t, 10*time.Second); code != 0 {
		t.Errorf("%v ends with %d after SIGINT: %s", args, code, p.errors())
	}
}

// runElsewhere holds a reference to its word: the test, or the file of the gate, is there.
func runElsewhere(t *testing.T, c shown) {
	t.Helper()
	if !strings.HasPrefix(c.elsewhere, "Test") {
		if _, err := os.Stat(filepath.Join(root(t), c.elsewhere)); err != nil {
			t.Errorf("%s: %v", c.command, err)
		}
		return
	}
	found := false
	sources(t, func(name string) {
		if strings.HasSuffix(name, "_test.go") && !found {
			text, err := os.ReadFile(filepath.Join(root(t), name))
			found = err == nil && strings.Contains(string(text), "\nfunc "+c.elsewhere+"(t *testing.T)")
		}
	})
	if !found {
		t.Errorf("%s is to be run by %s, which is no test", c.command, c.elsewhere)
	}
}

// anArticle is the id of one of the demo's articles.
func anArticle(t *testing.T, dir string) string {
	t.Helper()
	p := start(t, dir, nil, "tail", "article.enriched.>", "--since", "1h", "--json")
	defer p.kill()
	within(t, 10*time.Second, "an article", func() (bool, string) { return len(p.lines()) > 0, p.errors() })
	var e struct{ Subject string }
	decode(t, []byte(p.lines()[0]), &e)
	return e.Subject[strings.LastIndexByte(e.Subject, '.')+1:]
}

// aChannel is the id of the demo's channel.
func aChannel(t *testing.T, dir string) string {
	t.Helper()
	var list []map[string]any
	within(t, 10*time.Second, "a channel", func() (bool, string) {
		out := verb(t, dir, 0, "channels", "list", "--json")
		return json.Unmarshal([]byte(out), &list) == nil && len(list) > 0, out
	})
	id, _ := list[0]["id"].(string)
	return id
}
