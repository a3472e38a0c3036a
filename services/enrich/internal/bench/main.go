// Command bench measures what enrich reaches, beside what it is to reach:
//
//	go run ./services/enrich/internal/bench [-data DIR] [-stories N] [-only PART,...]
//
// DIR holds samples with what people expect of them: extract-dev.tar.gz (pages.jsonl with id, url, file, type and gold:
// body, title, author, date, with, without; the pages), keyphrases-dev.tar.gz (sets SET.jsonl with lang, text, keys),
// ner-de-dev.tsv.gz (GermEval 2014) and iptc-mediatopics.json.gz. What is missing there, or all of it without -data, is
// said in its row. The exit code is 1 when a figure is not reached.
//
// Times are those of one core: what the process used of the processor, not what passed on the wall, but for percentiles.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"tidings.internal/pkg/run"
	"tidings.internal/services/enrich/app"
	"tidings.internal/services/enrich/internal/pipeline"
	"tidings.internal/services/enrich/internal/taxonomy"
)

func main() {
	b := &bench{}
	data := flag.String("data", "", "folder of the samples")
	only := flag.String("only", "", "parts to measure: pages, keyphrases, names, copies, languages, tags, speed, memory, unmeasured; all by default")
	flag.IntVar(&b.stories, "stories", 100_000, "how many articles stand in the window of stories when memory is measured")
	child := flag.String("measure-memory", "", "measure the memory of this process with the journal of stories of that name; for the program's own use")
	flag.Parse()
	if *child != "" {
		exit(measureMemory(os.Stdout, *child))
		return
	}
	var err error
	if b.samples, err = open(*data); err == nil {
		err = b.run(context.Background(), os.Stdout, *only)
	}
	exit(err)
}

func exit(err error) {
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "bench:", err)
		run.Exit(1)
	}
}

// bench is one run.
type bench struct {
	samples samples
	stories int
	matcher *taxonomy.Matcher
}

// part measures one thing and returns its rows.
type part struct {
	name    string
	measure func(context.Context) ([]row, error)
}

func (b *bench) run(ctx context.Context, out io.Writer, only string) error {
	v, err := taxonomy.Starter()
	if err != nil {
		return err
	}
	b.matcher = taxonomy.NewMatcher(v)
	t := table{out: out}
	t.head()
	for _, p := range []part{
		{"pages", b.pages}, {"keyphrases", b.keyphrases}, {"names", b.names}, {"copies", b.copies}, {"languages", b.languages}, {"tags", b.tags},
		{"speed", b.speed}, {"memory", b.memory}, {"unmeasured", b.unmeasured},
	} {
		if only != "" && !slices.Contains(strings.Split(only, ","), p.name) {
			continue
		}
		rows, err := p.measure(ctx)
		if err != nil {
			return fmt.Errorf("measure %s: %w", p.name, err)
		}
		for _, r := range rows {
			t.add(r)
		}
	}
	return t.end()
}

// patient is a budget that no step uses up: a busy machine must not change the figures.
var patient = pipeline.Budget{Step: 30 * time.Second, Article: 2 * time.Minute}

// runner returns the steps as the service has them. observe may be nil.
func (b *bench) runner(observe pipeline.Observer) *pipeline.Runner {
	return pipeline.NewRunner(patient, observe, app.Steps(func() *taxonomy.Matcher { return b.matcher }, nil, nil)...)
}
