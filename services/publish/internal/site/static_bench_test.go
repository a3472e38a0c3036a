package site

import (
	"bytes"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"tidings.internal/services/publish/internal/document"
	"tidings.internal/services/publish/internal/feed"
	"tidings.internal/services/publish/internal/render"
)

// BenchmarkStatic answers wrk over sixteen connections with a feed of fifty items packed with gzip, and so does nginx with the
// same bytes as a file, which is the baseline. Both have the whole machine in turns. CPU is that of the server for each answer.
func BenchmarkStatic(b *testing.B) {
	for _, tool := range []string{"nginx", "wrk"} {
		if _, err := exec.LookPath(tool); err != nil {
			b.Skipf("%s is not there to compare with", tool)
		}
	}
	s := newSite(b)
	doc, err := document.New(render.RSS.ContentType(), prose(), modified)
	if err != nil {
		b.Fatal(err)
	}
	p := published(b, feed.Config{ID: "all", Index: true})
	p.Documents[render.RSS] = doc
	s.Feeds = shelf{"all": p}
	packed := doc.In(document.Gzip)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	server := s.Server(slog.New(slog.DiscardHandler))
	go func() { _ = server.Serve(listener) }() // until it is closed
	b.Cleanup(func() { _ = server.Close() })
	own := "http://" + listener.Addr().String() + "/feeds/all.rss"
	for _, status := range []int{http.StatusOK, http.StatusNotModified} {
		b.Run(strconv.Itoa(status), func(b *testing.B) {
			other, stop := serveFile(b, packed.Body)
			var ours, theirs load
			for b.Loop() {
				before := spent(b)
				ours.add(wrk(b, own, status, packed.ETag))
				ours.cpu += spent(b) - before
				theirs.add(wrk(b, other, status, tagOf(b, other)))
			}
			theirs.cpu = stop()
			b.ReportMetric(ours.rate()/theirs.rate(), "rate-ratio")
			b.ReportMetric(ours.cpuEach()/theirs.cpuEach(), "cpu-ratio")
			b.ReportMetric(ours.p99.Seconds()/theirs.p99.Seconds(), "p99-ratio")
			b.ReportMetric(ours.rate(), "ours/s")
			b.ReportMetric(theirs.rate(), "baseline/s")
			b.ReportMetric(float64(len(packed.Body))/1000, "KB")
		})
	}
}

// prose is as long as a feed of fifty items, and packs as well.
func prose() []byte {
	r := rand.New(rand.NewPCG(1, 2))
	var b bytes.Buffer
	for b.Len() < 260_000 {
		fmt.Fprintf(&b, "<p>word%d </p>", r.IntN(5000))
	}
	return b.Bytes()
}

// load is what a server did.
type load struct {
	requests  int
	took, p99 time.Duration // p99 is the worst of all rounds
	cpu       time.Duration
}

func (l *load) add(o load) {
	l.requests, l.took, l.p99 = l.requests+o.requests, l.took+o.took, max(l.p99, o.p99)
}

func (l *load) rate() float64    { return float64(l.requests) / l.took.Seconds() }
func (l *load) cpuEach() float64 { return l.cpu.Seconds() / float64(l.requests) }

var (
	counted = regexp.MustCompile(`(\d+) requests in ([\d.]+m?s)`)
	ninety9 = regexp.MustCompile(`99%\s+([\d.]+[mu]?s)`)
)

// wrk has wrk ask for an address for two seconds, with the validator where that is to be found unchanged.
func wrk(b *testing.B, address string, status int, tag string) load {
	b.Helper()
	args := []string{"-t1", "-c16", "-d2s", "--latency", "-H", "Accept-Encoding: gzip"}
	if status == http.StatusNotModified {
		args = append(args, "-H", "If-None-Match: "+tag)
	}
	out, err := exec.CommandContext(b.Context(), "wrk", append(args, address)...).Output()
	if err != nil {
		b.Fatalf("run wrk: %v", err)
	}
	all, slow := counted.FindSubmatch(out), ninety9.FindSubmatch(out)
	if all == nil || slow == nil || bytes.Contains(out, []byte("Non-2xx")) || bytes.Contains(out, []byte("Socket errors")) {
		b.Fatalf("wrk says\n%s", out)
	}
	var l load
	l.requests, _ = strconv.Atoi(string(all[1])) // digits
	for to, text := range map[*time.Duration][]byte{&l.took: all[2], &l.p99: slow[1]} {
		if *to, err = time.ParseDuration(string(text)); err != nil {
			b.Fatal(err)
		}
	}
	return l
}

// serveFile starts nginx with one file. stop ends it and tells the time of processors that it took.
func serveFile(b *testing.B, body []byte) (address string, stop func() time.Duration) {
	b.Helper()
	dir := b.TempDir()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	host := free.Addr().String()
	_ = free.Close() // for nginx
	conf := `daemon off; worker_processes auto; pid DIR/pid; error_log DIR/error.log;
events {}
http { access_log off; client_body_temp_path DIR/t1; proxy_temp_path DIR/t2; fastcgi_temp_path DIR/t3; uwsgi_temp_path DIR/t4; scgi_temp_path DIR/t5;
server { listen HOST; root DIR; default_type application/rss+xml; add_header Content-Encoding gzip; } }
`
	if os.Getuid() == 0 {
		conf = "user root; " + conf // workers have to read the folder
	}
	conf = strings.NewReplacer("DIR", dir, "HOST", host).Replace(conf)
	for name, text := range map[string][]byte{"nginx.conf": []byte(conf), "feed": body} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			b.Fatal(err)
		}
	}
	cmd := exec.Command("nginx", "-c", filepath.Join(dir, "nginx.conf"), "-e", filepath.Join(dir, "error.log"))
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	ended := false
	stop = func() time.Duration {
		if !ended {
			ended = true
			_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself
			_ = cmd.Wait()
		}
		return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime() // with the workers, for which it waits
	}
	b.Cleanup(func() { stop() })
	address = "http://" + host + "/feed"
	for deadline := time.Now().Add(10 * time.Second); ; {
		if res, err := new(http.Client).Get(address); err == nil {
			_ = res.Body.Close()
			return address, stop
		}
		if time.Now().After(deadline) {
			b.Fatal("nginx does not answer")
		}
	}
}

func tagOf(b *testing.B, address string) string {
	b.Helper()
	res, err := new(http.Client).Get(address)
	if err != nil {
		b.Fatal(err)
	}
	_ = res.Body.Close()
	return res.Header.Get("ETag")
}

func spent(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
