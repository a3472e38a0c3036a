package hosttest

import (
	"net"
	"testing"
)

func TestAnAddressIsFreeAndIsGivenToNobodyByChance(t *testing.T) {
	t.Parallel()
	address := Address(t)
	if again := Address(t); again == address {
		t.Errorf("%s is given twice", address)
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() // nobody connected
	if port := l.Addr().(*net.TCPAddr).Port; port < lowest || port >= ephemeral {
		t.Errorf("port %d is one that the kernel gives", port)
	}
}
