package readers

import (
	"slices"
	"time"

	"tidings.internal/pkg/event"
	"tidings.internal/services/deliver/internal/period"
)

const (
	// tokenLife is how long a confirmation may take.
	tokenLife = 7 * 24 * time.Hour
	// mailsPerDay is how many mails a day ask an address for a confirmation, whoever wants them to: a form must not be a way
	// to trouble others.
	mailsPerDay = 3
	day         = 24 * time.Hour
)

// ByOperator begins the form of what an operator asks for in place of the reader: an address that is known is left alone.
const ByOperator = "operator"

// The functions below say what a request makes of a row. They return the new row, or nil for one that stays as it is: a
// request may come any number of times.

// subscribe asks for a confirmation. told is how many mails of this day did so at the address, on all lists.
func subscribe(old *Reader, r event.ReaderRequest, id, index string, told int, now time.Time) *Reader {
	switch {
	case old == nil:
		old = &Reader{List: r.List, ID: id, Index: index}
	case old.dealt(r.ID) || old.State == Confirmed || old.State == Suppressed, r.Form == ByOperator:
		return nil // who asks is answered the same in any case
	}
	waits := old.Mail != nil && old.Mail.Confirm && old.Mail.Sending.IsZero()
	if !waits && told >= mailsPerDay {
		return nil
	}
	n := old.clone()
	n.Address, n.State, n.Language, n.Reason = r.Address, Pending, r.Language, ""
	n.Wishes = *r.Wishes
	n.Asked, n.Agreed = Proof{At: r.Time.UTC(), Form: r.Form, Client: r.Client}, Proof{}
	if !waits {
		n.Mail = &Mail{Confirm: true, Date: now.UTC(), Due: now.UTC()}
	}
	n.note(Step{At: now, What: "asked", Request: r.ID})
	return n
}

// confirm puts a pending row into force. cursor is the place behind which stories are news.
func confirm(old *Reader, r event.ReaderRequest, cursor uint64, now time.Time) *Reader {
	if old == nil || old.State != Pending || old.dealt(r.ID) {
		return nil
	}
	hash := tokenHash(string(r.Token))
	if !slices.ContainsFunc(old.Tokens, func(t Token) bool { return t.Hash == hash && now.Before(t.Until) }) {
		return nil
	}
	n := old.clone()
	n.State, n.Tokens, n.Mail, n.Soft, n.Bounced = Confirmed, nil, nil, 0, false
	n.Agreed = Proof{At: r.Time.UTC(), Form: r.Form, Client: r.Client}
	n.Since, n.Cursor, n.Period = now.UTC(), cursor, ""
	n.note(Step{At: now, What: "confirmed", Request: r.ID})
	return n
}

// prefer changes what a reader wants.
func prefer(old *Reader, r event.ReaderRequest, now time.Time) *Reader {
	if old == nil || old.State != Confirmed || old.dealt(r.ID) {
		return nil
	}
	if _, err := period.New(*r.Wishes); err != nil {
		return nil
	}
	n := old.clone()
	n.Wishes, n.Since = *r.Wishes, now.UTC()
	if r.Language != "" {
		n.Language = r.Language
	}
	if n.Mail != nil && n.Mail.Sending.IsZero() {
		n.Mail = nil // it is surely not out, and its stories go into the next one
	}
	n.note(Step{At: now, What: "preferred", Request: r.ID})
	return n
}

// unsubscribe ends it. Any mail has to change the row before it leaves, and does not find it as it was.
func unsubscribe(old *Reader, request string, now time.Time) *Reader {
	if old == nil || old.State != Confirmed && old.State != Pending || old.dealt(request) {
		return nil
	}
	n := old.clone()
	n.State, n.Mail, n.Tokens = Left, nil, nil
	n.note(Step{At: now, What: "left", Request: request})
	return n
}

// suppress ends it for good.
func suppress(old *Reader, reason string, now time.Time) *Reader {
	if old == nil || old.State == Suppressed {
		return nil
	}
	n := old.clone()
	n.State, n.Mail, n.Tokens, n.Reason = Suppressed, nil, nil, reason
	n.note(Step{At: now, What: "suppressed", Reason: reason})
	return n
}

// lift takes a suppression back. The reader is none again: only the owner of the address can ask for mails.
func lift(old *Reader, now time.Time) *Reader {
	if old == nil || old.State != Suppressed {
		return nil
	}
	n := old.clone()
	n.State, n.Reason, n.Soft, n.Bounced = Left, "", 0, false
	n.note(Step{At: now, What: "lifted"})
	return n
}

// toldToday is how many mails of a row asked for a confirmation within a day, with the one that waits.
func (r *Reader) toldToday(now time.Time) int {
	n := 0
	for _, at := range r.Told {
		if now.Sub(at) < day {
			n++
		}
	}
	if r.Mail != nil && r.Mail.Confirm && r.Mail.Sending.IsZero() {
		n++
	}
	return n
}
