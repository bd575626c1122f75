package oracle

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/retry"

	"drawbridge/detections"
	"drawbridge/internal/detect"
	"drawbridge/internal/event"
	"drawbridge/internal/finding"
	"drawbridge/internal/lab/kube"
)

type severity = finding.Severity

// attack is what a detection is there to see, carried out in several ways.
type attack struct {
	detection string
	severity  severity // at least
	ways      []way
}

// way is one way to carry it out. It returns what the finding's message, or its subject, must name beside who did it.
type way struct {
	name string
	do   func(*act) []string
	// severity, where it is not the attack's.
	severity severity
}

// act is one attack under way, by somebody of their own.
type act struct {
	*site
	*testing.T
	id   string // of this act: part of the names of what it makes
	role string // of the attacker's own
	// who is the attacker as the message must name him; empty where it is enough to name the object.
	who   string
	cfg   *rest.Config
	trail []string // records of CloudTrail, synthetic
}

func (a *act) client() kubernetes.Interface { return client(a, a.cfg) }

func (a *act) must(err error) {
	a.Helper()
	if err != nil {
		a.Fatal(err)
	}
}

// be goes on as a session of another role.
func (a *act) be(role string) {
	a.cfg, a.who = a.session(a, role, "mallory-"+a.id), "mallory-"+a.id
}

// TestAttacks carries out each attack of the catalogue of Kubernetes' audit log against the real API server, in several ways,
// and looks for it in what the API server logged under EKS' policy. Where a detection joins CloudTrail's log, its records are
// synthetic.
//
// What is not carried out: nothing runs in a pod, for there are no kubelets: a command begins in a stand-in and does nothing.
func TestAttacks(t *testing.T) {
	catalogue := slices.Concat(awsAuthAttacks, podAttacks, credentialAttacks, secretAttacks, rbacAttacks, requestAttacks, sessionAttacks, identityAttacks)
	everyDetection(t, catalogue)
	s := newSite(t)
	s.addPods(t)
	var acts []*act
	var wants [][]string
	var trail []string
	for _, k := range catalogue {
		for _, w := range k.ways {
			t.Run(k.detection+"/"+w.name, func(t *testing.T) {
				a := &act{site: s, T: t, id: fmt.Sprintf("m%03d", len(acts))}
				a.role = attacker(len(acts))
				a.be(a.role)
				want := w.do(a)
				if a.who != "" {
					want = append(want, a.who)
				}
				acts, wants, trail = append(acts, a), append(wants, want), append(trail, a.trail...)
			})
		}
	}
	if t.Failed() {
		return
	}
	s.quiet(t)
	found, stats := findings(t, s.log(t), trail...)
	next := 0
	for _, k := range catalogue {
		seen := 0
		for _, w := range k.ways {
			severity := k.severity
			if w.severity != "" {
				severity = w.severity
			}
			if s.seen(t, found, k.detection+"/"+w.name, k.detection, severity, wants[next]) {
				seen++
			}
			next++
		}
		t.Logf("%-45s detected in %d of %d ways", k.detection, seen, len(k.ways))
	}
	t.Logf("%d events, %d findings", stats.Read, len(found))
}

// beyond are detections whose attack cannot be carried out here, each with the reason.
var beyond = map[string]string{
	"service-account-token-used-outside": "the API server is reached from its own machine, which has no address of the internet",
}

// everyDetection wants an attack for each detection that reads the audit log.
func everyDetection(t *testing.T, catalogue []attack) {
	t.Helper()
	program, err := detect.Load(detections.Files)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range program.Detections {
		if why := beyond[d.ID]; why != "" {
			t.Logf("%s is not carried out: %s", d.ID, why)
			continue
		}
		if slices.Contains(d.Planes(), event.Kubernetes) && !slices.ContainsFunc(catalogue, func(a attack) bool { return a.detection == d.ID }) {
			t.Errorf("no attack is carried out for %s", d.ID)
		}
	}
}

// seen says that a detection reported somebody and something.
func (s *site) seen(t *testing.T, found []finding.Finding, attack, detection string, severity finding.Severity, want []string) bool {
	t.Helper()
	var near []string
	for _, f := range found {
		text := f.Message + " " + f.Subject.Namespace + "/" + f.Subject.Name
		named := !slices.ContainsFunc(want, func(w string) bool { return !strings.Contains(text, w) })
		if named && f.ID == detection && rank(f.Severity) >= rank(severity) {
			return true
		}
		if named || f.ID == detection && len(want) > 0 && strings.Contains(f.Message, want[len(want)-1]) {
			near = append(near, fmt.Sprintf("%s %s: %s", f.Severity, f.ID, f.Message))
		}
	}
	t.Errorf("%s: not reported as %s or more, naming %q; near it:\n\t%s", attack, severity, want, strings.Join(near, "\n\t"))
	for line := range strings.Lines(string(s.log(t))) {
		if len(want) > 0 && strings.Contains(line, want[len(want)-1]) && len(line) < 20000 {
			t.Logf("logged: %.1000s", line)
			break
		}
	}
	return false
}

// rank orders severities, the higher the worse.
func rank(s finding.Severity) int { return -slices.Index(finding.Severities, s) }

// quiet waits until the log has the end of every request that was begun.
func (s *site) quiet(t *testing.T) {
	s.await(t, "the log to be quiet", func() bool {
		before := len(s.log(t))
		select {
		case <-t.Context().Done():
		case <-time.After(300 * time.Millisecond):
		}
		return len(s.log(t)) == before
	})
}

// addPods makes pods on a node: web with Pod Identity, cart with IRSA, plain with nothing.
func (s *site) addPods(t *testing.T) {
	t.Helper()
	n := kube.Node(0, "general")
	n.Status.DaemonEndpoints.KubeletEndpoint.Port = kubeletPort
	if err := s.kube.Load(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"web", "cart", "plain"} {
		sa := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}}
		p := kube.Pod("shop", name, name, n.Name)
		p.Status = kube.Running(1)
		if err := s.kube.Load(t.Context(), sa, p); err != nil {
			t.Fatal(err)
		}
	}
}

var placeholder = regexp.MustCompile(`\bID\b`)

// object is an object in YAML, with ID for the act's.
func (a *act) object(text string) *unstructured.Unstructured {
	a.Helper()
	objects, err := kube.Parse(placeholder.ReplaceAllString(text, a.id))
	a.must(err)
	return objects[0].(*unstructured.Unstructured)
}

// resource is where objects of a kind are, group/version/plural or version/plural.
func (a *act) resource(cfg *rest.Config, kind, namespace string) dynamic.ResourceInterface {
	parts := strings.Split(kind, "/")
	r := schema.GroupVersionResource{Version: parts[len(parts)-2], Resource: parts[len(parts)-1]}
	if len(parts) == 3 {
		r.Group = parts[0]
	}
	if namespace == "" {
		return objectsOf(a, cfg).Resource(r)
	}
	return objectsOf(a, cfg).Resource(r).Namespace(namespace)
}

// admin is the configuration of who prepares.
func (a *act) admin() *rest.Config {
	cfg, err := a.kube.Config("preparer", "system:masters")
	a.must(err)
	return cfg
}

// prepare makes an object, or puts it in the place of the one that is there.
func (a *act) prepare(kind, text string) *unstructured.Unstructured {
	a.Helper()
	o := a.object(text)
	stored, err := a.resource(a.admin(), kind, o.GetNamespace()).Apply(a.Context(), o.GetName(), o, metav1.ApplyOptions{FieldManager: "preparer", Force: true})
	a.must(err)
	return stored
}

func naming(o *unstructured.Unstructured, more ...string) []string {
	if o.GetNamespace() != "" {
		return append(more, o.GetNamespace()+"/"+o.GetName())
	}
	return append(more, o.GetName())
}

// made are the ways to make an object.
func made(kind, text string, more ...string) []way {
	return []way{
		{name: "create", do: func(a *act) []string {
			o := a.object(text)
			_, err := a.resource(a.cfg, kind, o.GetNamespace()).Create(a.Context(), o, metav1.CreateOptions{})
			a.must(err)
			return naming(o, more...)
		}},
		{name: "server-side apply that creates", do: func(a *act) []string {
			o := a.object(text)
			_, err := a.resource(a.cfg, kind, o.GetNamespace()).Apply(a.Context(), o.GetName(), o, metav1.ApplyOptions{FieldManager: "kubectl"})
			a.must(err)
			return naming(o, more...)
		}},
	}
}

// changed are the ways to change a member of an object: by each kind of request that can.
func changed(kind, before, after, member string, more ...string) []way {
	// Both have other names for each way, for the act's id is in them.
	patch := func(name string, t types.PatchType, body func(value any) any) way {
		return way{name: name, do: func(a *act) []string {
			a.prepare(kind, before)
			o := a.object(after)
			b, err := json.Marshal(body(o.Object[member]))
			a.must(err)
			_, err = a.resource(a.cfg, kind, o.GetNamespace()).Patch(a.Context(), o.GetName(), t, b, metav1.PatchOptions{})
			a.must(err)
			return naming(o, more...)
		}}
	}
	merge := func(value any) any { return map[string]any{member: value} }
	return []way{
		{name: "update", do: func(a *act) []string {
			a.prepare(kind, before)
			o := a.object(after)
			r := a.resource(a.cfg, kind, o.GetNamespace())
			a.must(retry.RetryOnConflict(retry.DefaultRetry, func() error { // a controller may have written it meanwhile
				now, err := r.Get(a.Context(), o.GetName(), metav1.GetOptions{})
				a.must(err)
				if now.Object[member] = o.Object[member]; member == "metadata" {
					now = o
				}
				_, err = r.Update(a.Context(), now, metav1.UpdateOptions{})
				return err
			}))
			return naming(o, more...)
		}},
		{name: "server-side apply", do: func(a *act) []string {
			a.prepare(kind, before)
			o := a.object(after)
			_, err := a.resource(a.cfg, kind, o.GetNamespace()).Apply(a.Context(), o.GetName(), o, metav1.ApplyOptions{FieldManager: "kubectl", Force: true})
			a.must(err)
			return naming(o, more...)
		}},
		patch("merge patch", types.MergePatchType, merge),
		patch("strategic merge patch", types.StrategicMergePatchType, merge),
		patch("JSON patch", types.JSONPatchType, func(value any) any {
			if m, ok := value.(map[string]any); ok && member == "metadata" {
				return []any{map[string]any{"op": "add", "path": "/metadata/annotations", "value": m["annotations"]}}
			}
			return []any{map[string]any{"op": "add", "path": "/" + member, "value": value}}
		}),
	}
}
