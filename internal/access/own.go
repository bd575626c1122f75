package access

import (
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

// Strong says whether a power is one with which its holder can become somebody else or read what is secret.
func (h HeldPower) Strong() bool { return strong[h.Power.ID] && len(h.Names) == 0 }

// PrivilegedNamespaces returns the namespaces in which service accounts stand that hold strong powers in the whole
// cluster, with the binding that gives them: whoever runs pods there has those powers.
func (c *Cluster) PrivilegedNamespaces() map[string]finding.Evidence { return c.privileged() }

func (c *Cluster) newPrivileged() map[string]finding.Evidence {
	namespaces := map[string]finding.Evidence{}
	powers := map[string]string{} // of a ClusterRole: the title of a strong power, or ""
	for _, b := range c.ClusterRoleBindings {
		title, known := powers[b.RoleRef.Name]
		if !known {
			title = c.strongPowerOf(b.RoleRef.Name)
			powers[b.RoleRef.Name] = title
		}
		if title == "" {
			continue
		}
		for _, s := range b.Subjects {
			user, _ := rbac.Names(s, "")
			rest, ok := strings.CutPrefix(user, "system:serviceaccount:")
			if !ok {
				continue
			}
			namespace, sa, _ := strings.Cut(rest, ":")
			if _, have := namespaces[namespace]; !have {
				namespaces[namespace] = fact(b, "subjects", "service account %s can %s in the whole cluster", sa, title)
			}
		}
	}
	return namespaces
}

func (c *Cluster) strongPowerOf(clusterRole string) string {
	role := c.rbac().roles[name{"", clusterRole}]
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

// EntryHolder is how RBAC sees whoever comes in through an access entry: its groups, and its username where that is the
// same for every session.
func EntryHolder(e *model.AccessEntry) rbac.Holder {
	h := rbac.Holder{Groups: e.Groups}
	if !strings.Contains(e.Username, "{{") {
		h.User = e.Username
	}
	return h
}
