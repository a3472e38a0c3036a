package app

import (
	"os"
	"testing"
)

// asProgram makes the test binary behave as the program enrich, so that a test can look at its sockets alone.
const asProgram = "ENRICH_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		Main() // ends the process
	}
	os.Exit(m.Run())
}
