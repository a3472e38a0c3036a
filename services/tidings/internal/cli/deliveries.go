package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"strconv"
	"time"
	"unicode/utf8"

	"tidings.internal/pkg/fault"
	"tidings.internal/services/tidings/internal/ops"
)

type deliveriesVerb struct {
	List    deliveryListVerb    `cmd:"" help:"List deliveries, the last changed first."`
	Show    deliveryShowVerb    `cmd:"" help:"Show all that is known of one, its history included."`
	Approve deliveryApproveVerb `cmd:"" help:"Let held deliveries go. Approving twice is one post."`
	Reject  deliveryRejectVerb  `cmd:"" help:"End held deliveries unsent."`
	Edit    deliveryEditVerb    `cmd:"" help:"Give a delivery that was not sent other words. They are held to the network's limit."`
	Hold    deliveryHoldVerb    `cmd:"" help:"Stop deliveries that are about to go, until they are approved."`
	Now     deliveryNowVerb     `cmd:"" help:"Send deliveries next, whatever the rate and the quiet hours."`
	Retry   deliveryRetryVerb   `cmd:"" help:"Try failed deliveries again, with the payload that they have."`
	Skip    deliverySkipVerb    `cmd:"" help:"End deliveries that were not sent."`
	Resolve deliveryResolveVerb `cmd:"" help:"Settle a delivery of which nobody knows whether it arrived, once you have looked."`
	Delete  deliveryDeleteVerb  `cmd:"" help:"Take back what was posted, where the network can."`
}

type deliveryListVerb struct {
	Channel string        `help:"Only those of a channel." placeholder:"ID"`
	State   string        `help:"Only those in a state, such as held, failed or uncertain."`
	Since   time.Duration `help:"Only those that changed in this time, such as 24h."`
	lastRows
	asJSON
}

// Run is the verb deliveries list.
func (v *deliveryListVerb) Run(w *world) error {
	if err := v.check(); err != nil {
		return err
	}
	return w.connected(func(ctx context.Context, o *ops.Ops) error {
		f := ops.DeliveryFilter{Channel: v.Channel, State: v.State}
		if v.Since > 0 {
			f.Since = time.Now().Add(-v.Since)
		}
		if v.Last != nil {
			f.Last = *v.Last
		}
		list, err := o.Deliveries(ctx, f)
		if err != nil {
			return err
		}
		list, left := newest(v.lastRows, list)
		defer w.leftOut(left)
		if v.JSON {
			return w.encode(list)
		}
		if len(list) == 0 {
			return w.printf("no deliveries\n")
		}
		rows := make([][]string, len(list))
		for i, d := range list {
			rows[i] = []string{d.Channel + "/" + d.Story, d.State, d.Op, when(d.Changed), when(d.Due), d.Reason, d.URL}
		}
		return w.table([]string{"DELIVERY", "STATE", "OPERATION", "CHANGED", "DUE", "REASON", "ARTICLE"}, rows)
	})
}

type deliveryShowVerb struct {
	ID string `arg:"" help:"The delivery, channel/story."`
	asJSON
}

// Run is the verb deliveries show.
func (v *deliveryShowVerb) Run(w *world) error {
	return w.connected(func(ctx context.Context, o *ops.Ops) error {
		d, err := o.Delivery(ctx, v.ID)
		if err != nil {
			return err
		}
		if v.JSON {
			return w.encode(d)
		}
		for _, line := range [][2]string{
			{"delivery", d.Channel + "/" + d.Story}, {"version", strconv.FormatUint(d.Version, 10)}, {"state", d.State}, {"reason", d.Reason},
			{"operation", d.Op}, {"next", d.Next}, {"revision", strconv.FormatUint(d.Revision, 10)}, {"attempt", strconv.Itoa(d.Attempt)},
			{"due", when(d.Due)}, {"article", d.Article}, {"url", d.URL}, {"title", d.Title}, {"text", d.Post}, {"edited by", d.EditedBy},
			{"newer", newer(d.DeliveryStatus)}, {"posted as", d.Remote}, {"posted at", d.RemoteURL}, {"was said", d.Text},
		} {
			if line[1] == "" || line[1] == "0" || line[1] == "-" {
				continue
			}
			if err := w.printf("%-12s %s\n", line[0], plain(line[1])); err != nil {
				return err
			}
		}
		if err := w.printf("\n"); err != nil {
			return err
		}
		rows := make([][]string, len(d.History))
		for i, s := range d.History {
			rows[i] = []string{when(s.At), string(s.To), string(s.Op), s.Actor, s.Reason}
		}
		return w.table([]string{"TIME", "STATE", "OPERATION", "BY", "REASON"}, rows)
	})
}

// newer tells of a revision of the article that came after a person wrote the words.
func newer(d ops.DeliveryStatus) string {
	if d.Newer == 0 {
		return ""
	}
	return fmt.Sprintf("revision %d of the article came since; the words stay", d.Newer)
}

// wishes are deliveries that an operator wants something of.
type wishes struct {
	IDs []string `arg:"" name:"id" help:"Deliveries, channel/story."`
	At  uint64   `help:"Only if the delivery is still at this version, as show prints it." placeholder:"VERSION"`
	asJSON
}

// granted is what became of a wish.
type granted struct {
	Delivery string `json:"delivery"`
	Outcome  string `json:"outcome"`
	Error    string `json:"error,omitempty"`
}

// each grants the wish for every delivery, goes on after one that cannot be, and prints what became of each.
func (v *wishes) each(w *world, outcome string, grant func(context.Context, *ops.Ops, ops.Wish) error) error {
	return v.told(w, func(ctx context.Context, o *ops.Ops, wish ops.Wish) (string, error) {
		return outcome, grant(ctx, o, wish)
	})
}

// told is [wishes.each] where what becomes of a delivery is one of several things.
func (v *wishes) told(w *world, grant func(context.Context, *ops.Ops, ops.Wish) (outcome string, err error)) error {
	if v.At != 0 && len(v.IDs) > 1 {
		return &usageError{"--at goes with one delivery"}
	}
	return w.connected(func(ctx context.Context, o *ops.Ops) error {
		var failed []error
		list := make([]granted, len(v.IDs))
		for i, id := range v.IDs {
			outcome, err := grant(ctx, o, ops.Wish{ID: id, Actor: actor(), At: v.At})
			list[i] = granted{Delivery: id, Outcome: outcome}
			if err != nil {
				failed = append(failed, err)
				list[i].Outcome, list[i].Error = "refused", err.Error()
			}
		}
		if err := v.print(w, list); err != nil {
			return err
		}
		if n := len(failed); n > 0 && n < len(list) {
			return &partial{len(list) - n, n}
		}
		return errors.Join(failed...)
	})
}

func (v *wishes) print(w *world, list []granted) error {
	if v.JSON {
		return w.encode(list)
	}
	rows := make([][]string, len(list))
	for i, g := range list {
		rows[i] = []string{g.Delivery, g.Outcome, g.Error}
	}
	return w.table([]string{"DELIVERY", "OUTCOME", "ERROR"}, rows)
}

// actor is who stands in the history: the user of the machine.
func actor() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	return "operator"
}

type deliveryApproveVerb struct{ wishes }

// Run is the verb deliveries approve.
func (v *deliveryApproveVerb) Run(w *world) error {
	return v.told(w, func(ctx context.Context, o *ops.Ops, wish ops.Wish) (string, error) {
		already, err := o.ApproveDelivery(ctx, wish)
		if already {
			return "approved already", err
		}
		return "approved", err
	})
}

type deliveryRejectVerb struct {
	wishes
	Reason string `help:"Why; it stays with the delivery." placeholder:"TEXT"`
}

// Run is the verb deliveries reject.
func (v *deliveryRejectVerb) Run(w *world) error {
	return v.each(w, "rejected", func(ctx context.Context, o *ops.Ops, wish ops.Wish) error {
		wish.Why = v.Reason
		return o.RejectDelivery(ctx, wish)
	})
}

type deliveryHoldVerb struct {
	wishes
	For time.Duration `help:"Only for so long, such as 2h; then they are approved. Else until a person approves them."`
}

// Run is the verb deliveries hold.
func (v *deliveryHoldVerb) Run(w *world) error {
	if v.For < 0 {
		return &usageError{"--for must not be negative"}
	}
	return v.each(w, "held", func(ctx context.Context, o *ops.Ops, wish ops.Wish) error { return o.HoldDelivery(ctx, wish, v.For) })
}

type deliveryNowVerb struct{ wishes }

// Run is the verb deliveries now.
func (v *deliveryNowVerb) Run(w *world) error {
	return v.each(w, "next", func(ctx context.Context, o *ops.Ops, wish ops.Wish) error { return o.SendDeliveryNow(ctx, wish) })
}

type deliveryDeleteVerb struct {
	wishes
	Yes bool `help:"Yes, delete what readers may have seen and answered."`
}

// Run is the verb deliveries delete.
func (v *deliveryDeleteVerb) Run(w *world) error {
	if !v.Yes {
		return &usageError{"deliveries delete removes posts that are out, with all answers to them; add --yes"}
	}
	return v.each(w, "to be deleted", func(ctx context.Context, o *ops.Ops, wish ops.Wish) error { return o.DeleteDelivery(ctx, wish) })
}

type deliveryEditVerb struct {
	ID   string `arg:"" help:"The delivery, channel/story."`
	File string `required:"" help:"File with the text, as readers are to see it; - for standard input." placeholder:"FILE"`
	At   uint64 `help:"Only if the delivery is still at this version, as show prints it." placeholder:"VERSION"`
	asJSON
}

// edited is what became of a text.
type edited struct {
	Delivery string    `json:"delivery"`
	Outcome  string    `json:"outcome"`
	Text     string    `json:"text"`
	Count    ops.Count `json:"count"`
}

// Run is the verb deliveries edit.
func (v *deliveryEditVerb) Run(w *world) error {
	text, err := words(v.File)
	if err != nil {
		return err
	}
	return w.connected(func(ctx context.Context, o *ops.Ops) error {
		p, err := o.EditDelivery(ctx, ops.Wish{ID: v.ID, Actor: actor(), At: v.At}, text)
		if err != nil {
			return err
		}
		if v.JSON {
			return w.encode(edited{v.ID, "edited", p.Text, p.Count})
		}
		return w.printf("edited %s: %d of %d %s\n", plain(v.ID), p.Count.Used, p.Count.Limit, p.Count.Unit)
	})
}

// maxWords is how much of a file is read: more than any network takes.
const maxWords = 1 << 20

// words reads a text that a person wrote.
func words(file string) (string, error) {
	in := io.ReadCloser(os.Stdin)
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return "", fault.Errorf(fault.Invalid, "read the text: %w", err)
		}
		in = f
	}
	defer func() { _ = in.Close() }() // it is read
	text, err := io.ReadAll(io.LimitReader(in, maxWords+1))
	switch {
	case err != nil:
		return "", fault.Errorf(fault.Invalid, "read the text: %w", err)
	case len(text) > maxWords:
		return "", fault.Errorf(fault.TooLarge, "read the text: %s is longer than %d bytes", file, maxWords)
	case !utf8.Valid(text):
		return "", fault.Errorf(fault.Invalid, "read the text: %s is not UTF-8", file)
	}
	return string(text), nil
}

type deliveryRetryVerb struct{ wishes }

// Run is the verb deliveries retry.
func (v *deliveryRetryVerb) Run(w *world) error {
	return v.each(w, "planned", func(ctx context.Context, o *ops.Ops, wish ops.Wish) error { return o.RetryDelivery(ctx, wish) })
}

type deliverySkipVerb struct{ wishes }

// Run is the verb deliveries skip.
func (v *deliverySkipVerb) Run(w *world) error {
	return v.each(w, "skipped", func(ctx context.Context, o *ops.Ops, wish ops.Wish) error { return o.SkipDelivery(ctx, wish) })
}

type deliveryResolveVerb struct {
	ID      string `arg:"" help:"The delivery, channel/story."`
	Sent    string `help:"It was sent: the address of the post, or - if it has none." placeholder:"URL"`
	NotSent bool   `help:"It was not sent: try it again."`
	At      uint64 `help:"Only if the delivery is still at this version, as show prints it." placeholder:"VERSION"`
	asJSON
}

// Run is the verb deliveries resolve.
func (v *deliveryResolveVerb) Run(w *world) error {
	if (v.Sent == "") != v.NotSent {
		return &usageError{"say what you saw: --sent URL or --not-sent"}
	}
	url := v.Sent
	if url == "-" {
		url = ""
	}
	one := wishes{IDs: []string{v.ID}, At: v.At, asJSON: v.asJSON}
	return one.each(w, "resolved", func(ctx context.Context, o *ops.Ops, wish ops.Wish) error {
		return o.ResolveDelivery(ctx, wish, !v.NotSent, url)
	})
}
