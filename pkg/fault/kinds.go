package fault

import "time"

// Kind is the class of an error. Its text is the metric label, the reason of a dead letter and the word an operator
// sees, so it is part of the public contract.
type Kind string

// The kinds. Each row of [Table] says what follows from one.
const (
	// Invalid is wrong and stays wrong: a configuration, an argument, a post answered with 400 or 422.
	Invalid Kind = "invalid"
	// Malformed is a document or message from outside that cannot be read.
	Malformed Kind = "malformed"
	// TooLarge is past a limit of ours or of the other side (HTTP 413).
	TooLarge Kind = "too_large"
	// Gone means that the target has ended for good (HTTP 410, or 404 where that is final).
	Gone Kind = "gone"
	// Refused is a matter of credentials or permission (HTTP 401, 403).
	Refused Kind = "refused"
	// Throttled asks us to wait (HTTP 408, 425, 429, 503; a full stream).
	Throttled Kind = "throttled"
	// Unreachable means that nothing was accepted: DNS, connect, TLS, a time-out before bytes left, a 5xx answer to an
	// idempotent request, a broker that is down.
	Unreachable Kind = "unreachable"
	// Uncertain was sent and has an unknown outcome: a time-out or 5xx after a body that is not idempotent.
	Uncertain Kind = "uncertain"
	// Conflict is a compare-and-set that was lost.
	Conflict Kind = "conflict"
	// Internal is a bug of ours, a recovered panic included.
	Internal Kind = "internal"
)

// Verdict is what a consume loop does with a message whose handler returned a fault.
type Verdict int

const (
	// Ack: the message is done with; somebody else holds what is left to do.
	Ack Verdict = iota
	// Backoff: give the message back and let the wait grow with each delivery.
	Backoff
	// Soon: give it back after [SoonAfter]; reading again is likely to settle it.
	Soon
	// Wait: give it back after the time the fault names, or [LongAfter] when it names none, at most [LongAfter].
	Wait
	// DeadLetter: keep a copy for an operator and take the message out of the way.
	DeadLetter
)

const (
	// SoonAfter is the wait of a lost compare-and-set: long enough for the winner to finish, short enough not to show.
	SoonAfter = 100 * time.Millisecond
	// LongAfter is the longest wait of a message in the broker. Waiting messages count against the consumer's
	// MaxAckPending, so a longer one would stall the others.
	LongAfter = 2 * time.Minute
)

// Row is what follows from a kind.
type Row struct {
	Kind    Kind
	Verdict Verdict
	// Exit is the exit code of a command that ends with this kind.
	Exit int
	// Sentence tells an operator what the kind means. It has no full stop, so that an object can follow it.
	Sentence string
	// Hint tells what to do about it.
	Hint string
}

// Exit codes that no kind decides.
const (
	ExitOK      = 0 // all is well
	ExitUsage   = 2 // the command line is wrong
	ExitPartial = 4 // some of it worked; the counts are in the output
)

// Table lists every kind with its consequences, in the order of the constants. The slice is a copy.
func Table() []Row {
	return []Row{
		{Invalid, DeadLetter, 1, "it is not valid and will not become so by waiting", "correct it, then retry"},
		{Malformed, DeadLetter, 1, "a document or message from outside cannot be read", "look at what was sent; retry once the sender is repaired"},
		{TooLarge, DeadLetter, 1, "it is larger than a limit allows", "shorten it, or raise the limit if it is ours"},
		{Gone, DeadLetter, 1, "the other side has ended this address for good", "remove it, or give its new address"},
		{Refused, Wait, 1, "the other side refused the credentials or the permission", "check the token or the rights, then resume"},
		{Throttled, Wait, 1, "the other side asks us to wait", "nothing: it goes on by itself after the time named"},
		{Unreachable, Backoff, 3, "the other side could not be reached", "nothing if it is passing; else check address, network and firewall"},
		{Uncertain, Ack, 1, "it was sent, but whether it arrived is not known", "look at the target before sending again"},
		{Conflict, Soon, 1, "somebody else changed it at the same moment", "nothing: it is read again and settled"},
		{Internal, Backoff, 1, "Tidings itself went wrong", "please report it with the log lines around it"},
	}
}

// Row returns the consequences of k. A kind that is not in [Table] has those of [Internal].
func (k Kind) Row() Row {
	rows := Table()
	for _, r := range rows {
		if r.Kind == k {
			return r
		}
	}
	return rows[len(rows)-1]
}
