package app

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"tidings.internal/pkg/config"
	"tidings.internal/pkg/fault"
	"tidings.internal/services/enrich/internal/pipeline"
	"tidings.internal/services/enrich/internal/repeats"
	"tidings.internal/services/enrich/internal/rerank"
	"tidings.internal/services/enrich/internal/story"
	"tidings.internal/services/enrich/internal/taxonomy"
)

const offlineUsage = `Usage: enrich run --in FILE --out FILE [--only STEP,...] [--now TIME] [--workers N] [--taxonomy FILE] [--config FILE]
           [--knowledge FILE | --learn] [--explain]

Enriches articles without NATS. FILE holds a JSON object a line; - is standard input or output.
In:  id, url, one of html, text, html_file; optional title summary content_type language categories source guid published fetched.
Out: a line for each, in the same order; a bad row gives {"id","line","error"} in its place.
Without --knowledge nothing is known of hosts and sources; its FILE is a snapshot of a running service. With --learn every eight rows teach those behind them.
With --explain the lines that are no part of a body go to standard error, each with what it was taken for.
Exit: 0 all rows are good, 1 some failed, 2 wrong usage.
`

// isOffline tells the command on a file from the verb run of the service.
func isOffline(args []string) bool {
	return len(args) > 0 && args[0] == "run" && slices.ContainsFunc(args[1:], func(a string) bool {
		return a == "--in" || a == "-in" || strings.HasPrefix(a, "--in=") || strings.HasPrefix(a, "-in=")
	})
}

// offline is a run over a file.
type offline struct {
	in, out  string
	only     string
	now      string
	workers  int
	taxonomy string
	config   string
	snapshot string
	learn    bool
	explain  bool

	at      time.Time
	dir     string // that of the input, which html_file is relative to
	runner  *pipeline.Runner
	matcher *taxonomy.Matcher
	known   *repeats.Known
	// taught tells the reader that the rows of a lesson were learnt of. It is nil where nothing is.
	taught chan struct{}
}

// lesson is how many rows of the input see the same knowledge: what the rows before them taught. It is a constant, so
// that the number of workers changes nothing, and as large as the number of workers that still makes sense.
const lesson = 8

// offlineBudget is wide: without a queue behind it an article may take its time, and a busy machine must not change the
// result.
var offlineBudget = pipeline.Budget{Step: 30 * time.Second, Article: 2 * time.Minute}

// Offline runs the command on a file and returns its exit code.
func Offline(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	o := &offline{}
	f := flag.NewFlagSet("run", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.StringVar(&o.in, "in", "", "")
	f.StringVar(&o.out, "out", "-", "")
	f.StringVar(&o.only, "only", "", "")
	f.StringVar(&o.now, "now", "", "")
	f.IntVar(&o.workers, "workers", runtime.GOMAXPROCS(0), "")
	f.StringVar(&o.taxonomy, "taxonomy", "", "")
	f.StringVar(&o.config, "config", "", "")
	f.StringVar(&o.snapshot, "knowledge", "", "")
	f.BoolVar(&o.learn, "learn", false, "")
	f.BoolVar(&o.explain, "explain", false, "")
	err := f.Parse(args)
	if err == nil && f.NArg() > 0 {
		err = fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	if err == nil {
		err = o.prepare()
	}
	if err != nil {
		if errors.Is(err, flag.ErrHelp) {
			_, _ = io.WriteString(stdout, offlineUsage)
			return fault.ExitOK
		}
		_, _ = fmt.Fprintf(stderr, "enrich: %v\n\n%s", err, offlineUsage)
		return fault.ExitUsage
	}
	failed, err := o.files(ctx, stdin, stdout, stderr)
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "enrich: %v\n", err)
		return 1
	}
	if failed > 0 {
		_, _ = fmt.Fprintf(stderr, "enrich: %d rows failed\n", failed)
		return 1
	}
	return fault.ExitOK
}

// prepare reads the taxonomy and chooses the steps.
func (o *offline) prepare() error {
	if o.in == "" || o.workers < 1 || o.workers > 256 {
		return errors.New("give --in, and --workers between 1 and 256")
	}
	if o.now != "" {
		var err error
		if o.at, err = time.Parse(time.RFC3339, o.now); err != nil {
			return fmt.Errorf("--now %q is no time such as 2026-05-01T12:00:00Z", o.now)
		}
	}
	doc, err := config.Load(o.config, nil)
	if err != nil {
		return err
	}
	s := read(doc)
	if o.taxonomy != "" {
		s.taxonomy = Taxonomy{Files: []string{o.taxonomy}}
		s.taxonomy.Check(doc.At("taxonomy"))
	}
	if err := doc.Err(); err != nil {
		return err
	}
	o.matcher = taxonomy.NewMatcher(s.taxonomy.vocabulary)
	if err := o.learnt(); err != nil {
		return err
	}
	// No model is asked, whatever the configuration says: the same input gives the same output.
	list, err := chosen(append(Steps(func() *taxonomy.Matcher { return o.matcher }, func() *repeats.Known { return o.known }, s.enrich.hosts()), rerank.Step{}), o.only)
	if err != nil {
		return err
	}
	o.runner = pipeline.NewRunner(offlineBudget, nil, list...)
	return nil
}

// learnt reads what is known of hosts and sources at the start.
func (o *offline) learnt() error {
	switch {
	case o.learn && o.snapshot != "":
		return errors.New("give --knowledge or --learn: what is learnt is learnt from nothing")
	case o.learn:
		o.taught = make(chan struct{}, 1)
	case o.snapshot != "":
		data, err := os.ReadFile(o.snapshot)
		if err != nil {
			return fmt.Errorf("open knowledge: %w", err)
		}
		if o.known, err = repeats.Decode(data); err != nil {
			return err
		}
	}
	return nil
}

// shown is the step whose result a row shows for another one: the body as text is what sanitize makes of it, the names
// of concepts come to light as tags, and a story is told by all that is known of an article.
var shown = map[string]string{"extract": "sanitize", "repeats": "sanitize", "taxonomy": "tags", "story": "summary"}

// chosen leaves the steps up to the last one that is named: each builds on those before it.
func chosen(all []pipeline.Step, only string) ([]pipeline.Step, error) {
	if only == "" {
		return all, nil
	}
	last := -1
	for name := range strings.SplitSeq(only, ",") {
		through := cmp.Or(shown[name], name)
		i := slices.IndexFunc(all, func(s pipeline.Step) bool { return s.Name() == through })
		if i < 0 {
			var names []string
			for _, s := range all {
				names = append(names, s.Name())
			}
			return nil, fmt.Errorf("--only %q is none of %s", name, strings.Join(names, ", "))
		}
		last = max(last, i)
	}
	return all[:last+1], nil
}

func (o *offline) files(ctx context.Context, stdin io.Reader, stdout, stderr io.Writer) (failed int, err error) {
	in, out := stdin, stdout
	o.dir = "."
	if o.in != "-" {
		f, err := os.Open(o.in)
		if err != nil {
			return 0, fmt.Errorf("open input: %w", err)
		}
		defer f.Close() // opened to read: nothing can be lost
		in, o.dir = f, folder(o.in)
	}
	if o.out == "-" {
		return o.rows(ctx, in, out, stderr)
	}
	f, err := os.Create(o.out)
	if err != nil {
		return 0, fmt.Errorf("create output: %w", err)
	}
	failed, err = o.rows(ctx, in, f, stderr)
	return failed, errors.Join(err, f.Close())
}

// maxRow is the longest line of the input: a page as a JSON string may take six bytes for one.
const maxRow = 32 << 20

// rows enriches line by line. Articles are worked on side by side, but their stories are told and they are written in
// the order of the input, so that the number of workers changes nothing.
func (o *offline) rows(ctx context.Context, in io.Reader, out, explained io.Writer) (failed int, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stories := story.New(story.NewMemory())
	names, memory, told := names{}, repeats.NewMemory(), 0
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		_ = stories.Watch(ctx) // ends with ctx and never fails: the bucket is in memory
	}()
	defer func() { cancel(); <-watched }()

	waiting := make(chan chan *result, o.workers)
	read := make(chan error, 1)
	go func() {
		defer close(waiting)
		read <- o.feed(ctx, in, waiting)
	}()
	w := bufio.NewWriter(out)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for next := range waiting {
		r := <-next
		if err != nil {
			continue // the writer is broken; the reader is told and drained
		}
		if r.draft != nil {
			if err = r.tell(ctx, stories, names); err != nil {
				cancel()
				continue
			}
			if o.explain {
				r.explain(explained)
			}
			a := &r.draft.Article
			memory.Learn(repeats.See(a, uint64(told)+1))
		} else {
			failed++
		}
		if told++; o.taught != nil && told%lesson == 0 {
			o.known = memory.Known() // nobody reads it now: the rows told are done, and the next ones wait
			o.taught <- struct{}{}
		}
		if err = enc.Encode(r.out()); err != nil {
			cancel()
		}
	}
	return failed, errors.Join(err, <-read, w.Flush())
}

// feed reads the lines and hands out a place in the row for each before the work on it begins.
func (o *offline) feed(ctx context.Context, in io.Reader, waiting chan<- chan *result) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 0, 64<<10), maxRow)
	rows := 0
	for number := 1; lines.Scan(); number++ {
		text := slices.Clone(lines.Bytes())
		if len(strings.TrimSpace(string(text))) == 0 {
			continue
		}
		if rows++; o.taught != nil && rows > lesson && rows%lesson == 1 {
			select {
			case <-o.taught:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		done := make(chan *result, 1)
		select {
		case waiting <- done:
		case <-ctx.Done():
			return ctx.Err()
		}
		go func() { done <- o.enrich(ctx, number, text) }()
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read input: %w", err)
	}
	return nil
}
