package kube

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// Options say what a cluster is started with. The zero value is an API server with RBAC and Node authorization, no
// controllers and no audit log.
type Options struct {
	// BinDir holds the programs; empty means [BinDir].
	BinDir string
	// Controllers are the controllers of kube-controller-manager to run, [IdentityControllers] for most; none means that
	// it is not started. Without them the ClusterRoles admin, edit and view have no rules, namespaces get no default
	// service account and are never deleted.
	Controllers []string
	// OwnAccounts lets each controller act as the service account that Kubernetes has for it, as EKS does, and only what has
	// none as system:kube-controller-manager; otherwise all do as that, in the group system:masters.
	OwnAccounts bool
	// AuditPolicy is a policy in YAML, [FullAudit] or [EKSAudit]; empty means no audit log.
	AuditPolicy string
	// Issuer is the issuer of service account tokens, https://kubernetes.default.svc if empty.
	Issuer string
	// APIServerFlags are appended to the flags of kube-apiserver. One that begins with --authorization-config replaces
	// the authorization mode.
	APIServerFlags []string
	// Authenticator, if not nil, is what the API server asks who a token of EKS is from.
	Authenticator *Authenticator
	// AccessPolicies, if not nil, is what the API server asks when Node and RBAC have not allowed a request.
	AccessPolicies *AccessPolicies
	// Prepare is called when the cluster's URL, certificates and kubeconfigs are there and before its API server starts;
	// the flags it returns are appended too. It is the place to start a webhook that must know the cluster.
	Prepare func(context.Context, *Cluster) ([]string, error)
}

// IdentityControllers returns the controllers on which the identity state of a cluster depends.
func IdentityControllers() []string {
	return []string{
		"clusterrole-aggregation-controller", "serviceaccount-controller", "serviceaccount-token-controller",
		"namespace-controller", "root-ca-certificate-publisher-controller", "validatingadmissionpolicy-status-controller",
		"certificatesigningrequest-signing-controller", "garbage-collector-controller",
	}
}

// Cluster is a running control plane. Its fields do not change after [Start].
type Cluster struct {
	// URL is that of the API server, https://127.0.0.1:<port>.
	URL string
	// CA is the certificate of the cluster's authority, in PEM.
	CA []byte
	// Kubeconfig is the path of a kubeconfig for the user admin in the group system:masters.
	Kubeconfig string
	// Admin is a client for that user.
	Admin kubernetes.Interface
	// AuditLog is the path of the audit log, one JSON event a line; empty without a policy.
	AuditLog string
	// Dir holds the files and logs of this cluster, gone after Stop.
	Dir string
	// Took is the time from the call of Start until everything was ready.
	Took time.Duration

	options   Options
	as        *rest.Config // of who writes objects; nil is the administrator
	authority *authority
	held      []*os.File // ports
	processes []*process
	webhooks  []*http.Server

	authenticatorAddress string
	accessPolicyAddress  string
	stsAddress           string
}

// startTimeout bounds the start; an idle machine needs three seconds.
const startTimeout = 2 * time.Minute

// Start starts a cluster and returns when it is ready: the API server says so and, with controllers, the aggregated
// ClusterRoles are filled and the default service account is there. The context bounds only the start. The caller stops
// the cluster; after an error nothing is left running.
func Start(ctx context.Context, o Options) (_ *Cluster, err error) {
	start := time.Now()
	if o.BinDir == "" {
		if o.BinDir, err = BinDir(); err != nil {
			return nil, err
		}
	}
	if err := find(o.BinDir); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	c := &Cluster{options: o}
	defer func() {
		if err != nil {
			c.Stop()
			err = fmt.Errorf("start the lab's cluster: %w", err)
		}
	}()
	// A short path: the sockets of etcd are in it, and the kernel takes 107 bytes.
	if c.Dir, err = os.MkdirTemp("", "drawbridge-kube-"); err != nil {
		return nil, err
	}
	for _, step := range []func(context.Context) error{c.startEtcd, c.makeCredentials, c.startAPIServer, c.startControllers, c.startAuthenticator} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	c.Took = time.Since(start)
	return c, nil
}

// Stop kills the cluster's programs and removes its files. Calling it again does nothing.
func (c *Cluster) Stop() {
	for _, p := range slices.Backward(c.processes) {
		p.kill()
	}
	c.processes = nil
	for _, w := range c.webhooks {
		w.Close()
	}
	for _, f := range c.held {
		f.Close()
	}
	c.held = nil
	if c.Dir != "" {
		os.RemoveAll(c.Dir)
	}
}

// run starts a program; without an environment it gets this process's.
func (c *Cluster) run(b binary, env []string, args ...string) (*process, error) {
	p, err := startProcess(filepath.Join(c.options.BinDir, b.name), c.Dir, env, args...)
	if err == nil {
		c.processes = append(c.processes, p)
	}
	return p, err
}

func (c *Cluster) path(name string) string { return filepath.Join(c.Dir, name) }

// startEtcd runs etcd on sockets in the cluster's folder: no port to lose to a neighbour, and nobody else may open it.
func (c *Cluster) startEtcd(context.Context) error {
	_, err := c.run(etcd, nil, "--data-dir="+c.path("etcd"), "--unsafe-no-fsync", "--log-level=warn",
		"--listen-client-urls=unix://"+c.path("etcd.sock"), "--listen-peer-urls=unix://"+c.path("peer.sock"),
		"--advertise-client-urls=http://127.0.0.1:2379") // wants host and port; no client ever asks for it
	return err
}

// makeCredentials makes the certificates, takes the port and writes the administrator's kubeconfig.
func (c *Cluster) makeCredentials(context.Context) (err error) {
	if c.authority, err = newAuthority(); err != nil {
		return err
	}
	c.CA = c.authority.pem
	if err := c.authority.writePKI(c.Dir); err != nil {
		return err
	}
	port, held, err := reservePort()
	if err != nil {
		return err
	}
	c.held = append(c.held, held)
	c.URL = "https://127.0.0.1:" + strconv.Itoa(port)
	if c.Kubeconfig, err = c.WriteKubeconfig("admin", "system:masters"); err != nil {
		return err
	}
	c.Admin, err = c.Client("admin", "system:masters")
	return err
}

func (c *Cluster) startAPIServer(ctx context.Context) error {
	flags, err := c.apiserverFlags(ctx)
	if err != nil {
		return err
	}
	p, err := c.run(apiserver, nil, flags...)
	if err != nil {
		return err
	}
	return c.await(ctx, p, "be ready", func(ctx context.Context) bool {
		_, err := c.rest().Get().AbsPath("/readyz").DoRaw(ctx)
		return err == nil
	})
}

func (c *Cluster) apiserverFlags(ctx context.Context) ([]string, error) {
	o := c.options
	issuer := o.Issuer
	if issuer == "" {
		issuer = "https://kubernetes.default.svc"
	}
	flags := []string{
		"--etcd-servers=unix://" + c.path("etcd.sock"),
		"--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", "--permit-port-sharing=true",
		"--secure-port=" + c.URL[strings.LastIndexByte(c.URL, ':')+1:],
		"--endpoint-reconciler-type=none", "--service-cluster-ip-range=10.100.0.0/16",
		"--tls-cert-file=" + c.path("server.crt"), "--tls-private-key-file=" + c.path("server.key"),
		"--client-ca-file=" + c.path("ca.crt"),
		"--service-account-key-file=" + c.path("sa.pub"), "--service-account-signing-key-file=" + c.path("sa.key"),
		"--service-account-issuer=" + issuer,
		"--anonymous-auth=true", "--allow-privileged=true", "--enable-admission-plugins=NodeRestriction",
	}
	if o.AuditPolicy != "" {
		if err := os.WriteFile(c.path("audit-policy.yaml"), []byte(o.AuditPolicy), 0o600); err != nil {
			return nil, err
		}
		c.AuditLog = c.path("audit.log")
		// Blocking, so that an event is in the file when its response is complete.
		flags = append(flags, "--audit-policy-file="+c.path("audit-policy.yaml"), "--audit-log-path="+c.AuditLog, "--audit-log-mode=blocking")
	}
	more := slices.Clone(o.APIServerFlags)
	if o.Authenticator != nil {
		asks, err := c.prepareAuthenticator()
		if err != nil {
			return nil, fmt.Errorf("prepare the authenticator: %w", err)
		}
		more = append(more, asks...)
	}
	if o.AccessPolicies != nil {
		asks, err := c.startAccessPolicies(ctx)
		if err != nil {
			return nil, fmt.Errorf("start the webhook for access policies: %w", err)
		}
		more = append(more, asks...)
	}
	if o.Prepare != nil {
		prepared, err := o.Prepare(ctx, c)
		if err != nil {
			return nil, fmt.Errorf("prepare the API server: %w", err)
		}
		more = append(more, prepared...)
	}
	if !slices.ContainsFunc(more, func(f string) bool { return strings.HasPrefix(f, "--authorization-config") }) {
		flags = append(flags, "--authorization-mode=Node,RBAC")
	}
	return append(flags, more...), nil
}

func (c *Cluster) startControllers(ctx context.Context) error {
	if len(c.options.Controllers) == 0 {
		return nil
	}
	groups := []string{"system:masters"}
	if c.options.OwnAccounts {
		groups = nil
	}
	kubeconfig, err := c.WriteKubeconfig("system:kube-controller-manager", groups...)
	if err != nil {
		return err
	}
	p, err := c.run(controllerManager, nil, "--kubeconfig="+kubeconfig, "--controllers="+strings.Join(c.options.Controllers, ","),
		"--service-account-private-key-file="+c.path("sa.key"), "--root-ca-file="+c.path("ca.crt"),
		"--cluster-signing-cert-file="+c.path("ca.crt"), "--cluster-signing-key-file="+c.path("ca.key"),
		"--use-service-account-credentials="+strconv.FormatBool(c.options.OwnAccounts), "--leader-elect=false", "--secure-port=0")
	if err != nil {
		return err
	}
	if slices.Contains(c.options.Controllers, "clusterrole-aggregation-controller") {
		// admin is aggregated from edit, and edit from view: when it has rules, all have.
		err = c.await(ctx, p, "aggregate the ClusterRole admin", func(ctx context.Context) bool {
			r, err := c.Admin.RbacV1().ClusterRoles().Get(ctx, "admin", metav1.GetOptions{})
			return err == nil && len(r.Rules) > 0
		})
	}
	if err == nil && slices.Contains(c.options.Controllers, "serviceaccount-controller") {
		err = c.await(ctx, p, "make the default service account", func(ctx context.Context) bool {
			_, err := c.Admin.CoreV1().ServiceAccounts("default").Get(ctx, "default", metav1.GetOptions{})
			return err == nil
		})
	}
	return err
}

// await polls until ok, and gives up when the program ends or the context does.
func (c *Cluster) await(ctx context.Context, p *process, what string, ok func(context.Context) bool) error {
	err := wait.PollUntilContextCancel(ctx, 20*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		for _, p := range c.processes {
			select {
			case <-p.done:
				return false, p.ended()
			default:
			}
		}
		return ok(ctx), nil
	})
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return fmt.Errorf("wait for %s to %s: %w: %s", p.name, what, err, p.tail())
	}
	return err
}

func (c *Cluster) rest() rest.Interface { return c.Admin.CoreV1().RESTClient() }
