package web

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// authority issues certificates for tests.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string // its own certificate in PEM
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return &authority{cert, key, file}
}

// issue makes a certificate for loopback, or for another name, that ends at a time.
func (a *authority) issue(t *testing.T, name string, until time.Time) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), NotBefore: until.Add(-2 * time.Hour), NotAfter: until,
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if name == "" {
		template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	} else {
		template.DNSNames = []string{name}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func secure(t *testing.T, config *tls.Config, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.TLS = config
	s.EnableHTTP2 = true
	s.Config.ErrorLog = quietLog()
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func TestTLSIsVerified(t *testing.T) {
	t.Parallel()
	ca, stranger := newAuthority(t), newAuthority(t)
	in := time.Now().Add(time.Hour)
	for name, c := range map[string]struct {
		config   *tls.Config
		ok       bool // with our authority
		insecure bool // with insecure_tls
	}{
		"good":        {&tls.Config{Certificates: []tls.Certificate{ca.issue(t, "", in)}}, true, true},
		"expired":     {&tls.Config{Certificates: []tls.Certificate{ca.issue(t, "", time.Now().Add(-time.Minute))}}, false, true},
		"wrong host":  {&tls.Config{Certificates: []tls.Certificate{ca.issue(t, "other.example", in)}}, false, true},
		"self-signed": {&tls.Config{Certificates: []tls.Certificate{stranger.issue(t, "", in)}}, false, true},
		"TLS 1.2":     {&tls.Config{Certificates: []tls.Certificate{ca.issue(t, "", in)}, MaxVersion: tls.VersionTLS12}, true, true},
		"TLS 1.1": {&tls.Config{
			Certificates: []tls.Certificate{ca.issue(t, "", in)}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11,
		}, false, false},
		"TLS 1.0": {&tls.Config{
			Certificates: []tls.Certificate{ca.issue(t, "", in)}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10,
		}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int64
			s := secure(t, c.config, func(http.ResponseWriter, *http.Request) { asked.Add(1) })
			cl := client(t, Config{})
			for options, want := range map[TLS]bool{
				{CAFile: ca.file}: c.ok, {Insecure: true}: c.insecure, {}: false,
			} {
				asked.Store(0)
				r, err := cl.Fetch(t.Context(), Request{URL: s.URL, Options: Options{TLS: options, Bearer: "t"}})
				if want {
					if err != nil || r.Status != 200 {
						t.Errorf("%+v: %v", options, err)
					}
					continue
				}
				failure(t, err, TLSFailed)
				if asked.Load() != 0 {
					t.Errorf("%+v: the request was sent", options)
				}
			}
		})
	}
}

func TestPlainServerBehindHTTPS(t *testing.T) {
	t.Parallel()
	s := serve(t, func(http.ResponseWriter, *http.Request) {})
	_, err := client(t, Config{}).Fetch(t.Context(), Request{URL: "https://" + s.Listener.Addr().String()})
	failure(t, err, TLSFailed)
	silent, _ := raw(t, hold)
	l := quick
	l.Handshake = 200 * time.Millisecond
	_, err = client(t, Config{Limits: l}).Fetch(t.Context(), Request{URL: "https://" + silent})
	failure(t, err, TLSFailed)
}

func TestSessionsAreResumedAndHTTP2Chosen(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	var resumed atomic.Bool
	var protocol atomic.Value
	s := secure(t, &tls.Config{Certificates: []tls.Certificate{ca.issue(t, "", time.Now().Add(time.Hour))}},
		func(_ http.ResponseWriter, r *http.Request) {
			resumed.Store(r.TLS.DidResume)
			protocol.Store(r.Proto)
		})
	c := client(t, Config{})
	o := Options{TLS: TLS{CAFile: ca.file}}
	fetch := func() {
		t.Helper()
		if _, err := c.Fetch(t.Context(), Request{URL: s.URL, Options: o}); err != nil {
			t.Fatal(err)
		}
	}
	fetch()
	if protocol.Load() != "HTTP/2.0" {
		t.Errorf("Fetch speaks %v", protocol.Load())
	}
	c.Close()
	s.CloseClientConnections()
	fetch()
	if !resumed.Load() {
		t.Error("the second connection made a full handshake")
	}
	o.HTTP1 = true
	fetch()
	if protocol.Load() != "HTTP/1.1" {
		t.Errorf("with HTTP1 it speaks %v", protocol.Load())
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Do(t.Context(), req, Options{TLS: TLS{CAFile: ca.file}}); err != nil || protocol.Load() != "HTTP/1.1" {
		t.Errorf("Do speaks %v, %v", protocol.Load(), err)
	}
}

func TestOwnCertificateIsShown(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	in := time.Now().Add(time.Hour)
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	s := secure(t, &tls.Config{
		Certificates: []tls.Certificate{ca.issue(t, "", in)}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool,
	}, func(http.ResponseWriter, *http.Request) {})
	mine := ca.issue(t, "client.example", in)
	der, err := x509.MarshalPKCS8PrivateKey(mine.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	o := Options{TLS: TLS{CAFile: ca.file, CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem")}}
	for file, block := range map[string]*pem.Block{
		o.TLS.CertFile: {Type: "CERTIFICATE", Bytes: mine.Certificate[0]}, o.TLS.KeyFile: {Type: "PRIVATE KEY", Bytes: der},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := client(t, Config{})
	if _, err := c.Fetch(t.Context(), Request{URL: s.URL, Options: o}); err != nil {
		t.Errorf("with a certificate: %v", err)
	}
	if _, err := c.Fetch(t.Context(), Request{URL: s.URL, Options: Options{TLS: TLS{CAFile: ca.file}}}); err == nil {
		t.Error("the server let us in without one")
	}
}

func TestHugeHeadersOverHTTP2(t *testing.T) {
	t.Parallel()
	s := secure(t, nil, func(w http.ResponseWriter, r *http.Request) {
		for i := range len(r.URL.Path) {
			w.Header().Set("X-"+strconv.Itoa(i), strings.Repeat("a", 10_000))
		}
	})
	c := client(t, Config{Limits: Limits{HeaderBytes: 64 << 10}}) // the limit is on bytes: no clock may come first on a busy machine
	// A little past the limit the stream is refused, far past it the connection is cut while the block arrives.
	for n, want := range map[int]Reason{7: TooLarge, 100: Truncated} {
		_, err := c.Fetch(t.Context(), Request{URL: s.URL + strings.Repeat("/", n), Options: Options{TLS: TLS{Insecure: true}}})
		failure(t, err, want)
	}
}
