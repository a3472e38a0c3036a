package ledger

import (
	"fmt"
	"slices"
)

// State is where a row stands.
type State string

// The states of a row.
const (
	Planned   State = "planned"   // waits for its turn
	Held      State = "held"      // waits for a person, or for its hold to run out
	Approved  State = "approved"  // as planned, cleared by a person or by time
	Sending   State = "sending"   // committed before the first byte of the final request
	Waiting   State = "waiting"   // surely not accepted; again when due
	Uncertain State = "uncertain" // perhaps accepted
	Sent      State = "sent"      // has a receipt
	Failed    State = "failed"    // refused for good
	Skipped   State = "skipped"   // never sent
	Listed    State = "listed"    // a story on a mailing list
	Deleted   State = "deleted"   // taken back where it was sent
)

// transitions is the whole table: what is not in it does not happen. A sent row goes to deleted through sending; the
// direct way is for a person who has deleted the post by hand.
var transitions = map[State][]State{
	"":        {Planned, Held, Skipped, Listed},
	Planned:   {Sending, Held, Skipped}, // held by a person
	Held:      {Approved, Skipped},
	Approved:  {Sending, Held, Skipped},
	Sending:   {Sent, Waiting, Uncertain, Failed, Deleted},
	Waiting:   {Sending, Skipped, Failed},
	Uncertain: {Sent, Waiting},
	Sent:      {Sending, Deleted},
	Failed:    {Planned},
	Skipped:   {Planned},
	Listed:    {Skipped},
	Deleted:   {},
}

// States lists all states, in the order in which a row meets them.
func States() []State {
	return []State{Planned, Held, Approved, Sending, Waiting, Uncertain, Sent, Failed, Skipped, Listed, Deleted}
}

// After lists the states that may follow s; for the empty state, those in which a row may begin.
func After(s State) []State { return slices.Clone(transitions[s]) }

// Open reports whether a row in this state still has its first operation or the present one before it.
func (s State) Open() bool {
	switch s {
	case Planned, Held, Approved, Sending, Waiting, Uncertain:
		return true
	default:
		return false
	}
}

// TransitionError is a way between two states that the table does not have. Nothing was changed.
type TransitionError struct {
	Channel, Story string
	From, To       State
}

// Error names the row and the two states.
func (e *TransitionError) Error() string {
	return fmt.Sprintf("delivery %s/%s is %s, and cannot become %s from there", e.Channel, e.Story, e.From, e.To)
}

// Op is what is done at the network.
type Op string

// The operations.
const (
	Create Op = "create"
	Edit   Op = "edit"
	Delete Op = "delete"
)

// The reasons why a row is skipped.
const (
	Baseline  = "baseline"   // older than the channel
	TooOld    = "too_old"    // past the channel's max_age
	Dropped   = "dropped"    // pushed out of a full queue
	Merged    = "merged"     // part of a digest
	Rejected  = "rejected"   // by a person
	Expired   = "expired"    // nobody approved it in time
	Budget    = "budget"     // the month's money is spent
	TakenDown = "taken_down" // the article was withdrawn before it was sent
	Operator  = "operator"   // by a person, for another reason
)

// Unsupported is noted on a row whose network cannot do what an edit or a withdrawal asks for. It is no error.
const Unsupported = "unsupported"
