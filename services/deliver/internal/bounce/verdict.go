package bounce

import (
	"regexp"
	"strings"

	"tidings.internal/pkg/fault"
)

// Verdict is what a report means for a reader.
type Verdict string

// The verdicts.
const (
	// Hard: the address takes no mail and will take none.
	Hard Verdict = "hard"
	// Soft: it takes none now, as of a full mailbox. Several in a row are as good as hard.
	Soft Verdict = "soft"
	// Complaint: the reader calls the mail spam.
	Complaint Verdict = "complaint"
	// Policy: the server wants no mail from us. It says nothing about the reader.
	Policy Verdict = "policy"
	// None: nothing follows.
	None Verdict = ""
)

// Judge is the verdict about a recipient of an SMTP reply and its enhanced code (RFC 3463), which may be empty. Either alone is enough.
func Judge(code int, enhanced string) Verdict {
	class, rest, _ := strings.Cut(enhanced, ".")
	if enhanced == "" {
		class, rest = string(rune('0'+code/100%10)), ""
		if code == 552 { // exceeded storage allocation (RFC 5321 section 4.2.3), from before there was 5.2.2
			rest = "2.2"
		}
	}
	switch {
	case class == "4":
		return Soft
	case class != "5":
		return None
	case rest == "2.2" || rest == "3.4": // mailbox full, message too big for it
		return Soft
	case strings.HasPrefix(rest, "7."):
		return Policy
	}
	return Hard
}

// prefix begins the local part of the addresses to which bounces go.
const prefix = "bounce+"

// tokenForm leaves room for the prefix: a local part has at most 64 bytes (RFC 5321 section 4.5.3.1.1).
var tokenForm = regexp.MustCompile(`^[a-z0-9_-]{1,57}$`)

// Address is the envelope sender of the mails that carry a token (VERP). The token is in lower case, as servers may fold it, and has at most
// 57 letters, digits, hyphens and underscores.
func Address(token, domain string) (string, error) {
	if !tokenForm.MatchString(token) || domain == "" {
		return "", fault.Errorf(fault.Invalid, "make address of bounces: the token is none of at most 57 small letters and digits, or there is no domain")
	}
	return prefix + token + "@" + domain, nil
}

// tokens finds the addresses of a domain in the text of a header.
type tokens struct{ form *regexp.Regexp }

func tokensOf(domain string) tokens {
	return tokens{regexp.MustCompile(`(?i)(?:^|[\s<>,;:"'])` + regexp.QuoteMeta(prefix) + `([a-z0-9_-]{1,57})@` + regexp.QuoteMeta(domain) + `(?:$|[\s<>,;:"'])`)}
}

// in returns the token of the first address, or "".
func (t tokens) in(text string) string {
	if m := t.form.FindStringSubmatch(text); m != nil {
		return strings.ToLower(m[1])
	}
	return ""
}
