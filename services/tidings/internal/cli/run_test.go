package cli

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"tidings.internal/pkg/config"
)

func TestAStartPrintsAddressesThatAnswer(t *testing.T) {
	t.Parallel()
	doc := config.New("tidings.yaml", []byte("feeds: [{id: crm}, {id: closed, private: true}, {id: over, status: gone}, {id: last, status: ending, ended: 2026-11-02}]"), nil)
	var out bytes.Buffer
	(&announcement{&world{stdout: &out}, time.Time{}}).opened("127.0.0.1:8080", doc)
	if got := out.String(); strings.Contains(got, "closed") || strings.Contains(got, "over") || !strings.Contains(got, "/feeds/crm.rss\n") || !strings.Contains(got, "/feeds/last.rss\n") {
		t.Errorf("printed\n%s", got)
	}
}
