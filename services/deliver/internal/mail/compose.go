package mail

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/url"
	"regexp"
	"strings"
	"time"
	"unicode"

	"github.com/wneessen/go-mail"

	"tidings.internal/pkg/fault"
)

// Message is a mail before it is bytes. Everything in it is taken for hostile: what could end a header or hide in one is
// refused or encoded.
type Message struct {
	// ID is the Message-ID without brackets, such as 3n2xnxk5c222b@news.example.org. Equal mails have equal ones.
	ID string
	// Date is the header of that name, in whole seconds of UTC.
	Date time.Time
	// From and ReplyTo are mailboxes of RFC 5322: "News <news@example.org>" or a bare address. ReplyTo may be empty.
	From, ReplyTo string
	// To is a bare address.
	To string
	// Subject is one line. Line breaks become spaces, other control characters go.
	Subject string
	// Text and HTML are the two parts, both required: the same words and the same links.
	Text, HTML string
	// Language is that of both, as in "de"; empty for none.
	Language string
	// ListID is that of RFC 2919, such as letter.news.example.org, empty for a mail of no list. ListName may be empty.
	ListID, ListName string
	// Unsubscribe is the https address that ends the subscription by one POST (RFC 8058). Empty leaves both headers out.
	Unsubscribe string
	// Auto marks a mail that answers somebody's action (RFC 3834), so that no vacation note answers it.
	Auto bool
}

// maxSubject is the longest subject in bytes: encoded, folded and with its name, no line comes near the 998 of RFC 5322 section 2.1.1
// even without a space.
const maxSubject = 800

var (
	idForm       = regexp.MustCompile(`^[A-Za-z0-9._+=-]{1,128}@[A-Za-z0-9.-]{1,253}$`)
	listIDForm   = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+$`)
	languageForm = regexp.MustCompile(`^([A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*)?$`)
	// encodedWord is what a mail program decodes (RFC 2047 section 2): a title of this form would show as something else.
	encodedWord = regexp.MustCompile(`=\?([^?\s]+\?[bBqQ]\?)`)
)

// Compose writes a message as multipart/alternative in quoted-printable, with lines of at most 76 bytes. Equal messages are equal
// bytes: boundary, date and id come from the message, and no clock and no chance enters. A message that cannot be a mail is
// [fault.Invalid]; no address stands in the error.
func Compose(m Message) ([]byte, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	from, err := mailbox("from", m.From)
	if err != nil {
		return nil, err
	}
	to, err := mailbox("recipient", m.To)
	if err != nil {
		return nil, err
	}
	to.Name = ""
	out := mail.NewMsg(mail.WithNoDefaultUserAgent(), mail.WithEncoding(mail.EncodingQP), mail.WithBoundary(m.boundary()))
	out.FromMailAddress(from)
	out.ToMailAddress(to)
	if m.ReplyTo != "" {
		reply, err := mailbox("reply_to", m.ReplyTo)
		if err != nil {
			return nil, err
		}
		out.ReplyToMailAddress(reply)
	}
	out.Subject(subject(m.Subject))
	out.SetDateWithValue(m.Date.UTC())
	out.SetMessageIDWithValue(m.ID)
	for _, h := range []struct {
		name  mail.Header
		value string
	}{
		{mail.HeaderContentLang, m.Language},
		{"List-Id", m.listID()},
		{mail.HeaderListUnsubscribe, enclosed(m.Unsubscribe)},
	} {
		if h.value != "" {
			out.SetGenHeader(h.name, h.value)
		}
	}
	if m.Unsubscribe != "" {
		out.SetGenHeader(mail.HeaderListUnsubscribePost, "List-Unsubscribe=One-Click") // RFC 8058 section 3.1
	}
	if m.Auto {
		out.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834 section 5
	}
	out.SetBodyWriter(mail.TypeTextPlain, body(m.Text))
	out.AddAlternativeWriter(mail.TypeTextHTML, body(m.HTML))
	var raw bytes.Buffer
	raw.Grow(headroom + (len(m.Text)+len(m.HTML))*9/8)
	if _, err := out.WriteTo(&raw); err != nil {
		return nil, fault.Errorf(fault.Internal, "write mail: %w", err)
	}
	return raw.Bytes(), nil
}

// check refuses what stands in headers and has no encoding, or is missing.
func (m *Message) check() error {
	wrong := ""
	switch {
	case !idForm.MatchString(m.ID):
		wrong = "id is no id@domain"
	case m.Date.IsZero():
		wrong = "date is missing"
	case subject(m.Subject) == "":
		wrong = "subject is empty"
	case len(subject(m.Subject)) > maxSubject:
		wrong = "subject is longer than 800 bytes"
	case strings.TrimSpace(m.Text) == "" || strings.TrimSpace(m.HTML) == "":
		wrong = "text or html is empty; a mail has both"
	case m.ListID != "" && (!listIDForm.MatchString(m.ListID) || len(m.ListID) > 253):
		wrong = "list id is no name like letter.news.example.org"
	case len(m.ListName) > maxSubject:
		wrong = "list name is longer than 800 bytes"
	case !languageForm.MatchString(m.Language):
		wrong = "language is no tag like de"
	case m.Unsubscribe != "" && !oneClick(m.Unsubscribe):
		wrong = "the address of one-click unsubscription is no https address (RFC 8058)"
	default:
		return nil
	}
	return fault.Errorf(fault.Invalid, "compose mail: %s", wrong)
}

// maxLink is the longest address in a header: it cannot be folded, and a line has 998 bytes.
const maxLink = 900

func oneClick(link string) bool {
	u, err := url.Parse(link)
	return err == nil && u.Scheme == "https" && u.Host != "" && u.User == nil && len(link) <= maxLink && ascii(link) &&
		!strings.ContainsAny(link, " <>,\"") && !strings.ContainsFunc(link, control)
}

func enclosed(link string) string {
	if link == "" {
		return ""
	}
	return "<" + link + ">"
}

// listID is a phrase and the id in brackets (RFC 2919 section 3). The phrase is encoded here: the library would encode the
// brackets with it.
func (m *Message) listID() string {
	if m.ListID == "" {
		return ""
	}
	named := mailboxName(subject(m.ListName))
	return strings.TrimSpace(named + " <" + m.ListID + ">")
}

// headroom is about what the headers of a mail need, and an eighth of its parts what their encoding adds.
const headroom = 4 << 10

// boundary separates the parts. It is made of what only this mail has, and stands in neither part.
func (m *Message) boundary() string {
	seed := m.ID + "\x00" + m.To + "\x00" + m.Subject
	for {
		sum := sha256.Sum256([]byte(seed))
		boundary := hex.EncodeToString(sum[:20])
		if !strings.Contains(m.Text, boundary) && !strings.Contains(m.HTML, boundary) {
			return boundary
		}
		seed = boundary
	}
}

// subject makes one line of a text: a title comes from a feed, and a line break in it would begin another header.
func subject(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case control(r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
	return encodedWord.ReplaceAllString(strings.Join(strings.Fields(text), " "), "= ?$1")
}

// control reports whether a character commands instead of being shown: those of ASCII and Latin-1, and those that turn the direction of a line
// (Unicode Standard Annex 9), by which a subject looks like another.
func control(r rune) bool {
	return unicode.IsControl(r) || r >= 0x202A && r <= 0x202E || r >= 0x2066 && r <= 0x2069 || r == 0x2028 || r == 0x2029
}

// body writes a part with line ends in one form, so that the encoder need not guess which of them are data, and one at its end.
func body(text string) func(io.Writer) (int64, error) {
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\r\n", "\n")
	text = strings.TrimRight(strings.ReplaceAll(text, "\r", "\n"), "\n")
	return func(w io.Writer) (int64, error) {
		n, err := io.WriteString(w, text)
		if err != nil {
			return int64(n), err
		}
		end, err := io.WriteString(w, "\n")
		return int64(n + end), err
	}
}
