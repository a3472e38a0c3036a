package browser

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"tidings.internal/pkg/hosttest"
)

// names under which Chromium and its kin are installed.
func names() []string {
	return []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"}
}

// need returns a context in which a browser runs, with further options of its start. Without one the test is skipped, and
// fails where CI is true: there everything is to be run.
func need(t *testing.T, more ...chromedp.ExecAllocatorOption) context.Context {
	t.Helper()
	path := ""
	for _, n := range names() {
		if p, err := exec.LookPath(n); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		sentence := "no browser among " + strings.Join(names(), ", ") + "; install one to run the tests of the pages (Debian: apt-get install chromium)"
		hosttest.Lacks(t, sentence)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium refuses to run as root with one
	}
	options = append(options, more...)
	alloc, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(alloc)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil { // without a limit: it binds the browser to the context
		t.Fatalf("start %s: %v", path, err)
	}
	return ctx
}

// start runs everything with the sample source and returns the address of the public port.
func start(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	binary := filepath.Join(dir, "tidings")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "tidings.internal/services/tidings").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	data := filepath.Join(dir, ".tidings", "demo")
	if err := errors.Join(os.MkdirAll(data, 0o700), os.WriteFile(filepath.Join(data, "demo.json"), []byte(`{"every": 0}`), 0o600)); err != nil {
		t.Fatal(err) // with news the pages would change while they are looked at
	}
	cmd := exec.Command(binary)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "TIDINGS_PUBLISH__LISTEN=127.0.0.1:0", "TIDINGS_ADMIN__LISTEN=127.0.0.1:0")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }) // nothing of it is kept
	base := ""
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if address, ok := strings.CutSuffix(strings.TrimSpace(lines.Text()), "/feeds/all.rss"); ok {
			base = address
		}
		if strings.HasPrefix(lines.Text(), "ready in ") && base != "" {
			return base
		}
	}
	t.Fatal("the demo ended before it was ready")
	return ""
}

// Pages are read on a phone and on a desk: nothing is wider than the window, nothing stands in the console, and the
// policy of the page stops nothing that the page itself wants.
func TestPagesInABrowser(t *testing.T) {
	t.Parallel()
	browser := need(t)
	base := start(t)
	titles(t, base)
	for _, path := range []string{"/", "/feeds/all", "/feeds/de"} {
		for _, width := range []int64{360, 1280} {
			t.Run(fmt.Sprintf("%s at %d", path, width), func(t *testing.T) {
				look(t, browser, base+path, width)
			})
		}
	}
}

func look(t *testing.T, browser context.Context, address string, width int64) {
	t.Helper()
	tab, cancel := chromedp.NewContext(browser)
	defer cancel()
	tab, stop := context.WithTimeout(tab, 30*time.Second)
	defer stop()
	heard, quiet := context.WithCancel(tab)
	messages := chromedp.Console(heard)
	if err := chromedp.Do(tab, chromedp.EmulateViewport(width, 900), chromedp.Navigate(address)); err != nil {
		t.Fatal(err)
	}
	page, err := chromedp.Run(tab, chromedp.Evaluate[struct {
		Wide, Articles int
		Title, Lang    string
		Alternates     int
	}](`({
		wide: document.documentElement.scrollWidth,
		articles: document.querySelectorAll("article, li").length,
		title: document.title,
		lang: document.documentElement.lang,
		alternates: document.querySelectorAll("link[rel=alternate]").length,
	})`))
	if err != nil {
		t.Fatal(err)
	}
	shot(t, tab, fmt.Sprintf("%s-%d", strings.Trim(strings.ReplaceAll(address[strings.LastIndexByte(address, ':'):], "/", "-"), ":-0123456789"), width))
	quiet()
	for m, err := range messages {
		if err != nil {
			break // the subscription ended
		}
		t.Errorf("%s: the console says %s %s", address, m.Type, m.Text)
	}
	if page.Wide > int(width) {
		t.Errorf("%s is %d wide in a window of %d", address, page.Wide, width)
	}
	if page.Title == "" || page.Lang == "" || page.Articles == 0 {
		t.Errorf("%s: %+v", address, page)
	}
	if strings.Contains(address, "/feeds/") && page.Alternates < 3 {
		t.Errorf("%s announces %d documents, three are wanted", address, page.Alternates)
	}
}

// shot keeps a picture where BROWSER_SHOTS names a folder, for people to look at.
func shot(t *testing.T, tab context.Context, name string) {
	t.Helper()
	dir := os.Getenv("BROWSER_SHOTS")
	if dir == "" {
		return
	}
	picture, err := chromedp.Run(tab, chromedp.FullScreenshot(100))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o600); err != nil {
		t.Fatal(err)
	}
}
