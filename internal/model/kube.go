package model

import (
	"strings"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"drawbridge/internal/finding"
)

// Namespace is a Kubernetes namespace.
type Namespace struct{ Meta }

// Subject names the namespace.
func (n *Namespace) Subject() finding.Subject { return n.subject("Namespace") }

// ServiceAccount is a Kubernetes service account. Its annotations hold the IRSA role.
type ServiceAccount struct {
	Meta
	// Automount is automountServiceAccountToken, or nil where unset.
	Automount *bool `json:"automount,omitzero"`
}

// Subject names the service account.
func (s *ServiceAccount) Subject() finding.Subject { return s.subject("ServiceAccount") }

// PodSpec is what drawbridge keeps of a pod's specification, running or as a template.
type PodSpec struct {
	// ServiceAccount is spec.serviceAccountName; "" is `default` once the pod runs.
	ServiceAccount string            `json:"serviceAccount,omitempty"`
	Automount      *bool             `json:"automount,omitzero"`
	NodeName       string            `json:"nodeName,omitempty"`
	NodeSelector   map[string]string `json:"nodeSelector,omitempty"`
	OS             string            `json:"os,omitempty"`
	HostNetwork    bool              `json:"hostNetwork,omitzero"`
	HostPID        bool              `json:"hostPid,omitzero"`
	Containers     []Container       `json:"containers,omitempty"`
	Volumes        []Volume          `json:"volumes,omitempty"`
}

// Container is a container, init container or ephemeral container of a pod.
type Container struct {
	Name string `json:"name"`
	// Kind is "", "init" or "ephemeral".
	Kind         string   `json:"kind,omitempty"`
	Image        string   `json:"image,omitempty"`
	Privileged   bool     `json:"privileged,omitzero"`
	Capabilities []string `json:"capabilities,omitempty"` // added
	Dropped      []string `json:"dropped,omitempty"`
	// Flags are the arguments of the Pod Identity agent's containers; of all others arguments are never kept.
	Flags   []string  `json:"flags,omitempty"`
	Env     []EnvVar  `json:"env,omitempty"`
	EnvFrom []EnvFrom `json:"envFrom,omitempty"`
	Mounts  []Mount   `json:"mounts,omitempty"`
}

// EnvVar is the name of an environment variable and where its value comes from; never the value.
type EnvVar struct {
	Name string `json:"name"`
	// From is "secret/NAME/KEY", "configmap/NAME/KEY", "field/PATH", "file/VOLUME/KEY", or "" for a literal.
	From string `json:"from,omitempty"`
}

// EnvFrom takes all keys of a Secret or ConfigMap as environment variables: "secret/NAME" or "configmap/NAME".
type EnvFrom string

// Mount is a volume mount.
type Mount struct {
	Volume string `json:"volume"`
	Path   string `json:"path,omitempty"`
}

// Volume is a volume that bears on identity: host paths, Secrets and projected tokens. Others keep only their name.
type Volume struct {
	Name     string `json:"name"`
	HostPath string `json:"hostPath,omitempty"`
	Secret   string `json:"secret,omitempty"`
	// Tokens are projected service-account tokens.
	Tokens []TokenProjection `json:"tokens,omitempty"`
}

// TokenProjection is a projected service-account token. An empty audience is the API server's own.
type TokenProjection struct {
	Audience string `json:"audience,omitempty"`
	Path     string `json:"path,omitempty"`
}

// Pod is a pod as it runs.
type Pod struct {
	Meta
	PodSpec
	Phase   string    `json:"phase,omitempty"`
	Started time.Time `json:"started,omitzero"`
}

// Subject names the pod.
func (p *Pod) Subject() finding.Subject { return p.subject("Pod") }

// Workload is a pod controller and the template of its pods.
type Workload struct {
	Meta
	// Kind is Deployment, DaemonSet, StatefulSet, ReplicaSet, ReplicationController, Job or CronJob.
	Kind                string            `json:"kind"`
	TemplateLabels      map[string]string `json:"templateLabels,omitempty"`
	TemplateAnnotations map[string]string `json:"templateAnnotations,omitempty"`
	PodSpec
}

// Subject names the workload as kind/name. A DaemonSet is a kind of its own, because agents are DaemonSets.
func (w *Workload) Subject() finding.Subject {
	return finding.Subject{Kind: "Workload", Namespace: w.Namespace, Name: strings.ToLower(w.Kind) + "/" + w.Name}
}

// Role is a Kubernetes Role, or a ClusterRole where the namespace is empty.
type Role struct {
	Meta
	Rules       []rbacv1.PolicyRule     `json:"rules,omitempty"`
	Aggregation *rbacv1.AggregationRule `json:"aggregation,omitzero"`
}

// Subject names the Role or ClusterRole.
func (r *Role) Subject() finding.Subject {
	if r.Namespace == "" {
		return r.subject("ClusterRole")
	}
	return r.subject("Role")
}

// Binding is a RoleBinding, or a ClusterRoleBinding where the namespace is empty.
type Binding struct {
	Meta
	RoleRef  rbacv1.RoleRef   `json:"roleRef"`
	Subjects []rbacv1.Subject `json:"subjects,omitempty"`
}

// Subject names the RoleBinding or ClusterRoleBinding.
func (b *Binding) Subject() finding.Subject {
	if b.Namespace == "" {
		return b.subject("ClusterRoleBinding")
	}
	return b.subject("RoleBinding")
}

// AWSAuth is the ConfigMap kube-system/aws-auth: mapRoles, mapUsers and mapAccounts as written, of other keys only the
// name.
type AWSAuth struct {
	Meta
	ResourceVersion string            `json:"resourceVersion,omitempty"`
	Data            map[string]string `json:"data,omitempty"`
}

// Subject names the ConfigMap.
func (a *AWSAuth) Subject() finding.Subject {
	return finding.Subject{Kind: "ConfigMap", Namespace: "kube-system", Name: "aws-auth"}
}

// Node is a Kubernetes node.
type Node struct {
	Meta
	ProviderID string `json:"providerId,omitempty"`
	OS         string `json:"os,omitempty"`
	InternalIP string `json:"internalIp,omitempty"`
}

// Subject names the node.
func (n *Node) Subject() finding.Subject { return n.subject("Node") }

// InstanceID is the EC2 instance behind the node, or "".
func (n *Node) InstanceID() string {
	id := n.ProviderID[strings.LastIndexByte(n.ProviderID, '/')+1:]
	if strings.HasPrefix(id, "i-") {
		return id
	}
	return ""
}

// NodeClass is a Karpenter EC2NodeClass or AWSNodeTemplate: which role its nodes have.
type NodeClass struct {
	Meta
	Kind            string `json:"kind"`
	Role            string `json:"role,omitempty"` // name or ARN
	InstanceProfile string `json:"instanceProfile,omitempty"`
	MetadataOptions
}

// MutatingWebhook is one webhook of a MutatingWebhookConfiguration; Meta is the configuration's.
type MutatingWebhook struct {
	Meta
	Webhook string `json:"webhook"`
	// Service is namespace/name/path of an in-cluster service; URL is used otherwise.
	Service           string                `json:"service,omitempty"`
	URL               string                `json:"url,omitempty"`
	FailurePolicy     string                `json:"failurePolicy,omitempty"`
	NamespaceSelector *metav1.LabelSelector `json:"namespaceSelector,omitzero"`
	ObjectSelector    *metav1.LabelSelector `json:"objectSelector,omitzero"`
	Rules             []WebhookRule         `json:"rules,omitempty"`
	// MatchConditions are the CEL expressions that must hold before the webhook is called.
	MatchConditions []string `json:"matchConditions,omitempty"`
}

// WebhookRule says which requests a webhook or an admission policy is asked about.
type WebhookRule struct {
	Groups     []string `json:"groups,omitempty"`
	Versions   []string `json:"versions,omitempty"`
	Resources  []string `json:"resources,omitempty"`
	Operations []string `json:"operations,omitempty"`
	Scope      string   `json:"scope,omitempty"`
}

// Subject names the configuration.
func (w *MutatingWebhook) Subject() finding.Subject { return w.subject("MutatingWebhookConfiguration") }

// AdmissionPolicy is a ValidatingAdmissionPolicy.
type AdmissionPolicy struct {
	Meta
	FailurePolicy string        `json:"failurePolicy,omitempty"`
	Rules         []WebhookRule `json:"rules,omitempty"`
	Validations   []string      `json:"validations,omitempty"` // CEL
}

// AdmissionPolicyUse is a ValidatingAdmissionPolicyBinding.
type AdmissionPolicyUse struct {
	Meta
	Policy            string                `json:"policy"`
	Actions           []string              `json:"actions,omitempty"`
	NamespaceSelector *metav1.LabelSelector `json:"namespaceSelector,omitzero"`
}
