package dump

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"drawbridge/internal/finding"
	"drawbridge/internal/model"
	"drawbridge/internal/projection"
)

// kubeKind is a kind of Kubernetes object that a snapshot keeps.
type kubeKind struct {
	kind   string
	groups []string
	area   model.Area
	// decode turns an object into what the snapshot keeps of it, and hands it over.
	decode func(raw []byte, options json.Options, emit func(any)) error
}

const (
	namespaced    = true
	clusterScoped = false
)

var (
	rbacGroup      = []string{"rbac.authorization.k8s.io"}
	admissionGroup = []string{"admissionregistration.k8s.io"}
	// Old manifests have workloads in extensions/v1beta1; their templates have the same shape.
	appsGroups = []string{"apps", "extensions"}
)

// kubeKinds are all kinds that a snapshot keeps. ConfigMaps are not among them: see configMap.
var kubeKinds = []kubeKind{
	{"Namespace", []string{""}, model.AreaNamespaces, one(clusterScoped, projection.Namespace)},
	{"ServiceAccount", []string{""}, model.AreaServiceAccounts, one(namespaced, projection.ServiceAccount)},
	{"Pod", []string{""}, model.AreaPods, one(namespaced, projection.Pod)},
	{"Node", []string{""}, model.AreaNodes, one(clusterScoped, projection.Node)},
	{"Deployment", appsGroups, model.AreaWorkloads, one(namespaced, projection.Deployment)},
	{"DaemonSet", appsGroups, model.AreaWorkloads, one(namespaced, projection.DaemonSet)},
	{"StatefulSet", appsGroups, model.AreaWorkloads, one(namespaced, projection.StatefulSet)},
	{"ReplicaSet", appsGroups, model.AreaWorkloads, one(namespaced, projection.ReplicaSet)},
	{"ReplicationController", []string{""}, model.AreaWorkloads, one(namespaced, projection.ReplicationController)},
	{"Job", []string{"batch"}, model.AreaWorkloads, one(namespaced, projection.Job)},
	{"CronJob", []string{"batch"}, model.AreaWorkloads, one(namespaced, projection.CronJob)},
	{"Role", rbacGroup, model.AreaRoles, one(namespaced, projection.Role)},
	{"ClusterRole", rbacGroup, model.AreaClusterRoles, one(clusterScoped, projection.ClusterRole)},
	{"RoleBinding", rbacGroup, model.AreaRoleBindings, one(namespaced, projection.RoleBinding)},
	{"ClusterRoleBinding", rbacGroup, model.AreaClusterRoleBindings, one(clusterScoped, projection.ClusterRoleBinding)},
	{"EC2NodeClass", []string{"karpenter.k8s.aws"}, model.AreaNodeClasses, nodeClass},
	{"AWSNodeTemplate", []string{"karpenter.k8s.aws"}, model.AreaNodeClasses, nodeClass},
	{"NodeClass", []string{"eks.amazonaws.com"}, model.AreaNodeClasses, nodeClass},
	{"MutatingWebhookConfiguration", admissionGroup, model.AreaMutatingWebhooks, mutatingWebhooks},
	{"ValidatingAdmissionPolicy", admissionGroup, model.AreaAdmissionPolicies, one(clusterScoped, projection.ValidatingAdmissionPolicy)},
	{"ValidatingAdmissionPolicyBinding", admissionGroup, model.AreaPolicyBindings, one(clusterScoped, projection.ValidatingAdmissionPolicyBinding)},
}

// workloadKinds are the kinds that the area of workloads is read from.
var workloadKinds = []string{"Deployment", "DaemonSet", "StatefulSet", "ReplicaSet", "Job", "CronJob"}

// kindOf returns the entry of a kind in a group, or nil.
func kindOf(apiVersion, kind string) *kubeKind {
	group, _, ok := strings.Cut(apiVersion, "/")
	if !ok {
		group = ""
	}
	for i := range kubeKinds {
		if kubeKinds[i].kind != kind {
			continue
		}
		for _, g := range kubeKinds[i].groups {
			if g == group {
				return &kubeKinds[i]
			}
		}
	}
	return nil
}

// areasOfKind are the areas that objects or lists of a kind belong to, whatever their group.
func areasOfKind(kind string) []model.Area {
	kind = strings.TrimSuffix(kind, "List")
	if kind == "ConfigMap" {
		return []model.Area{model.AreaAWSAuth}
	}
	for _, k := range kubeKinds {
		if k.kind == kind {
			return []model.Area{k.area}
		}
	}
	return nil
}

// kubeOptions decode Kubernetes types without what no projection looks at: most of an object's text.
var kubeOptions = json.WithUnmarshalers(unneeded)

// yamlOptions take the words that are booleans in YAML 1.1, as kubectl does (sigs.k8s.io/yaml v1.6.0, 2025-07), where a
// boolean is expected. Elsewhere, as in `namespace: n`, they are text: kubectl refuses those.
var yamlOptions = json.WithUnmarshalers(json.JoinUnmarshalers(unneeded, json.UnmarshalFromFunc(word)))

// options are those for what stands at a place: only YAML objects have lines.
func options(loc *finding.Location) json.Options {
	if loc.Line > 0 {
		return yamlOptions
	}
	return kubeOptions
}

func word(d *jsontext.Decoder, b *bool) error {
	if d.PeekKind() != '"' {
		return errors.ErrUnsupported
	}
	t, err := d.ReadToken()
	if err != nil {
		return err
	}
	switch t.String() {
	case "y", "Y", "yes", "Yes", "YES", "on", "On", "ON":
		*b = true
	case "n", "N", "no", "No", "NO", "off", "Off", "OFF":
		*b = false
	default:
		return errors.New("not a boolean")
	}
	return nil
}

// unneeded skips the types that no projection looks at.
var unneeded = json.JoinUnmarshalers(
	skip[[]metav1.ManagedFieldsEntry](), skip[resource.Quantity](), skip[corev1.ResourceRequirements](), skip[corev1.ResourceList](),
	skip[corev1.Probe](), skip[corev1.Lifecycle](), skip[corev1.Affinity](), skip[[]corev1.Toleration](), skip[[]corev1.ContainerPort](),
	skip[[]corev1.TopologySpreadConstraint](), skip[[]corev1.HostAlias](), skip[[]corev1.ContainerStatus](), skip[[]corev1.PodCondition](),
	skip[[]corev1.NodeCondition](), skip[[]corev1.ContainerImage](), skip[appsv1.DeploymentStatus](), skip[appsv1.DaemonSetStatus](),
	skip[appsv1.StatefulSetStatus](), skip[appsv1.ReplicaSetStatus](), skip[batchv1.JobStatus](), skip[batchv1.CronJobStatus](),
	skip[[]corev1.PersistentVolumeClaim](),
)

func skip[T any]() *json.Unmarshalers {
	return json.UnmarshalFromFunc(func(d *jsontext.Decoder, _ *T) error { return d.SkipValue() })
}

// named is what every Kubernetes object has.
type named[K any] interface {
	*K
	metav1.Object
}

// one decodes an object of one kind and projects it.
func one[K, M any, P named[K]](inNamespace bool, project func(P) *M) func([]byte, json.Options, func(any)) error {
	return func(raw []byte, options json.Options, emit func(any)) error {
		object := P(new(K))
		if err := json.Unmarshal(raw, object, options); err != nil {
			return err
		}
		if err := settle(object, inNamespace); err != nil {
			return err
		}
		emit(project(object))
		return nil
	}
}

// settle fills in what a manifest leaves out: kubectl puts an object without a namespace into the context's, which is
// `default` unless somebody changed it.
func settle(o metav1.Object, inNamespace bool) error {
	if o.GetName() == "" {
		o.SetName(o.GetGenerateName())
	}
	switch {
	case o.GetName() == "":
		return errors.New("an object without a name")
	case !inNamespace:
		o.SetNamespace("")
	case o.GetNamespace() == "":
		o.SetNamespace(metav1.NamespaceDefault)
	}
	return nil
}

func mutatingWebhooks(raw []byte, options json.Options, emit func(any)) error {
	c := &admissionv1.MutatingWebhookConfiguration{}
	if err := json.Unmarshal(raw, c, options); err != nil {
		return err
	}
	if err := settle(c, clusterScoped); err != nil {
		return err
	}
	for _, w := range projection.MutatingWebhooks(c) {
		emit(w)
	}
	return nil
}

func nodeClass(raw []byte, options json.Options, emit func(any)) error {
	u := &unstructured.Unstructured{}
	if err := json.Unmarshal(raw, &u.Object, options); err != nil {
		return err
	}
	if err := settle(u, clusterScoped); err != nil {
		return err
	}
	if n := projection.NodeClass(u); n != nil {
		emit(n)
	}
	return nil
}

// object takes one Kubernetes object into the part. api and kind are those of the list, for elements that do not say
// their own; inList says that the object stands in a list.
func (p *part) object(raw []byte, api, kind string, loc *finding.Location, inList bool) error {
	if ownAPI, own := typeOf(raw); own != "" {
		api, kind = ownAPI, own
	}
	if kind == "" {
		return errors.New("a Kubernetes object without a kind")
	}
	p.recognised++
	if kind == "ConfigMap" && api == "v1" {
		return p.configMap(raw, loc, inList)
	}
	k := kindOf(api, kind)
	if k == nil {
		if kind == "List" || strings.HasSuffix(kind, "List") {
			return p.nested(raw, api, kind, loc)
		}
		return nil // of other kinds, Secrets among them, nothing is read
	}
	err := k.decode(raw, options(loc), func(v any) {
		place(v, loc)
		if p.objects == nil {
			p.objects = map[model.Area][]any{}
		}
		p.objects[k.area] = append(p.objects[k.area], v)
	})
	if err != nil {
		return err
	}
	p.sawKind(kind)
	return nil
}

// nested takes in the objects of a list that stands where an object is expected.
func (p *part) nested(raw []byte, api, kind string, loc *finding.Location) error {
	var list struct {
		Items []jsontext.Value `json:"items"`
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return err
	}
	item, _ := elementKind(kind)
	if k := kindOf(api, item); k != nil {
		p.sawKind(item)
	}
	for _, v := range list.Items {
		if _, kind := typeOf(v); strings.HasSuffix(kind, "List") && kindOf(api, kind) == nil {
			return errors.New("a list in a list in a list")
		}
		if err := p.object(v, api, item, loc, true); err != nil {
			return err
		}
	}
	return nil
}

// configMap keeps aws-auth. Of any other only its name is looked at.
func (p *part) configMap(raw []byte, loc *finding.Location, inList bool) error {
	var head struct {
		Metadata struct {
			Name      string `json:"name"`
			Namespace string `json:"namespace"`
		} `json:"metadata"`
	}
	if err := json.Unmarshal(raw, &head); err != nil {
		return err
	}
	if head.Metadata.Namespace != "kube-system" {
		return nil
	}
	p.kubeSystem = p.kubeSystem || inList
	if head.Metadata.Name != "aws-auth" {
		return nil
	}
	c := &corev1.ConfigMap{}
	if err := json.Unmarshal(raw, c, options(loc)); err != nil {
		return err
	}
	a := projection.AWSAuth(c)
	place(a, loc)
	if p.objects == nil {
		p.objects = map[model.Area][]any{}
	}
	p.objects[model.AreaAWSAuth] = append(p.objects[model.AreaAWSAuth], a)
	return nil
}

// elementKind is the kind of the elements of a typed list: Pod of PodList. A `List` has elements of any kind.
func elementKind(list string) (string, bool) {
	kind, ok := strings.CutSuffix(list, "List")
	return kind, ok && kind != ""
}

func hasKind(raw []byte) bool {
	_, kind := typeOf(raw)
	return kind != ""
}

var decoders = sync.Pool{New: func() any { return new(jsontext.Decoder) }}

// typeOf reads apiVersion and kind off an object without decoding more of it than needed; kubectl prints them first.
func typeOf(raw []byte) (api, kind string) {
	d := decoders.Get().(*jsontext.Decoder)
	defer decoders.Put(d)
	d.Reset(bytes.NewBuffer(raw))
	if t, err := d.ReadToken(); err != nil || t.Kind() != '{' {
		return "", ""
	}
	for d.PeekKind() == '"' && (api == "" || kind == "") {
		name, err := d.ReadToken()
		if err != nil {
			break
		}
		var into *string
		switch name.String() {
		case "apiVersion":
			into = &api
		case "kind":
			into = &kind
		}
		if into == nil || d.PeekKind() != '"' {
			if d.SkipValue() != nil {
				break
			}
			continue
		}
		if t, err := d.ReadToken(); err == nil {
			*into = t.String()
		}
	}
	return api, kind
}

// kubeDocument takes in a Kubernetes object or list that stands at the top of a file.
func (f *fileReader) kubeDocument(doc *document, kind string) {
	p := f.part()
	api := doc.text("apiVersion")
	n, list := doc.streamed["items"]
	if doc.members["items"].Kind() == 'n' {
		list = true
	}
	switch {
	case kind == "Status" && api == "v1":
		f.drop(doc)
		f.problem(doc.loc.Line, doc.at, fmt.Errorf("the Kubernetes API answered with an error: %s", doc.text("message")), areasOfResource(doc.text("message")))
	case list && strings.HasSuffix(kind, "List"):
		p.recognised++
		f.unpark(doc)
		p.list(doc, api, kind, n == 0)
	default:
		f.drop(doc)
		if err := p.object(doc.raw(), api, kind, doc.loc, false); err != nil {
			f.problem(doc.loc.Line, doc.at, fmt.Errorf("%s: %w", kind, shape(err)), areasOfKind(kind))
		}
	}
}

// list notes what a list says about itself.
func (p *part) list(doc *document, api, kind string, empty bool) {
	var meta struct {
		Continue        string `json:"continue"`
		ResourceVersion string `json:"resourceVersion"`
	}
	if m := doc.members["metadata"]; m.Kind() == '{' {
		_ = json.Unmarshal(m, &meta) // the objects count, not what the list says of itself
	}
	item, typed := elementKind(kind)
	if typed && kindOf(api, item) != nil {
		p.sawKind(item)
	}
	if item == "ConfigMap" && api == "v1" && empty {
		p.kubeSystem = true
	}
	p.pages = append(p.pages, kubePage{kind: item, version: meta.ResourceVersion, more: meta.Continue != ""})
}

// Kinds lists the Kubernetes kinds that are read from files, sorted. Of ConfigMaps only kube-system/aws-auth is.
func Kinds() []string {
	all := []string{"ConfigMap"}
	for _, k := range kubeKinds {
		all = append(all, k.kind)
	}
	slices.Sort(all)
	return slices.Compact(all)
}
