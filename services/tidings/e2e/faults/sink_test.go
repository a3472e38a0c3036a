package faults

import (
	"net/http/httptest"
	"testing"

	"tidings.internal/services/tidings/e2e/history"
)

// sink is the receiver of the posts.
type sink struct {
	history.Sink
	server *httptest.Server
}

func newSink(t *testing.T) *sink {
	t.Helper()
	s := &sink{}
	s.server = httptest.NewServer(s)
	t.Cleanup(s.server.Close)
	return s
}
