package mail

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-msgauth/dkim"

	"tidings.internal/pkg/fault"
	"tidings.internal/services/deliver/internal/mail/mailtest"
)

// keys are one of each sort, read as an operator has them.
var keys = sync.OnceValue(func() []Key {
	long, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	_, short, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	var out []Key
	for selector, private := range map[string]crypto.Signer{"r2026": long, "e2026": short} {
		k, err := ParseKey("news.example.org", selector, pkcs8(private))
		if err != nil {
			panic(err)
		}
		out = append(out, k)
	}
	return out
})

func pkcs8(private any) string {
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// verify looks at the signatures of a mail as a receiver does, and returns those that hold.
func verify(t testing.TB, raw []byte) (good []*dkim.Verification) {
	t.Helper()
	all, err := dkim.VerifyWithOptions(bytes.NewReader(raw), &dkim.VerifyOptions{LookupTXT: func(domain string) ([]string, error) {
		for _, k := range keys() {
			if name, text, err := k.Record(); err == nil && name == domain {
				return []string{text}, nil
			}
		}
		return nil, fmt.Errorf("no record %s", domain)
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range all {
		if v.Err == nil {
			good = append(good, v)
		}
	}
	return good
}

func sign(t testing.TB, raw []byte) []byte {
	t.Helper()
	out, err := Sign(raw, keys())
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestSignaturesHoldAsDelivered(t *testing.T) {
	t.Parallel()
	way := mailtest.Config{}
	s := mailtest.New(t, way)
	cl := client(t, s, way)
	m, commits := sample(), 0
	m.Text = ".\n..\n" + strings.Repeat("x", 3000) + "\n \t\n\nFrom nobody\n" + m.Text
	raw := compose(t, m)
	signed := sign(t, raw)
	if !bytes.HasSuffix(signed, raw) {
		t.Error("signing changed the mail")
	}
	if err := cl.Send(t.Context(), bounceTo, reader, signed, note(&commits)); err != nil {
		t.Fatal(err)
	}
	delivered := s.Mails()[0].Raw
	good := verify(t, delivered)
	if len(good) != 2 {
		t.Fatalf("%d signatures hold, want 2:\n%s", len(good), delivered)
	}
	for _, v := range good {
		for _, name := range []string{"List-Unsubscribe", "List-Unsubscribe-Post", "List-Id", "From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type"} {
			if !slices.Contains(v.HeaderKeys, name) {
				t.Errorf("%s is not signed: %q", name, v.HeaderKeys)
			}
		}
	}
	for name, change := range map[string][2]string{
		"List-Unsubscribe":      {"/one-click/", "/one-clack/"},
		"List-Unsubscribe-Post": {"=One-Click", "=Two-Click"},
		"List-Id":               {"letter.news.example.org", "better.news.example.org"},
		"Subject":               {"\r\nSubject:", "\r\nSubject: x"},
		"To":                    {"<reader@", "<leader@"},
		"body":                  {"lang lang", "lange lang"},
		"another List-Id":       {"\r\nList-Unsubscribe:", "\r\nList-Id: <x.example.org>\r\nList-Unsubscribe:"},
	} {
		changed := bytes.Replace(delivered, []byte(change[0]), []byte(change[1]), 1)
		if bytes.Equal(changed, delivered) {
			t.Fatalf("%s is not there", name)
		}
		if n := len(verify(t, changed)); n != 0 {
			t.Errorf("%s was changed, and %d signatures hold", name, n)
		}
	}
}

func TestHeadersOfAListCannotBeAdded(t *testing.T) {
	t.Parallel()
	m := sample()
	m.ListID, m.ListName, m.Unsubscribe = "", "", ""
	signed := sign(t, compose(t, m))
	if n := len(verify(t, signed)); n != 2 {
		t.Fatalf("%d signatures hold", n)
	}
	for _, line := range []string{"List-Unsubscribe: <https://evil.example/>", "List-Unsubscribe-Post: List-Unsubscribe=One-Click", "List-Id: <a.b>"} {
		if n := len(verify(t, append([]byte(line+"\r\n"), signed...))); n != 0 {
			t.Errorf("%s was added, and %d signatures hold", line, n)
		}
	}
}

func TestWithoutKeysNothingIsSigned(t *testing.T) {
	t.Parallel()
	raw := compose(t, sample())
	if got, err := Sign(raw, nil); err != nil || !bytes.Equal(got, raw) {
		t.Errorf("%v", err)
	}
}

func TestKeysThatCannotSignAreRefused(t *testing.T) {
	t.Parallel()
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	good := pkcs8(keys()[0].Private)
	for name, c := range map[string]struct{ domain, selector, text string }{
		"1024 bits":   {"example.org", "a", pkcs8(weak)},
		"no PEM":      {"example.org", "a", "secret-key-text"},
		"no key":      {"example.org", "a", "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n"},
		"no domain":   {"", "a", good},
		"no selector": {"example.org", "", good},
		"two tags":    {"example.org; l=0", "a", good},
	} {
		if _, err := ParseKey(c.domain, c.selector, c.text); fault.KindOf(err) != fault.Invalid || strings.Contains(err.Error(), "secret-key-text") {
			t.Errorf("%s: %v, want invalid", name, err)
		}
	}
	old := string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(rsaKey())}))
	if _, err := ParseKey("example.org", "a", old); err != nil {
		t.Errorf("a key in PKCS #1: %v", err)
	}
}

func rsaKey() *rsa.PrivateKey {
	for _, k := range keys() {
		if private, ok := k.Private.(*rsa.PrivateKey); ok {
			return private
		}
	}
	return nil
}

// BenchmarkMail makes a mail of 40 KB ready to go: composed, and signed by RSA-2048. The baseline is the signing alone, of the same mail and in
// turns with it; a bare RSA signature is told beside. All are medians.
func BenchmarkMail(b *testing.B) {
	m := sample()
	m.Text = strings.Repeat("A line of the text part, as long as lines usually are in mails.\n", 100)
	m.HTML = strings.Repeat("<p style=\"margin:0\">A paragraph of the other part, with a <a href=\"https://example.org/\">link</a>.</p>\n", 300)
	raw, err := Compose(m)
	if err != nil {
		b.Fatal(err)
	}
	if len(raw) < 38<<10 || len(raw) > 44<<10 {
		b.Fatalf("the mail has %d bytes", len(raw))
	}
	key := Key{"news.example.org", "r2026", rsaKey()}
	var ours, baseline, bare []time.Duration
	sum := make([]byte, 32)
	took := func(list *[]time.Duration, f func() error) {
		start := time.Now()
		if err := f(); err != nil {
			b.Fatal(err)
		}
		*list = append(*list, time.Since(start))
	}
	for b.Loop() {
		took(&ours, func() error {
			raw, err := Compose(m)
			if err == nil {
				_, err = Sign(raw, []Key{key})
			}
			return err
		})
		took(&baseline, func() error { _, err := Sign(raw, []Key{key}); return err })
		took(&bare, func() error { _, err := key.Private.Sign(rand.Reader, sum, crypto.SHA256); return err })
	}
	median := func(list []time.Duration) time.Duration { slices.Sort(list); return list[len(list)/2] }
	b.ReportMetric(float64(median(ours).Microseconds()), "ours-us")
	b.ReportMetric(float64(median(baseline).Microseconds()), "baseline-us")
	b.ReportMetric(float64(median(bare).Microseconds()), "rsa-us")
	b.ReportMetric(float64(median(ours))/float64(median(baseline)), "ratio")
}
