package run

import (
	"strings"
	"testing"
	"time"
)

func TestAnOlderComposeFileIsNamed(t *testing.T) {
	t.Parallel()
	for value, warned := range map[string]bool{"": false, "1": false, "2": false, "0": true, "one": true} {
		r := begin(t, program(obedient), Options{Environ: []string{"TIDINGS_ADMIN__LISTEN=127.0.0.1:0", "TIDINGS_COMPOSE=" + value}}, time.Minute)
		if err := r.end(t); err != nil {
			t.Error(err)
		}
		if got := strings.Contains(r.log.String(), "compose.yaml is older"); got != warned {
			t.Errorf("TIDINGS_COMPOSE=%s: warned %v, want %v\n%s", value, got, warned, r.log)
		}
	}
}
