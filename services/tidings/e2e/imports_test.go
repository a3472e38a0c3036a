package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

// A room says which of our packages a package may see, and which libraries. A pattern is an import path, one that ends
// in /... for everything below and itself, or one with a * for one element. Of several rooms the most exact one counts.
type room struct {
	room string
	may  []string
	// never wins over may.
	never []string
	// libraries are prefixes of import paths outside the standard library; nil means any that no door closes.
	libraries []string
	why       string
}

// A door is a library with few importers, so that it can be replaced in one place.
type door struct {
	library string
	door    []string
	why     string
}

const (
	pkg      = "tidings.internal/pkg"
	services = "tidings.internal/services"
)

// none are the libraries of a room that has none.
func none() []string { return []string{} }

func rooms() []room {
	list := []room{
		{pkg + "/article", nil, nil, none(), "the domain knows no technology"},
		{pkg + "/fault", nil, nil, none(), "everyone imports it, so it imports nobody"},
		{pkg + "/event", []string{pkg + "/article", pkg + "/fault"}, nil, none(), "the contract knows the domain, not the broker"},
		{pkg + "/bus", []string{pkg + "/article", pkg + "/event", pkg + "/fault"}, nil, []string{"github.com/nats-io/"}, "the only package that talks to the broker knows nothing of its users"},
		{pkg + "/config", []string{pkg + "/fault"}, nil, []string{"go.yaml.in/yaml/v4"}, "it reads a file and knows no service"},
		{pkg + "/config/configtest", []string{pkg + "/config", pkg + "/fault"}, nil, []string{"go.yaml.in/yaml/v4", "github.com/google/go-cmp"}, "it helps to test sections"},
		{pkg + "/web", []string{pkg + "/fault"}, nil, []string{"code.dny.dev/ssrf", "golang.org/x/"}, "the client that everyone must use knows nobody"},
		{pkg + "/run", []string{pkg + "/config", pkg + "/fault", pkg + "/trace"}, nil, []string{"github.com/prometheus/client_golang", "golang.org/x/sync"}, "a process knows neither broker nor feeds"},
		{pkg + "/trace", []string{pkg + "/fault"}, nil, []string{"go.opentelemetry.io/proto/slim/otlp", "google.golang.org/protobuf"}, "spans know no service and no broker"},
		{pkg + "/trace/tracetest", none(), nil, []string{"go.opentelemetry.io/proto/slim/otlp", "google.golang.org/protobuf"}, "it reads the wire, and shares no code with who writes it"},
		{pkg + "/run/runtest", none(), nil, []string{"github.com/prometheus/client_golang", "github.com/prometheus/client_model"}, "it helps to test programs"},
		{pkg + "/natstest", []string{pkg + "/bus", pkg + "/event", pkg + "/fault", pkg + "/hosttest"}, nil, []string{"github.com/nats-io/"}, "a test server needs the bus alone"},
		{pkg + "/hosttest", nil, nil, nil, "it asks the machine and nobody else"},
		{pkg + "/feedcheck", none(), nil, []string{"golang.org/x/net/html"}, "a checker that shares no code with what it checks"},
		{pkg + "/origintest", []string{pkg + "/article", pkg + "/fault"}, nil, nil, "a scripted origin knows nothing of its readers"},
	}
	for _, s := range []string{"ingest", "enrich", "publish", "deliver"} {
		base := services + "/" + s
		list = append(list,
			room{base, []string{base + "/app", pkg + "/run"}, nil, none(), "main starts the app and does nothing else"},
			room{base + "/app", []string{pkg + "/...", base + "/internal/..."}, nil, nil, "a service meets others on the bus only"},
			room{base + "/internal/...", []string{pkg + "/...", base + "/internal/..."}, []string{pkg + "/run"}, nil, "rooms of a service see the ground and their siblings; processes are the app's"},
		)
	}
	list = append(list, room{services + "/enrich/internal/bench", []string{pkg + "/...", services + "/enrich/..."}, nil, nil, "a tool of developers that measures the service as a whole"})
	for _, n := range []struct{ service, parent string }{{"publish", "compose"}, {"deliver", "send"}} {
		base := services + "/" + n.service + "/internal"
		list = append(list, room{base + "/" + n.parent + "/*", []string{pkg + "/...", base + "/..."}, []string{base + "/" + n.parent + "/*", pkg + "/run"}, nil, "a network knows its parent and never another network"})
	}
	apps := []string{services + "/ingest/app", services + "/enrich/app", services + "/publish/app", services + "/deliver/app"}
	base := services + "/tidings"
	return append(list,
		room{base, []string{base + "/internal/cli"}, nil, none(), "main starts the command line and does nothing else"},
		room{base + "/internal/...", append([]string{pkg + "/...", base + "/internal/..."}, apps...), nil, nil, "the whole sees the four apps and no room of theirs"},
		room{base + "/e2e/...", append([]string{pkg + "/...", base + "/..."}, apps...), nil, nil, "tests of the whole see what a user sees, and the whole as one value"},
	)
}

func doors() []door {
	return []door{
		{"github.com/nats-io/", []string{pkg + "/bus", pkg + "/natstest", services + "/tidings/internal/embedded"}, "the broker can be replaced in one place"},
		{"github.com/mmcdole/gofeed", []string{services + "/ingest/internal/parse"}, "replaceable in one place"},
		{"github.com/gorilla/feeds", []string{services + "/publish/internal/render"}, "replaceable in one place"},
		{"go.yaml.in/yaml/v4", []string{pkg + "/config", pkg + "/config/configtest"}, "positions and sentences come from one place"},
		{"github.com/alecthomas/kong", []string{services + "/tidings/internal/cli"}, "services use std flag"},
		{"go.opentelemetry.io/", []string{pkg + "/trace", pkg + "/trace/tracetest"}, "what a span looks like on the wire is known in one place"},
		{"code.dny.dev/ssrf", []string{pkg + "/web"}, "one guard for everyone"},
		{"github.com/microcosm-cc/bluemonday", []string{services + "/enrich/internal/sanitize", services + "/deliver/internal/letter"}, "what is clean is decided in one place, and what may stand in a mail in another"},
		{"github.com/wneessen/go-mail", []string{services + "/deliver/internal/mail"}, "it only composes; its signer and its sender have defects that we leave alone"},
		{"github.com/emersion/go-msgauth", []string{services + "/deliver/internal/mail"}, "mails are signed in one place"},
		{"github.com/emersion/go-smtp", []string{services + "/deliver/internal/mail/..."}, "mails leave in one place; the other is the server of tests"},
		{"github.com/emersion/go-message", []string{services + "/deliver/internal/bounce"}, "only bounces are read, and strangers write them"},
		{"github.com/emersion/go-sasl", []string{services + "/deliver/internal/mail/..."}, "the login belongs to the server"},
		{pkg + "/web", []string{services + "/ingest/...", services + "/deliver/...", services + "/tidings/...", services + "/enrich/internal/rerank"}, "publish makes no connection but the broker's, and enrich none but to a model that an operator names"},
	}
}

// testLibraries may be imported by test files and by packages whose name ends in test.
func testLibraries() []string {
	return []string{
		"github.com/google/go-cmp/", "go.uber.org/goleak", "pgregory.net/rapid", "github.com/anishathalye/porcupine",
		"github.com/rogpeppe/go-internal/", "github.com/prometheus/client_golang/", "github.com/prometheus/client_model/",
		"github.com/santhosh-tekuri/jsonschema/", "github.com/google/jsonschema-go/", "golang.org/x/",
		"github.com/compose-spec/compose-go/",
	}
}

// listed is what go list says of a package.
type listed struct {
	ImportPath   string
	Imports      []string
	TestImports  []string
	XTestImports []string
	Module       *struct{ Path string }
}

func matches(pattern, name string) bool {
	if base, ok := strings.CutSuffix(pattern, "/..."); ok {
		return name == base || strings.HasPrefix(name, base+"/")
	}
	if !strings.Contains(pattern, "*") {
		return pattern == name
	}
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}

func anyOf(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, name) })
}

// prefixed reports whether a name lies at or below one of the prefixes.
func prefixed(list []string, name string) bool {
	return slices.ContainsFunc(list, func(p string) bool {
		return name == strings.TrimSuffix(p, "/") || strings.HasPrefix(name, strings.TrimSuffix(p, "/")+"/")
	})
}

// roomOf finds the most exact room: an exact path before a star, a star before the longest "...".
func roomOf(list []room, name string) (room, bool) {
	best, rank := room{}, -1
	for _, r := range list {
		if !matches(r.room, name) {
			continue
		}
		score := len(strings.TrimSuffix(r.room, "..."))
		if !strings.HasSuffix(r.room, "...") {
			score += 1000
		}
		if score > rank {
			best, rank = r, score
		}
	}
	return best, rank >= 0
}

func ours(name string) bool     { return strings.HasPrefix(name, "tidings.internal/") }
func standard(name string) bool { return !strings.Contains(strings.SplitN(name, "/", 2)[0], ".") }
func testHelp(name string) bool { return strings.HasSuffix(name, "test") && !standard(name) }
func service(name string) string {
	return strings.SplitN(strings.TrimPrefix(name, services+"/"), "/", 2)[0]
}

// judge names every arrow that the tables do not allow.
func judge(rooms []room, doors []door, packages []listed) []string {
	var bad []string
	for _, p := range packages {
		r, ok := roomOf(rooms, p.ImportPath)
		if !ok {
			bad = append(bad, p.ImportPath+" stands in no row of the table of rooms")
			continue
		}
		helper := testHelp(p.ImportPath)
		for _, to := range p.Imports {
			if why := arrow(r, doors, p.ImportPath, to, helper); why != "" {
				bad = append(bad, fmt.Sprintf("%s → %s: %s", p.ImportPath, to, why))
			}
		}
		for _, to := range slices.Concat(p.TestImports, p.XTestImports) {
			if why := arrow(r, doors, p.ImportPath, to, true); why != "" {
				bad = append(bad, fmt.Sprintf("%s (test) → %s: %s", p.ImportPath, to, why))
			}
		}
	}
	return bad
}

// arrow says why a package may not import another, or "". test is true for test files and test helpers.
func arrow(r room, doors []door, from, to string, test bool) string {
	if standard(to) || to == from {
		return ""
	}
	if test && (prefixed(testLibraries(), to) || testHelp(to) && (!strings.HasPrefix(to, services) || service(to) == service(from))) {
		return ""
	}
	for _, d := range doors {
		if prefixed([]string{d.library}, to) && !anyOf(d.door, from) && !(test && d.library == pkg+"/web") {
			return d.why
		}
	}
	switch {
	case !ours(to):
		if r.libraries != nil && !prefixed(r.libraries, to) {
			return r.why
		}
		return ""
	case testHelp(to):
		return "a test package has no place in a binary"
	case anyOf(r.never, to):
		return r.why
	case anyOf(r.may, to):
		return ""
	case test && strings.HasPrefix(to, pkg+"/") && strings.HasPrefix(from, pkg+"/"):
		return "" // a test of the ground may use the rest of the ground
	}
	return r.why
}

// list reads every package of the workspace.
func list(t *testing.T) []listed {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,TestImports,XTestImports,Module", "work")
	cmd.Dir = root(t)
	out, err := cmd.Output()
	if err != nil {
		if e, ok := errors.AsType[*exec.ExitError](err); ok {
			t.Fatalf("go list work: %v\n%s", err, e.Stderr)
		}
		t.Fatalf("go list work: %v", err)
	}
	var all []listed
	dec := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p listed
		if err := dec.Decode(&p); err == io.EOF {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// modules says what is wrong with a list that does not cover the workspace.
func modules(packages []listed) error {
	seen := map[string]bool{}
	for _, p := range packages {
		if p.Module != nil {
			seen[p.Module.Path] = true
		}
	}
	if len(seen) < 6 {
		return fmt.Errorf("%d modules, want 6: with GOWORK=off the pattern means one module and the test would pass on nothing", len(seen))
	}
	return nil
}

func TestPackagesImportWhatTheirRoomAllows(t *testing.T) {
	t.Parallel()
	all := list(t)
	if err := modules(all); err != nil {
		t.Fatal(err)
	}
	for _, bad := range judge(rooms(), doors(), all) {
		t.Error(bad)
	}
}

func TestFewerThanSixModulesAreNotEnough(t *testing.T) {
	t.Parallel()
	one := []listed{{ImportPath: pkg + "/fault", Module: &struct{ Path string }{pkg}}}
	if modules(one) == nil {
		t.Error("a list of one module passes")
	}
}

// A table that lets a bad arrow pass is worth nothing: each of these must be named, with the why.
func TestBadArrowsAreSeen(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		bad     listed
		because string
	}{
		{"contract to broker", listed{ImportPath: pkg + "/event", Imports: []string{pkg + "/bus"}}, "not the broker"},
		{"domain to a library", listed{ImportPath: pkg + "/article", Imports: []string{"golang.org/x/text/language"}}, "no technology"},
		{"service to service", listed{ImportPath: services + "/ingest/app", Imports: []string{services + "/publish/app"}}, "on the bus only"},
		{"service to a room of another", listed{ImportPath: services + "/enrich/internal/story", Imports: []string{services + "/ingest/internal/parse"}}, "see the ground"},
		{"anything to tidings", listed{ImportPath: services + "/deliver/app", Imports: []string{services + "/tidings/internal/ops"}}, "on the bus only"},
		{"whole to a room of a service", listed{ImportPath: services + "/tidings/internal/ops", Imports: []string{services + "/ingest/internal/parse"}}, "no room of theirs"},
		{"main past its app", listed{ImportPath: services + "/publish", Imports: []string{pkg + "/bus"}}, "nothing else"},
		{"network to network", listed{ImportPath: services + "/deliver/internal/send/webhook", Imports: []string{services + "/deliver/internal/send/mastodon"}}, "never another network"},
		{"gofeed elsewhere", listed{ImportPath: services + "/publish/internal/render", Imports: []string{"github.com/mmcdole/gofeed"}}, "replaceable in one place"},
		{"NATS elsewhere", listed{ImportPath: services + "/publish/app", Imports: []string{"github.com/nats-io/nats.go"}}, "the broker can be replaced"},
		{"web in publish", listed{ImportPath: services + "/publish/internal/render", Imports: []string{pkg + "/web"}}, "no connection"},
		{"test package in a binary", listed{ImportPath: services + "/ingest/app", Imports: []string{pkg + "/natstest"}}, "no place in a binary"},
		{"test library in a binary", listed{ImportPath: pkg + "/bus", Imports: []string{"github.com/google/go-cmp/cmp"}}, "knows nothing of its users"},
		{"package without a row", listed{ImportPath: services + "/extra"}, "stands in no row"},
		{"test of one service with the help of another's", listed{ImportPath: services + "/ingest/app", XTestImports: []string{services + "/deliver/internal/send/sendtest"}}, "no place in a binary"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := judge(rooms(), doors(), []listed{c.bad})
			if len(got) != 1 || !strings.Contains(got[0], c.because) {
				t.Errorf("got %q, want one complaint with %q", got, c.because)
			}
		})
	}
}
