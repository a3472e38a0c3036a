package item

import (
	"crypto/sha1"
	"fmt"
)

// dns is the name space for host names of RFC 9562 section 6.6.
var dns = [16]byte{0x6b, 0xa7, 0xb8, 0x10, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8}

// URN returns the id of something of a site: a UUID of version 5 (RFC 9562 section 5.5). It is made from neither
// address nor title, which may change, and is the same in every feed and format, because some readers tell items
// apart by it over all feeds.
func URN(site, name string) string {
	id := version5(version5(dns, site), name)
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}

func version5(space [16]byte, name string) [16]byte {
	sum := sha1.Sum(append(space[:], name...))
	var id [16]byte
	copy(id[:], sum[:])
	id[6] = id[6]&0x0f | 0x50
	id[8] = id[8]&0x3f | 0x80
	return id
}
