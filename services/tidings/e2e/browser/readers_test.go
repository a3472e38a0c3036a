package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"tidings.internal/pkg/hosttest"
	"tidings.internal/services/tidings/internal/demo"
)

// readerLimit bounds one run of a reader.
const readerLimit = time.Minute

// reader runs a feed reader with a home of its own, and gives what it prints.
func reader(t *testing.T, home, name string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		hosttest.Lacks(t, name+" is not installed; it is one of the readers that must like our feeds (Debian: apt-get install newsboat rss2email)")
	}
	ctx, cancel := context.WithTimeout(t.Context(), readerLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir, cmd.Env = home, append(os.Environ(), "HOME="+home, "XDG_CONFIG_HOME="+home, "XDG_DATA_HOME="+home, "LC_ALL=C.UTF-8")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// titles gives those of the feed of everything, once all the samples are in it: a feed that merely rests for a moment may
// be waiting for a slow machine.
func titles(t *testing.T, base string) []string {
	t.Helper()
	samples, err := demo.Articles()
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Timeout: 10 * time.Second}
	defer client.CloseIdleConnections()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	limit := time.NewTimer(time.Minute)
	defer limit.Stop()
	var list []string
	for {
		resp, err := client.Get(base + "/feeds/all.json")
		if err != nil {
			t.Fatal(err)
		}
		var feed struct{ Items []struct{ Title string } }
		err = json.NewDecoder(resp.Body).Decode(&feed)
		_ = resp.Body.Close() // what was wanted of it is read
		if err != nil {
			t.Fatal(err)
		}
		list = list[:0]
		for _, i := range feed.Items {
			list = append(list, i.Title)
		}
		if len(list) == len(samples) {
			return list
		}
		select {
		case <-tick.C:
		case <-limit.C:
			t.Fatalf("the feed has %d of the %d samples, %q", len(list), len(samples), list)
		}
	}
}

var unread = regexp.MustCompile(`(\d+) unread articles`)

// Newsboat takes every item of a feed, and nothing twice when it asks again. It knows no JSON Feed.
func TestNewsboatReadsTheFeeds(t *testing.T) {
	t.Parallel()
	base := start(t)
	want := len(titles(t, base))
	for _, format := range []string{"rss", "atom"} {
		home := t.TempDir()
		if err := os.WriteFile(filepath.Join(home, "urls"), []byte(base+"/feeds/all."+format+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		for run := range 2 {
			out := reader(t, home, "newsboat", "-u", "urls", "-c", "cache.db", "-C", os.DevNull, "-x", "reload", "print-unread")
			found := unread.FindStringSubmatch(out)
			if found == nil {
				t.Fatalf("%s: newsboat says %q", format, out)
			}
			if n, err := strconv.Atoi(found[1]); err != nil || n != want {
				t.Errorf("%s, run %d: newsboat has %s unread articles, want %d", format, run+1, found[1], want)
			}
		}
	}
}

// rss2email sends each item once, with its title. It knows no JSON Feed.
func TestRSS2EmailReadsTheFeeds(t *testing.T) {
	t.Parallel()
	base := start(t)
	list := titles(t, base)
	home := t.TempDir()
	config := fmt.Sprintf("[DEFAULT]\nfrom = tidings@example.org\nto = reader@example.org\nemail-protocol = maildir\nmaildir-path = %s\nmaildir-mailbox = inbox\n", filepath.Join(home, "mail"))
	if err := os.WriteFile(filepath.Join(home, "r2e.cfg"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{"cur", "new", "tmp"} {
		if err := os.MkdirAll(filepath.Join(home, "mail", "inbox", folder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	r2e := func(args ...string) string {
		return reader(t, home, "r2e", append([]string{"-c", "r2e.cfg", "-d", "r2e.json"}, args...)...)
	}
	for _, format := range []string{"rss", "atom"} {
		r2e("add", format, base+"/feeds/all."+format)
	}
	for run := range 2 {
		if out := r2e("run"); strings.Contains(out, "ERROR") || strings.Contains(out, "WARNING") {
			t.Errorf("run %d complains:\n%s", run+1, out)
		}
		mails := 0
		err := filepath.WalkDir(filepath.Join(home, "mail"), func(_ string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				mails++
			}
			return err
		})
		if err != nil || mails != 2*len(list) {
			t.Errorf("after run %d there are %d mails, want two of each of %d items; %v", run+1, mails, len(list), err)
		}
	}
}
