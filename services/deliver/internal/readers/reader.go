package readers

import (
	"slices"
	"strings"
	"time"

	"tidings.internal/pkg/event"
)

// State is where a reader stands.
type State string

// The states of a reader.
const (
	Pending    State = "pending"    // asked, and has not confirmed
	Confirmed  State = "confirmed"  // gets mails
	Left       State = "left"       // unsubscribed
	Suppressed State = "suppressed" // must not be written to
)

// States lists all states, in the order in which a reader meets them.
func States() []State { return []State{Pending, Confirmed, Left, Suppressed} }

// Reader is the row of an address on a list.
type Reader struct {
	List string `json:"list"`
	ID   string `json:"id"`
	// Index is the keyed hash of the address by which the row is found.
	Index    string       `json:"index"`
	Address  event.Hidden `json:"address"`
	State    State        `json:"state"`
	Wishes   event.Wishes `json:"wishes"`
	Language string       `json:"language,omitempty"`
	// Asked and Agreed are the proof: how the list was asked for, and how that was confirmed.
	Asked  Proof `json:"asked"`
	Agreed Proof `json:"agreed,omitzero"`
	// Tokens are those that may still confirm.
	Tokens []Token `json:"tokens,omitempty"`
	// Told are the times of the mails of the last day that asked for a confirmation.
	Told []time.Time `json:"told,omitempty"`

	// Since is when the wishes came into force. Periods that were due before are none of theirs.
	Since time.Time `json:"since,omitzero"`
	// Period is the key of the last period that was dealt with.
	Period string `json:"period,omitempty"`
	// Cursor is the ordinal of the last story that was told, or left out.
	Cursor uint64 `json:"cursor,omitempty"`
	// Mail is the one in hand, nil for none.
	Mail *Mail `json:"mail,omitempty"`
	// Soft counts the mails in a row that bounced softly; Bounced says that the last one did.
	Soft    int    `json:"soft,omitempty"`
	Bounced bool   `json:"bounced,omitempty"`
	Reason  string `json:"reason,omitempty"`
	History []Step `json:"history,omitempty"`
}

// Proof is how something was said on a page.
type Proof struct {
	At time.Time `json:"at,omitzero"`
	// Form names the text that was agreed to, Client the network address that it came from.
	Form   string       `json:"form,omitempty"`
	Client event.Hidden `json:"client,omitempty"`
}

// Token is one that was sent for a confirmation.
type Token struct {
	// Hash is its SHA-256, in hex.
	Hash  string    `json:"hash"`
	Until time.Time `json:"until"`
}

// Mail is a mail that is to be sent.
type Mail struct {
	// Confirm says that it asks for a confirmation; else it tells stories.
	Confirm bool `json:"confirm,omitempty"`
	// Period is the key of the period that it is the mail of, and Date the instant at which that was due.
	Period string    `json:"period,omitempty"`
	Date   time.Time `json:"date"`
	// To is the ordinal of the last story that it may tell. It was fixed when the period began.
	To uint64 `json:"to,omitempty"`
	// Attempt counts the tries, First is when the first one was, Due when the next one may be.
	Attempt int       `json:"attempt,omitempty"`
	First   time.Time `json:"first,omitzero"`
	Due     time.Time `json:"due"`
	// Sending is when a try came to the point from which on the mail may be out; zero while it surely is not.
	Sending time.Time `json:"sending,omitzero"`
}

// Step is something that happened to a reader.
type Step struct {
	At   time.Time `json:"at"`
	What string    `json:"what"`
	// Period belongs to a mail, Reason to what went wrong, Request is the id of what was asked for.
	Period  string `json:"period,omitempty"`
	Reason  string `json:"reason,omitempty"`
	Request string `json:"request,omitempty"`
}

// maxHistory is how many steps a row remembers.
const maxHistory = 20

// String names the reader without the address.
func (r *Reader) String() string { return "reader " + r.List + "/" + r.ID }

// clone returns a copy that can be changed without touching r.
func (r *Reader) clone() *Reader {
	c := *r
	c.Tokens, c.Told, c.History = slices.Clone(r.Tokens), slices.Clone(r.Told), slices.Clone(r.History)
	if r.Mail != nil {
		c.Mail = new(*r.Mail)
	}
	return &c
}

// note keeps a step; the oldest are forgotten.
func (r *Reader) note(s Step) {
	s.At = s.At.UTC()
	r.History = append(r.History, s)
	r.History = r.History[max(0, len(r.History)-maxHistory):]
}

// dealt reports whether a request has been dealt with, as far as the row remembers: it comes again when a process ended, or
// the bus was away, between the row and the end of the request.
func (r *Reader) dealt(request string) bool {
	return request != "" && slices.ContainsFunc(r.History, func(s Step) bool { return s.Request == request })
}

// Mask shows enough of an address for its owner to know it: "a***@example.org".
func Mask(address event.Hidden) string {
	local, domain, _ := strings.Cut(string(address), "@")
	first := ""
	for _, c := range local {
		first = string(c)
		break
	}
	return first + "***@" + domain
}

// domainOf is the domain of an address.
func domainOf(address event.Hidden) string {
	return strings.ToLower(string(address)[strings.LastIndexByte(string(address), '@')+1:])
}
