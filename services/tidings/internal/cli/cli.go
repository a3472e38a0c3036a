package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"syscall"

	"github.com/alecthomas/kong"

	"tidings.internal/pkg/config"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/run"
	"tidings.internal/services/tidings/internal/demo"
	"tidings.internal/services/tidings/internal/embedded"
	"tidings.internal/services/tidings/internal/ops"
)

// grammar is the command line. Kong reads names, help and defaults from it.
type grammar struct {
	Config string `help:"Configuration file. Else $$TIDINGS_CONFIG, else ./tidings.yaml if present." placeholder:"FILE"`
	Data   string `help:"Data directory. Else $$TIDINGS_DATA, else ./.tidings." placeholder:"DIR"`

	Init          initVerb          `cmd:"" help:"Write what a first start needs as containers: a bundle of files, or the keys of the users of NATS."`
	Run           runVerb           `cmd:"" default:"withargs" help:"Run everything in this process (the default). Without a configuration: a demo."`
	Check         checkVerb         `cmd:"" help:"Report every problem of the configuration and start nothing."`
	Settings      configVerb        `cmd:"" name:"config" help:"Show the configuration."`
	Status        statusVerb        `cmd:"" help:"Show whether articles flow: streams, stages, sources, channels, dead letters."`
	Sources       sourcesVerb       `cmd:"" help:"Sources: how they stand, what one gives."`
	Tail          tailVerb          `cmd:"" help:"Print events as they flow."`
	Dead          deadVerb          `cmd:"" help:"Messages that no service could take."`
	Topology      topologyVerb      `cmd:"" help:"Streams and consumers: what is, what shall be."`
	Feeds         feedsVerb         `cmd:"" help:"Feeds: what there is, tokens of private ones."`
	Channels      channelsVerb      `cmd:"" help:"Channels: how they stand, pause, resume."`
	Posts         postsVerb         `cmd:"" help:"Posts: what was composed, and what would be."`
	Deliveries    deliveriesVerb    `cmd:"" help:"Deliveries: how posts stand, and what a person decides about them."`
	Subscriptions subscriptionsVerb `cmd:"" help:"Subscriptions: the sites that our hub tells of news."`
	Subscribers   subscribersVerb   `cmd:"" help:"Subscribers: the readers of newsletters."`
	Articles      articlesVerb      `cmd:"" help:"Articles: the way of one, a takedown."`
	Taxonomy      taxonomyVerb      `cmd:"" help:"Concepts: what there is, how tags come about, changes and verdicts."`
	Replay        replayVerb        `cmd:"" help:"Enrich stored articles again, after a change of the taxonomy. Posts nothing twice."`
	Backup        backupVerb        `cmd:"" help:"Write everything into one file, while Tidings runs."`
	Restore       restoreVerb       `cmd:"" help:"Put a backup into an empty instance that does not run."`
	Reload        reloadVerb        `cmd:"" help:"Have the running process take the configuration over anew, as a whole or not at all."`
	Support       supportVerb       `cmd:"" help:"Gather what somebody who helps needs: configuration, status, metrics, last log lines. Secrets are ***."`
	Health        healthVerb        `cmd:"" help:"Ask the running process whether it is ready; exit 0 or 1."`
	Version       versionVerb       `cmd:"" help:"Print the build."`
}

// world is what a verb gets from its surroundings.
type world struct {
	ctx            context.Context
	read           context.Context // ends with ctx, and when nobody reads stdout any more
	environ        []string
	stdout, stderr io.Writer
	config         string
	data           string
}

// usualData is the data directory that is used when none is named.
const usualData = ".tidings"

// Main is the main function. It does not return.
func Main() {
	run.KeepOnBrokenPipe()
	run.Exit(Command(context.Background(), os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}

// ended is what kong's exit becomes, after it has printed its help.
type ended struct{ code int }

// Command runs one command line and returns its exit code.
func Command(ctx context.Context, args, environ []string, stdout, stderr io.Writer) (code int) {
	defer func() {
		if v := recover(); v != nil {
			e, ok := v.(ended)
			if !ok {
				panic(v)
			}
			code = e.code
		}
	}()
	read, gone := context.WithCancel(ctx)
	defer gone()
	stdout = &pipe{stdout, gone}
	var g grammar
	parser, err := kong.New(&g, kong.Name(ops.Role), kong.Description("Articles in, feeds and posts out."),
		kong.Writers(stdout, stderr), kong.Exit(func(code int) { panic(ended{code}) }), kong.UsageOnError(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}))
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "tidings: %v\n", err)
		return fault.Internal.Row().Exit
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "tidings: %v\nRun \"tidings --help\" for the verbs and flags.\n", err)
		return fault.ExitUsage
	}
	w := &world{ctx: ctx, read: read, environ: environ, stdout: stdout, stderr: stderr, config: run.ConfigFile(g.Config, environ), data: dataDir(g.Data, environ)}
	err = parsed.Run(w)
	if err == nil {
		return fault.ExitOK
	}
	if u, ok := errors.AsType[*usageError](err); ok {
		_, _ = fmt.Fprintf(stderr, "tidings: %v\n", u)
		return fault.ExitUsage
	}
	if p, ok := errors.AsType[*partial](err); ok {
		_, _ = fmt.Fprintf(stderr, "tidings: %v\n", p)
		return fault.ExitPartial
	}
	if !errors.Is(err, errTold) {
		run.Tell(stderr, ops.Role, err)
	}
	return fault.Exit(err)
}

// pipe is the standard output. Once its reader has gone it takes everything, and what only waits to print more ends: a
// reader that has seen enough is no fault, and a verb that changed something keeps the exit code of what it did.
type pipe struct {
	out  io.Writer
	gone func()
}

// Write passes on.
func (p *pipe) Write(b []byte) (int, error) {
	n, err := p.out.Write(b)
	if errors.Is(err, syscall.EPIPE) {
		p.gone()
		return len(b), nil
	}
	return n, err
}

// usageError is a command line that parses and makes no sense.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

// partial is a verb that worked for some of its objects.
type partial struct{ good, bad int }

func (e *partial) Error() string {
	return fmt.Sprintf("done for %d, failed for %d; the list says which", e.good, e.bad)
}

// errTold ends a verb whose output has said already what is wrong.
var errTold = errors.New("told")

func dataDir(given string, environ []string) string {
	if given != "" {
		return given
	}
	if d := variable(environ, "TIDINGS_DATA"); d != "" {
		return d
	}
	return usualData
}

// variable finds a variable; the last of one name wins, as in a shell.
func variable(environ []string, name string) string {
	value := ""
	for _, e := range environ {
		if len(e) > len(name) && e[len(name)] == '=' && e[:len(name)] == name {
			value = e[len(name)+1:]
		}
	}
	return value
}

// document reads the configuration. Without a file it is the defaults and the environment.
func (w *world) document() (*config.Doc, error) { return config.Load(w.config, w.environ) }

// log is for what the libraries below have to say while a verb runs.
func (w *world) log() *slog.Logger {
	return slog.New(slog.NewTextHandler(w.stderr, &slog.HandlerOptions{Level: slog.LevelError}))
}

// target is the Tidings that a verb means: that of the configuration; without one that of the data directory, or the
// demo there.
func (w *world) target() (doc *config.Doc, data string, err error) {
	if w.config == "" {
		if _, err := embedded.ReadAddress(w.data); err != nil {
			if doc, found, err := demo.Config(demo.Data(w.data), w.environ); err != nil || found {
				return doc, demo.Data(w.data), err
			}
		}
	}
	doc, err = w.document()
	return doc, w.data, err
}

// connected calls f with a connection to the running Tidings.
func (w *world) connected(f func(context.Context, *ops.Ops) error) (err error) {
	doc, data, err := w.target()
	if err != nil {
		return err
	}
	ctx, stop := run.Interruptible(w.read)
	defer stop()
	o, err := ops.Open(ctx, ops.Options{Config: doc, Data: data, Log: w.log()})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, o.Close()) }()
	return f(ctx, o)
}
