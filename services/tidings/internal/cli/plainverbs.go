package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"tidings.internal/pkg/config"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/run"
	"tidings.internal/services/tidings/internal/ops"
)

type versionVerb struct {
	asJSON
}

// Run is the verb version.
func (v *versionVerb) Run(w *world) error {
	if v.JSON {
		return w.encode(struct {
			Service string `json:"service"`
			run.Build
		}{ops.Role, run.BuildInfo()})
	}
	return w.printf("%s %s\n", ops.Role, run.BuildInfo())
}

type healthVerb struct {
	URL   string `arg:"" optional:"" name:"url" help:"Admin port of the process. Else the one of the configuration."`
	Alive bool   `help:"Ask only whether the main loops turn."`
	asJSON
}

// Run is the verb health.
func (v *healthVerb) Run(w *world) error {
	url := v.URL
	if url == "" {
		doc, err := w.document()
		if err != nil {
			return fmt.Errorf("find the admin port: %s", err)
		}
		// Problems elsewhere in the file do not matter: the process runs with what it has read.
		admin := config.DefaultAdmin()
		doc.Section("admin", &admin)
		url = run.BaseURL(admin.Listen)
	}
	line, err := run.Health(w.ctx, url, v.Alive)
	if v.JSON {
		answer := struct {
			URL    string `json:"url"`
			Good   bool   `json:"ok"`
			Status string `json:"status,omitempty"`
			Reason string `json:"reason,omitempty"`
		}{URL: url, Good: err == nil}
		if err == nil {
			answer.Status, answer.Reason, _ = strings.Cut(line, ": ")
			return w.encode(answer)
		}
		answer.Reason = err.Error()
		return errors.Join(errTold, w.encode(answer))
	}
	if err != nil {
		return err
	}
	return w.printf("%s\n", line)
}

type checkVerb struct {
	File   string `arg:"" optional:"" help:"Configuration file to check instead of the usual one."`
	Online bool   `help:"If the text is good, also try what it names: NATS, each source, each channel. Posts nothing."`
	asJSON
}

// problem is a config.Problem for JSON.
type problem struct {
	Place string `json:"place"`
	Path  string `json:"path"`
	Text  string `json:"text"`
}

// Run is the verb check.
func (v *checkVerb) Run(w *world) error {
	if v.File != "" {
		w.config = v.File
	}
	doc, err := w.document()
	if err != nil {
		return err
	}
	ops.Check(doc)
	var tried *ops.Tried
	if v.Online && doc.Err() == nil {
		ctx, stop := run.Interruptible(w.ctx)
		defer stop()
		t, err := ops.CheckOnline(ctx, doc, w.log())
		if err != nil {
			return err
		}
		tried = &t
	}
	err = doc.Err()
	if v.JSON {
		list := []problem{}
		if all, ok := errors.AsType[*config.Problems](err); ok {
			for _, p := range all.List {
				list = append(list, problem{p.Origin.String(), p.Path, p.Text})
			}
			err = errors.Join(errTold, err)
		}
		return errors.Join(err, w.encode(struct {
			File     string     `json:"file"`
			Problems []problem  `json:"problems"`
			Tried    *ops.Tried `json:"tried,omitempty"`
		}{w.config, list, tried}))
	}
	if err != nil {
		return err
	}
	name := w.config
	if name == "" {
		name = "no file, defaults and environment"
	}
	what := "not checked: NATS, sources, channels"
	if tried != nil {
		what = fmt.Sprintf("tried: %d sources, %d channels", tried.Sources, tried.Channels)
		if tried.NATS {
			what += ", NATS"
		} else {
			what += "\nnot checked: NATS, of which the configuration names no server"
		}
	}
	return w.printf("%s: no problem found\n%s\n", name, what)
}

type configVerb struct {
	Show    showVerb    `cmd:"" help:"Show every value in force and where it came from. Secrets are ***."`
	Example exampleVerb `cmd:"" help:"Print the manual: a commented example of a section, or of all."`
	Schema  schemaVerb  `cmd:"" help:"Print the JSON Schema of the configuration, for editors that complete and check it."`
}

type showVerb struct {
	Section string `arg:"" optional:"" help:"Section or key, such as nats or nats.retention."`
	asJSON
}

// Run is the verb config show.
func (v *showVerb) Run(w *world) error {
	doc, err := w.document()
	if err != nil {
		return err
	}
	list := ops.Settings(doc, v.Section)
	if err := doc.Err(); err != nil {
		return err
	}
	if len(list) == 0 && v.Section != "" && !slices.Contains(config.Sections(), v.Section) { // of channels there may be none
		return fault.Errorf(fault.Invalid, "there is no section or key %q; sections are %s", v.Section, strings.Join(config.Sections(), ", "))
	}
	if v.JSON {
		return w.encode(list)
	}
	rows := make([][]string, len(list))
	for i, s := range list {
		rows[i] = []string{s.Path, s.Value, s.Origin}
	}
	return w.table([]string{"KEY", "VALUE", "FROM"}, rows)
}

type exampleVerb struct {
	Section string `arg:"" optional:"" help:"Section, such as nats."`
	asJSON
}

// Run is the verb config example.
func (v *exampleVerb) Run(w *world) error {
	text, err := ops.Example(v.Section)
	if err != nil {
		return err
	}
	if v.JSON {
		return w.encode(map[string]string{"section": v.Section, "example": text})
	}
	return w.printf("%s", text)
}

// schemaVerb prints JSON with and without the flag.
type schemaVerb struct {
	Section string `arg:"" optional:"" help:"Section, such as nats; else the whole."`
	asJSON
}

// Run is the verb config schema.
func (v *schemaVerb) Run(w *world) error {
	s, err := ops.Schema(v.Section)
	if err != nil {
		return err
	}
	return w.encode(s)
}
