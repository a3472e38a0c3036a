package ops

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/run"
	deliver "tidings.internal/services/deliver/app"
	enrich "tidings.internal/services/enrich/app"
	ingest "tidings.internal/services/ingest/app"
	publish "tidings.internal/services/publish/app"
)

// The outcomes of a reload.
const (
	ReloadDone    = "reloaded"
	ReloadRefused = "refused"   // the process cannot take the file over
	ReloadKept    = "unchanged" // it could, but another one cannot
	ReloadSilent  = "silent"    // no process of the service answers
)

// Reloaded is what became of one process.
type Reloaded struct {
	Service string `json:"service"`
	Process string `json:"process,omitempty"`
	Outcome string `json:"outcome"`
	Reason  string `json:"reason,omitempty"`
}

// Reload has all processes on the bus take their file over, in two steps: each looks at the file first, and only if all
// can take it over do they. Nothing has changed anywhere where the error is a problem of the file.
func (o *Ops) Reload(ctx context.Context) ([]Reloaded, error) {
	standing, silent, err := o.standing(ctx)
	if err != nil {
		return nil, err
	}
	done := []Reloaded{}
	refusals := 0
	for _, s := range standing {
		one := Reloaded{Service: s.Service, Process: s.Process, Outcome: ReloadKept}
		if s.Problem != "" {
			one.Outcome, one.Reason = ReloadRefused, s.Problem
			refusals++
		}
		done = append(done, one)
	}
	for _, name := range silent {
		done = append(done, Reloaded{Service: name, Outcome: ReloadSilent, Reason: "no " + name + " answers; one that is started reads the file as it is"})
	}
	switch {
	case len(standing) == 0:
		return done, fault.Errorf(fault.Unreachable, "reload the configuration: no service answers on the bus; if one runs name its admin port: tidings reload URL")
	case refusals > 0:
		return done, fault.Errorf(fault.Invalid, "reload the configuration: %d of %d processes cannot take the file over, so none has", refusals, len(standing))
	}
	return done, o.takeOver(ctx, standing, done)
}

// asked are the services of which processes answer: the one that holds everything comes first.
func asked() []string { return []string{Role, ingest.Name, enrich.Name, publish.Name, deliver.Name} }

// pages shows what every process on the bus shows of itself. A service of which none answers is left out.
func (o *Ops) pages(ctx context.Context, show func(run.Pages)) error {
	for _, name := range asked() {
		for _, verb := range []string{run.VerbStatus, run.VerbLogs} {
			err := o.bus.AskAll(ctx, name, verb, nil, func(reply []byte) error {
				var p run.Pages
				err := json.Unmarshal(reply, &p)
				if err == nil {
					show(p)
				}
				return err
			})
			if err != nil && fault.KindOf(err) != fault.Unreachable {
				return err
			}
		}
	}
	return ctx.Err()
}

// standing asks every process how it stands with its file. A process of everything stands for all services.
func (o *Ops) standing(ctx context.Context) (list []run.Standing, silent []string, err error) {
	whole := false
	for _, name := range asked() {
		before := len(list)
		err := o.bus.AskAll(ctx, name, run.VerbCheck, nil, func(reply []byte) error {
			var s run.Standing
			err := json.Unmarshal(reply, &s)
			list = append(list, s)
			return err
		})
		switch {
		case err != nil && fault.KindOf(err) != fault.Unreachable:
			return nil, nil, err
		case len(list) > before:
			whole = whole || name == Role
		case !whole && name != Role:
			silent = append(silent, name)
		}
	}
	return list, silent, ctx.Err()
}

// reloadLook is how often a process that reloads is looked at.
const reloadLook = 200 * time.Millisecond

// takeOver has the processes reload, and waits until each has or says why not.
func (o *Ops) takeOver(ctx context.Context, before []run.Standing, done []Reloaded) error {
	services := []string{}
	for _, s := range before {
		if !slices.Contains(services, s.Service) {
			services = append(services, s.Service)
		}
	}
	for _, name := range services {
		if err := o.bus.AskAll(ctx, name, run.VerbReload, nil, func([]byte) error { return nil }); err != nil {
			return err
		}
	}
	within, cancel := context.WithTimeout(ctx, run.ReloadLimit)
	defer cancel()
	look := time.NewTicker(reloadLook)
	defer look.Stop()
	for {
		now, _, err := o.standing(within)
		if err == nil && judge(before, now, done) {
			break
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-within.Done():
			return fault.Errorf(fault.Unreachable, "reload the configuration: after %v not every process has answered; its log says why", run.ReloadLimit)
		case <-look.C:
		}
	}
	bad := 0
	for _, d := range done {
		if d.Outcome == ReloadRefused {
			bad++
		}
	}
	if bad > 0 {
		return fault.Errorf(fault.Invalid, "reload the configuration: %d processes could not open with it and run as before", bad)
	}
	return nil
}

// judge writes down what has become of those whose reload has ended, and reports whether all have.
func judge(before, now []run.Standing, done []Reloaded) bool {
	all := true
	for i, was := range before {
		at := slices.IndexFunc(now, func(s run.Standing) bool { return s.Process == was.Process })
		switch {
		case at < 0 || now[at].Reloads == was.Reloads:
			all = false
		case now[at].Failed != "":
			done[i].Outcome, done[i].Reason = ReloadRefused, now[at].Failed
		default:
			done[i].Outcome, done[i].Reason = ReloadDone, ""
		}
	}
	return all
}
