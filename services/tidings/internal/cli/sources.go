package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"tidings.internal/pkg/fault"
	"tidings.internal/services/tidings/internal/opml"
	"tidings.internal/services/tidings/internal/ops"
)

type sourcesVerb struct {
	List    sourceListVerb    `cmd:"" help:"List every source, its state and its next poll."`
	Test    sourceTestVerb    `cmd:"" help:"Fetch an address or read a file once and print its articles. Needs no broker."`
	Refresh sourceRefreshVerb `cmd:"" help:"Poll a source soon."`
	Show    sourceShowVerb    `cmd:"" help:"Everything about one source, and why it is polled when it is."`
	Add     sourceAddVerb     `cmd:"" help:"Add a source while Tidings runs. Added again, it takes over what is new."`
	Edit    sourceEditVerb    `cmd:"" help:"Change what is said of a source that was added."`
	Remove  sourceRemoveVerb  `cmd:"" help:"End a source that was added. Its articles stay."`
	Pause   sourcePauseVerb   `cmd:"" help:"Stop polling a source."`
	Resume  sourceResumeVerb  `cmd:"" help:"Go on polling a source."`
	Import  sourceImportVerb  `cmd:"" help:"Add every feed of an OPML file and tell what became of each."`
	Export  sourceExportVerb  `cmd:"" help:"Write all sources as OPML."`
}

type sourceListVerb struct {
	rowLimit
	asJSON
}

// Run is the verb sources list.
func (v *sourceListVerb) Run(w *world) error {
	return w.connected(func(ctx context.Context, o *ops.Ops) error {
		list, err := o.Sources(ctx)
		if err != nil {
			return err
		}
		if v.JSON {
			return w.encode(list)
		}
		return v.list(w, []string{"SOURCE", "STATE", "ITEMS", "LAST SUCCESS", "NEXT POLL", "WHAT"}, sourceRows(list))
	})
}

func sourceRows(list []ops.SourceStatus) [][]string {
	rows := make([][]string, len(list))
	for i, s := range list {
		rows[i] = []string{s.ID, s.State, strconv.Itoa(s.Items), when(s.LastSuccess), when(s.NextPoll), s.Sentence}
	}
	return rows
}

type sourceTestVerb struct {
	Source string `arg:"" name:"url|file" help:"Address of a feed, or a file."`
	asJSON
}

// Run is the verb sources test. Its output is JSON with and without the flag: it is for looking into a feed.
func (v *sourceTestVerb) Run(w *world) error {
	doc, err := w.document()
	if err != nil {
		return err
	}
	return ops.TestSource(w.ctx, doc, v.Source, w.stdout)
}

type sourceRefreshVerb struct {
	ID string `arg:"" help:"Id of the source."`
	asJSON
}

// Run is the verb sources refresh.
func (v *sourceRefreshVerb) Run(w *world) error {
	return w.connected(func(ctx context.Context, o *ops.Ops) error {
		return v.done(w, "source", v.ID, "refreshing", o.Refresh(ctx, v.ID))
	})
}

type sourceShowVerb struct {
	ID string `arg:"" help:"Id of the source."`
	asJSON
}

// Run is the verb sources show.
func (v *sourceShowVerb) Run(w *world) error {
	return w.connected(func(ctx context.Context, o *ops.Ops) error {
		d, err := o.Source(ctx, v.ID)
		if err != nil {
			return err
		}
		if v.JSON {
			return w.encode(d)
		}
		return w.source(d)
	})
}

// rungs is how items get their keys, by rung.
var rungs = []string{"id", "link, since its ids repeat or are missing", "link, date and title"}

func (w *world) source(d ops.SourceDetail) error {
	rows := [][]string{{"feed", d.URL}}
	if d.MovedTo != "" {
		rows = append(rows, []string{"moved to", d.MovedTo})
	}
	rows = append(rows, [][]string{{"title", d.Title}, {"state", d.State}, {"next poll", d.Why}, {"last poll", when(d.LastPoll)}, {"last success", when(d.LastSuccess)}, {"last news", when(d.LastNew)}}...)
	if d.Errors > 0 {
		rows = append(rows, []string{"failures", fmt.Sprintf("%d in a row, of weight %g", d.Errors, d.Weight)})
	}
	for _, r := range [][]string{{"what", d.Sentence}, {"error", d.Detail}, {"ETag", d.ETag}, {"Last-Modified", d.LastModified}} {
		if r[1] != "" {
			rows = append(rows, r)
		}
	}
	if d.Status != 0 {
		rows = append(rows, []string{"HTTP status", strconv.Itoa(d.Status)})
	}
	if h := d.WebSub; h.Hub != "" {
		what := string(h.Status)
		if what == "" {
			what = "none"
		}
		rows = append(rows, []string{"hub", h.Hub}, []string{"pushes", strings.TrimSuffix(what+", "+h.Reason, ", ")}, []string{"lease until", when(h.Lease)}, []string{"last push", when(h.Pushed)})
	}
	rows = append(rows,
		[]string{"items", fmt.Sprintf("%d remembered, %d of them first seen within 24 hours; %d articles and revisions sent", d.Items, d.Day, d.Published)},
		[]string{"items go by", rungs[min(max(d.Rung, 0), len(rungs)-1)]})
	if err := w.table([]string{"source", d.ID}, rows); err != nil {
		return err
	}
	rows = nil
	for _, p := range d.Recent {
		rows = append(rows, []string{when(p.At), p.Outcome, p.Took.Round(time.Millisecond).String(), strconv.Itoa(p.Published)})
	}
	return w.section([]string{"POLL", "OUTCOME", "TOOK", "ARTICLES"}, rows)
}

type sourceAddVerb struct {
	URL       string   `arg:"" help:"Address of the feed."`
	ID        string   `name:"id" help:"Id, for ever. Else one is made of the address." placeholder:"ID"`
	Title     string   `help:"What it is called in attributions. Else the feed's own title." placeholder:"TEXT"`
	Tags      []string `help:"Tags that every article gets." placeholder:"TAG,..."`
	Language  string   `help:"Language of the articles, where they do not say it." placeholder:"CODE"`
	Syndicate string   `help:"How much may be passed on: full, excerpt or headline." placeholder:"HOW"`
	Rights    string   `help:"What may be done with the texts." placeholder:"TEXT"`
	Every     string   `help:"A fixed interval such as 15m. Else the source's own rhythm." placeholder:"DURATION"`
	Fulltext  string   `help:"Whether the page of an article is fetched: auto, always or never." placeholder:"WHEN"`
	Websub    string   `help:"Whether its hub is asked for pushes: auto or off." placeholder:"WHETHER"`
	Deletions string   `help:"What ends an article: honour, vanished or ignore." placeholder:"HOW"`
	Drop      []string `sep:"none" help:"A filter: what matches is left out, such as 'title ~ (?i)advert'. May be repeated." placeholder:"RULE"`
	Keep      []string `sep:"none" help:"A filter: what matches none of these is left out. May be repeated." placeholder:"RULE"`
	asJSON
}

// Run is the verb sources add.
func (v *sourceAddVerb) Run(w *world) error {
	d := ops.SourceDefinition{
		ID: v.ID, URL: v.URL, Title: v.Title, Tags: v.Tags, Language: v.Language, Syndicate: v.Syndicate, Rights: v.Rights, Every: v.Every,
		Fulltext: v.Fulltext, WebSub: v.Websub, Deletions: v.Deletions,
	}
	if len(v.Drop)+len(v.Keep) > 0 {
		d.Filters = &ops.SourceFilters{Drop: v.Drop, Keep: v.Keep}
	}
	return w.connected(func(ctx context.Context, o *ops.Ops) error {
		if feeds := o.Feeds(ctx, v.URL); len(feeds) > 0 {
			return aPage(v.URL, feeds)
		}
		done, err := o.AddSources(ctx, []ops.SourceDefinition{d}, false)
		if err != nil {
			return err
		}
		one := done[0]
		if one.Outcome == ops.SourceRefused {
			return fault.Errorf(fault.Invalid, "%s", one.Why)
		}
		if v.JSON {
			return w.encode(one)
		}
		if one.Outcome == ops.SourceExists {
			return w.printf("it is there already: %s\n", strings.TrimSuffix(one.ID+" ("+one.Why+")", " ()"))
		}
		return w.printf("%s %s\n", one.Outcome, one.ID)
	})
}

// aPage offers the feeds of a page whose address was given in place of a feed's.
func aPage(address string, feeds []ops.SourceFeed) error {
	var b strings.Builder
	for _, f := range feeds {
		b.WriteString("\n  " + plain(f.URL))
		if f.Title != "" {
			b.WriteString("  " + plain(f.Title))
		}
	}
	return fault.Errorf(fault.Invalid, "%s is a page; add one of the feeds that it names:%s", address, b.String())
}

type sourceEditVerb struct {
	ID      string   `arg:"" help:"Id of the source."`
	Changes []string `arg:"" name:"key=value" help:"What to change, such as every=15m tags=crm,rail. An empty value is the default. identity=0 lets a source go by its ids again."`
	asJSON
}

// Run is the verb sources edit.
func (v *sourceEditVerb) Run(w *world) error {
	return w.connected(func(ctx context.Context, o *ops.Ops) error {
		return v.done(w, "source", v.ID, "edited", o.EditSource(ctx, v.ID, v.Changes))
	})
}

type sourceRemoveVerb struct {
	ID       string `arg:"" help:"Id of the source."`
	Takedown string `help:"Also take its articles down for good; says why." placeholder:"REASON"`
	asJSON
}

// Run is the verb sources remove.
func (v *sourceRemoveVerb) Run(w *world) error {
	return w.connected(func(ctx context.Context, o *ops.Ops) error {
		err := o.RemoveSource(ctx, v.ID)
		if err != nil || v.Takedown == "" {
			return v.done(w, "source", v.ID, "removed", err)
		}
		// It is removed first, so that no poll brings them again. A kill in between leaves articles: a takedown of
		// each by its id finishes it.
		ids, err := o.ArticlesOf(ctx, v.ID)
		if err != nil {
			return err
		}
		takedown := takedownVerb{IDs: ids, Reason: v.Takedown, asJSON: v.asJSON}
		return takedown.run(ctx, w, o)
	})
}

type sourcePauseVerb struct {
	ID string `arg:"" help:"Id of the source."`
	asJSON
}

// Run is the verb sources pause.
func (v *sourcePauseVerb) Run(w *world) error {
	return w.connected(func(ctx context.Context, o *ops.Ops) error {
		return v.done(w, "source", v.ID, "paused", o.PauseSource(ctx, v.ID, true))
	})
}

type sourceResumeVerb struct {
	ID string `arg:"" help:"Id of the source."`
	asJSON
}

// Run is the verb sources resume.
func (v *sourceResumeVerb) Run(w *world) error {
	return w.connected(func(ctx context.Context, o *ops.Ops) error {
		return v.done(w, "source", v.ID, "resumed", o.PauseSource(ctx, v.ID, false))
	})
}

type sourceImportVerb struct {
	File   string `arg:"" help:"OPML file, - for the standard input."`
	DryRun bool   `help:"Only tell what would become of each."`
	asJSON
}

// Run is the verb sources import.
func (v *sourceImportVerb) Run(w *world) error {
	in := io.Reader(os.Stdin)
	if v.File != "-" {
		f, err := os.Open(v.File)
		if err != nil {
			return fault.Errorf(fault.Invalid, "open the list of sources: %w", err)
		}
		defer f.Close() // opened to read: nothing can be lost
		in = f
	}
	outlines, err := opml.Read(in)
	if err != nil {
		return err
	}
	return w.connected(func(ctx context.Context, o *ops.Ops) error {
		list, err := o.ImportSources(ctx, outlines, v.DryRun)
		if err != nil {
			return err // the broker is away: what was added stays, and the file may be imported again
		}
		if err := v.print(w, list); err != nil {
			return err
		}
		refused := 0
		for _, l := range list {
			if l.Outcome == ops.SourceRefused {
				refused++
			}
		}
		if refused > 0 {
			return &partial{len(list) - refused, refused}
		}
		return nil
	})
}

func (v *sourceImportVerb) print(w *world, list []ops.Imported) error {
	if v.JSON {
		return w.encode(list)
	}
	if len(list) == 0 {
		return w.printf("the file names no feed\n")
	}
	rows := make([][]string, len(list))
	for i, l := range list {
		rows[i] = []string{strconv.Itoa(l.Line), string(l.Outcome), l.ID, l.URL, l.Why}
	}
	return w.table([]string{"LINE", "OUTCOME", "SOURCE", "FEED", "WHY"}, rows)
}

type sourceExportVerb struct{ asJSON }

// Run is the verb sources export.
func (v *sourceExportVerb) Run(w *world) error {
	return w.connected(func(ctx context.Context, o *ops.Ops) error {
		if v.JSON {
			list, err := o.Definitions(ctx)
			if err != nil {
				return err
			}
			return w.encode(list)
		}
		list, err := o.ExportSources(ctx)
		if err != nil {
			return err
		}
		return opml.Write(w.stdout, list)
	})
}
