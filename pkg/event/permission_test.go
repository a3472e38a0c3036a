package event_test

import (
	"slices"
	"strings"
	"testing"

	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
)

const conf = "../../deploy/nats.conf"

func TestServerConfIsWrittenFromTheUsers(t *testing.T) {
	golden(t, conf, []byte(event.ServerConf(event.Users(), event.DefaultSettings().MaxFile)))
}

func TestUsersConfExampleNamesEveryUser(t *testing.T) {
	text, err := event.UsersConf(keys())
	if err != nil {
		t.Fatal(err)
	}
	example := "# Copy this file to users.conf beside nats.conf and put your own keys in. A pair is made by \"nk -gen user -pubout\"\n" +
		"# (github.com/nats-io/nkeys): the seed, SU..., goes into the file that nats.credentials_file of that process names, readable\n" +
		"# by it alone; the public key, U..., belongs here.\n" + text
	golden(t, "../../deploy/users.conf.example", []byte(example))
}

// keys are of the right form and nobody's.
func keys() map[string]string {
	list := map[string]string{}
	for _, u := range event.Users() {
		list[u.Name] = "U" + strings.Repeat("A", 55-len(u.Name)) + strings.ToUpper(u.Name)
	}
	return list
}

func TestUsersConfTakesEveryUserAndNoOther(t *testing.T) {
	t.Parallel()
	text, err := event.UsersConf(keys())
	if err != nil {
		t.Fatal(err)
	}
	used := event.ServerConf(event.Users(), 1<<30)
	for line := range strings.Lines(text) {
		name, _, found := strings.Cut(line, " = ")
		if found && strings.Count(used, "$"+name+",") != 1 {
			t.Errorf("%s is not used exactly once, which stops the server", name)
		}
	}
	for name, spoil := range map[string]func(map[string]string){
		"missing":        func(k map[string]string) { delete(k, event.UserEnrich) },
		"unknown":        func(k map[string]string) { k["console"] = k[event.UserAdmin] },
		"seed":           func(k map[string]string) { k[event.UserAdmin] = "S" + k[event.UserAdmin][1:] },
		"short":          func(k map[string]string) { k[event.UserAdmin] = k[event.UserAdmin][1:] },
		"another line":   func(k map[string]string) { k[event.UserAdmin] = k[event.UserAdmin][:40] + "\nlisten: 0.0.0.0" },
		"a small letter": func(k map[string]string) { k[event.UserAdmin] = strings.ToLower(k[event.UserAdmin]) },
	} {
		k := keys()
		spoil(k)
		if text, err := event.UsersConf(k); fault.KindOf(err) != fault.Invalid || text != "" {
			t.Errorf("%s: got %q, %v", name, text, err)
		}
	}
}

func TestSizesOfServerConfAreExact(t *testing.T) {
	t.Parallel()
	for file, want := range map[int64]string{20 << 30: "20GB", 1 << 40: "1TB", 256 << 20: "256MB", 1000000007: "1000000007"} {
		text := event.ServerConf(event.Users(), file)
		// The account has none: on three servers it would count every stream three times.
		if !strings.Contains(text, "sync_interval: always, max_file: "+want+", ") || strings.Contains(text, "jetstream: { max_file") {
			t.Errorf("%d bytes: want %s for the server, and nothing for the account, in\n%s", file, want, text)
		}
	}
}

// No service may reach what would undo the others: the whole programming interface, a whole tree, or a name that only
// the server may use.
func TestServicesHoldNoSweepingGrant(t *testing.T) {
	t.Parallel()
	forbidden := []string{
		"$JS.API.STREAM.CREATE.RAW", "$JS.API.STREAM.UPDATE.RAW", "$JS.API.STREAM.DELETE.RAW", "$JS.API.STREAM.PURGE.RAW",
		"$JS.API.STREAM.MSG.GET.RAW", "$JS.API.STREAM.MSG.DELETE.RAW", "$JS.API.STREAM.SNAPSHOT.RAW", "$JS.API.STREAM.RESTORE.RAW",
		"$JS.API.STREAM.PURGE.KV_leases", "$JS.API.STREAM.PURGE.OBJ_blobs", "$JS.API.STREAM.DELETE.KV_deliveries",
		"$JS.API.CONSUMER.CREATE.RAW.x", "$JS.API.CONSUMER.CREATE.RAW.x.article.raw.>", "$JS.API.CONSUMER.DURABLE.CREATE.RAW.x", "$JS.API.CONSUMER.DELETE.RAW.enrich",
		"$JS.API.CONSUMER.CREATE.DEAD.x", "$JS.API.CONSUMER.CREATE.EVENTS.x", "$JS.API.STREAM.NAMES", "$JS.API.STREAM.LIST",
		"$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.RAW.enrich", "$SYS.REQ.SERVER.PING.VARZ", "$SRV.PING", "adm.ingest.reload",
		"event.tidings.topology_applied", "_INBOX_tidings.x",
	}
	for _, u := range event.Users() {
		if !u.Answers {
			continue
		}
		for _, pattern := range u.Publishes() {
			if i := slices.IndexFunc(forbidden, func(s string) bool { return matches(pattern, s) }); i >= 0 {
				t.Errorf("%s may publish to %s by %s", u.Name, forbidden[i], pattern)
			}
		}
		for _, pattern := range u.Hears {
			for _, s := range []string{"article.raw.00.a", "article.enriched.00.a.b", "post.a.b", "feed.changed.a", "dead.ingest.a", "event.ingest.a", "$JS.EVENT.ADVISORY.API", "_INBOX_other.a", "adm.other.a"} {
				if matches(pattern, s) {
					t.Errorf("%s may hear %s by %s", u.Name, s, pattern)
				}
			}
		}
	}
}

// matches reports whether a subject matches a pattern of the broker: * is one token, > the rest.
func matches(pattern, subject string) bool {
	p, s := strings.Split(pattern, "."), strings.Split(subject, ".")
	for i, token := range p {
		switch {
		case token == ">":
			return i < len(s)
		case i >= len(s) || token != "*" && token != s[i]:
			return false
		}
	}
	return len(p) == len(s)
}

func TestPatternMatchesItsSpaceAndNoOther(t *testing.T) {
	t.Parallel()
	for space, subjects := range map[event.Space][2]string{
		event.SpaceRaw:      {"article.raw.00.a", "article.raw.00.a.b"},
		event.SpaceBackfill: {"article.backfill.00.a", "article.raw.00.a"},
		event.SpaceEnriched: {"article.enriched.00.a.b", "article.enriched.00.a"},
		event.SpacePost:     {"post.a.b", "post.a"},
		event.SpaceFeed:     {"feed.changed.a", "feed.other.a"},
		event.SpaceDead:     {"dead.a.b", "dead.a"},
		event.SpaceEvent:    {"event.a.b", "event.a.b.c"},
	} {
		p := event.Pattern(space)
		if !matches(p, subjects[0]) || matches(p, subjects[1]) {
			t.Errorf("%s matches %s: %t, %s: %t", p, subjects[0], matches(p, subjects[0]), subjects[1], matches(p, subjects[1]))
		}
	}
}
