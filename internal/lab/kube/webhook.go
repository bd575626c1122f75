package kube

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// ServeWebhook serves the handler over TLS on loopback, with a certificate of the cluster's authority, until the cluster
// stops. It returns the path of the kubeconfig by which an API server finds it, for --authentication-token-webhook-config-file
// or an authorization configuration, and is meant to be called in [Options].Prepare.
func (c *Cluster) ServeWebhook(h http.Handler) (string, error) {
	cert, key, err := c.authority.issue("webhook")
	if err != nil {
		return "", err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return "", fmt.Errorf("serve a webhook: %w", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("serve a webhook: %w", err)
	}
	s := &http.Server{Handler: h, TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair}}, ReadHeaderTimeout: 10 * time.Second}
	c.webhooks = append(c.webhooks, s)
	go func() { _ = s.ServeTLS(l, "", "") }() // it ends with an error whenever the server is closed

	return c.writeWebhookConfig("https://" + l.Addr().String())
}

// writeWebhookConfig writes the kubeconfig by which an API server finds a webhook, and returns its path.
func (c *Cluster) writeWebhookConfig(url string) (string, error) {
	f, err := os.CreateTemp(c.Dir, "webhook-*.yaml")
	if err != nil {
		return "", fmt.Errorf("write the kubeconfig of a webhook: %w", err)
	}
	f.Close()
	k := clientcmdapi.NewConfig()
	k.Clusters["webhook"] = &clientcmdapi.Cluster{Server: url, CertificateAuthorityData: c.CA}
	k.AuthInfos["apiserver"] = &clientcmdapi.AuthInfo{}
	k.Contexts["webhook"] = &clientcmdapi.Context{Cluster: "webhook", AuthInfo: "apiserver"}
	k.CurrentContext = "webhook"
	return filepath.Clean(f.Name()), clientcmd.WriteToFile(*k, f.Name())
}

// reserveAddress takes a loopback port for a webhook that is a program.
func (c *Cluster) reserveAddress() (string, error) {
	port, held, err := reservePort()
	if err != nil {
		return "", err
	}
	c.held = append(c.held, held)
	return "127.0.0.1:" + strconv.Itoa(port), nil
}

// awaitHealth waits until a webhook that is a program says that it is well.
func (c *Cluster) awaitHealth(ctx context.Context, p *process, address string) error {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(c.CA)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true}, Timeout: 10 * time.Second}
	return c.await(ctx, p, "be ready", func(ctx context.Context) bool {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+address+"/healthz", nil)
		if err != nil {
			return false
		}
		resp, err := client.Do(req)
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
}
