package cli

import (
	"tidings.internal/pkg/config"
	"tidings.internal/pkg/run"
	"tidings.internal/services/tidings/internal/ops"
)

type supportVerb struct {
	File    string   `arg:"" help:"ZIP file to write. It must not be there yet."`
	Process []string `help:"Admin port of another process, such as http://ingest:9090; can be given again." placeholder:"URL"`
	asJSON
}

// Run is the verb support.
func (v *supportVerb) Run(w *world) error {
	doc, data, err := w.target()
	if err != nil {
		return err
	}
	ctx, stop := run.Interruptible(w.ctx)
	defer stop()
	admin := config.DefaultAdmin()
	doc.Section("admin", &admin)
	s := &ops.Support{Config: doc, Data: data, Processes: append([]string{run.BaseURL(admin.Listen)}, v.Process...)}
	parts, err := s.Write(ctx, v.File)
	if err != nil {
		return err
	}
	if v.JSON {
		return w.encode(parts)
	}
	rows := make([][]string, len(parts))
	for i, p := range parts {
		rows[i] = []string{p.Name, p.Missing}
	}
	if err := w.table([]string{"PART", "MISSING BECAUSE"}, rows); err != nil {
		return err
	}
	return w.printf("%s is written; look through it before you give it away\n", plain(v.File))
}
