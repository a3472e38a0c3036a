package mail

import (
	netmail "net/mail"
	"strings"

	"golang.org/x/net/idna"

	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
)

// mailbox reads "Name <news@example.org>" or a bare address and puts its domain into ASCII. The text itself stands in no error:
// it may be a reader's.
func mailbox(what, text string) (*netmail.Address, error) {
	if strings.ContainsFunc(text, control) {
		return nil, fault.Errorf(fault.Invalid, "%s holds a line break or control character", what)
	}
	a, err := netmail.ParseAddress(text)
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "%s is no mailbox; write it as News <news@example.org>", what)
	}
	if a.Address, err = route(what, a.Address); err != nil {
		return nil, err
	}
	return a, nil
}

// route puts the domain of an address into ASCII, as RFC 5890 has it, so that only a local part beyond ASCII needs a server with
// SMTPUTF8.
func route(what, address string) (string, error) {
	if err := event.CheckAddress(address); err != nil {
		return "", fault.Errorf(fault.Invalid, "%s: %w", what, err)
	}
	local, domain, _ := strings.Cut(address, "@") // CheckAddress lets no quoted local part pass, so there is one @
	ascii, err := idna.Lookup.ToASCII(domain)
	if err != nil {
		return "", fault.Errorf(fault.Invalid, "%s has a domain that is no name", what)
	}
	return local + "@" + ascii, nil
}

// ascii reports whether a text has no character beyond ASCII.
func ascii(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r > 0x7e })
}

// mailboxName writes a phrase as it stands before an address in brackets: quoted, or encoded beyond ASCII.
func mailboxName(name string) string {
	if name == "" {
		return ""
	}
	const bare = "a@b.c"
	return strings.TrimSuffix((&netmail.Address{Name: name, Address: bare}).String(), " <"+bare+">")
}
