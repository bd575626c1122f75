package access

import (
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"

	"drawbridge/internal/finding"
	"drawbridge/internal/model"
)

// BindingPowers returns the powers that one binding alone gives its subjects, with the chain from the binding on, and
// false where the role it refers to is not in the snapshot.
func (c *Cluster) BindingPowers(b *model.Binding) ([]HeldPower, bool) {
	role := c.RoleOf(b)
	if role == nil {
		return nil, false
	}
	c.powersMu.Lock()
	defer c.powersMu.Unlock()
	key := rolePlace{role, b.Namespace}
	held, known := c.rolePowers[key]
	if !known {
		held = c.powers(role.Rules, b.Namespace, func(i int) []finding.Evidence {
			return []finding.Evidence{fact(role, "rules", "%s", ruleText(&role.Rules[i]))}
		})
		c.rolePowers[key] = held
	}
	return held, true
}

// rolePlace is a role where a binding makes it count: in a namespace, or "" for the whole cluster.
type rolePlace struct {
	role      *model.Role
	namespace string
}

// RoleOf returns the Role or ClusterRole that a binding refers to, or nil where it is not in the snapshot.
func (c *Cluster) RoleOf(b *model.Binding) *model.Role {
	if b.RoleRef.Kind == "Role" {
		return c.rbac().roles()[name{b.Namespace, b.RoleRef.Name}]
	}
	return c.rbac().roles()[name{"", b.RoleRef.Name}]
}

// Bindings lists all bindings of the cluster, ClusterRoleBindings first.
func (c *Cluster) Bindings() []*model.Binding {
	all := make([]*model.Binding, 0, len(c.ClusterRoleBindings)+len(c.RoleBindings))
	return append(append(all, c.ClusterRoleBindings...), c.RoleBindings...)
}

// Strangers returns the subjects of a binding that are not part of Kubernetes or EKS itself: the control plane's users and
// groups, whose prefixes system: and eks: are reserved for all but rows of aws-auth (see MappingHolders), and the
// controllers that Kubernetes binds in kube-system under system:controller:.
func Strangers(b *model.Binding) []rbacv1.Subject {
	var out []rbacv1.Subject
	for _, s := range b.Subjects {
		switch s.Kind {
		case "ServiceAccount":
			if s.Namespace == "kube-system" && b.Namespace == "" && ownController(b, s.Name) {
				continue
			}
		default:
			if ownSubject(s.Name) {
				continue
			}
		}
		out = append(out, s)
	}
	return out
}

// ownController says whether a ClusterRoleBinding is the one that Kubernetes makes for the controller whose service account
// it names. Anybody may give a binding such a name, so it counts for controllers that exist only.
func ownController(b *model.Binding, serviceAccount string) bool {
	return b.Name == "system:controller:"+serviceAccount && b.RoleRef.Name == b.Name && slices.Contains(controllers, serviceAccount)
}

// controllers are the service accounts of Kubernetes' own controllers (Kubernetes v1.36.3,
// plugin/pkg/auth/authorizer/rbac/bootstrappolicy).
var controllers = strings.Fields(`
attachdetach-controller certificate-controller clusterrole-aggregation-controller cronjob-controller daemon-set-controller
deployment-controller device-taint-eviction-controller disruption-controller endpoint-controller endpointslice-controller
endpointslicemirroring-controller ephemeral-volume-controller expand-controller generic-garbage-collector
horizontal-pod-autoscaler job-controller kube-apiserver-serving-clustertrustbundle-publisher legacy-service-account-token-cleaner
namespace-controller node-controller persistent-volume-binder pod-garbage-collector podcertificaterequestcleaner
podgroup-protection-controller pv-protection-controller pvc-protection-controller replicaset-controller replication-controller
resource-claim-controller resourcepoolstatusrequest-controller resourcequota-controller root-ca-cert-publisher route-controller
selinux-warning-controller service-account-controller service-cidrs-controller service-controller statefulset-controller
storage-version-garbage-collector storage-version-migrator-controller ttl-after-finished-controller ttl-controller
validatingadmissionpolicy-status-controller volumeattributesclass-protection-controller`)

// ownSubject says whether a username or group is Kubernetes' or EKS's own. The groups of everybody are not: they are
// whoever comes.
func ownSubject(n string) bool {
	switch n {
	case "system:anonymous", "system:unauthenticated", "system:authenticated", "system:serviceaccounts":
		return false
	}
	return strings.HasPrefix(n, "eks:") || strings.HasPrefix(n, "system:") && !strings.HasPrefix(n, "system:serviceaccount")
}

// SubjectText names a subject for people: "ServiceAccount a/b", "Group devs".
func SubjectText(s rbacv1.Subject) string { return s.Kind + " " + qualified(s.Namespace, s.Name) }
