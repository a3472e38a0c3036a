package web

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"
)

// transportKey is what makes two requests need different connections.
type transportKey struct {
	proxy   string
	tls     TLS
	http1   bool
	private string
}

type transportEntry struct {
	transport *http.Transport
	used      time.Time
}

// maxTransports bounds the cache. Its keys come from configuration, so only a very large one reaches it; the least
// recently used then loses its idle connections.
const maxTransports = 256

// transport gives the one transport for o, made at first use. A transport per request would lose every kept
// connection and TLS session, and leak goroutines.
func (c *Client) transport(o *Options, http1 bool) (*http.Transport, error) {
	k := transportKey{proxy: o.Proxy, tls: o.TLS, http1: http1 || o.HTTP1, private: o.Private}
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.transports[k]; ok {
		e.used = time.Now()
		return e.transport, nil
	}
	t, err := c.newTransport(k, o)
	if err != nil {
		return nil, err
	}
	if len(c.transports) >= maxTransports {
		var oldest transportKey
		var at time.Time
		for k, e := range c.transports {
			if at.IsZero() || e.used.Before(at) {
				oldest, at = k, e.used
			}
		}
		c.transports[oldest].transport.CloseIdleConnections()
		delete(c.transports, oldest)
	}
	c.transports[k] = &transportEntry{transport: t, used: time.Now()}
	return t, nil
}

func (c *Client) newTransport(k transportKey, o *Options) (*http.Transport, error) {
	proxy, err := o.proxyURL()
	if err != nil {
		return nil, err
	}
	config, err := c.tlsConfig(k.tls)
	if err != nil {
		return nil, err
	}
	trusted := k.private
	t := &http.Transport{
		TLSClientConfig:        config,
		TLSHandshakeTimeout:    c.limits.Handshake,
		ResponseHeaderTimeout:  c.limits.Header,
		MaxResponseHeaderBytes: c.limits.HeaderBytes,
		IdleConnTimeout:        c.limits.KeepAlive,
		MaxIdleConns:           512,
		MaxIdleConnsPerHost:    2,
		DisableCompression:     true,
		Protocols:              new(http.Protocols),
	}
	if proxy != nil {
		// All connections of this transport go to the proxy, which the operator named.
		trusted = proxyAddress(proxy)
		t.Proxy = http.ProxyURL(proxy)
	}
	t.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		return c.dial(ctx, network, address, trusted)
	}
	t.Protocols.SetHTTP1(true)
	t.Protocols.SetHTTP2(!k.http1)
	return t, nil
}

// proxyAddress gives the host:port that net/http dials for a proxy.
func proxyAddress(u *url.URL) string {
	if u.Port() == "" {
		switch u.Scheme {
		case "socks5", "socks5h":
			return net.JoinHostPort(u.Hostname(), "1080")
		case "https":
			return net.JoinHostPort(u.Hostname(), "443")
		}
		return net.JoinHostPort(u.Hostname(), "80")
	}
	return net.JoinHostPort(u.Hostname(), u.Port())
}

// tlsConfig prepares verification. The sessions of the usual verification are shared by all transports; a changed one
// has its own, since a session is resumed without looking at the certificate authorities again.
func (c *Client) tlsConfig(t TLS) (*tls.Config, error) {
	config := &tls.Config{
		MinVersion:         tls.VersionTLS12,
		ClientSessionCache: c.sessions,
		InsecureSkipVerify: t.Insecure,
	}
	if t != (TLS{}) {
		config.ClientSessionCache = tls.NewLRUClientSessionCache(sessionCache / 64)
	}
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, newError(BadURL, "", "read certificate authorities: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, newError(BadURL, "", "read certificate authorities %s: no certificate in PEM", t.CAFile)
		}
	}
	if t.CertFile != "" || t.KeyFile != "" {
		pair, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		if err != nil {
			return nil, newError(BadURL, "", "read own certificate: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}
