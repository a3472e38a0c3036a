package deploy

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"tidings.internal/pkg/config"
	"tidings.internal/services/tidings/internal/ops"
)

// offered is a value that the shipped file offers: a # with no space behind it, or with the two of a deeper line.
var offered = regexp.MustCompile(`(?m)^( *)#(\S|  )`)

// The shipped configuration is right as it stands, and with everything that it offers.
func TestTheShippedConfigurationShowsEachSection(t *testing.T) {
	t.Parallel()
	text := shipped(t, "tidings.yaml")
	if err := checked(t, text); err != nil {
		t.Errorf("as it stands: %v", err)
	}
	whole := offered.ReplaceAllString(text, "$1$2")
	err := checked(t, whole)
	if err != nil {
		t.Errorf("with everything that it offers: %v\n%s", err, whole)
	}
	for _, section := range config.Sections() {
		if !regexp.MustCompile(`(?m)^#?` + section + `:\n( +(#.*|[a-z].*)\n)*? +#?[a-z-]`).MatchString(text) {
			t.Errorf("it has no example of the section %s", section)
		}
	}
	if err := checked(t, strings.Replace(whole, "step_budget", "step_budgte", 1)); err == nil {
		t.Error("a wrong key is not seen: the test reads no example")
	}
}

// checked checks a configuration beside the files that it names.
func checked(t *testing.T, text string) error {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"themen.csv", "hook", "websub_key", "readers_key"} {
		content := "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n"
		if name == "themen.csv" {
			content = "id,lang,pref\ncrm,en,customer care\n"
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text = strings.ReplaceAll(strings.ReplaceAll(text, "/run/secrets/", dir+"/"), "[themen.csv]", "["+dir+"/themen.csv]")
	doc := config.New("tidings.yaml", []byte(text), nil)
	ops.Check(doc)
	return doc.Err()
}
