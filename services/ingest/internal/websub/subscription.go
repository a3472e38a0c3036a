package websub

import (
	"math/rand/v2"
	"time"
)

// Status is how a subscription stands.
type Status string

// The statuses.
const (
	None    Status = ""        // the source names no hub, or the hub refused
	Pending Status = "pending" // the hub was asked and has not confirmed yet
	Active  Status = "active"  // news come by themselves
	Lost    Status = "lost"    // a push did not come, or the lease ended: the source is polled as any other
)

// Subscription is what is known of the pushes of a source.
type Subscription struct {
	Hub    string `json:"hub,omitempty"`
	Topic  string `json:"topic,omitempty"`
	Status Status `json:"status,omitempty"`
	// Generation counts the pairs of hub and topic.
	Generation int `json:"generation,omitempty"`
	// Asked is when the hub was asked last and has not answered yet, zero when no answer is outstanding.
	Asked time.Time `json:"asked,omitzero"`
	// Next is when the hub is to be asked again.
	Next time.Time `json:"next,omitzero"`
	// Since is when the hub confirmed first, Confirmed when it did so last, Lease when it stops pushing.
	Since     time.Time `json:"since,omitzero"`
	Confirmed time.Time `json:"confirmed,omitzero"`
	Lease     time.Time `json:"lease,omitzero"`
	// Reason says why it is not active.
	Reason string `json:"reason,omitempty"`
	// Strong tells that a push was signed with more than SHA-1: from then on nothing weaker is taken.
	Strong bool      `json:"strong,omitempty"`
	Pushed time.Time `json:"pushed,omitzero"` // the last push that was taken
}

const (
	// LeaseSeconds is the lease that is asked for: ten days.
	LeaseSeconds = 864_000
	minLease     = time.Hour
	maxLease     = 90 * 24 * time.Hour
	// renewAgain is how soon a renewal is tried again, lostWait how soon a new subscription is tried after a loss, a refusal
	// or silence.
	renewAgain = time.Hour
	lostWait   = 24 * time.Hour
	// silence is how long a hub may take to confirm.
	silence = 10 * time.Minute
	// late is how old an item must be that a poll found before it proves that a push is missing.
	late = 10 * time.Minute
)

// Found takes over the hub and the topic of a document. It reports whether they are other ones than before.
func (s *Subscription) Found(hub, topic string) bool {
	if hub == s.Hub && topic == s.Topic {
		return false
	}
	*s = Subscription{Hub: hub, Topic: topic, Generation: s.Generation + 1}
	return true
}

// Tick brings the status up to date with the time. It reports whether the subscription was lost just now.
func (s *Subscription) Tick(now time.Time) (lost bool) {
	switch {
	case s.Status == Active && !now.Before(s.Lease):
		s.lose(now, "its lease ended")
		return true
	case s.Status == Pending && !s.Asked.IsZero() && now.Sub(s.Asked) >= silence:
		s.Status, s.Asked, s.Reason, s.Next = Lost, time.Time{}, "the hub did not confirm", now.Add(lostWait)
	}
	return false
}

// Due reports whether the hub is to be asked now. Renewal uses the same callback and secret, and the subscription stays
// active meanwhile.
func (s *Subscription) Due(now time.Time) bool {
	return s.Hub != "" && !now.Before(s.Next) && (s.Asked.IsZero() || now.Sub(s.Asked) >= silence)
}

// Ask notes that the hub is asked now. It must be stored before the hub is: some confirm before they answer.
func (s *Subscription) Ask(now time.Time) {
	s.Asked, s.Next = now, now.Add(renewAgain)
	if s.Status != Active {
		s.Status = Pending
	}
}

// Failed notes that the hub could not be asked, or said no at once.
func (s *Subscription) Failed(now time.Time, reason string) {
	s.Asked, s.Reason = time.Time{}, reason
	if s.Status != Active { // one that is active stays so until its lease ends, and is renewed within the hour
		s.Status, s.Next = Lost, now.Add(lostWait)
	}
}

// Confirm takes over the hub's confirmation with its lease in seconds. It reports false when nobody asked for one of
// this topic. A hub may confirm once more within a short time: it may have been killed before it noted our answer, and would
// take a second one that is no for the only one.
func (s *Subscription) Confirm(now time.Time, topic string, seconds int64) bool {
	again := s.Status == Active && now.Sub(s.Confirmed) < silence
	if topic != s.Topic || s.Asked.IsZero() && !again {
		return false
	}
	lease := min(max(time.Duration(min(seconds, int64(maxLease/time.Second)))*time.Second, minLease), maxLease)
	if s.Status != Active {
		s.Since = now
	}
	s.Status, s.Asked, s.Reason, s.Lease, s.Confirmed = Active, time.Time{}, "", now.Add(lease), now
	// Half the lease, give or take a tenth, so that subscriptions made together drift apart.
	s.Next = now.Add(time.Duration(float64(lease) * (0.45 + 0.1*rand.Float64())))
	return true
}

// Deny takes over that the hub ended or refused the subscription (section 5.2).
func (s *Subscription) Deny(now time.Time, topic, reason string) bool {
	if topic != s.Topic || s.Hub == "" {
		return false
	}
	s.Status, s.Asked, s.Reason, s.Next = None, time.Time{}, "the hub refused: "+reason, now.Add(lostWait)
	return true
}

// Missed reports whether an item that a poll found proves that a push did not come, and gives the hub up for a day then.
// published is the date of the item.
func (s *Subscription) Missed(now, published time.Time) bool {
	if s.Status != Active || published.Before(s.Since) || now.Sub(published) < late || s.Pushed.After(published) {
		return false
	}
	s.lose(now, "news came that it had not pushed")
	return true
}

func (s *Subscription) lose(now time.Time, reason string) {
	s.Status, s.Asked, s.Reason, s.Next = Lost, time.Time{}, reason, now.Add(lostWait)
}
