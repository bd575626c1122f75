package projection

import (
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"drawbridge/internal/model"
)

// Namespace keeps a namespace's metadata.
func Namespace(n *corev1.Namespace) *model.Namespace { return &model.Namespace{Meta: meta(n)} }

// ServiceAccount keeps a service account's metadata, with the IRSA annotations, and whether its token is mounted.
func ServiceAccount(s *corev1.ServiceAccount) *model.ServiceAccount {
	return &model.ServiceAccount{Meta: meta(s), Automount: s.AutomountServiceAccountToken}
}

// Node keeps which instance a node is.
func Node(n *corev1.Node) *model.Node {
	node := &model.Node{Meta: meta(n), ProviderID: n.Spec.ProviderID, OS: intern(n.Status.NodeInfo.OperatingSystem)}
	if node.OS == "" {
		node.OS = node.Labels[corev1.LabelOSStable]
	}
	for _, a := range n.Status.Addresses {
		if a.Type == corev1.NodeInternalIP {
			node.InternalIP = a.Address
			break
		}
	}
	return node
}

// Role keeps a Role.
func Role(r *rbacv1.Role) *model.Role { return &model.Role{Meta: meta(r), Rules: r.Rules} }

// ClusterRole keeps a ClusterRole.
func ClusterRole(r *rbacv1.ClusterRole) *model.Role {
	return &model.Role{Meta: meta(r), Rules: r.Rules, Aggregation: r.AggregationRule}
}

// RoleBinding keeps a RoleBinding.
func RoleBinding(b *rbacv1.RoleBinding) *model.Binding {
	return &model.Binding{Meta: meta(b), RoleRef: b.RoleRef, Subjects: b.Subjects}
}

// ClusterRoleBinding keeps a ClusterRoleBinding.
func ClusterRoleBinding(b *rbacv1.ClusterRoleBinding) *model.Binding {
	return &model.Binding{Meta: meta(b), RoleRef: b.RoleRef, Subjects: b.Subjects}
}

// AWSAuth keeps mapRoles, mapUsers and mapAccounts of kube-system/aws-auth, and the names of its other keys. For any
// other ConfigMap it returns nil.
func AWSAuth(c *corev1.ConfigMap) *model.AWSAuth {
	if c.Namespace != "kube-system" || c.Name != "aws-auth" {
		return nil
	}
	a := &model.AWSAuth{Meta: meta(c), ResourceVersion: c.ResourceVersion, Data: make(map[string]string, len(c.Data))}
	for k := range c.BinaryData {
		a.Data[k] = ""
	}
	for k, v := range c.Data {
		switch k {
		case "mapRoles", "mapUsers", "mapAccounts":
			a.Data[k] = v
		default:
			a.Data[k] = ""
		}
	}
	return a
}

// NodeClass keeps the IAM role and the metadata options of a Karpenter EC2NodeClass or AWSNodeTemplate, or of a
// NodeClass of EKS Auto Mode. For any other object it returns nil.
func NodeClass(u *unstructured.Unstructured) *model.NodeClass {
	switch u.GroupVersionKind().GroupKind().String() {
	case "EC2NodeClass.karpenter.k8s.aws", "AWSNodeTemplate.karpenter.k8s.aws", "NodeClass.eks.amazonaws.com":
	default:
		return nil
	}
	text := func(path ...string) string {
		s, _, _ := unstructured.NestedString(u.Object, path...)
		return s
	}
	n := &model.NodeClass{
		Meta: meta(u), Kind: u.GetKind(),
		Role: text("spec", "role"), InstanceProfile: text("spec", "instanceProfile"),
		MetadataOptions: model.MetadataOptions{
			HTTPTokens:   text("spec", "metadataOptions", "httpTokens"),
			HTTPEndpoint: text("spec", "metadataOptions", "httpEndpoint"),
		},
	}
	switch limit, _, _ := unstructured.NestedFieldNoCopy(u.Object, "spec", "metadataOptions", "httpPutResponseHopLimit"); limit := limit.(type) {
	case int64:
		n.HopLimit = int(limit)
	case float64:
		n.HopLimit = int(limit)
	}
	return n
}
