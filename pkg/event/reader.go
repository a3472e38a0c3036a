package event

import (
	"net/mail"
	"slices"
	"strings"
	"time"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/fault"
)

// RequestsOfReaders is how the keys of a [ReaderRequest] begin in [BucketRequests]; the id of the request follows.
const RequestsOfReaders = "newsletter."

// The modes of a [ReaderRequest].
const (
	// ReaderSubscribe asks for a list by an address. Whoever reads the mails of the address has to confirm.
	ReaderSubscribe = "subscribe"
	// ReaderConfirm says with the token of the mail that it was meant.
	ReaderConfirm = "confirm"
	// ReaderPrefer changes what a reader wants.
	ReaderPrefer = "prefer"
	// ReaderUnsubscribe ends it, from the page or by one click of a mail program (RFC 8058).
	ReaderUnsubscribe = "unsubscribe"
)

// ReaderRequest is what somebody asked for on the pages of the newsletters. Nothing in it is verified yet but its form:
// the public port knows no reader and no token.
type ReaderRequest struct {
	ID   string    `json:"id"`
	Time time.Time `json:"time"`
	Mode string    `json:"mode"`
	// List and Address belong to ReaderSubscribe. List is the id of a channel.
	List    string `json:"list,omitempty"`
	Address Hidden `json:"address,omitempty"`
	// Token belongs to the other modes. It came by mail, and only deliver can tell whose it is.
	Token Hidden `json:"token,omitempty"`
	// Wishes belong to ReaderSubscribe and ReaderPrefer.
	Wishes *Wishes `json:"wishes,omitempty"`
	// Language is that of the form, in which the mails speak: de or en.
	Language string `json:"language,omitempty"`
	// Form names the text that was agreed to, and Client the network address it came from: the proof of ReaderSubscribe
	// and ReaderConfirm.
	Form   string `json:"form,omitempty"`
	Client Hidden `json:"client,omitempty"`
}

// The periods of [Wishes].
const (
	Immediate = "immediate"
	Daily     = "daily"
	Weekly    = "weekly"
)

// Wishes are what a reader wants of a list, and when.
type Wishes struct {
	// Period is immediate, daily or weekly.
	Period string `json:"period"`
	// Weekday is that of a weekly mail, 1 for Monday to 7 for Sunday (ISO 8601).
	Weekday int `json:"weekday,omitempty"`
	// Hour is that of a daily or weekly mail, 0 to 23, in Zone (a name of the IANA database, empty for UTC).
	Hour int    `json:"hour"`
	Zone string `json:"zone,omitempty"`
	// Tags and Sources narrow the list: a reader gets what has one of the tags, if there are any, and comes from one of the
	// sources, if there are any. They are ids.
	Tags    []string `json:"tags,omitempty"`
	Sources []string `json:"sources,omitempty"`
}

// VerbPreferences is the verb by which the public port asks deliver what a token's reader has chosen: a
// [PreferencesQuestion] is answered by [Preferences]. A token of nobody is [fault.Gone].
const VerbPreferences = "preferences"

// PreferencesQuestion names a reader by the token of a mail.
type PreferencesQuestion struct {
	Token Hidden `json:"token"`
}

// Preferences are what a reader has chosen.
type Preferences struct {
	List string `json:"list"`
	// Address is masked, as "a***@example.org": whoever has the mail knows it, and nobody else shall.
	Address  string `json:"address"`
	Wishes   Wishes `json:"wishes"`
	Language string `json:"language"`
}

const (
	// maxAddress is the longest address that a mail can have (RFC 5321 section 4.5.3.1.3, less the brackets).
	maxAddress = 254
	// maxToken is the longest token in bytes, a limit of ours.
	maxToken = 256
	// maxChoices is how many tags, and how many sources, a reader may choose, a limit of ours.
	maxChoices = 100
	// maxZone is more than the longest name of a zone.
	maxZone = 64
)

// Check says what is wrong with the form of a request. No value of it stands in the errors.
func (r ReaderRequest) Check() error {
	switch r.Mode {
	case ReaderSubscribe:
		if !article.ValidName(r.List) {
			return fault.Errorf(fault.Invalid, "list is no id of a list")
		}
		if err := CheckAddress(string(r.Address)); err != nil {
			return err
		}
	case ReaderConfirm, ReaderPrefer, ReaderUnsubscribe:
		if !tokenShaped(string(r.Token)) {
			return fault.Errorf(fault.Invalid, "token is none of ours; open the address of the mail as it stands there")
		}
	default:
		return fault.Errorf(fault.Invalid, "mode is none of subscribe, confirm, prefer and unsubscribe")
	}
	if r.Mode != ReaderSubscribe && r.Mode != ReaderPrefer {
		return nil
	}
	if r.Wishes == nil {
		return fault.Errorf(fault.Invalid, "period is missing")
	}
	return r.Wishes.Check()
}

// CheckAddress says why mail cannot be sent to an address: it is one mailbox without a name, as RFC 5321 section 4.1.2
// has it, in ASCII or UTF-8 (RFC 6531). Control characters, quotes and more than one address are refused.
func CheckAddress(address string) error {
	at := strings.LastIndexByte(address, '@')
	parsed, err := mail.ParseAddress(address)
	switch {
	case address == "":
		return fault.Errorf(fault.Invalid, "address is missing")
	case len(address) > maxAddress:
		return fault.Errorf(fault.Invalid, "address is longer than %d bytes", maxAddress)
	case err != nil || parsed.Name != "" || parsed.Address != address || at > 64 || strings.ContainsAny(address, " \t\r\n\"\\<>(),;:[]") ||
		!strings.Contains(address[at+1:], "."):
		return fault.Errorf(fault.Invalid, "address is no address of a mailbox, such as reader@example.org")
	}
	return nil
}

// tokenShaped reports whether a text can be a token: letters, digits, hyphen and underscore.
func tokenShaped(token string) bool {
	return token != "" && len(token) <= maxToken && !strings.ContainsFunc(token, func(c rune) bool {
		return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_')
	})
}

// Check says what is wrong with wishes. The zone is not looked up here.
func (w Wishes) Check() error {
	switch {
	case w.Period != Immediate && w.Period != Daily && w.Period != Weekly:
		return fault.Errorf(fault.Invalid, "period is none of immediate, daily and weekly")
	case w.Period == Weekly && (w.Weekday < 1 || w.Weekday > 7):
		return fault.Errorf(fault.Invalid, "weekday is not within 1 and 7")
	case w.Hour < 0 || w.Hour > 23:
		return fault.Errorf(fault.Invalid, "hour is not within 0 and 23")
	case len(w.Zone) > maxZone:
		return fault.Errorf(fault.Invalid, "zone is no name of a time zone")
	case len(w.Tags) > maxChoices || len(w.Sources) > maxChoices:
		return fault.Errorf(fault.Invalid, "more than %d tags or sources are chosen", maxChoices)
	case slices.ContainsFunc(slices.Concat(w.Tags, w.Sources), func(id string) bool { return id == "" || len(id) > 200 }):
		return fault.Errorf(fault.Invalid, "a chosen tag or source is no id")
	}
	return nil
}

// String names the request. Neither address nor token stand in it.
func (r ReaderRequest) String() string { return r.Mode + " request " + r.ID + " of a reader" }
