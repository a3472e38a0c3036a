package run

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"tidings.internal/pkg/config"
	"tidings.internal/pkg/fault"
)

// Main is the main function of a service's binary. It does not return.
func Main(p Program) {
	KeepOnBrokenPipe()
	os.Exit(command(context.Background(), p, os.Args[1:], Options{
		Environ: os.Environ(), Stdout: os.Stdout, Stderr: os.Stderr,
	}, host{limit: StopLimit, exit: os.Exit}))
}

// ConfigFile returns the configuration file to use: the one given, else TIDINGS_CONFIG, else tidings.yaml in the
// working directory when there is one, else none.
func ConfigFile(given string, environ []string) string {
	if given != "" {
		return given
	}
	if f := lookup(environ, "TIDINGS_CONFIG"); f != "" {
		return f
	}
	const usual = "tidings.yaml"
	if _, err := os.Stat(usual); err == nil {
		return usual
	}
	return ""
}

// lookup finds a variable in a list of NAME=VALUE; the last one wins, as in a shell.
func lookup(environ []string, name string) string {
	found := ""
	for _, e := range environ {
		if k, v, ok := strings.Cut(e, "="); ok && k == name {
			found = v
		}
	}
	return found
}

const usage = `Usage: %[1]s [run]     [--config FILE] [--data DIR]   do the work until told to stop
       %[1]s check     [--config FILE]                report every problem of the configuration
       %[1]s health    [--config FILE] [--alive]      ask the running process; exit 0 or 1
       %[1]s reload    [--config FILE]                have the running process take the configuration over anew
       %[1]s version                                  print the build

Configuration: --config, else TIDINGS_CONFIG, else ./tidings.yaml if present, else the defaults.
Data directory: --data, else TIDINGS_DATA, else none.
`

// line is a parsed command line.
type line struct {
	verb   string
	config string
	data   string
	alive  bool
}

// parse reads the arguments. An error is one of usage, or [flag.ErrHelp].
func parse(args []string) (line, error) {
	l := line{verb: "run"}
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		l.verb, args = args[0], args[1:]
	}
	f := flag.NewFlagSet(l.verb, flag.ContinueOnError)
	f.SetOutput(io.Discard) // the caller prints
	f.Usage = func() {}
	switch l.verb {
	case "run":
		f.StringVar(&l.config, "config", "", "")
		f.StringVar(&l.data, "data", "", "")
	case "check", "reload":
		f.StringVar(&l.config, "config", "", "")
	case "health":
		f.StringVar(&l.config, "config", "", "")
		f.BoolVar(&l.alive, "alive", false, "")
	case "version":
	default:
		return l, fmt.Errorf("unknown verb %q", l.verb)
	}
	if err := f.Parse(args); err != nil {
		return l, err
	}
	if f.NArg() > 0 {
		return l, fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	return l, nil
}

// command runs one command line and returns its exit code. o brings the surroundings.
func command(ctx context.Context, p Program, args []string, o Options, h host) int {
	l, err := parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		_, _ = fmt.Fprintf(o.Stdout, usage, p.Name)
		return fault.ExitOK
	case err != nil:
		_, _ = fmt.Fprintf(o.Stderr, "%s: %v\n\n"+usage, p.Name, err)
		return fault.ExitUsage
	}
	o.Config = ConfigFile(l.config, o.Environ)
	switch l.verb {
	case "version":
		_, _ = fmt.Fprintln(o.Stdout, p.Name, BuildInfo())
		return fault.ExitOK
	case "check":
		err = check(p, o)
	case "health":
		err = health(ctx, o, l.alive)
	case "reload":
		err = reload(ctx, o)
	default:
		o.Data = l.data
		if o.Data == "" {
			o.Data = lookup(o.Environ, "TIDINGS_DATA")
		}
		err = start(ctx, p, o, h)
	}
	if err != nil {
		tell(o.Stderr, p.Name, err)
	}
	return fault.Exit(err)
}

// check reads the configuration and starts nothing.
func check(p Program, o Options) error {
	_, s, err := document(p, o)
	if err != nil {
		return err
	}
	if _, err := newLogger(io.Discard, new(recent), s.log); err != nil {
		return err
	}
	name := o.Config
	if name == "" {
		name = "no file, defaults and environment"
	}
	_, _ = fmt.Fprintf(o.Stdout, "%s: no problem found\nnot checked: NATS, sources, channels\n", name)
	return nil
}

// health asks the process that the configuration describes. Problems elsewhere in the file do not matter here: the
// process runs with what it has read.
func health(ctx context.Context, o Options, alive bool) error {
	doc, err := config.Load(o.Config, o.Environ)
	if err != nil {
		return fmt.Errorf("find the admin port: %s", err)
	}
	line, err := Health(ctx, BaseURL(read(doc).admin.Listen), alive)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintln(o.Stdout, line)
	return nil
}

// reload has the process that the configuration describes take it over anew.
func reload(ctx context.Context, o Options) error {
	doc, err := config.Load(o.Config, o.Environ)
	if err != nil {
		return err
	}
	err = AskReload(ctx, BaseURL(read(doc).admin.Listen))
	if errors.Is(err, ErrNoAnswer) {
		return fmt.Errorf("%w; if the running process was started with another admin.listen, name that: TIDINGS_ADMIN__LISTEN=HOST:PORT", err)
	}
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintln(o.Stdout, "reloaded")
	return nil
}

// tell prints an error for a person: what happened and, where the text is not a complete sentence by itself, what its
// kind means and what to do.
func tell(w io.Writer, name string, err error) {
	if problems, ok := errors.AsType[*config.Problems](err); ok {
		_, _ = fmt.Fprintln(w, problems) // each line has its place already
		return
	}
	kind := fault.KindOf(err)
	_, known := errors.AsType[*fault.Error](err)
	if !known || kind == fault.Invalid {
		_, _ = fmt.Fprintf(w, "%s: %v\n", name, err)
		return
	}
	row := kind.Row()
	_, _ = fmt.Fprintf(w, "%s: %v\n%s: %s; %s\n", name, err, kind, row.Sentence, row.Hint)
}
