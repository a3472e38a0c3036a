package bounce

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"mime"
	"regexp"
	"strings"

	"github.com/emersion/go-message"
	"github.com/emersion/go-message/textproto"
)

// Note is what one report says about one reader.
type Note struct {
	// ID is the same whenever the same mail is read: whoever counts keeps it, and counts once.
	ID string
	// Token is that of the address to which the report was sent. It is not checked.
	Token   string
	Verdict Verdict
	// Status is the enhanced code of a delivery report, such as 5.1.1, empty without one.
	Status string
}

const (
	// maxParts of a report are looked at: three are usual (RFC 6522 section 3).
	maxParts = 8
	// maxPart is how many bytes of a part are read: the fields of a report, or the headers of the mail that came back.
	maxPart = 64 << 10
	// maxGroups are the recipients of a report. A mail of ours has one.
	maxGroups = 20
)

// Read reads a mail that was sent to an address of the domain. ok is false when it says nothing about a reader: it is no report, one
// of a delay or a success, or one that names no address of ours.
func Read(raw []byte, domain string) (note Note, ok bool) {
	// Of an error about an unknown charset there is an entity all the same; the fields of a report are ASCII.
	entity, err := message.ReadWithOptions(bytes.NewReader(raw), &message.ReadOptions{MaxHeaderBytes: 4 * maxPart})
	if entity == nil || err != nil && !message.IsUnknownCharset(err) && !message.IsUnknownEncoding(err) {
		return Note{}, false
	}
	kind, params, err := mime.ParseMediaType(entity.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/report" {
		return Note{}, false
	}
	t := tokensOf(domain)
	// What our own server wrote comes first: it stands above what the sender wrote.
	for _, name := range []string{"Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To", "To"} {
		if note.Token == "" {
			note.Token = first(entity.Header.Header, name, t)
		}
	}
	r := report{kind: strings.ToLower(params["report-type"]), tokens: t}
	r.read(entity)
	if note.Token == "" {
		note.Token = r.token
	}
	sum := sha256.Sum256(raw)
	note.ID, note.Verdict, note.Status = hex.EncodeToString(sum[:12]), r.verdict, r.status
	if note.Token == "" || note.Verdict == None {
		return Note{}, false
	}
	return note, true
}

// first returns the token in a header, which may stand there more than once.
func first(h textproto.Header, name string, t tokens) string {
	for f := h.FieldsByKey(name); f.Next(); {
		if token := t.in(f.Value()); token != "" {
			return token
		}
	}
	return ""
}

// report is a multipart/report (RFC 6522) that is being read.
type report struct {
	kind   string
	tokens tokens

	verdict Verdict
	status  string
	token   string
}

func (r *report) read(entity *message.Entity) {
	parts := entity.MultipartReader()
	if parts == nil {
		return
	}
	for range maxParts {
		// An error of a part ends the report: what was read before it stands.
		part, err := parts.NextPart()
		if part == nil || err != nil && !message.IsUnknownCharset(err) && !message.IsUnknownEncoding(err) {
			return
		}
		kind, _, err := mime.ParseMediaType(part.Header.Get("Content-Type"))
		if err != nil {
			continue
		}
		body := bufio.NewReader(io.LimitReader(part.Body, maxPart))
		switch kind {
		case "message/delivery-status", "message/global-delivery-status": // RFC 3464, RFC 6533
			if r.kind == "delivery-status" {
				r.delivery(body)
			}
		case "message/feedback-report": // RFC 5965
			if r.kind == "feedback-report" {
				r.complaint(body)
			}
		case "message/rfc822", "message/global", "text/rfc822-headers", "message/global-headers":
			if h, err := textproto.ReadHeader(body); err == nil && r.token == "" {
				r.token = first(h, "Return-Path", r.tokens)
			}
		}
	}
}

// delivery reads the fields of the mail and then those of each recipient. The first that failed counts.
func (r *report) delivery(body *bufio.Reader) {
	for range maxGroups {
		h, err := textproto.ReadHeader(body)
		action, _, _ := strings.Cut(strings.ToLower(h.Get("Action")), "(") // a comment
		if strings.TrimSpace(action) == "failed" && r.verdict == None {
			r.status = status(h.Get("Status"), h.Get("Diagnostic-Code"))
			r.verdict = Judge(0, r.status)
			if r.status == "" {
				r.verdict = Soft // it failed, and does not say why
			}
		}
		if err != nil {
			return
		}
		if _, err := body.Peek(1); err != nil {
			return
		}
	}
}

var statusForm = regexp.MustCompile(`\b([245]\.\d{1,3}\.\d{1,3})\b`)

// status is the enhanced code of a recipient. Many servers say only 5.0.0 in its field and the reason in the reply that they were given.
func status(field, diagnostic string) string {
	code := statusForm.FindString(field)
	if code != "" && !strings.HasSuffix(code, ".0.0") {
		return code
	}
	if exact := statusForm.FindString(diagnostic); exact != "" && (code == "" || exact[0] == code[0]) {
		return exact
	}
	return code
}

// complaint reads a feedback report. Those about viruses, forgery or mail that was no spam say nothing about what the reader wants.
func (r *report) complaint(body *bufio.Reader) {
	h, _ := textproto.ReadHeader(body) // what was read before an error stands
	switch strings.ToLower(strings.TrimSpace(h.Get("Feedback-Type"))) {
	case "abuse", "fraud", "opt-out", "opt-out-list":
		r.verdict = Complaint
	}
	if token := first(h, "Original-Mail-From", r.tokens); token != "" {
		r.token = token
	}
}
