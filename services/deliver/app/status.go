package app

import (
	"context"
	"slices"
	"strings"
	"time"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/services/deliver/internal/ledger"
)

func pausedError(channel, reason string) error {
	return fault.Errorf(fault.Refused, "channel %s is paused: %s", channel, reason)
}

// DeliveryFilter selects deliveries. An empty field selects all.
type DeliveryFilter struct {
	Channel string
	State   string
	// Since leaves out what did not change after it.
	Since time.Time
	// Last keeps only so many, the newest; 0 for all.
	Last int
}

// DeliveryStatus is what an operator sees of one delivery. It holds no payload.
type DeliveryStatus struct {
	Channel   string    `json:"channel"`
	Story     string    `json:"story"`
	Network   string    `json:"network"`
	Article   string    `json:"article"`
	State     string    `json:"state"`
	Op        string    `json:"op"`
	Revision  uint64    `json:"revision"`
	Attempt   int       `json:"attempt,omitempty"`
	Published time.Time `json:"published"`
	Changed   time.Time `json:"changed,omitzero"`
	Due       time.Time `json:"due,omitzero"`
	// Next is the operation that follows, empty when none does.
	Next string `json:"next,omitempty"`
	URL  string `json:"url,omitempty"` // of the article
	// Remote and RemoteURL are how the network knows the post.
	Remote    string `json:"remote,omitempty"`
	RemoteURL string `json:"remote_url,omitempty"`
	Key       string `json:"key,omitempty"`
	Reason    string `json:"reason,omitempty"`
	Text      string `json:"text,omitempty"`
	// EditedBy names the person whose words it has; Newer is a revision of the article that came since and changes
	// nothing.
	EditedBy string `json:"edited_by,omitempty"`
	Newer    uint64 `json:"newer,omitempty"`
	// Rush says that a person wants it now.
	Rush bool `json:"now,omitempty"`
}

// Deliveries lists deliveries, the last changed first.
func Deliveries(ctx context.Context, b *bus.Bus, f DeliveryFilter) ([]DeliveryStatus, error) {
	rows, err := book(b).Rows(ctx, f.Channel)
	if err != nil {
		return nil, err
	}
	list := []DeliveryStatus{}
	for _, r := range rows {
		s := statusOf(r)
		if f.State != "" && s.State != f.State || s.Changed.Before(f.Since) {
			continue
		}
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b DeliveryStatus) int {
		if c := b.Changed.Compare(a.Changed); c != 0 {
			return c
		}
		return strings.Compare(a.Channel+"/"+a.Story, b.Channel+"/"+b.Story)
	})
	if f.Last > 0 && len(list) > f.Last {
		list = list[:f.Last]
	}
	return list, nil
}

func statusOf(r *ledger.Row) DeliveryStatus {
	s := DeliveryStatus{
		Channel: r.Channel, Story: r.Story, Network: r.Network, Article: r.Article, State: string(r.State), Op: string(r.Op),
		Revision: r.Revision, Attempt: r.Attempt, Published: r.Published, Due: r.Due, URL: r.URL, Remote: r.Remote.ID,
		RemoteURL: r.Remote.URL, Key: r.Key, Reason: r.Reason, Text: r.Text, EditedBy: r.EditedBy, Rush: r.Rush,
	}
	if r.EditedBy != "" && r.Seen > r.Revision {
		s.Newer = r.Seen
	}
	if n := len(r.History); n > 0 {
		s.Changed = r.History[n-1].At
	}
	if r.Next != nil {
		s.Next = string(r.Next.Op)
	}
	return s
}

// DeliveryDetail is all that is known of one delivery but what it sends with: that holds no secret, but may be long.
type DeliveryDetail struct {
	DeliveryStatus
	// Version is what [Wish] names as At.
	Version uint64        `json:"version"`
	Title   string        `json:"title,omitempty"`
	Post    string        `json:"post,omitempty"` // the text that readers will see, while it is kept
	History []ledger.Step `json:"history"`
}

// Delivery tells of one delivery, named channel/story.
func Delivery(ctx context.Context, b *bus.Bus, id string) (DeliveryDetail, error) {
	channel, story, err := parts(id)
	if err != nil {
		return DeliveryDetail{}, err
	}
	r, version, err := book(b).Row(ctx, channel, story)
	if err != nil {
		return DeliveryDetail{}, err
	}
	if r == nil {
		return DeliveryDetail{}, fault.Errorf(fault.Invalid, "there is no delivery %s", id)
	}
	d := DeliveryDetail{DeliveryStatus: statusOf(r), Version: version, History: r.History}
	if r.Payload != nil {
		d.Title, d.Post = r.Payload.Title, r.Payload.Text
	}
	return d, nil
}

// ChannelStatus is what an operator sees of one channel.
type ChannelStatus struct {
	ID      string    `json:"id"`
	Network string    `json:"network"`
	Since   time.Time `json:"since"`
	Account string    `json:"account"`
	// Paused is the reason of a pause, empty when there is none; Text is what was said.
	Paused string    `json:"paused,omitempty"`
	At     time.Time `json:"paused_at,omitzero"`
	Text   string    `json:"text,omitempty"`
	// Wait is until when nothing is sent, WaitReason why.
	Wait       time.Time `json:"wait,omitzero"`
	WaitReason string    `json:"wait_reason,omitempty"`
	Failures   int       `json:"failures,omitempty"`
	// Rebind is until when the channel may go on with another account; zero when it may not.
	Rebind time.Time `json:"rebind_until,omitzero"`
	// Deliveries counts the channel's deliveries by state.
	Deliveries map[string]int `json:"deliveries"`
	// Pending counts the posts on the bus that are not in the ledger yet; -1 when the bus does not say.
	Pending int `json:"pending"`
	// Waiting counts what may still go: the deliveries that have not come to an end, and what is pending.
	Waiting int `json:"waiting"`
}

// ChannelDetail is all that is known of one channel.
type ChannelDetail struct {
	ChannelStatus
	// Person is the account id that the network gave for the credentials, empty until it was asked.
	Person string `json:"person,omitempty"`
	// LastDay is how many posts went in the last 24 hours, LastPost when the last one did.
	LastDay  int       `json:"last_day"`
	LastPost time.Time `json:"last_post,omitzero"`
	// LastError is the delivery that went wrong last, as long as it is not settled; nil when none is.
	LastError *DeliveryStatus `json:"last_error,omitempty"`
	// Policy is how the running deliver has it configured; nil when none runs, or the channel is not configured.
	Policy *Policy `json:"policy,omitempty"`
}

// ShowChannel tells of one channel: from the ledger, and where a deliver runs from its configuration.
func ShowChannel(ctx context.Context, b *bus.Bus, id string) (ChannelDetail, error) {
	if !article.ValidName(id) {
		return ChannelDetail{}, fault.Errorf(fault.Invalid, "%.80q is no channel", id)
	}
	c, _, err := book(b).Channel(ctx, id)
	if err != nil {
		return ChannelDetail{}, err
	}
	if c == nil {
		return ChannelDetail{}, fault.Errorf(fault.Invalid, "nothing was ever sent to a channel %s", id)
	}
	rows, err := book(b).Rows(ctx, id)
	if err != nil {
		return ChannelDetail{}, err
	}
	d := ChannelDetail{ChannelStatus: channelStatus(ctx, b, c), Person: c.Person}
	yesterday := time.Now().Add(-24 * time.Hour)
	for _, r := range rows {
		d.count(r)
		s := statusOf(r)
		if r.Posted.After(d.LastPost) {
			d.LastPost = r.Posted
		}
		if r.Posted.After(yesterday) {
			d.LastDay++
		}
		if wrong(r) && (d.LastError == nil || s.Changed.After(d.LastError.Changed)) {
			d.LastError = &s
		}
	}
	var p Policy
	switch err := b.Ask(ctx, Name, verbChannel, question{ID: id}, &p); fault.KindOf(err) {
	case "":
		d.Policy = &p
	case fault.Unreachable, fault.Invalid: // none runs, or it does not know the channel
	default:
		return ChannelDetail{}, err
	}
	return d, nil
}

// wrong reports whether a row is not settled because of something that went wrong.
func wrong(r *ledger.Row) bool {
	return r.State == ledger.Waiting || r.State == ledger.Uncertain || r.State == ledger.Failed
}

// Channels lists every channel that was ever sent to, by id.
func Channels(ctx context.Context, b *bus.Bus) ([]ChannelStatus, error) {
	rows, err := book(b).Channels(ctx)
	if err != nil {
		return nil, err
	}
	deliveries, err := book(b).Rows(ctx, "")
	if err != nil {
		return nil, err
	}
	list, places := make([]ChannelStatus, len(rows)), map[string]int{}
	for i, c := range rows {
		list[i], places[c.ID] = channelStatus(ctx, b, c), i
	}
	for _, r := range deliveries {
		if i, ok := places[r.Channel]; ok {
			list[i].count(r)
		}
	}
	slices.SortFunc(list, func(a, b ChannelStatus) int { return strings.Compare(a.ID, b.ID) })
	return list, nil
}

// channelStatus is what the channel's own row and its consumer tell; nothing is counted yet.
func channelStatus(ctx context.Context, b *bus.Bus, c *ledger.Channel) ChannelStatus {
	s := ChannelStatus{
		ID: c.ID, Network: c.Network, Since: c.Since, Account: c.Account, Wait: c.Wait, WaitReason: c.WaitReason,
		Failures: c.Failures, Deliveries: map[string]int{}, Pending: -1,
	}
	if c.Pause != nil {
		s.Paused, s.At, s.Text = c.Pause.Reason, c.Pause.At, c.Pause.Text
	}
	if c.MayRebind(time.Now()) {
		s.Rebind = c.RebindUntil()
	}
	if l, err := b.Backlog(ctx, event.StreamPosts, event.ChannelConsumer(c.ID).Name); err == nil {
		s.Pending = int(l.Lag())
	}
	s.Waiting = max(s.Pending, 0)
	return s
}

// count takes a delivery of the channel in.
func (s *ChannelStatus) count(r *ledger.Row) {
	s.Deliveries[string(r.State)]++
	if r.State.Open() {
		s.Waiting++
	}
}

// Settled reports whether nothing more becomes of a delivery by itself.
func Settled(d DeliveryDetail) bool {
	return d.Next == "" && !ledger.State(d.State).Open() || d.State == string(ledger.Uncertain)
}
