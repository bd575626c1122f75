package graph

import (
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"

	"drawbridge/internal/access"
	"drawbridge/internal/model"
	"drawbridge/internal/rbac"
)

// The steps of this file are what RBAC and access policies let somebody do in a cluster.

func becomeAdmin(b *builder) {
	b.reach("everything", func(c *cluster, _ *holding, namespace string, draw func(int32, access.Answer, ...string)) {
		if namespace == "" {
			draw(b.admin(c, ""), access.Yes)
		}
	})
	for _, c := range b.clusters {
		masters := b.says(Fact{Text: "do everything: no RBAC limits the members of " + rbac.GroupMasters})
		b.step(b.group(c, rbac.GroupMasters), b.admin(c, ""), access.Yes, masters, 0)
	}
}

func runPods(b *builder) {
	b.reach("run-pods", func(c *cluster, _ *holding, namespace string, draw func(int32, access.Answer, ...string)) {
		draw(b.newPods(c, namespace), access.Yes)
	})
}

func enterPods(b *builder) {
	b.reach("enter-pods", func(c *cluster, h *holding, namespace string, draw func(int32, access.Answer, ...string)) {
		if len(h.Names) == 0 {
			draw(b.runningPods(c, namespace), access.Yes)
			return
		}
		for _, k := range c.running {
			if (namespace == "" || k.namespace == namespace) && slices.ContainsFunc(k.pods, func(p *model.Pod) bool { return slices.Contains(h.Names, p.Name) }) {
				draw(k.at, access.Yes)
			}
		}
	})
}

func reachKubelets(b *builder) {
	b.reach("reach-kubelets", func(c *cluster, h *holding, _ string, draw func(int32, access.Answer, ...string)) {
		if len(h.Names) == 0 {
			draw(b.runningPods(c, ""), access.Yes)
			return
		}
		for _, k := range c.running {
			if slices.ContainsFunc(k.pods, func(p *model.Pod) bool { return slices.Contains(h.Names, p.NodeName) }) {
				draw(k.at, access.Yes)
			}
		}
	})
}

func mintTokens(b *builder) {
	b.reach("mint-tokens", func(c *cluster, h *holding, namespace string, draw func(int32, access.Answer, ...string)) {
		if len(h.Names) == 0 {
			draw(b.tokens(c, namespace), access.Yes)
		}
		for _, sa := range c.named(namespace, h.Names) {
			draw(b.minted(c, sa[0], sa[1]), access.Yes)
		}
	})
}

// named lists the service accounts of a namespace, or of all, that have one of the names.
func (c *cluster) named(namespace string, names []string) (all [][2]string) {
	if len(names) == 0 {
		return nil
	}
	for _, space := range c.namespaces {
		if namespace != "" && space != namespace {
			continue
		}
		for _, n := range names {
			if _, found := slices.BinarySearch(c.accounts[space], n); found {
				all = append(all, [2]string{space, n})
			}
		}
	}
	return all
}

func impersonate(b *builder) {
	b.reach("impersonate", func(c *cluster, h *holding, namespace string, draw func(int32, access.Answer, ...string)) {
		answer, conditions := access.Yes, []string(nil)
		if h.Way.On != "" {
			answer, conditions = access.Maybe, []string{"as far as its verbs impersonate-on:" + h.Way.On + ": go"}
		}
		need := h.Way.Needs[0]
		switch {
		case need.Resource == "serviceaccounts" && len(h.Names) == 0:
			draw(b.identities(c, namespace), answer, conditions...)
		case need.Resource == "serviceaccounts":
			for _, sa := range c.named(namespace, h.Names) {
				draw(b.serviceAccount(c, sa[0], sa[1]), answer, conditions...)
			}
		case need.Resource == "users":
			for _, n := range h.Names {
				draw(b.user(c, n), answer, conditions...)
			}
			if len(h.Names) == 0 {
				draw(b.anyUser(c), answer, conditions...)
			}
			masters := rbac.Request{Verb: "impersonate", Resource: "groups", Name: rbac.GroupMasters}
			if h.Way.On == "" && slices.ContainsFunc(h.rules, func(r rbacv1.PolicyRule) bool { return rbac.Allows(r, masters) }) {
				draw(b.group(c, rbac.GroupMasters), access.Yes)
			}
		}
	})
}

func escalate(b *builder) {
	b.reach("escalate", func(c *cluster, h *holding, namespace string, draw func(int32, access.Answer, ...string)) {
		if len(h.Names) == 0 {
			draw(b.admin(c, namespace), access.Yes)
		} else {
			draw(b.admin(c, namespace), access.Maybe, "if somebody it can act as is bound to "+strings.Join(h.Names, " or "))
		}
	})
}

// bind leads to what the roles give that may be bound: everything, where there is no limit to their names.
func bind(b *builder) {
	b.reach("bind", func(c *cluster, h *holding, namespace string, draw func(int32, access.Answer, ...string)) {
		if len(h.Names) == 0 && h.Way.Needs[1].Resource == "clusterroles" {
			draw(b.admin(c, namespace), access.Yes)
		}
	})
	for _, c := range b.clusters {
		for i := range c.holdings["bind"] {
			h := &c.holdings["bind"][i]
			c.bindable(h, func(n, namespace string, role *model.Role) {
				fact := b.with(func() Fact { return Fact{Text: "bind " + n + " to itself " + h.where(), Evidence: h.chain()} })
				b.step(h.at, c.roleBound(b, role, namespace), access.Yes, fact, 0)
			})
		}
	}
}

// bindNamed makes what the roles give that may be bound by name. They may give powers that bind in turn: what is new is
// looked at until nothing is.
func (c *cluster) bindNamed(b *builder) {
	for i := 0; i < len(c.holdings["bind"]); i++ {
		h := c.holdings["bind"][i]
		c.bindable(&h, func(_, namespace string, role *model.Role) { c.roleBound(b, role, namespace) })
	}
}

// bindable lists the roles that may be bound by name, and where.
func (c *cluster) bindable(h *holding, found func(name, namespace string, role *model.Role)) {
	for _, n := range h.Names {
		if role := c.boundRole(h, n); role != nil {
			for _, namespace := range c.scope(h.namespace) {
				found(n, namespace, role)
			}
		}
	}
}

// boundRole is the role that may be bound by name, or nil.
func (c *cluster) boundRole(h *holding, name string) *model.Role {
	ref := &model.Binding{}
	ref.RoleRef.Kind, ref.RoleRef.Name, ref.Namespace = "ClusterRole", name, h.namespace
	if h.Way.Needs[1].Resource == "roles" {
		ref.RoleRef.Kind = "Role"
	}
	return c.RoleOf(ref)
}

func writeAWSAuth(b *builder) {
	b.reach("write-aws-auth", func(c *cluster, _ *holding, _ string, draw func(int32, access.Answer, ...string)) {
		answer, conditions := c.auth()
		draw(b.admin(c, ""), answer, conditions...)
	})
}

// auth says whether whoever writes aws-auth has the cluster.
func (c *cluster) auth() (access.Answer, []string) {
	switch {
	case c.AuthenticationMode() == "":
		return access.Maybe, []string{"if the cluster reads aws-auth: its authentication mode was not read"}
	case c.ReadsAWSAuth():
		return access.Yes, nil
	}
	return access.No, nil
}

func readSecrets(b *builder) {
	b.reach("read-secrets", func(c *cluster, h *holding, namespace string, draw func(int32, access.Answer, ...string)) {
		if len(h.Names) == 0 {
			draw(b.secrets(c, namespace), access.Yes)
		}
		for _, t := range b.asked { // all others need no place of their own
			if t.Kind == KindSecret && slices.Contains(h.Names, t.Name) && (namespace == "" || namespace == t.Namespace) {
				draw(b.secret(c, t), access.Yes)
			}
		}
	})
}

// secretTokens: service accounts may have tokens in Secrets. A snapshot holds no Secrets.
func secretTokens(b *builder) {
	for _, c := range b.clusters {
		for _, namespace := range append([]string{""}, c.namespaces...) {
			b.step(b.secrets(c, namespace), b.identities(c, namespace), access.Maybe, b.with(func() Fact {
				return Fact{Text: "use tokens of service accounts that are kept in Secrets", If: []string{"if such a Secret is there: snapshots hold no Secrets"}}
			}), 0)
		}
	}
}

func writeWebhooks(b *builder) {
	b.reach("write-webhooks", func(c *cluster, h *holding, _ string, draw func(int32, access.Answer, ...string)) {
		if strings.HasPrefix(h.Way.Needs[0].Resource, "mutating") {
			draw(b.newPods(c, ""), access.Yes)
		} else {
			draw(b.secrets(c, ""), access.Maybe, "for Secrets that are written while the webhook is there")
		}
	})
}

func certificates(b *builder) {
	for _, power := range []string{"approve-csrs", "sign-csrs"} {
		b.reach(power, func(c *cluster, h *holding, _ string, draw func(int32, access.Answer, ...string)) {
			if signsClients(h.Names) {
				draw(b.anyUser(c), access.Maybe, "if the control plane issues client certificates, which AWS does not publish")
			}
		})
	}
}

// signsClients says whether signers of these names, or any, issue certificates by which the API server knows its clients
// (Kubernetes documentation, "Certificates and Certificate Signing Requests", 2026-11).
func signsClients(names []string) bool {
	return len(names) == 0 || slices.ContainsFunc(names, func(n string) bool {
		return n == "*" || n == "kubernetes.io/*" || strings.HasPrefix(n, "kubernetes.io/kube-apiserver-client")
	})
}

func createVolumes(b *builder) {
	b.reach("create-volumes", func(c *cluster, _ *holding, _ string, draw func(int32, access.Answer, ...string)) {
		draw(b.nodes(c), access.Maybe, "if it can also run a pod that claims the volume")
	})
}

// capabilityACK and capabilityKRO are types of EKS capabilities (EKS API, CreateCapability, SDK 2026-11).
const (
	capabilityACK = "ACK"
	capabilityKRO = "KRO"
)

// controllers leads from custom resources to the roles of the controllers that act on them.
func controllers(power, capability, prefix string) func(*builder) {
	return func(b *builder) {
		b.reach(power, func(c *cluster, _ *holding, _ string, draw func(int32, access.Answer, ...string)) {
			for _, k := range c.Capabilities {
				if k.Type == capability && k.RoleARN != "" {
					draw(b.principal(k.RoleARN), access.Yes)
				}
			}
			for _, space := range c.namespaces {
				for _, sa := range c.accounts[space] {
					if strings.HasPrefix(sa, prefix) {
						draw(b.newPod(c, space, sa), access.Maybe, "if "+space+"/"+sa+" is the controller of these objects")
					}
				}
			}
		})
	}
}
