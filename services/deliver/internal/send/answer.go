package send

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"html"
	"net/url"
	"strings"
	"time"
	"unicode"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/web"
	"tidings.internal/services/deliver/internal/ledger"
)

// maxSaid is how many bytes of a server's words are kept.
const maxSaid = 1 << 10

// minSecret is the shortest text that is looked for as a secret: replacing shorter ones would garble ordinary words.
const minSecret = 4

func errUnable(j Job) error {
	return fault.Errorf(fault.Invalid, "%s at channel %s: the network cannot do that", j.Op, j.Channel)
}

// Redact makes a text from a server fit for a log and a ledger row: printable, on one line, at most 1 KB, and without
// the secrets, plain or in an encoding in which servers repeat them.
func Redact(text string, secrets ...string) string {
	for _, s := range secrets {
		if len(s) < minSecret {
			continue
		}
		for _, form := range []string{
			s, url.QueryEscape(s), url.PathEscape(s), html.EscapeString(s), strings.ReplaceAll(s, "/", `\/`),
			base64.StdEncoding.EncodeToString([]byte(s)), base64.RawURLEncoding.EncodeToString([]byte(s)),
		} {
			text = strings.ReplaceAll(text, form, "***")
		}
	}
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	text = strings.Join(strings.Fields(text), " ")
	text, cut := article.Cut(text, maxSaid-len("…"))
	if cut {
		text += "…"
	}
	return text
}

// Refusal is the error of an answer that is no success, nil for one that is. harmless tells that repeating the request
// does no harm, so that a fault of the server leaves nothing in doubt. The server's words are added without the
// secrets.
func Refusal(a *web.Answer, harmless bool, secrets ...string) error {
	err := a.Fault(harmless)
	switch {
	case err == nil && a.Status >= 200 && a.Status < 300:
		return nil
	case err == nil: // 304 is good for a reader, and says nothing to a sender
		err = fault.Errorf(fault.Gone, "status %d is no answer to a post", a.Status)
	}
	if said := Redact(string(bytes.TrimSpace(a.Body)), secrets...); said != "" {
		err = fault.Errorf(fault.KindOf(err), "%w: %s", err, said)
	}
	if d := waitIn(a.Body); d > fault.After(err) && fault.KindOf(err) == fault.Throttled {
		err = fault.Later(err, d)
	}
	return err
}

// waitIn is the wait that a body asks for, zero without one: seconds, whole or not, in "retry_after" (Discord), the same
// within "parameters" (Telegram), milliseconds in "retry_after_ms" (Matrix).
func waitIn(body []byte) time.Duration {
	var said struct {
		After      float64 `json:"retry_after"`
		Millis     float64 `json:"retry_after_ms"`
		Parameters struct {
			After float64 `json:"retry_after"`
		} `json:"parameters"`
	}
	if json.Unmarshal(body, &said) != nil {
		return 0
	}
	seconds := max(said.After, said.Parameters.After, said.Millis/1000)
	if seconds <= 0 {
		return 0
	}
	return web.ClampWait(time.Duration(min(seconds, web.MaxWait.Seconds()) * float64(time.Second)).Round(time.Millisecond))
}

// Status is the HTTP status that an error of a sender came from, 0 when it was none.
func Status(err error) int {
	if e, ok := errors.AsType[*web.Error](err); ok {
		return e.Status
	}
	return 0
}

// Digest tells credentials apart without holding them. It is bound to the channel, so that equal tokens of two
// channels cannot be seen to be equal.
func Digest(channel string, credentials ...string) string {
	return article.Digest(12, append([]string{"credential", channel}, credentials...)...)
}

// Accepted makes the receipt of a successful answer.
func Accepted(a *web.Answer, r ledger.Remote) Receipt { return Receipt{Remote: r, Wait: a.Wait} }
