package cli

import (
	"context"
	"strconv"
	"time"

	"tidings.internal/services/tidings/internal/ops"
)

type channelsVerb struct {
	List    channelListVerb    `cmd:"" help:"List every channel that was ever sent to."`
	Show    channelShowVerb    `cmd:"" help:"Show all that is known of one: state, limits, counts, the last error, what is next."`
	Test    channelTestVerb    `cmd:"" help:"Ask the network whether it takes the credentials. Posts nothing unless told to."`
	Pause   channelPauseVerb   `cmd:"" help:"Stop a channel and keep its queue."`
	Resume  channelResumeVerb  `cmd:"" help:"End a pause, whatever its reason. After a restore the channel begins anew, without what queued up."`
	Rebind  channelRebindVerb  `cmd:"" help:"Allow a channel to go on with another account."`
	Catchup channelCatchupVerb `cmd:"" help:"Send the newest stories that the channel missed, the oldest first."`
}

type channelListVerb struct{ asJSON }

// Run is the verb channels list.
func (v *channelListVerb) Run(w *world) error {
	return w.connected(func(ctx context.Context, o *ops.Ops) error {
		list, err := o.Channels(ctx)
		if err != nil {
			return err
		}
		if v.JSON {
			if list == nil {
				list = []ops.ChannelStatus{}
			}
			return w.encode(list)
		}
		return w.table([]string{"CHANNEL", "NETWORK", "SINCE", "DELIVERIES", "WAITING", "STATE"}, channelRows(list, time.Now()))
	})
}

func channelRows(list []ops.ChannelStatus, now time.Time) [][]string {
	rows := make([][]string, len(list))
	for i, c := range list {
		rows[i] = []string{c.ID, c.Network, when(c.Since), counts(c.Deliveries), strconv.Itoa(c.Waiting), channelState(c, now)}
	}
	return rows
}

// channelState says whether a channel sends, and why it does not.
func channelState(c ops.ChannelStatus, now time.Time) string {
	switch {
	case c.Paused != "":
		return "paused: " + c.Paused + " " + c.Text
	case c.Wait.After(now):
		return "waits until " + when(c.Wait) + ": " + c.WaitReason
	}
	return "sending"
}

type channelPauseVerb struct {
	ID string `arg:"" help:"Id of the channel."`
	asJSON
}

// Run is the verb channels pause.
func (v *channelPauseVerb) Run(w *world) error {
	return w.connected(func(ctx context.Context, o *ops.Ops) error {
		return v.done(w, "channel", v.ID, "paused", o.PauseChannel(ctx, v.ID))
	})
}

type channelResumeVerb struct {
	ID string `arg:"" help:"Id of the channel."`
	asJSON
}

// Run is the verb channels resume.
func (v *channelResumeVerb) Run(w *world) error {
	return w.connected(func(ctx context.Context, o *ops.Ops) error {
		return v.done(w, "channel", v.ID, "resumed", o.ResumeChannel(ctx, v.ID))
	})
}
