package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"tidings.internal/pkg/bus"
	"tidings.internal/services/enrich/internal/language"
	"tidings.internal/services/enrich/internal/story"
	"tidings.internal/services/enrich/internal/story/copies"
	"tidings.internal/services/enrich/internal/taxonomy"
)

// measured is what a fresh process says of its memory, in megabytes, and of its start, in seconds of one core.
type measured struct {
	Language float64 `json:"language"`
	Idle     float64 `json:"idle"`
	Full     float64 `json:"full"`
	Rest     float64 `json:"rest"` // the same once the garbage of reading is gone
	Ready    float64 `json:"ready"`
}

// memory measures a process of its own with a window full of stories, and the size of what is embedded.
func (b *bench) memory(ctx context.Context) ([]row, error) {
	file, err := os.CreateTemp("", "stories-*.journal")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.Remove(file.Name()) }() // a file that stays costs some disk
	if err := b.fill(ctx, file); err != nil {
		return nil, err
	}
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, program, "-measure-memory", file.Name())
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	var m measured
	if err := json.Unmarshal(out, &m); err != nil {
		return nil, err
	}
	most := func(what string, digits int, reached, wanted float64) row {
		return row{what: what, digits: digits, reached: []float64{reached}, wanted: []float64{wanted}, most: true}
	}
	embedded := row{what: "MB of embedded data", digits: 2, wanted: []float64{15}, most: true}
	if n, err := embeddedBytes(ctx); err == nil {
		embedded.reached = []float64{float64(n) / 1e6}
	} else {
		embedded.lacks = "needs the source and the go command"
	}
	return []row{
		most("MB of the language table in memory", 1, m.Language, 25),
		most("MB of memory (RSS)", 0, m.Idle, 120),
		{what: fmt.Sprintf("MB with %d articles in the window: just read", b.stories), reached: []float64{m.Full}},
		most(fmt.Sprintf("MB with %d articles in the window: at rest", b.stories), 0, m.Rest, 250),
		most("s until all of them are read", 1, m.Ready, 2),
		embedded,
	}, nil
}

// fill places so many articles and writes what the bucket of stories then holds.
func (b *bench) fill(ctx context.Context, file *os.File) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	w := bufio.NewWriter(file)
	s := story.New(&journal{to: w})
	go func() { _ = s.Watch(ctx) }() // ends with ctx and never fails: the journal is a file of ours
	texts := copies.NewWriter(3)
	for i := range b.stories {
		id := fmt.Sprint("article", i)
		if _, err := s.Place(ctx, story.Document{Article: id, Revision: 1, Source: "bench", URL: "https://example.org/" + id, GUID: id, Title: texts.Text(6), Text: texts.Text(80)}); err != nil {
			return err
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return file.Close()
}

// journal is a bucket of stories that keeps its entries in a file and not in memory, as the broker does: of each the
// lengths of key and value (four bytes each, the highest first), the key and the value.
type journal struct {
	mu       sync.Mutex
	to       io.Writer
	from     io.Reader
	sequence uint64
	each     func(bus.Entry)
}

var _ story.Bucket = (*journal)(nil)

// entry is the next entry of the bucket.
func (j *journal) entry(key string, value []byte) bus.Entry {
	j.sequence++
	return bus.Entry{Key: key, Value: value, Revision: j.sequence, Created: time.Unix(0, 0)}
}

// Create writes an entry. Keys are never used twice here.
func (j *journal) Create(_ context.Context, key string, value []byte) (uint64, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	e := j.entry(key, value)
	if j.each != nil {
		j.each(e)
	}
	head := binary.BigEndian.AppendUint32(nil, uint32(len(key)))
	head = binary.BigEndian.AppendUint32(head, uint32(len(value)))
	_, err := j.to.Write(slices.Concat(head, []byte(key), value))
	return e.Revision, err
}

// Read finds nothing: nobody asks for what was created without a conflict.
func (*journal) Read(context.Context, string) (bus.Entry, bool, error) {
	return bus.Entry{}, false, nil
}

// Delete does nothing: an article of one revision leaves no claims behind.
func (*journal) Delete(context.Context, string) error { return nil }

// Watch shows what the file holds, then what is created.
func (j *journal) Watch(ctx context.Context, _ string, each func(bus.Entry), level func()) error {
	j.mu.Lock()
	var head [8]byte
	for j.from != nil {
		if _, err := io.ReadFull(j.from, head[:]); err == io.EOF {
			break
		} else if err != nil {
			return err
		}
		key := make([]byte, binary.BigEndian.Uint32(head[:]))
		value := make([]byte, binary.BigEndian.Uint32(head[4:]))
		for _, part := range [][]byte{key, value} {
			if _, err := io.ReadFull(j.from, part); err != nil {
				return err
			}
		}
		each(j.entry(string(key), value))
	}
	j.each = each
	j.mu.Unlock()
	level()
	<-ctx.Done()
	return nil
}

// measureMemory is the other process: it does what a service does at its start, and tells how large it has become.
func measureMemory(out io.Writer, name string) error {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var m measured
	before := heap()
	language.New().Detect("one two three")
	m.Language = float64(heap()-before) / 1e6
	v, err := taxonomy.Starter()
	if err != nil {
		return err
	}
	b := &bench{matcher: taxonomy.NewMatcher(v)}
	r, w := b.runner(nil), copies.NewWriter(2)
	for i := range generated {
		p := generate(w, i)
		if err := r.Run(ctx, draft(p.ID, p.URL, p.html)); err != nil {
			return err
		}
	}
	m.Idle = rss()
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close() // opened to read: nothing can be lost
	stories := story.New(&journal{from: bufio.NewReaderSize(f, 1<<20)})
	ended := make(chan error, 1)
	start := cpu()
	go func() { ended <- stories.Watch(ctx) }()
	for tick := time.NewTicker(time.Millisecond); stories.Ready() != nil; {
		select {
		case err := <-ended:
			return fmt.Errorf("read the journal of stories: %w", err)
		case <-tick.C:
		}
	}
	m.Ready = (cpu() - start).Seconds()
	m.Full = rss()
	debug.FreeOSMemory()
	m.Rest = rss()
	runtime.KeepAlive(stories)
	return json.NewEncoder(out).Encode(m)
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// rss is the memory of this process in megabytes: what the system counts (proc(5)), or what Go asked of it.
func rss() float64 {
	status, _ := os.ReadFile("/proc/self/status") // without it what Go knows is used
	for line := range bytes.Lines(status) {
		if f := strings.Fields(string(line)); len(f) > 1 && f[0] == "VmRSS:" {
			if n, err := strconv.ParseFloat(f[1], 64); err == nil {
				return n * 1024 / 1e6
			}
		}
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.Sys) / 1e6
}

// embeddedBytes is the size of all files that the service embeds, by the go command.
func embeddedBytes(ctx context.Context) (int64, error) {
	cmd := exec.CommandContext(ctx, "go", "list", "-deps", "-f", `{{$dir := .Dir}}{{range .EmbedFiles}}{{$dir}}{{"\t"}}{{.}}{{"\n"}}{{end}}`, "tidings.internal/services/enrich")
	out, err := cmd.Output()
	if err != nil {
		return 0, err
	}
	var sum int64
	for line := range strings.Lines(string(out)) {
		dir, name, ok := strings.Cut(strings.TrimSpace(line), "\t")
		if !ok {
			continue
		}
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			return 0, err
		}
		sum += info.Size()
	}
	return sum, nil
}
