package config

import (
	"slices"
	"testing"
)

func TestOwnPorts(t *testing.T) {
	t.Parallel()
	got := OwnPorts("nats://a:4333,nats://b:4334", "", "127.0.0.1:9090", "[::1]:9090", "no port", "a:0", "a:x")
	if want := []uint16{4222, 4333, 4334, 9090}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
