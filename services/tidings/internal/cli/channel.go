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
		if err := w.printf("%-14s %s\n", line[0], plain(line[1])); err != nil {
			return err
		}
	}
	return nil
}

func channelLines(c ops.ChannelDetail, now time.Time) [][2]string {
	list := [][2]string{
		{"channel", c.ID}, {"network", c.Network}, {"account", c.Account}, {"account id", c.Person}, {"since", when(c.Since)},
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
	// Post is the delivery of the test post; absent when none was asked for.
	Post *ops.DeliveryStatus `json:"post,omitempty"`
}

// Run is the verb channels test.
func (v *channelTestVerb) Run(w *world) error {
	if v.Wait <= 0 {
		return &usageError{"--wait must be more than nothing"}
	}
	return w.connected(func(ctx context.Context, o *ops.Ops) error {
		who, err := o.TestChannel(ctx, v.ID)
		if err != nil {
			return err
		}
		t := tested{Channel: v.ID, Identity: who}
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
