package mail

import (
	"errors"
	"net"
	"time"
)

const (
	// command is how long one command may take. go-smtp waits five minutes, RFC 5321 section 4.5.3.2 too; a slot of a run is dearer.
	command = time.Minute
	// submission is how long the reply to the dot may take (RFC 5321 section 4.5.3.2.6): who gives up sooner has mails that
	// are delivered and count as lost.
	submission = 10 * time.Minute
	// maxReply is how many bytes a server may say in a row. The longest are the certificates of a handshake.
	maxReply = 256 << 10
)

var errTalkative = errors.New("the server says more than 256 KB in a row")

// wire is a connection that cannot block a body for ever, takes no endless reply, and knows whether all that was written left.
// Its one user writes and reads in turns; only Close comes from elsewhere.
type wire struct {
	net.Conn
	heard int
	// lost tells that a write failed since [wire.watch], and before the next read: its last byte did not leave, so what ended with it
	// cannot have arrived whole. A write within a read, by which TLS tells of a fault, says nothing of what was written before.
	lost, listening bool
}

// watch begins to look whether what is written leaves.
func (w *wire) watch() { w.lost, w.listening = false, false }

// Write gives each write the time of a command; go-smtp sets none for a body.
func (w *wire) Write(b []byte) (int, error) {
	w.heard = 0
	err := w.SetWriteDeadline(time.Now().Add(command))
	n := 0
	if err == nil {
		n, err = w.Conn.Write(b)
	}
	if err != nil && !w.listening {
		w.lost = true
	}
	return n, err
}

// Read counts.
func (w *wire) Read(b []byte) (int, error) {
	w.listening = true
	if w.heard > maxReply {
		return 0, errTalkative
	}
	n, err := w.Conn.Read(b)
	w.heard += n
	return n, err
}
