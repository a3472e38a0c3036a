package cli

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tidings.internal/pkg/fault"
)

// A flag that no verb knows starts nothing, whichever verb it stands behind.
func TestAnUnknownFlagStartsNothing(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	for verb := range leaves(t) {
		var out, errs bytes.Buffer
		code := Command(t.Context(), append(strings.Fields(verb), "--nonsense", "--data", data), nil, &out, &errs)
		if code != fault.ExitUsage || out.Len() > 0 || !strings.Contains(errs.String(), "unknown flag --nonsense") {
			t.Errorf("tidings %s --nonsense: exit code %d, %s%s", verb, code, out.String(), errs.String())
		}
	}
	if _, err := os.Stat(data); !os.IsNotExist(err) {
		t.Errorf("there is a data directory: %v", err)
	}
}

// wanting are the arguments without which a verb makes no sense.
func wanting() map[string]string {
	const id, delivery = "aaaaaaaaaaaaaaaaaaaaaaaaaa", "hook/aaaaaaaaaaaaaaaaaaaaaaaaaa"
	return map[string]string{
		"articles show": id, "articles takedown": id + " --reason court", "backup": "FILE", "channels catchup": "hook --last 1", "channels pause": "hook",
		"channels rebind": "hook --yes", "channels resume": "hook", "channels show": "hook", "channels test": "hook", "dead drop": "1 --yes", "dead retry": "1",
		"dead show": "1", "deliveries approve": delivery, "deliveries delete": delivery + " --yes", "deliveries edit": delivery + " --file FILE",
		"deliveries hold": delivery, "deliveries now": delivery, "deliveries reject": delivery, "deliveries resolve": delivery + " --not-sent",
		"deliveries retry": delivery, "deliveries show": delivery, "deliveries skip": delivery, "feeds check": "all", "feeds show": "all",
		"posts preview": "--channel hook --article " + id, "posts show": delivery, "replay": "--since 1h", "restore": "FILE", "sources add": "https://example.org/feed",
		"sources edit": "news every=1h", "sources import": "FILE", "sources pause": "news", "sources refresh": "news", "sources remove": "news", "sources resume": "news",
		"sources show": "news", "subscribers add": "letter a@example.org", "subscribers erase": "a@example.org", "subscribers export": "letter",
		"subscribers import": "letter FILE", "subscribers suppress": "a@example.org", "subscribers test": "letter a@example.org", "subscriptions end": strings.Repeat("a", 32),
		"taxonomy accept": "crm " + id, "taxonomy import": "FILE", "taxonomy reject": "crm " + id, "taxonomy revert": "crm", "taxonomy show": "crm",
		"taxonomy test": "FILE", "taxonomy unsay": "crm " + id, "taxonomy why": id,
	}
}

// alone are the verbs that ask no broker.
func alone() []string {
	return []string{"init", "run", "check", "config show", "config example", "config schema", "sources test", "feeds list", "feeds token", "reload", "support", "health", "version"}
}

// Every other verb tells a broker that is away from everything else that may go wrong.
func TestABrokerThatIsAwayIsThree(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	config, away, file, people := filepath.Join(dir, "tidings.yaml"), filepath.Join(dir, "away.yaml"), filepath.Join(dir, "file"), filepath.Join(dir, "people")
	for name, text := range map[string]string{
		config: `channels:
  - {id: hook, network: webhook, url: https://example.org/hook}
  - {id: letter, network: list, title: Letter, from: news@example.org, smtp: {host: 127.0.0.1, port: 1, tls: none}, allow_private: true}
deliver: {readers: {key: a-key-of-the-tests-that-is-long-enough}}
site: {url: "https://news.example.org/"}
`,
		people: "a@example.org\n",
		away:   "nats: {url: nats://127.0.0.1:1}\n",
		file:   `<opml version="2.0"><body><outline xmlUrl="https://example.org/feed"/></body></opml>`,
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	args := wanting()
	for _, verb := range slices.Sorted(maps.Keys(leaves(t))) {
		if slices.Contains(alone(), verb) {
			continue
		}
		t.Run(verb, func(t *testing.T) {
			t.Parallel()
			var out, errs bytes.Buffer
			given := file
			if verb == "subscribers import" {
				given = people
			}
			line := strings.Fields(verb + " " + strings.ReplaceAll(args[verb], "FILE", given))
			where, place := config, filepath.Join(dir, "data")
			if slices.Contains([]string{"topology plan", "topology apply", "restore"}, verb) {
				where, place = away, "nats://127.0.0.1:1" // else they start the store of the directory themselves
			}
			code := Command(t.Context(), append(line, "--config", where, "--data", filepath.Join(dir, "data")), nil, &out, &errs)
			if code != fault.Unreachable.Row().Exit || out.Len() > 0 || !strings.Contains(errs.String(), place) {
				t.Errorf("exit code %d\n%s%s", code, out.String(), errs.String())
			}
			if _, err := os.Stat(filepath.Join(dir, "data")); !os.IsNotExist(err) {
				t.Errorf("there is a data directory: %v", err)
			}
		})
	}
}
