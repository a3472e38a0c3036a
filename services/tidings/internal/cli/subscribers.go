package cli

import (
	"cmp"
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strconv"

	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/services/tidings/internal/ops"
)

type subscribersVerb struct {
	List     subscriberListVerb     `cmd:"" help:"List readers of newsletters, with masked addresses."`
	Add      subscriberAddVerb      `cmd:"" help:"Ask the owner of an address whether he wants a list. Nobody is a reader before he has confirmed."`
	Import   subscriberImportVerb   `cmd:"" help:"Ask every address of a file likewise: one a line, or CSV with a column address."`
	Export   subscriberExportVerb   `cmd:"" help:"Write readers as CSV, with addresses and the proof of their consent."`
	Erase    subscriberEraseVerb    `cmd:"" help:"Remove everything about an address but that it must not be written to, if so."`
	Suppress subscriberSuppressVerb `cmd:"" help:"Write to an address no more, on no list. An erasure does not end it."`
	Test     subscriberTestVerb     `cmd:"" help:"Send one mail of a list, marked as a test, with its newest stories."`
}

type subscriberListVerb struct {
	List  string `help:"Only those of this list." placeholder:"ID"`
	State string `help:"Only those in this state: pending, confirmed, left or suppressed." enum:"pending,confirmed,left,suppressed," default:""`
	rowLimit
	asJSON
}

// Run is the verb subscribers list.
func (v *subscriberListVerb) Run(w *world) error {
	return w.connected(func(ctx context.Context, o *ops.Ops) error {
		list, err := o.Subscribers(ctx, v.List, false)
		if err != nil {
			return err
		}
		list = slices.DeleteFunc(list, func(s ops.SubscriberStatus) bool { return v.State != "" && s.State != v.State })
		if v.JSON {
			return w.encode(list)
		}
		if len(list) == 0 {
			return w.printf("no subscribers\n")
		}
		rows := make([][]string, len(list))
		for i, s := range list {
			since := s.Agreed
			if since.IsZero() {
				since = s.Asked
			}
			rows[i] = []string{s.ID, s.List, s.Address, s.State, s.Wishes.Period, when(since), s.Reason}
		}
		return v.list(w, []string{"SUBSCRIBER", "LIST", "ADDRESS", "STATE", "PERIOD", "SINCE", "WHY"}, rows)
	})
}

// preset is what a reader wants who does not say it. What is not given is as the list presets it.
type preset struct {
	Period   string `help:"How often: immediate, daily or weekly. Else as the list presets it, as all of these." enum:"immediate,daily,weekly," default:""`
	Weekday  int    `help:"Weekday of a weekly mail, 1 for Monday to 7 for Sunday." placeholder:"N"`
	Hour     *int   `help:"Hour of a daily or weekly mail, 0 to 23." placeholder:"N"`
	Zone     string `help:"Time zone, such as Europe/Berlin." placeholder:"NAME"`
	Language string `help:"Language of the mails, de or en. Else that of the list." enum:"de,en," default:""`
}

// event completes what a list presets, by what was said.
func (s *preset) event(w event.Wishes) event.Wishes {
	w.Period, w.Zone = cmp.Or(s.Period, w.Period), cmp.Or(s.Zone, w.Zone)
	if s.Hour != nil {
		w.Hour = *s.Hour
	}
	if w.Period == event.Weekly {
		w.Weekday = cmp.Or(s.Weekday, w.Weekday, 1)
	} else {
		w.Weekday = 0
	}
	return w
}

type subscriberAddVerb struct {
	List    string `arg:"" help:"The list."`
	Address string `arg:"" help:"The address."`
	preset
	asJSON
}

// Run is the verb subscribers add.
func (v *subscriberAddVerb) Run(w *world) error {
	doc, err := w.document()
	if err != nil {
		return err
	}
	like, err := ops.PresetOfList(doc, v.List)
	if err != nil {
		return err
	}
	return w.connected(func(ctx context.Context, o *ops.Ops) error {
		err := o.AddSubscriber(ctx, doc, v.List, ops.NewSubscriber{Address: event.Hidden(v.Address), Wishes: v.event(like), Language: v.Language})
		return v.done(w, "subscriber", v.Address, "asked", err)
	})
}

type subscriberImportVerb struct {
	List string `arg:"" help:"The list."`
	File string `arg:"" help:"File, - for the standard input."`
	preset
	asJSON
}

// imported is what became of a line. It holds no address: the file has it.
type imported struct {
	Line    int    `json:"line"`
	Outcome string `json:"outcome"` // asked, left out or refused
	Why     string `json:"why,omitempty"`
}

// Run is the verb subscribers import.
func (v *subscriberImportVerb) Run(w *world) error {
	in := io.Reader(os.Stdin)
	if v.File != "-" {
		f, err := os.Open(v.File)
		if err != nil {
			return fault.Errorf(fault.Invalid, "open the list of addresses: %w", err)
		}
		defer f.Close() // opened to read: nothing can be lost
		in = f
	}
	doc, err := w.document()
	if err != nil {
		return err
	}
	like, err := ops.PresetOfList(doc, v.List)
	if err != nil {
		return err
	}
	people, err := readPeople(in, ops.NewSubscriber{Wishes: v.event(like), Language: v.Language})
	if err != nil {
		return err
	}
	return w.connected(func(ctx context.Context, o *ops.Ops) error {
		list, err := v.ask(ctx, o, doc, people)
		if err != nil {
			return err // the broker is away: who was asked stays so, and the file may be imported again
		}
		return errors.Join(v.print(w, list), partly(list))
	})
}

func (v *subscriberImportVerb) ask(ctx context.Context, o *ops.Ops, doc *config.Doc, people []person) ([]imported, error) {
	list := make([]imported, len(people))
	for i, p := range people {
		one := imported{Line: p.line, Outcome: "asked"}
		err := p.wrong
		switch {
		case err == nil && p.over:
			one.Outcome, one.Why = "left out", "left or suppressed where it comes from"
		case err == nil:
			err = o.AddSubscriber(ctx, doc, v.List, p.NewSubscriber)
		}
		if err != nil {
			if fault.KindOf(err) != fault.Invalid {
				return nil, err
			}
			one.Outcome, one.Why = "refused", err.Error()
		}
		list[i] = one
	}
	return list, nil
}

func partly(list []imported) error {
	refused := 0
	for _, l := range list {
		if l.Outcome == "refused" {
			refused++
		}
	}
	if refused == 0 {
		return nil
	}
	return &partial{len(list) - refused, refused}
}

func (v *subscriberImportVerb) print(w *world, list []imported) error {
	if v.JSON {
		return w.encode(list)
	}
	if len(list) == 0 {
		return w.printf("the file names no address\n")
	}
	rows := make([][]string, len(list))
	for i, l := range list {
		rows[i] = []string{strconv.Itoa(l.Line), l.Outcome, l.Why}
	}
	return w.table([]string{"LINE", "OUTCOME", "WHY"}, rows)
}

type subscriberExportVerb struct {
	List string `arg:"" optional:"" help:"The list. Else all."`
	asJSON
}

// Run is the verb subscribers export.
func (v *subscriberExportVerb) Run(w *world) error {
	return w.connected(func(ctx context.Context, o *ops.Ops) error {
		list, err := o.Subscribers(ctx, v.List, true)
		if err != nil {
			return err
		}
		if v.JSON {
			return w.encode(list)
		}
		return writePeople(w.stdout, list)
	})
}

type subscriberEraseVerb struct {
	Who string `arg:"" name:"address-or-id" help:"The address, or the id of one row."`
	asJSON
}

// Run is the verb subscribers erase.
func (v *subscriberEraseVerb) Run(w *world) error {
	return w.connected(func(ctx context.Context, o *ops.Ops) error {
		n, err := o.EraseSubscriber(ctx, v.Who)
		switch {
		case err != nil:
			return err
		case v.JSON:
			return w.encode(map[string]int{"erased": n})
		}
		return w.printf("erased %d\n", n)
	})
}

type subscriberSuppressVerb struct {
	Address string `arg:"" help:"The address."`
	Lift    bool   `help:"Take it back. Who was a reader is none by that: the owner has to ask anew."`
	asJSON
}

// Run is the verb subscribers suppress.
func (v *subscriberSuppressVerb) Run(w *world) error {
	return w.connected(func(ctx context.Context, o *ops.Ops) error {
		outcome := "suppressed"
		if v.Lift {
			outcome = "lifted"
		}
		return v.done(w, "subscriber", v.Address, outcome, o.SuppressSubscriber(ctx, v.Address, v.Lift))
	})
}

type subscriberTestVerb struct {
	List    string `arg:"" help:"The list."`
	Address string `arg:"" help:"Where the mail goes."`
	DryRun  bool   `help:"Print the mail as it is before it is signed, and send nothing."`
	asJSON
}

// Run is the verb subscribers test.
func (v *subscriberTestVerb) Run(w *world) error {
	return w.connected(func(ctx context.Context, o *ops.Ops) error {
		if !v.DryRun {
			return v.done(w, "subscriber", v.Address, "sent", o.TestMail(ctx, v.List, v.Address))
		}
		raw, err := o.PreviewMail(ctx, v.List, v.Address)
		switch {
		case err != nil:
			return err
		case v.JSON:
			return w.encode(map[string]string{"list": v.List, "mail": string(raw)})
		}
		return w.printf("%s", raw)
	})
}
