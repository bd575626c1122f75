package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Authenticator puts the real aws-iam-authenticator in front of a cluster, as EKS does: the API server asks it who a
// token is from, and it looks into the access entries and into kube-system/aws-auth of that API server, which it watches.
// It has read both a moment after [Start] has returned.
type Authenticator struct {
	// Cluster is the name that a token is signed for.
	Cluster string
	// Mode is the cluster's authentication mode, which says what is looked into: CONFIG_MAP, API_AND_CONFIG_MAP or API.
	Mode string
	// Entries are the access entries; those of mode CONFIG_MAP are not looked into.
	Entries []MappedPrincipal
	// STS answers the presigned sts:GetCallerIdentity of a token, in JSON as STS does where that is asked for.
	STS http.Handler
	// Environment is added to that of the program, KEY=value: what its client of EC2 needs.
	Environment []string
}

// MappedPrincipal is an access entry as the authenticator is told it: bound to the unique id of the principal.
type MappedPrincipal struct {
	ARN, UniqueID, Username string
	Groups                  []string
}

// backends are the stores of a mode in the order in which they are asked (kubernetes-sigs/aws-iam-authenticator, v0.7.8,
// pkg/mapper; the order is that of the precedence in EKS User Guide, "Migrating existing aws-auth ConfigMap entries to
// access entries", 2026-11).
var backends = map[string][]string{
	"CONFIG_MAP": {"EKSConfigMap"}, "API_AND_CONFIG_MAP": {"DynamicFile", "EKSConfigMap"}, "API": {"DynamicFile"},
}

// prepareAuthenticator takes the authenticator's port and returns the flags by which the API server finds it.
func (c *Cluster) prepareAuthenticator() (flags []string, err error) {
	if c.authenticatorAddress, err = c.reserveAddress(); err != nil {
		return nil, err
	}
	config, err := c.writeWebhookConfig("https://" + c.authenticatorAddress + "/authenticate")
	return []string{"--authentication-token-webhook-config-file=" + config}, err
}

// startAuthenticator starts the program when the API server is ready: a watch that fails is tried again after 5 s only.
func (c *Cluster) startAuthenticator(ctx context.Context) error {
	a := c.options.Authenticator
	if a == nil {
		return nil
	}
	if err := c.holdHealthPort(); err != nil {
		return err
	}
	var err error
	if c.stsAddress, err = c.serveSTS(a.STS); err != nil {
		return err
	}
	return c.runAuthenticator(ctx, a)
}

// runAuthenticator runs the program on what the options say now.
func (c *Cluster) runAuthenticator(ctx context.Context, a *Authenticator) error {
	config, err := c.writeAuthenticatorFiles(a)
	if err != nil {
		return err
	}
	env := append(os.Environ(), a.Environment...)
	env = append(env, "HTTPS_PROXY=http://"+c.stsAddress, "NO_PROXY=127.0.0.1", "SSL_CERT_FILE="+c.path("ca.crt"), "AWS_EC2_METADATA_DISABLED=true")
	host, port, _ := strings.Cut(c.authenticatorAddress, ":")
	p, err := c.run(authenticator, env, "server", "--config="+config, "--address="+host, "--port="+port, "--kubeconfig="+c.Kubeconfig,
		"--state-dir="+c.path("authenticator"), "--kubeconfig-pregenerated")
	if err != nil {
		return err
	}
	return c.awaitHealth(ctx, p, c.authenticatorAddress)
}

// Replace puts another authentication mode, access entries and access policies in the place of those that the cluster was
// started with, as if EKS had seen them change: the programs that decide by them are run anew. The cluster must have been
// started with both, and STS stays the one of the start.
func (c *Cluster) Replace(ctx context.Context, a Authenticator, p AccessPolicies) error {
	for _, program := range []string{authenticator.name, accessPolicy.name} {
		i := slices.IndexFunc(c.processes, func(p *process) bool { return p.name == program })
		if i < 0 {
			return fmt.Errorf("replace access entries: %s does not run", program)
		}
		c.processes[i].kill()
		c.processes = slices.Delete(c.processes, i, i+1)
	}
	if err := c.runAccessPolicies(ctx, &p); err != nil {
		return fmt.Errorf("replace access policies: %w", err)
	}
	if err := c.runAuthenticator(ctx, &a); err != nil {
		return fmt.Errorf("replace access entries: %w", err)
	}
	return nil
}

// writeAuthenticatorFiles writes certificate, configuration and access entries; it returns the path of the second.
func (c *Cluster) writeAuthenticatorFiles(a *Authenticator) (string, error) {
	stores, ok := backends[a.Mode]
	if !ok {
		return "", fmt.Errorf("no authentication mode %q", a.Mode)
	}
	cert, key, err := c.authority.issue("authenticator")
	if err != nil {
		return "", err
	}
	server := map[string]any{"backendMode": stores}
	if stores[0] == "DynamicFile" {
		// EKS binds an access entry to the unique id (EKS User Guide, "Create access entries", 2026-11).
		server["dynamicfilepath"], server["dynamicfileUserIDStrict"] = c.path("entries.json"), true
	}
	config, err := json.Marshal(map[string]any{"clusterID": a.Cluster, "server": server})
	if err != nil {
		return "", err
	}
	entries, err := json.Marshal(entriesFile(a.Entries))
	if err != nil {
		return "", err
	}
	dir := c.path("authenticator")
	return c.path("authenticator.json"), errors.Join(
		os.MkdirAll(dir, 0o700),
		os.WriteFile(filepath.Join(dir, "cert.pem"), cert, 0o600), os.WriteFile(filepath.Join(dir, "key.pem"), key, 0o600),
		os.WriteFile(c.path("authenticator.json"), config, 0o600), os.WriteFile(c.path("entries.json"), entries, 0o600),
	)
}

// entriesFile has the form that the backend DynamicFile reads.
func entriesFile(entries []MappedPrincipal) map[string]any {
	users, roles := []map[string]any{}, []map[string]any{}
	for _, e := range entries {
		m := map[string]any{"userid": e.UniqueID, "username": e.Username, "groups": e.Groups}
		if strings.Contains(e.ARN, ":user/") {
			m["userarn"] = e.ARN
			users = append(users, m)
			continue
		}
		m["rolearn"] = e.ARN
		roles = append(roles, m)
	}
	return map[string]any{"Version": "1", "LastUpdatedDateTime": "0", "mapUsers": users, "mapRoles": roles, "mapAccounts": []string{}}
}

// healthPort is where the authenticator would tell everybody that it is well.
const healthPort = 21363

// holdHealthPort binds the port on all interfaces without listening, so that the authenticator, which has no flag for
// it, cannot open it: it logs that and goes on. Whoever has the port already serves as well.
func (c *Cluster) holdHealthPort() error {
	f, err := bindPort(&unix.SockaddrInet6{Port: healthPort}, unix.SO_REUSEPORT)
	if errors.Is(err, unix.EAFNOSUPPORT) {
		f, err = bindPort(&unix.SockaddrInet4{Port: healthPort}, unix.SO_REUSEPORT)
	}
	if errors.Is(err, unix.EADDRINUSE) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("hold port %d: %w", healthPort, err)
	}
	c.held = append(c.held, f)
	return nil
}
