package oracle

import (
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	rbacv1 "k8s.io/api/rbac/v1"

	"drawbridge/internal/awsdata"
	"drawbridge/internal/lab/kube"
	"drawbridge/internal/rbac"
)

// request makes any request; five times in six it starts from a rule that the asker may hold, so that most of the
// fields meet.
func (w *world) request(g gen, who authenticationv1.UserInfo) rbac.Request {
	r := g.anyRequest()
	if g.chance(6) {
		return r
	}
	rules, namespaces := w.source(g, who)
	if len(rules) == 0 {
		return r
	}
	rule := pick(g, rules...)
	one := func(list []string, other string) string {
		if len(list) == 0 || g.chance(12) {
			return other
		}
		return pick(g, list...)
	}
	r.Verb = one(rule.Verbs, r.Verb)
	if len(rule.NonResourceURLs) > 0 {
		return rbac.Request{Verb: r.Verb, NonResourceURL: one(rule.NonResourceURLs, pick(g, paths...))}
	}
	r.NonResourceURL = ""
	r.Namespace = one(namespaces, r.Namespace)
	r.APIGroup, r.Name = one(rule.APIGroups, r.APIGroup), one(rule.ResourceNames, r.Name)
	if combined := one(rule.Resources, ""); combined != "" {
		r.Resource, r.Subresource, _ = strings.Cut(combined, "/")
	}
	if r.Resource == "*" {
		r.Resource = pick(g, parts...)
	}
	if r.Verb == "*" {
		r.Verb = pick(g, verbs...)
	}
	return r
}

func (g gen) anyRequest() rbac.Request {
	if g.chance(8) {
		return rbac.Request{Verb: pick(g, "get", "get", "post", "*"), NonResourceURL: pick(g, paths...)}
	}
	return rbac.Request{
		Verb: pick(g, verbs...), Namespace: pick(g, append([]string{"", "", "nowhere", "kube-system"}, namespaces...)...),
		APIGroup: pick(g, apiGroups...), Resource: pick(g, parts...), Subresource: pick(g, subs...), Name: pick(g, "", "", "a", "b", "aws-auth", "web"),
	}
}

// source is where a request may come from: a binding that names the asker, an access policy, or what nodes may do. It
// says where the rules may hold; none is anywhere.
func (w *world) source(g gen, who authenticationv1.UserInfo) ([]rbacv1.PolicyRule, []string) {
	switch {
	case strings.HasPrefix(who.Username, "system:node:") && !g.chance(4):
		return g.nodeRules(), []string{"shop", "", "kube-system"}
	case len(who.Extra["principalId"]) > 0 && !g.chance(3):
		for _, p := range g.Perm(len(w.associations)) {
			a := w.associations[p]
			policy, ok := awsdata.LookupAccessPolicy(a.PolicyARN)
			if a.UniqueID != who.Extra["principalId"][0] || !ok || len(policy.Rules) == 0 {
				continue
			}
			if len(a.Namespaces) == 0 {
				return policy.Rules, []string{"", "shop", "prod"}
			}
			return policy.Rules, append([]string{pick(g, namespaces...)}, inside(a.Namespaces)...)
		}
	}
	return w.bound(g, who)
}

// inside are namespaces that patterns match, and ones that they nearly do.
func inside(patterns []string) []string {
	var all []string
	for _, p := range patterns {
		all = append(all, strings.ReplaceAll(p, "*", "dev"), strings.ReplaceAll(p, "*", ""), strings.ReplaceAll(p, "*", "a"))
	}
	return all
}

// bound are the rules of a role to which the asker is bound, and where.
func (w *world) bound(g gen, who authenticationv1.UserInfo) ([]rbacv1.PolicyRule, []string) {
	type binding struct {
		ref       rbacv1.RoleRef
		namespace string
	}
	var all []binding
	for _, b := range w.objects.wide {
		if named(b.Subjects, who) {
			all = append(all, binding{b.RoleRef, ""})
		}
	}
	for _, b := range w.objects.narrow {
		if named(b.Subjects, who) {
			all = append(all, binding{b.RoleRef, b.Namespace})
		}
	}
	if len(all) == 0 {
		return nil, nil
	}
	b := pick(g, all...)
	namespaces := []string{b.namespace, b.namespace, b.namespace, b.namespace, "dev-a", ""}
	for _, r := range w.objects.clusterRoles {
		if b.ref.Kind == "ClusterRole" && r.Name == b.ref.Name {
			return r.Rules, namespaces
		}
	}
	for _, r := range w.objects.roles {
		if b.ref.Kind == "Role" && r.Name == b.ref.Name && r.Namespace == b.namespace {
			return r.Rules, namespaces
		}
	}
	return []rbacv1.PolicyRule{g.rule(true)}, namespaces
}

// nodeRules are what kubelets do, with names that some pods of theirs refer to.
func (g gen) nodeRules() []rbacv1.PolicyRule {
	rule := func(group, resources, verbs string, names ...string) rbacv1.PolicyRule {
		return rbacv1.PolicyRule{APIGroups: []string{group}, Resources: strings.Fields(resources), Verbs: strings.Fields(verbs), ResourceNames: names}
	}
	nodes := []string{kube.Node(0, "").Name, kube.Node(1, "").Name, "nowhere", ""}
	return []rbacv1.PolicyRule{
		rule("", "secrets configmaps", "get list watch update", "a", "b", "c", ""),
		rule("", "persistentvolumeclaims persistentvolumes persistentvolumeclaims/status", "get update patch list", "a", ""),
		rule("", "serviceaccounts serviceaccounts/token", "create get list", "web", "job", "default", ""),
		rule("", "pods pods/status pods/eviction pods/exec", "get list watch create delete update patch", "pod-0", "pod-1", "zz-last", ""),
		rule("", "nodes nodes/status nodes/proxy", "get list watch create update patch delete", nodes...),
		rule("", "services endpoints events namespaces", "get list watch create update patch"),
		rule("coordination.k8s.io", "leases", "get create update patch delete list", nodes...),
		rule("storage.k8s.io", "csinodes csidrivers volumeattachments", "get create update patch delete list", nodes...),
		rule("resource.k8s.io", "resourceslices resourceclaims", "get list watch create delete deletecollection", nodes...),
		rule("node.k8s.io", "runtimeclasses", "get list watch create"),
		rule("certificates.k8s.io", "certificatesigningrequests podcertificaterequests", "create get list watch update"),
		rule("authentication.k8s.io", "tokenreviews", "create get"),
		rule("authorization.k8s.io", "subjectaccessreviews localsubjectaccessreviews selfsubjectaccessreviews", "create"),
		rule("events.k8s.io", "events", "create update patch get"),
	}
}
