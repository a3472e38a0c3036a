package config

import (
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
	"os"
	"reflect"
	"strings"
)

// redacted stands for a secret wherever one would be printed.
const redacted = "***"

// Secret is a text that must not be seen: a token, a password, an address that grants access. Printing, logging and
// encoding give ***; only [Secret.Reveal] gives the text. In the file a key `token` of this type may be written as
// `token_file`, the name of a file that holds the text, from the folder of the configuration file; one newline at its
// end is cut. The zero Secret is none.
//
// The text lies behind a pointer, so that even a struct that keeps a Secret in an unexported field, whose methods fmt
// cannot call, prints an address.
type Secret struct {
	text *string
}

// NewSecret makes a secret of a text; of an empty text none.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{text: &text}
}

// Reveal returns the text, empty when there is none. Its result must not reach a log, an error or an event.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsZero reports whether there is no secret.
func (s Secret) IsZero() bool { return s.text == nil }

// Equal compares two secrets in a time that does not tell where they differ.
func (s Secret) Equal(other Secret) bool {
	return subtle.ConstantTimeCompare([]byte(s.Reveal()), []byte(other.Reveal())) == 1
}

// String gives ***, or nothing when there is no secret: that one is missing may be known.
func (s Secret) String() string {
	if s.IsZero() {
		return ""
	}
	return redacted
}

// Format writes [Secret.String] for every verb and flag, %#v and %x included.
func (s Secret) Format(f fmt.State, _ rune) { io.WriteString(f, s.String()) }

// LogValue redacts in slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText redacts in XML, in the keys of JSON objects, and wherever text is asked for.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalJSON redacts in JSON.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + s.String() + `"`), nil }

// MarshalYAML redacts in YAML.
func (s Secret) MarshalYAML() (any, error) { return s.String(), nil }

// maxSecret is how much of a secret's file is read: a key in PEM form has 4 KB.
const maxSecret = 64 << 10

// secretFile sets a secret from its _file twin.
func (c *decoder) secretFile(p pair, v reflect.Value, at path, both bool) {
	if c.peek {
		return
	}
	stem := strings.TrimSuffix(p.name, twin)
	if both {
		c.problem(p.key, at.key(p.name), "%s and %s are both given; keep one", stem, p.name)
		return
	}
	var name string
	before := len(c.doc.problems)
	c.value(p.value, reflect.ValueOf(&name).Elem(), field{key: p.name, path: true}, at.key(p.name))
	if len(c.doc.problems) > before {
		c.doc.wrong[at.key(stem).String()] = true
		return
	}
	text, wrong := readSecret(name)
	if wrong != "" {
		c.problem(p.value, at.key(p.name), "%s", wrong)
		c.doc.wrong[at.key(stem).String()] = true
		return
	}
	v.Set(reflect.ValueOf(NewSecret(text)))
}

// readSecret reads a file and cuts one newline at its end. The second result says what is wrong, for an operator.
func readSecret(name string) (text, wrong string) {
	if name == "" {
		return "", "names no file"
	}
	f, err := os.Open(name)
	if err != nil {
		return "", cause(err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	switch {
	case err != nil:
		return "", cause(err)
	case len(data) > maxSecret:
		return "", fmt.Sprintf("the file %s is larger than %d KB, which no secret is", quote(name), maxSecret>>10)
	}
	text = strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	if text == "" {
		return "", fmt.Sprintf("the file %s is empty", quote(name))
	}
	return text, ""
}

// cause says why a file cannot be read.
func cause(err error) string {
	if e, ok := err.(*os.PathError); ok {
		return fmt.Sprintf("cannot read the file %s: %v", quote(e.Path), e.Err)
	}
	return fmt.Sprintf("cannot read the file: %v", err)
}
