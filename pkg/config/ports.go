package config

import (
	"net"
	"slices"
	"strconv"
	"strings"
)

// natsPort is where a broker listens unless it is told otherwise.
const natsPort = 4222

// OwnPorts collects the ports of addresses, and that of NATS: no source, hub or subscriber may be reached there, whatever
// else is allowed.
func OwnPorts(addresses ...string) []uint16 {
	list := []uint16{natsPort}
	for _, many := range addresses {
		for one := range strings.SplitSeq(many, ",") {
			if _, after, ok := strings.Cut(one, "://"); ok {
				one = after
			}
			_, port, err := net.SplitHostPort(strings.TrimSpace(one))
			if n, e := strconv.ParseUint(port, 10, 16); err == nil && e == nil && n > 0 && !slices.Contains(list, uint16(n)) {
				list = append(list, uint16(n))
			}
		}
	}
	return list
}
