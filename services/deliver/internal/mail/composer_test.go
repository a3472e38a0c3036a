package mail

import (
	"bytes"
	"testing"

	gomail "github.com/wneessen/go-mail"
)

// The signer of go-mail v0.8.1 folds its header near column 76 wherever that is, within a name of h=, too, so no receiver finds the header.
// When this fails, one library can do both steps.
func TestSignerOfTheComposerSplitsNames(t *testing.T) {
	t.Parallel()
	m := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	for _, err := range []error{m.From("news@example.org"), m.To(reader)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	m.Subject("News")
	m.SetGenHeader("List-Id", "<letter.news.example.org>")
	m.SetGenHeader("List-Unsubscribe", "<https://news.example.org/x>")
	m.SetGenHeader("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")
	m.SetBodyString(gomail.TypeTextPlain, "News\n")
	for _, k := range keys() {
		for _, c := range []struct {
			headers []string
			good    int
		}{{signed()[:5], 1}, {signed(), 0}} {
			s := gomail.NewDKIMSigner(k.Domain, k.Selector, k.Private)
			s.SignHeaders(c.headers...)
			m.SetDKIM(s)
			var raw bytes.Buffer
			if _, err := m.WriteTo(&raw); err != nil {
				t.Fatal(err)
			}
			if n := len(verify(t, raw.Bytes())); n != c.good {
				t.Errorf("%d signatures of %d headers hold, want %d:\n%s", n, len(c.headers), c.good, raw.Bytes())
			}
		}
	}
}
