package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"tidings.internal/pkg/fault"
	"tidings.internal/services/tidings/internal/ops"
)

type channelShowVerb struct {
	ID string `arg:"" help:"Id of the channel."`
	asJSON
}

// Run is the verb channels show.
func (v *channelShowVerb) Run(w *world) error {
	return w.connected(func(ctx context.Context, o *ops.Ops) error {
		c, err := o.Channel(ctx, v.ID)
		if err != nil {
			return err
		}
		if v.JSON {
			return w.encode(c)
		}
		return w.lines(channelLines(c, time.Now()))
	})
}

// lines prints names with their values; those without a value are left out.
func (w *world) lines(list [][2]string) error {
	for _, line := range list {
		if line[1] == "" || line[1] == "0" || line[1] == "-" {
			continue
		}
		if err := w.printf("%-16s %s\n", line[0], plain(line[1])); err != nil {
			return err
		}
	}
	return nil
}

func channelLines(c ops.ChannelDetail, now time.Time) [][2]string {
	list := [][2]string{
		{"channel", c.ID}, {"network", c.Network}, {"account", c.Account}, {"account id", c.Person}, {"may rebind until", when(c.Rebind)}, {"since", when(c.Since)},
		{"state", channelState(c.ChannelStatus, now)}, {"deliveries", counts(c.Deliveries)}, {"not taken in", strconv.Itoa(max(c.Pending, 0))},
		{"last 24 hours", strconv.Itoa(c.LastDay)}, {"last post", when(c.LastPost)},
	}
	if e := c.LastError; e != nil {
		list = append(list, [2]string{"last error", fmt.Sprintf("%s %s/%s is %s: %s", when(e.Changed), e.Channel, e.Story, e.State, strings.TrimSpace(e.Reason+" "+e.Text))})
	}
	p := c.Policy
	if p == nil {
		return append(list, [2]string{"limits", "not known: no deliver runs that has the channel configured"})
	}
	if n := p.Next; n != nil {
		list = append(list, [2]string{"next due", when(n.At) + " " + n.Op + " " + n.Delivery})
	}
	return append(list, [][2]string{
		{"approve", p.Approve}, {"max per hour", strconv.Itoa(p.MaxPerHour)}, {"burst", strconv.Itoa(p.Burst)}, {"max per day", strconv.Itoa(p.MaxPerDay)},
		{"min interval", p.MinInterval}, {"quiet", p.Quiet}, {"max age", p.MaxAge}, {"on update", able(p.OnUpdate, p.Edits)},
		{"on remove", able(p.OnRemove, p.Deletes)}, {"on uncertain", p.OnUncertain},
	}...)
}

// able tells what an edit or a withdrawal leads to.
func able(word string, can bool) string {
	if word != "ignore" && !can {
		return word + ", which the network cannot do"
	}
	return word
}

type channelTestVerb struct {
	ID   string        `arg:"" help:"Id of the channel."`
	Post bool          `help:"Also send a post that says it is a test, and delete it at once where the network can."`
	Wait time.Duration `help:"How long to wait for the post." default:"60s"`
	asJSON
}

// tested is what a test found.
type tested struct {
	Channel string `json:"channel"`
	ops.Identity
	// Write are the lines by which the channel would have the limits of its network; absent when it has them.
	Write []string `json:"write,omitempty"`
	// Post is the delivery of the test post; absent when none was asked for.
	Post *ops.DeliveryStatus `json:"post,omitempty"`
}

// Run is the verb channels test.
func (v *channelTestVerb) Run(w *world) error {
	if v.Wait <= 0 {
		return &usageError{"--wait must be more than nothing"}
	}
	return w.connected(func(ctx context.Context, o *ops.Ops) error {
		who, lines, err := o.TestChannel(ctx, v.ID)
		if err != nil {
			return err
		}
		t := tested{Channel: v.ID, Identity: who, Write: lines}
		if v.Post {
			d, err := o.TestPost(ctx, v.ID, actor(), v.Wait)
			if err != nil {
				return err
			}
			t.Post = &d.DeliveryStatus
		}
		if v.JSON {
			err = w.encode(t)
		} else {
			err = w.tested(t)
		}
		if err != nil || t.Post == nil {
			return err
		}
		return failedTest(t.Post)
	})
}

func (w *world) tested(t tested) error {
	var err error
	switch {
	case t.Asked:
		err = w.printf("the network takes channel %s for %s (%s)\n", plain(t.Channel), plain(t.Name), plain(t.ID))
	case t.Post == nil:
		err = w.printf("the network of channel %s does not say whether it takes the credentials; --post finds out\n", plain(t.Channel))
	}
	if err == nil && len(t.Write) > 0 {
		err = w.printf("it has other limits than the channel; write there:\n    %s\n", strings.Join(t.Write, "\n    "))
	}
	if err != nil || t.Post == nil || !posted(t.Post) {
		return err
	}
	what := "posted and deleted again"
	switch {
	case t.Post.Reason == "unsupported":
		what = "posted; the network cannot delete, so it is yours to do"
	case t.Post.State != "deleted":
		what = "posted, and not deleted yet"
	}
	return w.printf("%s: %s\n", what, plain(strings.TrimSpace(t.Post.Channel+"/"+t.Post.Story+" "+t.Post.RemoteURL)))
}

// posted reports whether a test post arrived.
func posted(d *ops.DeliveryStatus) bool { return d.State == "sent" || d.State == "deleted" }

// failedTest is the error of a test post that did not arrive, nil for one that did.
func failedTest(d *ops.DeliveryStatus) error {
	id := d.Channel + "/" + d.Story
	switch {
	case posted(d):
		return nil
	case d.State == "uncertain":
		return fault.Errorf(fault.Uncertain, "nobody knows whether %s arrived: %s; look there, then \"tidings deliveries resolve %s\"", id, d.Text, id)
	case d.State == "skipped" && d.Text == "":
		return fault.Errorf(fault.Throttled, "%s was not sent in time, and never will be; \"tidings channels show %s\" says what the channel waits for", id, d.Channel)
	}
	return fault.Errorf(fault.Invalid, "%s did not arrive: %s", id, d.Text)
}

type channelCatchupVerb struct {
	ID     string `arg:"" help:"Id of the channel."`
	Last   int    `required:"" help:"How many of the newest stories to look at, 1 to 1000." placeholder:"N"`
	PerDay int    `help:"So many a day; else as fast as the limits of the channel allow." placeholder:"K"`
	DryRun bool   `help:"Tell what would be sent, and change nothing."`
	asJSON
}

// maxCatchup is how many stories are caught up at most: more would be a flood whatever the rate.
const maxCatchup = 1000

// Run is the verb channels catchup.
func (v *channelCatchupVerb) Run(w *world) error {
	if v.Last < 1 || v.Last > maxCatchup || v.PerDay < 0 {
		return &usageError{fmt.Sprintf("--last is 1 to %d, --per-day not negative", maxCatchup)}
	}
	return w.connected(func(ctx context.Context, o *ops.Ops) error {
		list, err := o.CatchUp(ctx, v.ID, v.Last, v.PerDay, actor(), v.DryRun)
		if err != nil {
			return err
		}
		if v.JSON {
			if list == nil {
				list = []ops.Caught{}
			}
			return w.encode(list)
		}
		if len(list) == 0 {
			return w.printf("no stories for channel %s\n", plain(v.ID))
		}
		rows := make([][]string, len(list))
		for i, c := range list {
			rows[i] = []string{c.Delivery, c.Outcome, when(c.Due), c.Reason, c.Title}
		}
		return w.table([]string{"DELIVERY", "OUTCOME", "DUE", "REASON", "TITLE"}, rows)
	})
}

type channelRebindVerb struct {
	ID  string `arg:"" help:"Id of the channel."`
	Yes bool   `help:"Yes, what was posted to the former account can then neither be edited nor deleted from here."`
	asJSON
}

// rebound is what was allowed.
type rebound struct {
	Channel string `json:"channel"`
	Outcome string `json:"outcome"`
}

// Run is the verb channels rebind. A Tidings in one process does not start with another account, so the store is opened
// where none runs.
func (v *channelRebindVerb) Run(w *world) error {
	if !v.Yes {
		return &usageError{"channels rebind gives up what was posted to the former account: no edit and no deletion reaches it; add --yes"}
	}
	return w.kept(func(ctx context.Context, o *ops.Ops) error {
		if err := o.RebindChannel(ctx, v.ID, actor()); err != nil {
			return err
		}
		if v.JSON {
			return w.encode(rebound{v.ID, "allowed"})
		}
		return w.printf("channel %s goes on with the account of its configuration at the next start, within a day\n", plain(v.ID))
	})
}
