package readers

import (
	"time"
)

// What became of a try to send a mail.
const (
	Sent    = "sent"
	Lost    = "lost"    // handed over, and nobody heard whether it was taken: it counts as sent, and is not sent again
	Waits   = "waiting" // surely not taken; again later
	Failed  = "failed"  // refused for good; this mail alone
	Barred  = "barred"  // refused, and nothing more is sent to the address
	Empty   = "empty"   // nothing was left to tell
	Skipped = "skipped" // the reader has left, or the row has changed
)

const (
	// giveUp is how long a mail is tried.
	giveUp = 48 * time.Hour
	// lastRetry is the wait behind those of retries.
	lastRetry = 8 * time.Hour
	// dotLimit is longer than a try can wait for the answer to its final dot (RFC 5321 section 4.5.3.2.6 has ten minutes).
	dotLimit = 11 * time.Minute
	// softLimit is how many mails in a row may bounce softly.
	softLimit = 3
)

// retries are the waits after the first, second ... try that was put off.
func retries() []time.Duration {
	return []time.Duration{5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 4 * time.Hour}
}

// The functions below move the mail of a reader. Each returns a new row.

// begin puts the mail of a period in hand. What it may tell is fixed here: what arrives later belongs to the next.
func (r *Reader) begin(key string, due time.Time, to uint64, now time.Time) *Reader {
	n := r.clone()
	n.Mail = &Mail{Period: key, Date: due.UTC(), To: to, Due: now.UTC()}
	return n
}

// pass deals with a period of which there is nothing to tell.
func (r *Reader) pass(key string, to uint64) *Reader {
	n := r.clone()
	n.Mail, n.Period, n.Cursor = nil, key, max(n.Cursor, to)
	return n
}

// send commits to a try: from here on the mail may be out. hash is that of the token in a mail that asks for a confirmation.
func (r *Reader) send(hash string, now time.Time) *Reader {
	n := r.clone()
	m := n.Mail
	m.Attempt++
	m.Sending = now.UTC()
	if m.First.IsZero() {
		m.First = now.UTC()
	}
	if m.Confirm {
		n.Tokens = append(n.Tokens, Token{Hash: hash, Until: now.Add(tokenLife).UTC()})
		n.Tokens = n.Tokens[max(0, len(n.Tokens)-mailsPerDay):]
		n.Told = append(n.Told, now.UTC())
		n.Told = n.Told[max(0, len(n.Told)-mailsPerDay):]
	}
	return n
}

// end deals with the mail in hand for good.
func (r *Reader) end(what, reason string, now time.Time) *Reader {
	n := r.clone()
	m := n.Mail
	n.note(Step{At: now, What: what, Period: m.Period, Reason: reason})
	if !m.Confirm {
		n.Period, n.Cursor = m.Period, max(n.Cursor, m.To)
	}
	n.Mail = nil
	return n
}

// sent is the end of a mail that was taken, or may have been. A mail that was taken and did not bounce ends a row of soft
// bounces; that of this mail may still come.
func (r *Reader) sent(what string, now time.Time) *Reader {
	n := r.end(what, "", now)
	if !n.Bounced {
		n.Soft = 0
	}
	n.Bounced = false
	return n
}

// postpone has the mail in hand, which was surely not taken, tried again; once it was tried for too long it ends as a soft
// bounce. counts says that the try was one at the reader, and not at a server that cannot be reached.
func (r *Reader) postpone(reason string, counts bool, now time.Time) *Reader {
	n := r.clone()
	m := n.Mail
	tried := !m.Sending.IsZero()
	m.Sending = time.Time{}
	if !counts {
		if tried {
			m.Attempt--
			n.untell()
		}
		if m.Attempt == 0 {
			m.First = time.Time{}
		}
		m.Due = now.UTC()
		return n
	}
	if !tried {
		m.Attempt++
	} else {
		n.untell()
	}
	if m.First.IsZero() {
		m.First = now.UTC()
	}
	wait := lastRetry
	if list := retries(); m.Attempt <= len(list) {
		wait = list[m.Attempt-1]
	}
	m.Due = now.Add(wait).UTC()
	if m.Due.Sub(m.First) > giveUp {
		return n.end(Failed, reason, now).softly(now)
	}
	n.note(Step{At: now, What: Waits, Period: m.Period, Reason: reason})
	return n
}

// untell forgets the token of a mail that was surely not taken.
func (r *Reader) untell() {
	if r.Mail.Confirm {
		r.Tokens = r.Tokens[:max(0, len(r.Tokens)-1)]
		r.Told = r.Told[:max(0, len(r.Told)-1)]
	}
}

// softly counts a mail that was refused for a reason that may pass.
func (r *Reader) softly(now time.Time) *Reader {
	n := r.clone()
	n.Soft++
	n.Bounced = true
	if n.Soft < softLimit {
		return n
	}
	return suppress(n, "soft", now)
}

// bounced counts a soft bounce that came by mail, one for each mail of ours: more than one server on its way may have sent it.
func (r *Reader) bounced(note string, now time.Time) *Reader {
	if r == nil || r.State != Confirmed && r.State != Pending || r.Bounced || r.dealt(note) {
		return nil
	}
	n := r.clone()
	n.note(Step{At: now, What: "bounced", Reason: "soft", Request: note})
	return n.softly(now)
}
