package oracle

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"drawbridge/internal/lab/kube"
)

var saveDay = flag.String("save-day", "", "write the log of the ordinary day to this file, for detections/testdata")

// day is a working day of a cluster: everybody does what they are there for.
type day struct {
	*site
	*testing.T
	scheduler kubernetes.Interface
	joined    []kubernetes.Interface // the nodes, as their kubelets
	tokens    map[string]string      // of pods' service accounts, as the kubelets got them: namespace/name
}

// TestOrdinaryDay: a day of deployments, rollouts, jobs, node joins, add-ons, Helm installations and people with kubectl, with
// the real controllers, gives no finding that somebody must look at the same day.
//
// All of it happens within seconds, so that more comes together in the detections' windows than on any real day. What is not in
// it: agents that are made to be as good as their nodes, and software that is made to act for others; those are reported, and
// suppressed by who installs them, as the detections' false positives say.
func TestOrdinaryDay(t *testing.T) {
	s := newSite(t)
	before := len(s.log(t))
	d := &day{site: s, T: t, scheduler: client(t, s.part(t, "system:kube-scheduler")), tokens: map[string]string{}}
	for _, hour := range []struct {
		name string
		does func(*day)
	}{
		{"nodes join", (*day).nodesJoin},
		{"EKS installs its add-ons", (*day).addons},
		{"the pipeline installs charts", (*day).charts},
		{"developers deploy", (*day).developersDeploy},
		{"workloads work", (*day).workloads},
		{"the pipeline upgrades", (*day).upgrades},
		{"EKS updates an add-on", (*day).addonUpdate},
		{"people look", (*day).peopleLook},
		{"a node is replaced", (*day).nodeReplaced},
		{"a namespace goes", (*day).namespaceGoes},
		{"strangers knock", (*day).strangers},
	} {
		t.Run(hour.name, func(t *testing.T) {
			d.T = t
			hour.does(d)
			d.work()
		})
	}
	if t.Failed() {
		return
	}
	d.T = t
	s.quiet(t)
	log := s.log(t)[before:]
	found, stats := findings(t, log)
	counts := map[string]int{}
	for _, f := range found {
		counts[string(f.Severity)+" "+f.ID]++
		if f.Severity == "high" || f.Severity == "critical" {
			t.Errorf("%s %s: %s\n\t%v", f.Severity, f.ID, f.Message, f.Evidence)
		} else if f.Severity == "medium" {
			t.Logf("%s %s: %s", f.Severity, f.ID, f.Message)
		}
	}
	t.Logf("%d events by %d identities", stats.Read, identities(t, log))
	for _, k := range slices.Sorted(maps.Keys(counts)) {
		t.Logf("%4d %s", counts[k], k)
	}
	if n := identities(t, log); stats.Read < 1000 || n < 25 {
		t.Errorf("%d events by %d identities are no day", stats.Read, n)
	}
	if *saveDay != "" {
		save(t, log)
	}
}

// identities counts who made requests.
func identities(t *testing.T, log []byte) int {
	names := map[string]bool{}
	for line := range bytes.Lines(log) {
		var e struct{ User struct{ Username string } }
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatal(err)
		}
		names[e.User.Username] = true
	}
	return len(names)
}

// save writes a part of the log, evenly, without what the lab does for itself.
func save(t *testing.T, log []byte) {
	var out []byte
	i := 0
	for line := range bytes.Lines(log) {
		if bytes.Contains(line, []byte(`"user":{"username":"admin"`)) {
			continue
		}
		if i++; i%10 == 0 {
			out = append(out, line...)
		}
	}
	if err := os.WriteFile(*saveDay, out, 0o644); err != nil {
		t.Fatal(err)
	}
}

func (d *day) must(err error) {
	d.Helper()
	if err != nil {
		d.Fatal(err)
	}
}

func (d *day) as(role, name string) kubernetes.Interface {
	return client(d, d.session(d, role, name))
}

// apply is `kubectl apply --server-side` by somebody.
func (d *day) apply(cfg *rest.Config, manifest string) {
	d.Helper()
	d.must(d.kube.As(cfg).Apply(d.Context(), manifest))
}

func (d *day) addons() {
	addons := d.kube.As(d.session(d, "AddonManager", "1234567890"))
	d.must(addons.InstallEKS(d.Context(), kube.EKS{Name: cluster, WebhookURL: d.webhook, Agent: kube.AgentWithTokenVerification()}))
	d.apply(d.session(d, "AddonManager", "1234567890"), ebsDriver)
	d.settled("kube-system")
}

func (d *day) addonUpdate() {
	addons := d.kube.As(d.session(d, "AddonManager", "2345678901"))
	agent := kube.AgentWithTokenVerification()
	agent.Tag = "v0.2.2"
	d.must(addons.InstallEKS(d.Context(), kube.EKS{Name: cluster, WebhookURL: d.webhook, Agent: agent}))
	d.settled("kube-system")
}

func (d *day) charts() {
	for _, c := range []struct{ namespace, release, manifest string }{
		{"ingress", "ingress-nginx", ingressChart},
		{"kube-system", "metrics-server", metricsChart},
		{"cert-manager", "cert-manager", certChart},
		{"kube-system", "aws-load-balancer-controller", balancerChart},
		{"logging", "aws-for-fluent-bit", logChart},
		{"dns", "external-dns", dnsChart},
	} {
		d.helm(c.namespace, c.release, 1, c.manifest)
	}
}

func (d *day) upgrades() {
	d.helm("ingress", "ingress-nginx", 2, strings.ReplaceAll(ingressChart, ":v1.0", ":v1.1"))
	d.helm("cert-manager", "cert-manager", 2, strings.ReplaceAll(certChart, ":v1.0", ":v1.1"))
	for _, namespace := range []string{"ingress", "cert-manager"} {
		d.settled(namespace)
	}
	// What would change is asked for first, and what somebody may not do is refused.
	admin := &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "would-be"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"}, Subjects: []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: "jane"}}}
	agent := kube.Pod("shop", "would-be", "web", "")
	agent.Spec.HostPID = true
	dry := metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}
	pipeline := d.as("Pipeline", "build-4713")
	_, err := pipeline.RbacV1().ClusterRoleBindings().Create(d.Context(), admin, dry)
	d.must(err)
	_, err = pipeline.CoreV1().Pods("shop").Create(d.Context(), agent, dry)
	d.must(err)
	if _, err = d.as("Dev", "jane@example.com").RbacV1().ClusterRoleBindings().Create(d.Context(), admin, metav1.CreateOptions{}); !apierrors.IsForbidden(err) {
		d.Fatalf("a developer binds cluster-admin: %v", err)
	}
}

// helm installs or upgrades a release as Helm does, whose releases are Secrets.
func (d *day) helm(namespace, release string, version int, manifest string) {
	cfg := rest.CopyConfig(d.session(d, "Pipeline", "build-4711"))
	cfg.UserAgent = "Helm/4.3.1"
	c := client(d, cfg)
	if version == 1 && namespace != "kube-system" {
		d.apply(cfg, "{apiVersion: v1, kind: Namespace, metadata: {name: "+namespace+"}}")
	}
	secrets := c.CoreV1().Secrets(namespace)
	_, err := secrets.List(d.Context(), metav1.ListOptions{LabelSelector: "name=" + release + ",owner=helm"})
	d.must(err)
	name := fmt.Sprintf("sh.helm.release.v1.%s.v%d", release, version)
	_, _ = secrets.Get(d.Context(), name, metav1.GetOptions{}) // not found
	d.apply(cfg, "{apiVersion: v1, kind: Secret, metadata: {name: "+name+", namespace: "+namespace+", labels: {owner: helm, name: "+release+"}}, type: helm.sh/release.v1}")
	d.apply(cfg, manifest)
	_, err = secrets.Patch(d.Context(), name, types.MergePatchType, []byte(`{"metadata":{"labels":{"status":"deployed"}}}`), metav1.PatchOptions{})
	d.must(err)
	d.settled(namespace)
}

func (d *day) developersDeploy() {
	jane := d.session(d, "Dev", "jane@example.com")
	d.apply(jane, shopManifest)
	d.settled("shop")
	c := client(d, jane)
	patch := func(name string, t types.PatchType, body string, sub ...string) {
		_, err := c.AppsV1().Deployments("shop").Patch(d.Context(), name, t, []byte(body), metav1.PatchOptions{}, sub...)
		d.must(err)
		d.settled("shop")
	}
	patch("web", types.MergePatchType, `{"spec":{"replicas":4}}`, "scale")
	patch("web", types.StrategicMergePatchType, `{"spec":{"template":{"metadata":{"annotations":{"kubectl.kubernetes.io/restartedAt":"2026-11-23T09:00:00Z"}}}}}`)
	patch("cart", types.StrategicMergePatchType, `{"spec":{"template":{"spec":{"containers":[{"name":"c","image":"registry.example.com/cart:2"}]}}}}`)
	patch("web", types.JSONPatchType, `[{"op":"replace","path":"/spec/replicas","value":2}]`)
	d.eventually("update cart", func() error {
		dep, err := c.AppsV1().Deployments("shop").Get(d.Context(), "cart", metav1.GetOptions{})
		if err != nil {
			return err
		}
		dep.Spec.Template.Spec.Containers[0].Image = "registry.example.com/cart:3"
		_, err = c.AppsV1().Deployments("shop").Update(d.Context(), dep, metav1.UpdateOptions{})
		return err
	})
	d.settled("shop")
	d.apply(jane, `{apiVersion: batch/v1, kind: Job, metadata: {name: report-now, namespace: shop}, spec: {template: {metadata: {labels: {run: once}}, spec: {restartPolicy: Never, serviceAccountName: cart, containers: [{name: c, image: "registry.example.com/report:1"}]}}}}`)
	d.work()
	background := metav1.DeletePropagationBackground
	d.must(c.BatchV1().Jobs("shop").Delete(d.Context(), "report-now", metav1.DeleteOptions{PropagationPolicy: &background}))
}

// eventually does what others may be in the way of.
func (d *day) eventually(what string, do func() error) {
	d.Helper()
	d.await(d.T, what, func() bool { return do() == nil })
}

// settled lets the scheduler and the kubelets work until the rollouts of a namespace are done.
func (d *day) settled(namespace string) {
	d.Helper()
	d.await(d.T, "the rollouts in "+namespace, func() bool {
		d.work()
		deployments, err := d.kube.Admin.AppsV1().Deployments(namespace).List(d.Context(), metav1.ListOptions{})
		d.must(err)
		daemons, err := d.kube.Admin.AppsV1().DaemonSets(namespace).List(d.Context(), metav1.ListOptions{})
		d.must(err)
		sets, err := d.kube.Admin.AppsV1().StatefulSets(namespace).List(d.Context(), metav1.ListOptions{})
		d.must(err)
		return !slices.ContainsFunc(deployments.Items, func(o appsv1.Deployment) bool {
			return o.Status.ObservedGeneration < o.Generation || o.Status.ReadyReplicas != *o.Spec.Replicas || o.Status.UpdatedReplicas != *o.Spec.Replicas || o.Status.Replicas != *o.Spec.Replicas
		}) && !slices.ContainsFunc(daemons.Items, func(o appsv1.DaemonSet) bool {
			return o.Status.ObservedGeneration < o.Generation || o.Status.NumberReady != o.Status.DesiredNumberScheduled || o.Status.UpdatedNumberScheduled != o.Status.DesiredNumberScheduled
		}) && !slices.ContainsFunc(sets.Items, func(o appsv1.StatefulSet) bool {
			return o.Status.ObservedGeneration < o.Generation || o.Status.ReadyReplicas != *o.Spec.Replicas
		})
	})
}

func (d *day) peopleLook() {
	for _, who := range []kubernetes.Interface{d.as("Dev", "jane@example.com"), d.as("Dev", "bob@example.com"), d.as("Ops", "carol@example.com"), d.as("Lead", "dave@example.com")} {
		core, apps := who.CoreV1(), who.AppsV1()
		_, err := core.Pods("shop").List(d.Context(), metav1.ListOptions{})
		d.must(err)
		_, err = apps.Deployments("shop").List(d.Context(), metav1.ListOptions{})
		d.must(err)
		_, err = core.Services("").List(d.Context(), metav1.ListOptions{})
		d.must(err)
		_, err = core.Events("shop").List(d.Context(), metav1.ListOptions{})
		d.must(err)
		_, err = core.ConfigMaps("shop").Get(d.Context(), "settings", metav1.GetOptions{})
		d.must(err)
		_, err = who.Discovery().ServerVersion()
		d.must(err)
		pods, err := core.Pods("shop").List(d.Context(), metav1.ListOptions{LabelSelector: "app=web"})
		d.must(err)
		_, err = core.Pods("shop").GetLogs(pods.Items[0].Name, &corev1.PodLogOptions{}).DoRaw(d.Context())
		d.must(err)
		_, _ = core.Secrets("shop").Get(d.Context(), "web", metav1.GetOptions{})
		_, _ = core.Nodes().List(d.Context(), metav1.ListOptions{}) // developers may not
	}
	for _, role := range []string{"Ops", "Lead"} {
		c := d.as(role, "erin@example.com")
		for _, path := range []string{"/api/v1/pods", "/api/v1/nodes", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", "/apis/apps/v1/daemonsets", "/api/v1/namespaces/kube-system/configmaps/aws-auth"} {
			d.must(c.CoreV1().RESTClient().Get().AbsPath(path).Do(d.Context()).Error())
		}
	}
}

func (d *day) namespaceGoes() {
	d.apply(d.session(d, "Pipeline", "build-4712"), "{apiVersion: v1, kind: Namespace, metadata: {name: preview}}")
	d.apply(d.session(d, "Pipeline", "build-4712"), strings.ReplaceAll(shopManifest, "namespace: shop", "namespace: preview"))
	d.settled("preview")
	d.must(d.as("Pipeline", "build-4712").CoreV1().Namespaces().Delete(d.Context(), "preview", metav1.DeleteOptions{}))
	d.await(d.T, "the namespace to go", func() bool {
		d.work()
		_, err := d.kube.Admin.CoreV1().Namespaces().Get(d.Context(), "preview", metav1.GetOptions{})
		return err != nil
	})
}

// strangers are load balancers, and who is on the internet.
func (d *day) strangers() {
	anonymous := client(d, &rest.Config{Host: d.kube.URL, TLSClientConfig: rest.TLSClientConfig{CAData: d.kube.CA}, QPS: -1})
	for range 5 {
		for _, path := range []string{"/readyz", "/livez", "/healthz", "/version"} {
			d.must(anonymous.CoreV1().RESTClient().Get().AbsPath(path).Do(d.Context()).Error())
		}
	}
	for _, path := range []string{"/", "/api", "/api/v1/pods", "/.env", "/actuator/health"} {
		var code int
		anonymous.CoreV1().RESTClient().Get().AbsPath(path).Do(d.Context()).StatusCode(&code)
		if code != http.StatusForbidden {
			d.Errorf("%s: %d", path, code)
		}
	}
}
