package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tidings.internal/pkg/config"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/run"
	"tidings.internal/services/tidings/internal/demo"
	"tidings.internal/services/tidings/internal/ops"
	"tidings.internal/services/tidings/internal/standalone"
)

type runVerb struct {
	Demo   bool   `help:"Run the demo although there is a tidings.yaml."`
	Listen string `help:"Where the feeds are, in place of publish.listen." placeholder:"HOST:PORT"`
	Admin  string `help:"Where health and metrics are, in place of admin.listen." placeholder:"HOST:PORT"`
}

// addresses are the flags that stand for keys.
func (v *runVerb) addresses() map[string]string {
	return map[string]string{"publish.listen": v.Listen, "admin.listen": v.Admin}
}

// override lays the flags over the environment, which wins over the file; a reload sees them as the start did.
func (v *runVerb) override(environ []string) []string {
	environ = slices.Clone(environ)
	for key, address := range v.addresses() {
		if address != "" {
			environ = append(environ, "TIDINGS_"+strings.ToUpper(strings.ReplaceAll(key, ".", "__"))+"="+address)
		}
	}
	return environ
}

// named adds the flag to what is wrong with an address.
func named(err error) error {
	if flag := map[string]string{"publish.listen": "--listen", "admin.listen": "--admin"}[run.AddressKey(err)]; flag != "" {
		return fault.Errorf(fault.KindOf(err), "%w; or give another one with %s", err, flag)
	}
	return err
}

// Run is the verb run.
func (v *runVerb) Run(g *grammar, w *world) error {
	if v.Demo && g.Config != "" {
		return &usageError{"--demo and --config exclude each other"}
	}
	began := time.Now()
	w.environ = v.override(w.environ)
	if v.Demo || w.config == "" {
		return named(w.demo(began))
	}
	a := &announcement{world: w, began: began}
	return named(run.Start(w.ctx, standalone.Program(standalone.Options{Opened: a.opened}), run.Options{
		Config: w.config, Data: w.data, Lock: true, Environ: w.environ, Stdout: w.stdout, Stderr: w.stderr, Ready: a.ready,
	}))
}

// demo runs the sample origin beside the whole.
func (w *world) demo(began time.Time) (err error) {
	// Taken here and not by the process: the origin keeps its addresses in the directory and starts first.
	data := demo.Data(w.data)
	unlock, err := run.LockData(data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	d, err := demo.Open(w.ctx, data, w.environ)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	a := &announcement{world: w, began: began}
	return run.Start(w.ctx, standalone.Program(standalone.Options{Opened: a.opened, Hold: awaitChannel}), run.Options{
		Doc: d.Config(), Data: data, Environ: w.environ, Stdout: w.stdout, Stderr: w.stderr, Ready: a.ready,
	})
}

// awaitChannel waits until the demo's channel is there: a channel posts nothing that was seen before it, and on the first
// start both would begin at the same moment.
func awaitChannel(ctx context.Context, o *ops.Ops) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		list, err := o.Channels(ctx)
		there := err == nil && slices.ContainsFunc(list, func(c ops.ChannelStatus) bool {
			return c.ID == demo.Channel
		})
		if there {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// announcement is what a start prints: where the feeds are, and that it is ready.
type announcement struct {
	world *world
	began time.Time
}

// maxListed is how many feeds a start prints; the index page of the site has all.
const maxListed = 12

// opened prints the addresses. They answer 503 until the process is ready.
func (a *announcement) opened(feeds string, doc *config.Doc) {
	base := run.BaseURL(feeds)
	lines := []string{"feeds:"}
	for i, id := range feedIDs(doc) {
		if i == maxListed {
			lines = append(lines, "  all others: "+base+"/")
			break
		}
		lines = append(lines, "  "+base+"/feeds/"+id+".rss")
		if i == 0 {
			lines = append(lines, "  "+base+"/feeds/"+id+".atom", "  "+base+"/feeds/"+id+".json")
		}
	}
	_, _ = fmt.Fprintln(a.world.stdout, strings.Join(lines, "\n")) // nobody reads it: that is no reason to stop
}

// ready prints how long the start took.
func (a *announcement) ready(admin string) {
	_, _ = fmt.Fprintf(a.world.stdout, "admin: %s\nready in %.1fs\n", run.BaseURL(admin), time.Since(a.began).Seconds())
}

// feedIDs lists the feed that always is and those of the configuration that have an address for everybody.
func feedIDs(doc *config.Doc) []string {
	var feeds []struct {
		ID      string `yaml:"id"`
		Private bool   `yaml:"private"` // it has no address without a token
		Status  string `yaml:"status"`  // one that is gone has none either
	}
	doc.Peek("feeds", &feeds)
	ids := []string{"all"}
	for _, f := range feeds {
		if f.ID != "all" && f.ID != "" && !f.Private && f.Status != "gone" {
			ids = append(ids, f.ID)
		}
	}
	return ids
}
