package projection

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"drawbridge/internal/model"
)

func TestOwner(t *testing.T) {
	ref := func(apiVersion, kind, name string, controller bool) metav1.OwnerReference {
		return metav1.OwnerReference{APIVersion: apiVersion, Kind: kind, Name: name, Controller: &controller}
	}
	for name, tt := range map[string]struct {
		refs       []metav1.OwnerReference
		want       string
		controlled bool
	}{
		"none":              {},
		"replica set":       {refs: []metav1.OwnerReference{ref("apps/v1", "ReplicaSet", "web-5d4", true)}, want: "replicaset/web-5d4"},
		"deployment":        {refs: []metav1.OwnerReference{ref("apps/v1", "Deployment", "web", true)}, want: "deployment/web", controlled: true},
		"cron job":          {refs: []metav1.OwnerReference{ref("batch/v1", "CronJob", "nightly", true)}, want: "cronjob/nightly", controlled: true},
		"node":              {refs: []metav1.OwnerReference{ref("v1", "Node", "ip-10-0-0-1", true)}, want: "node/ip-10-0-0-1"},
		"owner, no control": {refs: []metav1.OwnerReference{ref("apps/v1", "Deployment", "web", false)}},
		"control is second": {refs: []metav1.OwnerReference{ref("v1", "Pod", "a", false), ref("apps/v1", "ReplicaSet", "b", true)}, want: "replicaset/b"},
		"custom resource":   {refs: []metav1.OwnerReference{ref("argoproj.io/v1alpha1", "Rollout", "web", true)}, want: "rollout.argoproj.io/web"},
		"false deployment":  {refs: []metav1.OwnerReference{ref("evil.example/v1", "Deployment", "web", true)}, want: "deployment.evil.example/web"},
	} {
		t.Run(name, func(t *testing.T) {
			m := Pod(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{OwnerReferences: tt.refs}}).Meta
			if m.Owner != tt.want || Controlled(m) != tt.controlled {
				t.Errorf("owner %q, controlled %t; want %q, %t", m.Owner, Controlled(m), tt.want, tt.controlled)
			}
		})
	}
}

func TestPodSpec(t *testing.T) {
	yes, no := true, false
	privileged := &corev1.SecurityContext{Privileged: &yes}
	hostProcess := func(b *bool) *corev1.WindowsSecurityContextOptions {
		return &corev1.WindowsSecurityContextOptions{HostProcess: b}
	}
	for name, tt := range map[string]struct {
		spec corev1.PodSpec
		want model.PodSpec
	}{
		"empty": {},
		"who and where": {
			spec: corev1.PodSpec{
				ServiceAccountName: "web", AutomountServiceAccountToken: &no, NodeName: "n1", HostNetwork: true, HostPID: true,
				NodeSelector: map[string]string{"a": "b"}, OS: &corev1.PodOS{Name: corev1.Windows},
			},
			want: model.PodSpec{
				ServiceAccount: "web", Automount: &no, NodeName: "n1", HostNetwork: true, HostPID: true,
				NodeSelector: map[string]string{"a": "b"}, OS: "windows",
			},
		},
		"the old name of the field": {
			spec: corev1.PodSpec{DeprecatedServiceAccount: "old"},
			want: model.PodSpec{ServiceAccount: "old"},
		},
		"kinds of containers": {
			spec: corev1.PodSpec{
				InitContainers:      []corev1.Container{{Name: "i"}},
				Containers:          []corev1.Container{{Name: "c", SecurityContext: privileged}},
				EphemeralContainers: []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: "e"}}},
			},
			want: model.PodSpec{Containers: []model.Container{{Name: "i", Kind: "init"}, {Name: "c", Privileged: true}, {Name: "e", Kind: "ephemeral"}}},
		},
		"host process of the pod, and a container without": {
			spec: corev1.PodSpec{
				SecurityContext: &corev1.PodSecurityContext{WindowsOptions: hostProcess(&yes)},
				Containers:      []corev1.Container{{Name: "on"}, {Name: "off", SecurityContext: &corev1.SecurityContext{WindowsOptions: hostProcess(&no)}}},
			},
			want: model.PodSpec{Containers: []model.Container{{Name: "on", Privileged: true}, {Name: "off"}}},
		},
		"the agent's arguments": {
			spec: corev1.PodSpec{
				InitContainers: []corev1.Container{{Image: "602401143452.dkr.ecr.us-west-2.amazonaws.com/eks/eks-pod-identity-agent:v0.1.20", Command: []string{"/agent", "initialize"}}},
				Containers: []corev1.Container{
					{Image: "mirror.example:5000/eks-pod-identity-agent@sha256:00", Args: []string{"--port", "80"}},
					{Image: "mirror.example/eks-pod-identity-agent-not", Args: []string{"--port", "80"}},
					{Image: "web:eks-pod-identity-agent", Args: []string{"--port", "80"}},
				},
			},
			want: model.PodSpec{Containers: []model.Container{
				{Kind: "init", Image: "602401143452.dkr.ecr.us-west-2.amazonaws.com/eks/eks-pod-identity-agent:v0.1.20", Flags: []string{"/agent", "initialize"}},
				{Image: "mirror.example:5000/eks-pod-identity-agent@sha256:00", Flags: []string{"--port", "80"}},
				{Image: "mirror.example/eks-pod-identity-agent-not"},
				{Image: "web:eks-pod-identity-agent"},
			}},
		},
		"environment": {
			spec: corev1.PodSpec{Containers: []corev1.Container{{
				Env: []corev1.EnvVar{
					{Name: "LITERAL", Value: "hidden"},
					{Name: "SECRET", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "s"}, Key: "k"}}},
					{Name: "CONFIG", ValueFrom: &corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "m"}, Key: "k"}}},
					{Name: "FIELD", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.name"}}},
					{Name: "RESOURCE", ValueFrom: &corev1.EnvVarSource{ResourceFieldRef: &corev1.ResourceFieldSelector{Resource: "limits.cpu"}}},
					{Name: "FILE", ValueFrom: &corev1.EnvVarSource{FileKeyRef: &corev1.FileKeySelector{VolumeName: "v", Path: "p", Key: "k"}}},
				},
				EnvFrom: []corev1.EnvFromSource{
					{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "s"}}},
					{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "m"}}},
				},
			}}},
			want: model.PodSpec{Containers: []model.Container{{
				Env: []model.EnvVar{
					{Name: "LITERAL"},
					{Name: "SECRET", From: "secret/s/k"},
					{Name: "CONFIG", From: "configmap/m/k"},
					{Name: "FIELD", From: "field/metadata.name"},
					{Name: "RESOURCE", From: "field/limits.cpu"},
					{Name: "FILE", From: "file/v/k"},
				},
				EnvFrom: []model.EnvFrom{"secret/s", "configmap/m"},
			}}},
		},
		"volumes": {
			spec: corev1.PodSpec{Volumes: []corev1.Volume{
				{Name: "tmp", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
				{Name: "host", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/var/lib/kubelet"}}},
				{Name: "s", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "db"}}},
				{Name: "all", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
					{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Path: "token"}},
					{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Audience: "pods.eks.amazonaws.com", Path: "eks-pod-identity-token"}},
					{Secret: &corev1.SecretProjection{LocalObjectReference: corev1.LocalObjectReference{Name: "one"}}},
					{Secret: &corev1.SecretProjection{LocalObjectReference: corev1.LocalObjectReference{Name: "two"}}},
				}}}},
			}},
			want: model.PodSpec{Volumes: []model.Volume{
				{Name: "tmp"},
				{Name: "host", HostPath: "/var/lib/kubelet"},
				{Name: "s", Secret: "db"},
				{Name: "all", Secret: "one", Tokens: []model.TokenProjection{{Path: "token"}, {Audience: "pods.eks.amazonaws.com", Path: "eks-pod-identity-token"}}},
				{Name: "all", Secret: "two"},
			}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, Pod(&corev1.Pod{Spec: tt.spec}).PodSpec); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestReplicationControllerWithoutTemplate(t *testing.T) {
	want := &model.Workload{Meta: model.Meta{Name: "old"}, Kind: "ReplicationController"}
	if diff := cmp.Diff(want, ReplicationController(&corev1.ReplicationController{ObjectMeta: metav1.ObjectMeta{Name: "old"}})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestNode(t *testing.T) {
	n := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: "n", Labels: map[string]string{corev1.LabelOSStable: "linux"}},
		Spec:       corev1.NodeSpec{ProviderID: "aws:///us-east-1a/i-0abc"},
		Status:     corev1.NodeStatus{Addresses: []corev1.NodeAddress{{Type: corev1.NodeHostName, Address: "n"}, {Type: corev1.NodeInternalIP, Address: "10.0.0.1"}, {Type: corev1.NodeInternalIP, Address: "fd00::1"}}},
	}
	want := &model.Node{Meta: model.Meta{Name: "n", Labels: n.Labels}, ProviderID: "aws:///us-east-1a/i-0abc", OS: "linux", InternalIP: "10.0.0.1"}
	if diff := cmp.Diff(want, Node(n)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestNodeClass(t *testing.T) {
	object := func(apiVersion, kind string, spec any) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": apiVersion, "kind": kind,
			"metadata": map[string]any{"name": "default"}, "spec": spec,
		}}
	}
	for name, tt := range map[string]struct {
		object *unstructured.Unstructured
		want   *model.NodeClass
	}{
		"EC2NodeClass": {
			object("karpenter.k8s.aws/v1", "EC2NodeClass", map[string]any{
				"role": "nodes", "userData": "hidden",
				"metadataOptions": map[string]any{"httpTokens": "required", "httpEndpoint": "enabled", "httpPutResponseHopLimit": int64(1)},
			}),
			&model.NodeClass{
				Meta: model.Meta{Name: "default"}, Kind: "EC2NodeClass", Role: "nodes",
				MetadataOptions: model.MetadataOptions{HTTPTokens: "required", HTTPEndpoint: "enabled", HopLimit: 1},
			},
		},
		"AWSNodeTemplate, from YAML": {
			object("karpenter.k8s.aws/v1alpha1", "AWSNodeTemplate", map[string]any{"instanceProfile": "p", "metadataOptions": map[string]any{"httpPutResponseHopLimit": 2.0}}),
			&model.NodeClass{Meta: model.Meta{Name: "default"}, Kind: "AWSNodeTemplate", InstanceProfile: "p", MetadataOptions: model.MetadataOptions{HopLimit: 2}},
		},
		"NodeClass of Auto Mode": {
			object("eks.amazonaws.com/v1", "NodeClass", map[string]any{"role": "auto"}),
			&model.NodeClass{Meta: model.Meta{Name: "default"}, Kind: "NodeClass", Role: "auto"},
		},
		"nothing as it should be": {
			object("karpenter.k8s.aws/v1", "EC2NodeClass", []any{"role"}),
			&model.NodeClass{Meta: model.Meta{Name: "default"}, Kind: "EC2NodeClass"},
		},
		"same kind of another group": {object("evil.example/v1", "EC2NodeClass", map[string]any{"role": "nodes"}), nil},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, NodeClass(tt.object)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestMutatingWebhooks(t *testing.T) {
	url, path := "https://user:hidden@hook.example:8443/mutate?token=hidden#hidden", "/mutate"
	ignore, all := admissionv1.Ignore, admissionv1.AllScopes
	c := &admissionv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "pod-identity-webhook"},
		Webhooks: []admissionv1.MutatingWebhook{
			{Name: "out", ClientConfig: admissionv1.WebhookClientConfig{URL: &url, CABundle: []byte("hidden")}, FailurePolicy: &ignore},
			{
				Name: "in", ClientConfig: admissionv1.WebhookClientConfig{Service: &admissionv1.ServiceReference{Namespace: "ns", Name: "svc", Path: &path}},
				Rules: []admissionv1.RuleWithOperations{{
					Operations: []admissionv1.OperationType{admissionv1.Create},
					Rule:       admissionv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}, Scope: &all},
				}},
			},
		},
	}
	m := model.Meta{Name: "pod-identity-webhook"}
	want := []*model.MutatingWebhook{
		{Meta: m, Webhook: "out", URL: "https://hook.example:8443/mutate", FailurePolicy: "Ignore"},
		{Meta: m, Webhook: "in", Service: "ns/svc/mutate", Rules: []model.WebhookRule{{
			Groups: []string{""}, Versions: []string{"v1"},
			Resources: []string{"pods"}, Operations: []string{"CREATE"}, Scope: "*",
		}}},
	}
	if diff := cmp.Diff(want, MutatingWebhooks(c)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestValidatingAdmissionPolicy(t *testing.T) {
	fail := admissionv1.Fail
	update := admissionv1.RuleWithOperations{
		Operations: []admissionv1.OperationType{admissionv1.Update},
		Rule:       admissionv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"serviceaccounts"}},
	}
	p := &admissionv1.ValidatingAdmissionPolicy{Spec: admissionv1.ValidatingAdmissionPolicySpec{
		FailurePolicy: &fail,
		MatchConstraints: &admissionv1.MatchResources{ResourceRules: []admissionv1.NamedRuleWithOperations{
			{RuleWithOperations: update},
			{RuleWithOperations: update, ResourceNames: []string{"one"}},
		}},
		Validations: []admissionv1.Validation{{Expression: "false", Message: "no"}},
	}}
	want := &model.AdmissionPolicy{
		FailurePolicy: "Fail", Validations: []string{"false"},
		Rules: []model.WebhookRule{{Groups: []string{""}, Versions: []string{"v1"}, Resources: []string{"serviceaccounts"}, Operations: []string{"UPDATE"}}},
	}
	if diff := cmp.Diff(want, ValidatingAdmissionPolicy(p)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
