package oracle

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"drawbridge/internal/lab/kube"
)

// kubeletPort is where the API server looks for a node's kubelet.
const kubeletPort = 10250

// kubelets answers what the API server asks of the nodes' kubelets, a stand-in: everything is found, every command begins.
func kubelets(w http.ResponseWriter, r *http.Request) {
	if !strings.EqualFold(r.Header.Get("Connection"), "upgrade") {
		fmt.Fprintln(w, "{}")
		return
	}
	for _, name := range []string{"Connection", "Upgrade", "X-Stream-Protocol-Version"} {
		w.Header().Set(name, r.Header.Get(name))
	}
	w.WriteHeader(http.StatusSwitchingProtocols)
}

const egress = `
apiVersion: apiserver.k8s.io/v1beta1
kind: EgressSelectorConfiguration
egressSelections:
- name: cluster
  connection: {proxyProtocol: HTTPConnect, transport: {uds: {udsName: %q}}}
`

// reachKubelets lets the API server reach the nodes through a proxy, as EKS' does through its network interfaces in the
// cluster's VPC: there are no such addresses here, and the API server goes to none of loopback for anybody.
func reachKubelets(t *testing.T) func(context.Context, *kube.Cluster) ([]string, error) {
	return func(_ context.Context, c *kube.Cluster) ([]string, error) {
		kubelet := httptest.NewUnstartedServer(http.HandlerFunc(kubelets))
		kubelet.Config.ErrorLog = log.New(io.Discard, "", 0) // the API server gives up connections
		kubelet.StartTLS()
		t.Cleanup(kubelet.Close)
		socket := filepath.Join(c.Dir, "egress.sock")
		listener, err := net.Listen("unix", socket)
		if err != nil {
			return nil, err
		}
		proxy := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			to := r.Host
			if strings.HasSuffix(to, fmt.Sprint(":", kubeletPort)) {
				to = kubelet.Listener.Addr().String()
			}
			forward(w, to)
		})}
		t.Cleanup(func() { proxy.Close() })
		go func() { _ = proxy.Serve(listener) }() // it ends with an error whenever the server is closed
		config := filepath.Join(c.Dir, "egress.yaml")
		return []string{"--egress-selector-config-file=" + config, "--kubelet-preferred-address-types=InternalIP"}, os.WriteFile(config, fmt.Appendf(nil, egress, socket), 0o600)
	}
}

// forward makes a tunnel of a CONNECT.
func forward(w http.ResponseWriter, to string) {
	there, err := net.Dial("tcp", to)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer there.Close()
	w.WriteHeader(http.StatusOK)
	here, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer here.Close()
	go func() {
		_, _ = io.Copy(there, buffered)
		there.Close()
	}()
	_, _ = io.Copy(here, there)
}
