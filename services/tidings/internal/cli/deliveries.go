package cli

import (
	"context"
	"errors"
	"os/user"
	"strconv"
	"time"

	"tidings.internal/services/tidings/internal/ops"
)

type deliveriesVerb struct {
	List    deliveryListVerb    `cmd:"" help:"List deliveries, the last changed first."`
	Show    deliveryShowVerb    `cmd:"" help:"Show all that is known of one, its history included."`
	Approve deliveryApproveVerb `cmd:"" help:"Let held deliveries go. Approving twice is one post."`
	Reject  deliveryRejectVerb  `cmd:"" help:"End held deliveries unsent."`
	Retry   deliveryRetryVerb   `cmd:"" help:"Try failed deliveries again, with the payload that they have."`
	Skip    deliverySkipVerb    `cmd:"" help:"End deliveries that were not sent."`
	Resolve deliveryResolveVerb `cmd:"" help:"Settle a delivery of which nobody knows whether it arrived, once you have looked."`
}

type deliveryListVerb struct {
	Channel string        `help:"Only those of a channel." placeholder:"ID"`
	State   string        `help:"Only those in a state, such as held, failed or uncertain."`
	Since   time.Duration `help:"Only those that changed in this time, such as 24h."`
	Last    int           `help:"At most so many." default:"100"`
	asJSON
}

// Run is the verb deliveries list.
func (v *deliveryListVerb) Run(w *world) error {
	return w.connected(func(ctx context.Context, o *ops.Ops) error {
		f := ops.DeliveryFilter{Channel: v.Channel, State: v.State, Last: v.Last}
		if v.Since > 0 {
			f.Since = time.Now().Add(-v.Since)
		}
		list, err := o.Deliveries(ctx, f)
		if err != nil {
			return err
		}
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
			{"due", when(d.Due)}, {"article", d.Article}, {"url", d.URL}, {"title", d.Title}, {"text", d.Post}, {"posted as", d.Remote},
			{"posted at", d.RemoteURL}, {"server said", d.Text},
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
	if v.At != 0 && len(v.IDs) > 1 {
		return &usageError{"--at goes with one delivery"}
	}
	return w.connected(func(ctx context.Context, o *ops.Ops) error {
		var failed []error
		list := make([]granted, len(v.IDs))
		for i, id := range v.IDs {
			list[i] = granted{Delivery: id, Outcome: outcome}
			if err := grant(ctx, o, ops.Wish{ID: id, Actor: actor(), At: v.At}); err != nil {
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
	return v.each(w, "approved", func(ctx context.Context, o *ops.Ops, wish ops.Wish) error { return o.ApproveDelivery(ctx, wish) })
}

type deliveryRejectVerb struct{ wishes }

// Run is the verb deliveries reject.
func (v *deliveryRejectVerb) Run(w *world) error {
	return v.each(w, "rejected", func(ctx context.Context, o *ops.Ops, wish ops.Wish) error { return o.RejectDelivery(ctx, wish) })
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
	return w.connected(func(ctx context.Context, o *ops.Ops) error {
		return v.done(w, "delivery", v.ID, "resolved", o.ResolveDelivery(ctx, ops.Wish{ID: v.ID, Actor: actor(), At: v.At}, !v.NotSent, url))
	})
}
