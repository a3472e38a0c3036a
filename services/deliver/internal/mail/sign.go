package mail

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"regexp"

	"github.com/emersion/go-msgauth/dkim"

	"tidings.internal/pkg/fault"
)

// Key signs for a domain. Its public half stands in the DNS as [Key.Record] says.
type Key struct {
	Domain, Selector string
	// Private is an RSA key of 2048 bits or more, or an ed25519 one.
	Private crypto.Signer
}

// leastRSA is the shortest RSA key in bits: RFC 8301 section 3.2 lets signers use 1024 and wants 2048.
const leastRSA = 2048

var (
	domainForm   = regexp.MustCompile(`^([A-Za-z0-9-]{1,63}\.)+[A-Za-z0-9-]{1,63}$`)
	selectorForm = regexp.MustCompile(`^[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*$`)
)

// ParseKey reads a private key in PEM (PKCS #8, or PKCS #1 for RSA). What is wrong is [fault.Invalid], and no part of the key stands in
// the error.
func ParseKey(domain, selector, text string) (Key, error) {
	k := Key{Domain: domain, Selector: selector}
	block, _ := pem.Decode([]byte(text))
	switch {
	case !domainForm.MatchString(domain):
		return Key{}, fault.Errorf(fault.Invalid, "read DKIM key: the domain is no name like example.org")
	case !selectorForm.MatchString(selector):
		return Key{}, fault.Errorf(fault.Invalid, "read DKIM key: the selector is no name like news2026")
	case block == nil:
		return Key{}, fault.Errorf(fault.Invalid, "read DKIM key of %s: it is not in PEM", selector)
	}
	if parsed, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		k.Private = parsed
	} else if parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
		k.Private, _ = parsed.(crypto.Signer)
	}
	switch private := k.Private.(type) {
	case *rsa.PrivateKey:
		if bits := private.N.BitLen(); bits < leastRSA {
			return Key{}, fault.Errorf(fault.Invalid, "read DKIM key of %s: it has %d bits; make one of %d", selector, bits, leastRSA)
		}
	case ed25519.PrivateKey:
	default:
		return Key{}, fault.Errorf(fault.Invalid, "read DKIM key of %s: it is no private key of RSA or ed25519", selector)
	}
	return k, nil
}

// Record is the TXT record under which receivers look for the public key: its name and its text (RFC 6376 section 3.6.1, RFC 8463 section 4).
func (k Key) Record() (name, text string, err error) {
	name = k.Selector + "._domainkey." + k.Domain
	switch public := k.Private.Public().(type) {
	case ed25519.PublicKey:
		return name, "v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(public), nil
	default:
		der, err := x509.MarshalPKIXPublicKey(public)
		if err != nil {
			return "", "", fault.Errorf(fault.Invalid, "write DKIM record of %s: %w", k.Selector, err)
		}
		return name, "v=DKIM1; k=rsa; p=" + base64.StdEncoding.EncodeToString(der), nil
	}
}

// signed are the headers that a signature covers. Those that a mail has not are signed as missing, so that nobody adds them on the way
// (RFC 6376 section 5.4): a confirmation with a List-Unsubscribe would be none of ours.
func signed() []string {
	return []string{
		"From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type",
		"List-Id", "List-Unsubscribe", "List-Unsubscribe-Post",
	}
}

// Sign puts one DKIM signature for each key in front of a mail, relaxed/relaxed, and leaves the mail as it is. Without keys it is returned
// unsigned. Signatures hold the time at which they were made.
func Sign(raw []byte, keys []Key) ([]byte, error) {
	var out bytes.Buffer
	for _, k := range keys {
		signer, err := dkim.NewSigner(&dkim.SignOptions{
			Domain: k.Domain, Selector: k.Selector, Signer: k.Private, Hash: crypto.SHA256,
			HeaderCanonicalization: dkim.CanonicalizationRelaxed, BodyCanonicalization: dkim.CanonicalizationRelaxed,
			HeaderKeys: signed(),
		})
		if err != nil {
			return nil, fault.Errorf(fault.Invalid, "sign mail as %s: %w", k.Domain, err)
		}
		// A write fails when the signer has given up; Close then has its reason, and ends its goroutine in any case.
		_, _ = signer.Write(raw)
		if err := signer.Close(); err != nil {
			return nil, fault.Errorf(fault.Invalid, "sign mail as %s: %w", k.Domain, err)
		}
		out.WriteString(signer.Signature())
	}
	out.Write(raw)
	return out.Bytes(), nil
}
