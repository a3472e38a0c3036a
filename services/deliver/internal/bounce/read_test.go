package bounce

import (
	"strings"
	"testing"

	"tidings.internal/pkg/fault"
)

const (
	domain = "news.example.org"
	token  = "abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrst" // as long as 32 bytes in base32
	verp   = "bounce+" + token + "@" + domain
)

// dsn is a report about one recipient, as a server writes it.
func dsn(to, fields string) string {
	return crlf(`Return-Path: <>
Delivered-To: ` + to + `
Received: from mx.example.net by mail.example.org; Sun, 29 Nov 2026 07:00:05 +0000
From: Mail Delivery System <MAILER-DAEMON@mx.example.net>
To: ` + to + `
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain; charset=us-ascii

I am sorry.

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.net
Arrival-Date: Sun, 29 Nov 2026 07:00:00 +0000

Final-Recipient: rfc822; reader@example.net
` + fields + `

--b
Content-Type: text/rfc822-headers

Return-Path: <` + verp + `>
From: News <news@example.org>
Subject: News

--b--
`)
}

func arf(kind, from string) string {
	return crlf(`From: <abuse@isp.example>
To: <abuse@example.org>
Subject: FW: News
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="b"

--b
Content-Type: text/plain

A complaint.

--b
Content-Type: message/feedback-report

Feedback-Type: ` + kind + `
User-Agent: Feedback/1.0
Version: 1
` + from + `
--b
Content-Type: message/rfc822
Content-Disposition: inline

Return-Path: <` + verp + `>
From: News <news@example.org>
To: <reader@example.net>
Subject: News
Content-Type: text/plain

News
--b--
`)
}

func crlf(text string) string { return strings.ReplaceAll(text, "\n", "\r\n") }

func TestReportsAreUnderstood(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, raw string
		verdict   Verdict
		status    string
	}{
		{"no such user", dsn(verp, "Action: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 unknown"), Hard, "5.1.1"},
		{"in capitals", dsn(strings.ToUpper(verp), "ACTION: FAILED\nSTATUS: 5.1.1"), Hard, "5.1.1"},
		{"with a comment", dsn("News <"+verp+">", "Action: failed (gone)\nStatus: 5.1.1 (bad mailbox)"), Hard, "5.1.1"},
		{"full", dsn(verp, "Action: failed\nStatus: 5.2.2"), Soft, "5.2.2"},
		{"too big for it", dsn(verp, "Action: failed\nStatus: 5.3.4"), Soft, "5.3.4"},
		{"given up after days", dsn(verp, "Action: failed\nStatus: 4.4.7"), Soft, "4.4.7"},
		{"policy", dsn(verp, "Action: failed\nStatus: 5.7.1"), Policy, "5.7.1"},
		{"policy of a later code", dsn(verp, "Action: failed\nStatus: 5.7.26"), Policy, "5.7.26"},
		{"the reason is in the reply alone", dsn(verp, "Action: failed\nStatus: 5.0.0\nDiagnostic-Code: smtp; 552 5.2.2 over quota"), Soft, "5.2.2"},
		{"no status", dsn(verp, "Action: failed\nDiagnostic-Code: x-unix; 1"), Soft, ""},
		{"delayed", dsn(verp, "Action: delayed\nStatus: 4.4.1"), None, ""},
		{"delivered", dsn(verp, "Action: delivered\nStatus: 2.0.0"), None, ""},
		{"folded fields", dsn(verp, "Action:\n failed\nStatus:\n 5.1.1"), Hard, "5.1.1"},
		{"the address stands in the mail alone", dsn("postmaster@example.org", "Action: failed\nStatus: 5.1.1"), Hard, "5.1.1"},
		{"complaint", arf("abuse", "Original-Mail-From: <"+verp+">\n"), Complaint, ""},
		{"complaint without a sender", arf("abuse", ""), Complaint, ""},
		{"wants to leave", arf("opt-out", ""), Complaint, ""},
		{"no spam after all", arf("not-spam", ""), None, ""},
		{"virus", arf("virus", ""), None, ""},
		{"bad signature", arf("auth-failure", ""), None, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			note, ok := Read([]byte(c.raw), domain)
			if ok != (c.verdict != None) || note.Verdict != c.verdict || ok && (note.Token != token || note.Status != c.status || note.ID == "") {
				t.Errorf("%+v (%v), want %s %s", note, ok, c.verdict, c.status)
			}
		})
	}
}

func TestWhatIsNoReportSaysNothing(t *testing.T) {
	t.Parallel()
	good := dsn(verp, "Action: failed\nStatus: 5.1.1")
	for name, raw := range map[string]string{
		"vacation note": crlf("Delivered-To: " + verp + "\nAuto-Submitted: auto-replied\nSubject: Out of office\nContent-Type: text/plain\n\nStatus: 5.1.1\nAction: failed\n"),
		"receipt": crlf("Delivered-To: " + verp + "\nContent-Type: multipart/report; report-type=disposition-notification; boundary=b\n\n--b\n" +
			"Content-Type: message/disposition-notification\n\nDisposition: automatic-action; deleted\nAction: failed\nStatus: 5.1.1\n--b--\n"),
		"a report of another sort":         strings.Replace(good, "report-type=delivery-status", "report-type=disposition-notification", 1),
		"a complaint called a report":      strings.Replace(arf("abuse", ""), "report-type=feedback-report", "report-type=delivery-status", 1),
		"an address of another domain":     strings.ReplaceAll(good, "@"+domain, "@"+domain+".evil.example"),
		"an address that only ends so":     strings.ReplaceAll(good, "bounce+", "x-bounce+"),
		"a token that is too long":         strings.ReplaceAll(good, token, token+token),
		"a token with other letters":       strings.ReplaceAll(good, token, "a/../b"),
		"a report that breaks off":         good[:strings.Index(good, "Final-Recipient")],
		"a report without a boundary":      strings.Replace(good, `; boundary="b"`, "", 1),
		"a mail with a report in its text": crlf("Delivered-To: "+verp+"\nContent-Type: text/plain\n\n") + good,
		"nothing":                          "",
		"no mail":                          "\x00\xff\n\n",
	} {
		if note, ok := Read([]byte(raw), domain); ok {
			t.Errorf("%s is read as %+v", name, note)
		}
	}
}

// Whose report it is says the server that took it in, and not who wrote it.
func TestTokenOfTheDeliveryComesFirst(t *testing.T) {
	t.Parallel()
	raw := dsn(verp, "Action: failed\nStatus: 5.1.1")
	raw = strings.Replace(raw, "To: "+verp, "To: bounce+other@"+domain, 1)
	raw = "X-Original-To: bounce+another@" + domain + "\r\n" + raw
	if note, ok := Read([]byte(raw), domain); !ok || note.Token != "other" && note.Token != token {
		t.Errorf("%+v", note)
	}
	again, _ := Read([]byte(raw), domain)
	first, _ := Read([]byte(raw), domain)
	other, _ := Read([]byte(raw+" "), domain)
	if first != again || first.ID == other.ID {
		t.Errorf("ids %s, %s and %s", first.ID, again.ID, other.ID)
	}
}

func TestReplyIsJudgedAsAReportIs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		code     int
		enhanced string
		want     Verdict
	}{
		{550, "5.1.1", Hard}, {550, "", Hard}, {551, "", Hard}, {553, "5.1.3", Hard}, {552, "", Soft}, {552, "5.2.2", Soft}, {552, "5.3.4", Soft},
		{550, "5.7.1", Policy}, {554, "5.7.0", Policy}, {450, "4.2.1", Soft}, {421, "", Soft}, {250, "2.1.5", None}, {0, "", None}, {550, "5.2.1", Hard},
		{550, "5.2.22", Hard},
	} {
		if got := Judge(c.code, c.enhanced); got != c.want {
			t.Errorf("%d %s is %q, want %q", c.code, c.enhanced, got, c.want)
		}
	}
}

func TestAddressLeadsBackToItsToken(t *testing.T) {
	t.Parallel()
	address, err := Address(token, domain)
	if err != nil || address != verp || tokensOf(domain).in("<"+address+">") != token || strings.Index(address, "@") > 64 {
		t.Errorf("%s: %v", address, err)
	}
	for _, bad := range []string{"", "A", "a b", "a@b", "a\r\nb", strings.Repeat("a", 58)} {
		if _, err := Address(bad, domain); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%q: %v, want invalid", bad, err)
		}
	}
}

// FuzzRead looks for a mail that the reader does not survive, or of which it says what it never may.
func FuzzRead(f *testing.F) {
	f.Add(dsn(verp, "Action: failed\nStatus: 5.1.1"))
	f.Add(dsn(verp, "Action: failed\nStatus: 5.0.0\nDiagnostic-Code: smtp; 552 5.2.2 x\n\nAction: failed\nStatus: 4.4.7"))
	f.Add(arf("abuse", "Original-Mail-From: <"+verp+">\n"))
	f.Add("Content-Type: multipart/report; report-type=delivery-status; boundary=b\nTo: " + verp + "\n\n--b\nContent-Type: message/delivery-status\nContent-Transfer-Encoding: base64\n\nQQ==\n--b--")
	f.Fuzz(func(t *testing.T, raw string) {
		note, ok := Read([]byte(raw), domain)
		if !ok {
			if note != (Note{}) {
				t.Errorf("a note of nothing: %+v", note)
			}
			return
		}
		if !tokenForm.MatchString(note.Token) || note.Verdict == None || len(note.ID) != 24 || note.Status != "" && !statusForm.MatchString(note.Status) || len(note.Status) > 9 {
			t.Errorf("%+v", note)
		}
	})
}
