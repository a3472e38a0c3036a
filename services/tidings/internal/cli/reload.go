package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tidings.internal/pkg/config"
	"tidings.internal/pkg/run"
	"tidings.internal/services/tidings/internal/ops"
)

type reloadVerb struct {
	URL string `arg:"" optional:"" name:"url" help:"Admin port of one process. Else all that are on the bus of nats.url or, without one, the process of the configuration."`
	asJSON
}

// Run is the verb reload.
func (v *reloadVerb) Run(w *world) error {
	if v.URL != "" {
		return v.one(w, v.URL)
	}
	doc, err := w.document()
	if err != nil {
		return err
	}
	var n config.NATS
	doc.Peek("nats", &n)
	if n.URL != "" {
		return w.connected(func(ctx context.Context, o *ops.Ops) error { return v.all(ctx, w, o) })
	}
	// Problems elsewhere in the file are for the process to tell.
	admin := config.DefaultAdmin()
	doc.Section("admin", &admin)
	err = v.one(w, run.BaseURL(admin.Listen))
	if errors.Is(err, run.ErrNoAnswer) {
		if problems := doc.Err(); problems != nil {
			return problems // where the process is stands in the file, too
		}
		return fmt.Errorf("%w; if the running process was started with another admin.listen, name its address: tidings reload URL", err)
	}
	return err
}

// one asks the process behind an admin port.
func (v *reloadVerb) one(w *world, url string) error {
	if err := run.AskReload(w.ctx, url); err != nil {
		return err
	}
	if v.JSON {
		return w.encode(map[string]string{"url": url, "outcome": ops.ReloadDone})
	}
	return w.printf("reloaded\n")
}

// all asks whoever is on the bus.
func (v *reloadVerb) all(ctx context.Context, w *world, o *ops.Ops) error {
	done, failed := o.Reload(ctx)
	count := func(outcome string) int {
		return len(slices.DeleteFunc(slices.Clone(done), func(d ops.Reloaded) bool { return d.Outcome != outcome }))
	}
	if good, bad := count(ops.ReloadDone), count(ops.ReloadRefused); good > 0 && bad > 0 {
		failed = &partial{good, bad}
	}
	if v.JSON {
		return errors.Join(w.encode(done), failed)
	}
	rows := make([][]string, len(done))
	for i, d := range done {
		rows[i] = []string{d.Service, d.Process, d.Outcome}
		if d.Outcome == ops.ReloadRefused { // whole: a cell of the table would cut it
			for line := range strings.Lines(d.Reason) {
				_, _ = fmt.Fprintf(w.stderr, "%s: %s\n", d.Service, printable(line)) // nobody reads it: that is no reason to stop
			}
		}
	}
	return errors.Join(w.table([]string{"SERVICE", "PROCESS", "OUTCOME"}, rows), failed)
}
