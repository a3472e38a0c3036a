package bus

import (
	"crypto/tls"
	"errors"
	"io"
	"net"

	"github.com/nats-io/nats.go"

	"tidings.internal/pkg/fault"
)

// TLS names the files of an encrypted connection. They are read again at each connect, so that a renewed certificate
// needs no restart.
type TLS struct {
	// CAFile holds the certificates of the authorities that may vouch for the server; those of the system if empty.
	CAFile string
	// CertFile and KeyFile are our own certificate and its key, where the server asks for one.
	CertFile string
	KeyFile  string
}

// options returns what the library needs. Any file makes TLS a must: a server without it is not talked to.
func (c TLS) options() ([]nats.Option, error) {
	var opts []nats.Option
	if c.CAFile != "" {
		opts = append(opts, nats.RootCAs(c.CAFile))
	}
	if c.CertFile != "" || c.KeyFile != "" {
		opts = append(opts, nats.ClientCert(c.CertFile, c.KeyFile))
	}
	for _, opt := range opts {
		// Each reads its files when it is applied; here, so that a file that is missing is told as what it is.
		if err := opt(&nats.Options{}); err != nil {
			return nil, fault.Errorf(fault.Invalid, "read the files of nats.tls: %w", err)
		}
	}
	return opts, nil
}

// distrust says which file of nats.tls an error of an encrypted connection is about, "" for any other error.
func distrust(err error) string {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "; what nats.tls.ca_file names does not vouch for this server and its address"
	}
	// Depending on the moment it is heard as the server's word or as the end of the connection, right after the handshake.
	op, ok := errors.AsType[*net.OpError](err)
	if ok && op.Op == "remote error" || errors.Is(err, nats.ErrTLS) && (ok || errors.Is(err, io.EOF)) {
		return "; the server does not take our certificate, nats.tls.cert_file"
	}
	return ""
}
