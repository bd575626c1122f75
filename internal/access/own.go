package access

import (
	"iter"
	"slices"
	"strings"

	"drawbridge/internal/finding"
	"drawbridge/internal/model"
	"drawbridge/internal/rbac"
)

// ServiceOwned says why a principal is AWS's own in this cluster, or "": a service-linked role, the role of an EKS
// capability, or the roles of Auto Mode. It goes by what ListCapabilities and DescribeCluster name, never by a name
// that somebody could choose: nobody but AWS can make a role under /aws-service-role/ (IAM User Guide, "Create a
// service-linked role", 2026-11).
func (c *Cluster) ServiceOwned(principalARN string) string {
	if strings.Contains(principalARN, ":role/aws-service-role/") {
		return "a service-linked role"
	}
	for _, k := range c.Capabilities {
		if k.RoleARN == principalARN {
			return "the role of capability " + k.Name
		}
	}
	if d := c.Description; d != nil && d.AutoMode {
		switch principalARN {
		case d.AutoNodeRoleARN:
			return "the node role of Auto Mode"
		case d.RoleARN:
			return "the cluster role of Auto Mode"
		}
	}
	return ""
}

// strong are the powers with which somebody takes a whole cluster if they hold them everywhere, and a namespace with all
// that runs there if they hold them in it.
var strong = map[string]bool{
	"everything": true, "run-pods": true, "enter-pods": true, "reach-kubelets": true, "mint-tokens": true, "read-secrets": true,
	"write-aws-auth": true, "bind": true, "escalate": true, "impersonate": true, "write-webhooks": true, "approve-csrs": true,
	"sign-csrs": true, "create-volumes": true, "write-ack-identity": true, "write-kro-definitions": true,
}

// Strong says whether a power is one with which its holder can become somebody else or read what is secret. Limited to
// names it counts where one object is as good as all.
func (h HeldPower) Strong() bool { return strong[h.Power.ID] && (len(h.Names) == 0 || h.strongByName) }

// strongByName says whether a power is strong although it is limited to names: one workload's template may name any
// service account, one role that its holder is bound to may be given anything, and one strong role is enough to bind.
func (c *Cluster) strongByName(h rbac.Held) bool {
	switch h.Power.ID {
	case "run-pods", "escalate":
		return true
	case "bind":
		return slices.ContainsFunc(h.Names, func(n string) bool {
			if n == "cluster-admin" || n == "admin" || n == "edit" {
				return true
			}
			role := c.rbac().roles()[name{"", n}]
			return role != nil && slices.ContainsFunc(rbac.PowersOf(role.Rules), func(of rbac.Held) bool {
				return strong[of.Power.ID] && len(of.Names) == 0 && c.open(of.Way)
			})
		})
	}
	return false
}

// PrivilegedNamespaces returns the namespaces in which service accounts stand that hold strong powers in the whole
// cluster, with the binding that gives them: whoever runs pods there has those powers.
func (c *Cluster) PrivilegedNamespaces() map[string]finding.Evidence { return c.privileged() }

func (c *Cluster) newPrivileged() map[string]finding.Evidence {
	namespaces := map[string]finding.Evidence{}
	for b, title := range c.strongBindings() {
		for _, s := range b.Subjects {
			user, group := rbac.Names(s, "")
			rest, one := strings.CutPrefix(user, "system:serviceaccount:")
			namespace, sa, _ := strings.Cut(rest, ":")
			who := "service account " + sa
			if !one {
				if namespace, one = strings.CutPrefix(group, rbac.GroupServiceAccounts+":"); !one {
					continue
				}
				who = "every service account of " + namespace
			}
			if _, have := namespaces[namespace]; !have {
				namespaces[namespace] = fact(b, "subjects", "%s can %s in the whole cluster", who, title)
			}
		}
	}
	return namespaces
}

// strongBindings are the ClusterRoleBindings that give a strong power, with its title.
func (c *Cluster) strongBindings() iter.Seq2[*model.Binding, string] {
	return func(yield func(*model.Binding, string) bool) {
		powers := map[string]string{} // of a ClusterRole: the title of a strong power, or ""
		for _, b := range c.ClusterRoleBindings {
			title, known := powers[b.RoleRef.Name]
			if !known {
				title = c.strongPowerOf(b.RoleRef.Name)
				powers[b.RoleRef.Name] = title
			}
			if title != "" && !yield(b, title) {
				return
			}
		}
	}
}

// strongPowerOf is the title of a strong power that a ClusterRole gives, or "".
func (c *Cluster) strongPowerOf(clusterRole string) string {
	role := c.rbac().roles()[name{"", clusterRole}]
	if role == nil {
		return ""
	}
	for _, h := range c.powers(role.Rules, "", func(int) []finding.Evidence { return nil }) {
		if h.Strong() {
			return h.Power.Title
		}
	}
	return ""
}
