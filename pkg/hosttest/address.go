package hosttest

import (
	"math/rand/v2"
	"net"
	"strconv"
	"sync/atomic"
	"testing"
)

const (
	// lowest and ephemeral bound the ports of [Address]: above those of well-known services, and below those that the
	// kernel gives to whoever asks for any (32768 and up on Linux, 49152 and up elsewhere, RFC 6335 section 6).
	lowest, ephemeral = 10_000, 32_768
	tries             = 100
)

// Each process begins at another port and goes on from there, so that none is given twice.
var (
	begin = rand.Int64N(ephemeral - lowest)
	given atomic.Int64
)

// Address gives an address of the loopback that nobody listens on, for what must know its address before it listens, or
// listens there again later. A port that the kernel gave and that was closed again may be given to anybody meanwhile, be it
// for one connection; this one is given to nobody who does not name it.
func Address(t testing.TB) string {
	t.Helper()
	for range tries {
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.FormatInt(lowest+(begin+given.Add(1))%(ephemeral-lowest), 10)))
		if err != nil {
			continue // somebody listens there
		}
		address := l.Addr().String()
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		return address
	}
	t.Fatalf("no free port was found in %d tries", tries)
	return ""
}
