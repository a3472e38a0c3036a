package cli

import (
	"context"
	"io"
	"os"
	"strconv"

	"tidings.internal/pkg/fault"
	"tidings.internal/services/tidings/internal/opml"
	"tidings.internal/services/tidings/internal/ops"
)

type sourcesVerb struct {
	List    sourceListVerb    `cmd:"" help:"List every source, its state and its next poll."`
	Test    sourceTestVerb    `cmd:"" help:"Fetch an address or read a file once and print its articles. Needs no broker."`
	Refresh sourceRefreshVerb `cmd:"" help:"Poll a source soon."`
	Add     sourceAddVerb     `cmd:"" help:"Add a source while Tidings runs. Adding it again changes nothing."`
	Remove  sourceRemoveVerb  `cmd:"" help:"End a source that was added. Its articles stay."`
	Pause   sourcePauseVerb   `cmd:"" help:"Stop polling a source."`
	Resume  sourceResumeVerb  `cmd:"" help:"Go on polling a source."`
	Import  sourceImportVerb  `cmd:"" help:"Add every feed of an OPML file and tell what became of each."`
	Export  sourceExportVerb  `cmd:"" help:"Write all sources as OPML."`
}

type sourceListVerb struct {
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
		return w.table([]string{"SOURCE", "STATE", "ITEMS", "LAST SUCCESS", "NEXT POLL", "WHAT"}, sourceRows(list))
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
}

// Run is the verb sources refresh.
func (v *sourceRefreshVerb) Run(w *world) error {
	return w.connected(func(ctx context.Context, o *ops.Ops) error { return o.Refresh(ctx, v.ID) })
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
	asJSON
}

// Run is the verb sources add.
func (v *sourceAddVerb) Run(w *world) error {
	return w.connected(func(ctx context.Context, o *ops.Ops) error {
		id, added, err := o.AddSource(ctx, ops.AddedSource{
			ID: v.ID, URL: v.URL, Title: v.Title, Tags: v.Tags, Language: v.Language, Syndicate: v.Syndicate, Rights: v.Rights, Every: v.Every,
		}, false)
		if err != nil {
			return err
		}
		if v.JSON {
			return w.encode(struct {
				ID    string `json:"id"`
				Added bool   `json:"added"`
			}{id, added})
		}
		if !added {
			return w.printf("it is there already: %s\n", id)
		}
		return w.printf("added %s\n", id)
	})
}

type sourceRemoveVerb struct {
	ID string `arg:"" help:"Id of the source."`
}

// Run is the verb sources remove.
func (v *sourceRemoveVerb) Run(w *world) error {
	return w.connected(func(ctx context.Context, o *ops.Ops) error { return o.RemoveSource(ctx, v.ID) })
}

type sourcePauseVerb struct {
	ID string `arg:"" help:"Id of the source."`
}

// Run is the verb sources pause.
func (v *sourcePauseVerb) Run(w *world) error {
	return w.connected(func(ctx context.Context, o *ops.Ops) error { return o.PauseSource(ctx, v.ID, true) })
}

type sourceResumeVerb struct {
	ID string `arg:"" help:"Id of the source."`
}

// Run is the verb sources resume.
func (v *sourceResumeVerb) Run(w *world) error {
	return w.connected(func(ctx context.Context, o *ops.Ops) error { return o.PauseSource(ctx, v.ID, false) })
}

type sourceImportVerb struct {
	File   string `arg:"" help:"OPML file, - for the standard input."`
	DryRun bool   `help:"Only tell what would become of each."`
	asJSON
}

// imported is what became of one outline.
type imported struct {
	Line    int    `json:"line"`
	Title   string `json:"title,omitempty"`
	URL     string `json:"url"`
	ID      string `json:"id,omitempty"`
	Outcome string `json:"outcome"` // added, already there, refused
	Error   string `json:"error,omitempty"`
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
		list, refused := make([]imported, len(outlines)), 0
		for i, line := range outlines {
			one := imported{Line: line.Line, Title: line.Title, URL: line.URL, Outcome: "already there"}
			id, added, err := o.AddSource(ctx, ops.AddedSource{URL: line.URL, Title: line.Title, Tags: line.Tags, Language: line.Language}, v.DryRun)
			switch {
			case err != nil && fault.KindOf(err) != fault.Invalid:
				return err // the broker is away: what was added stays, and the file may be imported again
			case err != nil:
				one.Outcome, one.Error = "refused", err.Error()
				refused++
			case added:
				one.Outcome = "added"
			}
			one.ID = id
			list[i] = one
		}
		if err := v.print(w, list); err != nil {
			return err
		}
		if refused > 0 {
			return &partial{len(list) - refused, refused}
		}
		return nil
	})
}

func (v *sourceImportVerb) print(w *world, list []imported) error {
	if v.JSON {
		return w.encode(list)
	}
	if len(list) == 0 {
		return w.printf("the file names no feed\n")
	}
	rows := make([][]string, len(list))
	for i, l := range list {
		rows[i] = []string{strconv.Itoa(l.Line), l.Outcome, l.ID, l.URL, l.Error}
	}
	return w.table([]string{"LINE", "OUTCOME", "SOURCE", "FEED", "ERROR"}, rows)
}

type sourceExportVerb struct{}

// Run is the verb sources export.
func (v *sourceExportVerb) Run(w *world) error {
	return w.connected(func(ctx context.Context, o *ops.Ops) error {
		list, err := o.Sources(ctx)
		if err != nil {
			return err
		}
		outlines := make([]opml.Outline, len(list))
		for i, s := range list {
			outlines[i] = opml.Outline{Title: s.Title, URL: s.URL, Tags: s.Tags, Language: s.Language}
			if s.Title == "" {
				outlines[i].Title = s.ID
			}
		}
		return opml.Write(w.stdout, outlines)
	})
}
