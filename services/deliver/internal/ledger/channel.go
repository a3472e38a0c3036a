package ledger

import (
	"time"

	"tidings.internal/services/deliver/internal/schedule"
)

// Channel is the row of a channel itself: what must outlive a restart, so that a new start refills no allowance,
// forgets no pause and posts nothing older than the channel.
type Channel struct {
	ID      string `json:"id"`
	Network string `json:"network"`
	// Since is when the channel was first seen. What was first seen before is not posted.
	Since time.Time `json:"since"`
	// Closed says that posts marked as backfill no longer go: the channel's one chance for them is over.
	Closed bool `json:"closed,omitempty"`
	// Account is where posts go, without credentials. It may not change under an id, since the receipts would point to
	// another account.
	Account string `json:"account"`
	// Person is the account id that the network gave for the credentials, once it was asked.
	Person string `json:"person,omitempty"`

	Pace schedule.Pace `json:"pace"`
	// Wait is until when nothing is sent, because the network asked for it or the breaker is open.
	Wait time.Time `json:"wait,omitzero"`
	// WaitReason is throttled or unreachable.
	WaitReason string `json:"wait_reason,omitempty"`
	// Failures counts attempts in a row that did not reach the network; Failing is when the first of them was.
	Failures int       `json:"failures,omitempty"`
	Failing  time.Time `json:"failing,omitzero"`
	Pause    *Pause    `json:"pause,omitempty"`
	// Rebind allows the channel to go on with another account once; nil when nobody does.
	Rebind *Rebind `json:"rebind,omitempty"`
}

// Rebind is a person's word that the channel may leave its account for the one that it is configured for.
type Rebind struct {
	At time.Time `json:"at"`
	By string    `json:"by"`
}

// rebindFor is how long that word holds: one that was forgotten is not to let a slip in the configuration pass later.
const rebindFor = 24 * time.Hour

// MayRebind reports whether a person has allowed another account, not long ago.
func (c *Channel) MayRebind(now time.Time) bool {
	return c.Rebind != nil && now.Before(c.RebindUntil())
}

// RebindUntil is when the word of a person, which must be there, ends to hold.
func (c *Channel) RebindUntil() time.Time { return c.Rebind.At.Add(rebindFor) }

// Resume ends a pause and everything that the channel waits for.
func (c *Channel) Resume() {
	c.Pause, c.Failures, c.Failing, c.Wait, c.WaitReason = nil, 0, time.Time{}, time.Time{}, ""
}

// Pause stops a channel until somebody resumes it. Its queue is kept.
type Pause struct {
	At time.Time `json:"at"`
	// Reason is a closed word: refused, gone, account_changed, operator, restored.
	Reason string `json:"reason"`
	Text   string `json:"text,omitempty"`
	// Credential tells credentials apart without holding them: other ones end a pause that they were the reason for.
	Credential string `json:"credential,omitempty"`
}

// The reasons of a [Pause] that are no kind of fault.
const (
	AccountChanged = "account_changed"
	ByOperator     = "operator"
	Restored       = "restored" // the ledger is that of a backup: what was sent after it is not known
)
