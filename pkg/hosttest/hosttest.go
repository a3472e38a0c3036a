// Package hosttest is for tests that need something of the machine: a browser, a container engine, a kernel's feature, a port.
package hosttest

import (
	"os"
	"testing"
)

// Lacks ends a test for which the machine lacks something; the sentence says what, and how to get it. The test is
// skipped, and fails where CI is true: there everything is to be run.
func Lacks(t testing.TB, sentence string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(sentence)
	}
	t.Skip(sentence)
}
