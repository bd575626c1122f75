package kube

import (
	"fmt"
	"os"
	"path/filepath"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// Config returns the configuration of a client that the API server takes for the user in the groups, by a client
// certificate made for it. It has no rate limit.
func (c *Cluster) Config(user string, groups ...string) (*rest.Config, error) {
	cert, key, err := c.authority.issue(user, groups...)
	if err != nil {
		return nil, err
	}
	return &rest.Config{
		Host:            c.URL,
		TLSClientConfig: rest.TLSClientConfig{CAData: c.CA, CertData: cert, KeyData: key},
		QPS:             -1,
	}, nil
}

// Client returns a client for the user in the groups; see [Cluster.Config].
func (c *Cluster) Client(user string, groups ...string) (kubernetes.Interface, error) {
	cfg, err := c.Config(user, groups...)
	if err != nil {
		return nil, err
	}
	return kubernetes.NewForConfig(cfg)
}

// WriteKubeconfig writes a kubeconfig for the user in the groups into the cluster's folder and returns its path.
func (c *Cluster) WriteKubeconfig(user string, groups ...string) (string, error) {
	cfg, err := c.Config(user, groups...)
	if err != nil {
		return "", err
	}
	f, err := os.CreateTemp(c.Dir, "kubeconfig-*.yaml")
	if err != nil {
		return "", fmt.Errorf("write a kubeconfig for %q: %w", user, err)
	}
	f.Close()
	k := clientcmdapi.NewConfig()
	k.Clusters["lab"] = &clientcmdapi.Cluster{Server: c.URL, CertificateAuthorityData: c.CA}
	k.AuthInfos[user] = &clientcmdapi.AuthInfo{ClientCertificateData: cfg.CertData, ClientKeyData: cfg.KeyData}
	k.Contexts["lab"] = &clientcmdapi.Context{Cluster: "lab", AuthInfo: user}
	k.CurrentContext = "lab"
	return filepath.Clean(f.Name()), clientcmd.WriteToFile(*k, f.Name())
}
