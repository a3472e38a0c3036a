package e2e

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// banned are names of packages that lead to state which the whole process shares, with what to do instead.
func banned() map[string]string {
	m := map[string]string{
		"net/http.DefaultClient": "take a client that is passed in (pkg/web)", "net/http.DefaultTransport": "take a client that is passed in (pkg/web)",
		"net/http.DefaultServeMux": "make a mux", "log/slog.Default": "take a logger that is passed in", "log/slog.SetDefault": "take a logger that is passed in",
		"github.com/prometheus/client_golang/prometheus.DefaultRegisterer": "take a Registerer that is passed in",
		"github.com/prometheus/client_golang/prometheus.DefaultGatherer":   "take a registry that is passed in",
	}
	for _, f := range []string{"Get", "Post", "Head", "PostForm", "Handle", "HandleFunc", "ListenAndServe"} {
		m["net/http."+f] = "it uses what the whole process shares"
	}
	for _, f := range []string{"Print", "Printf", "Println", "Fatal", "Fatalf", "Fatalln", "Panic", "Panicf", "Panicln", "SetOutput"} {
		m["log."+f] = "take a *slog.Logger that is passed in"
	}
	for _, f := range []string{"Debug", "Info", "Warn", "Error", "Log"} {
		m["log/slog."+f] = "take a *slog.Logger that is passed in"
	}
	return m
}

// inspect names what a file must not hold. name is its path below the root.
func inspect(name string, source any) ([]string, error) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, source, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	imports := map[string]string{} // the name in the file → the path
	for _, i := range file.Imports {
		p := strings.Trim(i.Path.Value, `"`)
		short := p[strings.LastIndex(p, "/")+1:]
		if i.Name != nil {
			short = i.Name.Name
		}
		imports[short] = p
	}
	h := house{set: set, name: filepath.ToSlash(name), imports: imports, banned: banned()}
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if ok && f.Recv == nil && f.Name.Name == "init" {
			h.complain(f, "init: make it in a constructor")
		}
		within := ""
		if ok {
			within = f.Name.Name
		}
		ast.Inspect(d, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				h.selector(s, within)
			}
			return true
		})
	}
	return h.bad, nil
}

type house struct {
	set     *token.FileSet
	name    string
	imports map[string]string
	banned  map[string]string
	bad     []string
}

func (h *house) complain(n ast.Node, format string, args ...any) {
	h.bad = append(h.bad, fmt.Sprintf("%s: %s", h.set.Position(n.Pos()), fmt.Sprintf(format, args...)))
}

func (h *house) selector(s *ast.SelectorExpr, within string) {
	x, ok := s.X.(*ast.Ident)
	if !ok || h.imports[x.Name] == "" {
		return
	}
	full := h.imports[x.Name] + "." + s.Sel.Name
	switch {
	case h.banned[full] != "":
		h.complain(s, "%s: %s", full, h.banned[full])
	case full == "os.Exit" && within != "TestMain" && !strings.HasPrefix(h.name, "pkg/run/"):
		h.complain(s, "os.Exit: return an error; pkg/run decides about exit codes")
	case full == "time.Sleep" && h.imports["synctest"] == "":
		// Inside a bubble of testing/synctest it takes no time.
		h.complain(s, "time.Sleep: wait for a condition")
	}
}

// sources calls f for each Go file of the house.
func sources(t *testing.T, f func(name string)) {
	t.Helper()
	base := root(t)
	for _, top := range []string{"pkg", "services"} {
		err := fs.WalkDir(os.DirFS(base), top, func(name string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && strings.HasSuffix(name, ".go") {
				f(name)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestNoFileHoldsWhatTheProcessShares(t *testing.T) {
	t.Parallel()
	base, files := root(t), 0
	sources(t, func(name string) {
		files++
		text, err := os.ReadFile(filepath.Join(base, name))
		if err != nil {
			t.Error(err)
			return
		}
		bad, err := inspect(name, text)
		if err != nil {
			t.Error(err)
		}
		for _, b := range bad {
			t.Error(b)
		}
	})
	if files < 100 {
		t.Errorf("looked into %d files, want all of the house", files)
	}
}

func TestHouseSeesEachBreach(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, body, want string }{
		{"init", "func init() {}", "init"},
		{"client", "import \"net/http\"\nvar c = http.DefaultClient", "DefaultClient"},
		{"client by its verb", "import \"net/http\"\nfunc f() { http.Get(\"\") }", "http.Get"},
		{"renamed import", "import web \"net/http\"\nfunc f() { web.Get(\"\") }", "http.Get"},
		{"registry", "import \"github.com/prometheus/client_golang/prometheus\"\nvar r = prometheus.DefaultRegisterer", "DefaultRegisterer"},
		{"logger", "import \"log/slog\"\nfunc f() { slog.Default() }", "slog.Default"},
		{"old logger", "import \"log\"\nfunc f() { log.Println() }", "log.Println"},
		{"exit", "import \"os\"\nfunc f() { os.Exit(1) }", "os.Exit"},
		{"sleep", "import \"time\"\nfunc f() { time.Sleep(1) }", "time.Sleep"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := inspect("services/x/x.go", "package x\n"+c.body)
			if err != nil || len(got) != 1 || !strings.Contains(got[0], c.want) {
				t.Errorf("got %q, %v; want one complaint with %q", got, err, c.want)
			}
		})
	}
	for name, text := range map[string]string{
		"pkg/run/exit.go":    "package run\nimport \"os\"\nfunc f() { os.Exit(1) }",
		"pkg/x/main_test.go": "package x\nimport \"os\"\nfunc TestMain() { os.Exit(1) }",
		"pkg/x/time_test.go": "package x\nimport (\"time\"; \"testing/synctest\")\nfunc f() { synctest.Wait(); time.Sleep(1) }",
	} {
		if got, err := inspect(name, text); err != nil || len(got) != 0 {
			t.Errorf("%s: got %q, %v; want no complaint", name, got, err)
		}
	}
}

func TestMainFilesAreShort(t *testing.T) {
	t.Parallel()
	base := root(t)
	files, err := filepath.Glob(filepath.Join(base, "services", "*", "main.go"))
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, f := range files {
		found = append(found, filepath.Base(filepath.Dir(f)))
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(text), "\n"); n > 20 {
			t.Errorf("%s has %d lines, want at most 20", f, n)
		}
	}
	for _, s := range []string{"ingest", "enrich", "publish", "deliver", "tidings"} {
		if !slices.Contains(found, s) {
			t.Errorf("services/%s has no main.go", s)
		}
	}
}
