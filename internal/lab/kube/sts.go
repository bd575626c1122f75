package kube

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// serveSTS is the way out to AWS for a program that heeds HTTPS_PROXY: on a loopback port it takes connections for the
// hosts of STS, and for them alone, and answers in their place, over TLS, by the handler. It returns the proxy's address.
func (c *Cluster) serveSTS(h http.Handler) (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("serve STS: %w", err)
	}
	tunnels := &tunnels{conns: make(chan net.Conn), done: make(chan struct{}), addr: l.Addr()}
	certificates := &hostCertificates{authority: c.authority}
	inner := &http.Server{Handler: h, TLSConfig: &tls.Config{GetCertificate: certificates.get}, ReadHeaderTimeout: 10 * time.Second}
	outer := &http.Server{Handler: tunnels, ReadHeaderTimeout: 10 * time.Second}
	c.webhooks = append(c.webhooks, inner, outer)
	go func() { _ = inner.ServeTLS(tunnels, "", "") }() // both end with an error whenever they are closed
	go func() { _ = outer.Serve(l) }()
	return l.Addr().String(), nil
}

// tunnels is the listener whose connections came through CONNECT.
type tunnels struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
	addr  net.Addr
}

func (t *tunnels) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect || !strings.HasPrefix(r.Host, "sts.") {
		http.Error(w, "only STS is to be had here", http.StatusForbidden)
		return
	}
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	if _, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n"); err != nil {
		conn.Close()
		return
	}
	select {
	case t.conns <- conn:
	case <-t.done:
		conn.Close()
	}
}

func (t *tunnels) Accept() (net.Conn, error) {
	select {
	case c := <-t.conns:
		return c, nil
	case <-t.done:
		return nil, net.ErrClosed
	}
}

func (t *tunnels) Close() error {
	t.once.Do(func() { close(t.done) })
	return nil
}

func (t *tunnels) Addr() net.Addr { return t.addr }

// hostCertificates makes a certificate for each host that is asked for.
type hostCertificates struct {
	authority *authority

	mu   sync.Mutex
	made map[string]*tls.Certificate
}

func (h *hostCertificates) get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c := h.made[hello.ServerName]; c != nil {
		return c, nil
	}
	cert, key, err := h.authority.issueHost(hello.ServerName)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, err
	}
	if h.made == nil {
		h.made = map[string]*tls.Certificate{}
	}
	h.made[hello.ServerName] = &pair
	return &pair, nil
}
