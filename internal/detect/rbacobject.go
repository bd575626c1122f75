package detect

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"

	"drawbridge/internal/access"
	"drawbridge/internal/event"
	"drawbridge/internal/rbac"
)

// clusterRoleFacts are the changes of one Role or ClusterRole: cluster, kind, namespace, name.
type clusterRoleFacts struct{ Changes []roleState }

// roleState is what a role gave after one request; nothing, once it is deleted.
type roleState struct {
	Fact
	Wild   []string
	Powers []string
	// Into are the roles for users that take its rules over.
	Into []string
}

// everything is the power, and the wildcard, to do all there is.
const everything = "everything"

// bindingFacts are the changes of one RoleBinding or ClusterRoleBinding.
type bindingFacts struct{ Changes []bindingState }

// bindingState is whom a binding names after one request.
type bindingState struct {
	Fact
	Subjects []string
}

func (l *look) objectKey() string {
	return key(clusterOf(l.Event), l.Field(event.Resource).String(), l.Field(event.Namespace).String(), l.name())
}

// noteRole takes what roles give.
func (g *objects) noteRole(l *look, limit int) {
	if l.Field(event.Subresource).String() != "" || !l.done() || l.name() == "" {
		return
	}
	s := roleState{Fact: l.fact()}
	if !l.Field(event.Verb).Is("delete") {
		said := l.roleSaid()
		if !said.whole {
			return
		}
		s.Wild, s.Powers, s.Into = said.wild, said.powers, l.aggregated()
	}
	f := g.Roles.at(l.objectKey(), limit)
	f.Changes = note(f.Changes, s, func(s *roleState) Fact { return s.Fact })
}

// noteBinding takes whom bindings name.
func (g *objects) noteBinding(l *look, limit int) {
	if l.Field(event.Subresource).String() != "" || !l.done() || l.name() == "" {
		return
	}
	s := bindingState{Fact: l.fact()}
	if !l.Field(event.Verb).Is("delete") {
		if l.Field(event.ResponseObject).Kind() != event.Object && l.Field(event.Verb).Is("patch") {
			return
		}
		s.Subjects = subjectsOf(l.object())
	}
	f := g.Bindings.at(l.objectKey(), limit)
	f.Changes = note(f.Changes, s, func(s *bindingState) Fact { return s.Fact })
}

// rules are the rules that the request leaves a role with. Whole is false where the log has only a patch: then they are those
// that it adds, as far as it says them as rules.
func (l *look) rules() (rules []rbacv1.PolicyRule, whole bool) {
	o := l.object()
	if o.Kind() == event.Object {
		for r := range o.Find("rules").All() {
			if rule, ok := ruleOf(r); ok {
				rules = append(rules, rule)
			}
		}
		return rules, l.Field(event.ResponseObject).Kind() == event.Object || !l.Field(event.Verb).Is("patch")
	}
	for op := range o.Find("").All() {
		if !strings.HasPrefix(op.Find("path").First().String(), "/rules") {
			continue
		}
		for r := range op.Find("value").All() {
			if rule, ok := ruleOf(r); ok {
				rules = append(rules, rule)
			}
		}
	}
	return rules, false
}

// roleSaid is what the rules come to that the request leaves a role with.
type roleSaid struct {
	wild, powers []string
	whole        bool
}

func (l *look) roleSaid() *roleSaid {
	if !l.read.hasRole {
		rules, whole := l.rules()
		l.read.role, l.read.hasRole = roleSaid{wildcards(rules), powersOf(rules, l.Field(event.Namespace).String()), whole}, true
	}
	return &l.read.role
}

func ruleOf(v event.Value) (rbacv1.PolicyRule, bool) {
	var r rbacv1.PolicyRule
	return r, v.Kind() == event.Object && json.Unmarshal(v.Raw(), &r) == nil && len(r.Verbs) > 0
}

// wildcards are the wildcards of rules in Kubernetes' own API groups: `everything`, or the rule. Wildcards in the groups of
// custom resources are how operators ask for their own.
func wildcards(rules []rbacv1.PolicyRule) []string {
	var out []string
	for i := range rules {
		r := &rules[i]
		verbs, resources := slices.Contains(r.Verbs, "*"), slices.Contains(r.Resources, "*")
		switch {
		case verbs && resources && slices.Contains(r.APIGroups, "*"):
			out = append(out, everything)
		case (verbs && len(r.Resources) > 0 && len(r.ResourceNames) == 0 || resources) && slices.ContainsFunc(r.APIGroups, ownGroup):
			out = append(out, access.RuleOf(r))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// ownGroup says that an API group is Kubernetes' own, or all.
func ownGroup(g string) bool {
	return g == "*" || !strings.Contains(g, ".") || strings.HasSuffix(g, ".k8s.io")
}

// strongPowers lead to other identities, or to the node; weakPowers do so in a namespace, or together with others. Writing
// aws-auth counts where a rule names it: whoever may write ConfigMaps of kube-system may do it too, as many may.
var (
	strongPowers = []string{"bind", "escalate", "impersonate", "reach-kubelets", "mint-tokens", "write-webhooks", "approve-csrs", "sign-csrs", "write-ack-identity"}
	weakPowers   = []string{"enter-pods", "run-pods", "read-secrets", "write-bindings", "write-roles", "write-service-accounts"}
)

// powersOf are the powers that the rules give in a namespace, or with "" in the whole cluster, but for those with which they
// give everything.
func powersOf(rules []rbacv1.PolicyRule, namespace string) []string {
	if rbac.Has(rules, everything, 0) {
		return []string{everything}
	}
	var out []string
	for _, id := range slices.Concat(strongPowers, weakPowers) {
		if namespace != "" && clusterWide(id) {
			continue
		}
		if h, ok := halves[id]; ok && slices.ContainsFunc(rules, h.in) || !ok && rbac.Has(rules, id, 0) {
			out = append(out, id)
		}
	}
	if slices.ContainsFunc(rules, func(r rbacv1.PolicyRule) bool { return slices.Contains(r.ResourceNames, "aws-auth") }) && rbac.Has(rules, "write-aws-auth", 0) {
		out = append(out, "write-aws-auth")
	}
	return out
}

// half is the verb of a power that is given for nothing else. What else the power takes is little, and may stand in another
// role, where it says nothing: who splits it over two is seen by this half.
type half struct {
	verb, group string
	resources   []string
	// names, if not empty, begins the names that matter, where the rule is limited to some.
	names string
}

var halves = map[string]half{
	"bind":     {verb: "bind", group: "rbac.authorization.k8s.io", resources: []string{"roles", "clusterroles"}},
	"escalate": {verb: "escalate", group: "rbac.authorization.k8s.io", resources: []string{"roles", "clusterroles"}},
	// Signers of others, as certificate managers have, make nobody an identity of Kubernetes' (Kubernetes documentation,
	// "Certificates and Certificate Signing Requests", 2026-11).
	"approve-csrs": {verb: "approve", group: "certificates.k8s.io", resources: []string{"signers"}, names: "kubernetes.io/"},
	"sign-csrs":    {verb: "sign", group: "certificates.k8s.io", resources: []string{"signers"}, names: "kubernetes.io/"},
}

// in says that a rule gives the half.
func (h half) in(r rbacv1.PolicyRule) bool {
	has := func(list []string, one ...string) bool {
		return slices.ContainsFunc(list, func(s string) bool { return s == "*" || slices.Contains(one, s) })
	}
	return has(r.Verbs, h.verb) && has(r.APIGroups, h.group) && has(r.Resources, h.resources...) &&
		(len(r.ResourceNames) == 0 || slices.ContainsFunc(r.ResourceNames, func(n string) bool { return strings.HasPrefix(n, h.names) }))
}

// clusterWide says that a power is about objects outside namespaces, so that no Role gives it.
func clusterWide(power string) bool {
	return slices.Contains([]string{"reach-kubelets", "write-webhooks", "approve-csrs", "sign-csrs"}, power)
}

// roleBefore is what a role gave before the event; false where nothing tells.
func (l *look) roleBefore() (roleState, bool) {
	at := l.now()
	if s, ok := l.roleAt(l.objectKey(), at); ok {
		return s, true
	}
	return l.snapshotRole(l.Field(event.Resource).String(), l.Field(event.Namespace).String(), l.name(), at)
}

// roleAt is what a role gave before something happened, as events tell.
func (l *look) roleAt(k string, at Fact) (roleState, bool) {
	f := l.ledger.Objects.Roles.get(k)
	if f == nil {
		return roleState{}, false
	}
	for _, c := range slices.Backward(f.Changes) {
		if c.before(at) {
			return c, true
		}
	}
	return roleState{}, false
}

func (l *look) snapshotRole(resource, namespace, name string, at Fact) (roleState, bool) {
	c := l.snapshotCluster()
	if c == nil || l.ctx.Access.Time().After(at.At) {
		return roleState{}, false
	}
	ref := rbacv1.RoleRef{Kind: "ClusterRole", Name: name}
	if resource == "roles" {
		ref.Kind = "Role"
	}
	r := c.RBAC().Role(&rbac.Binding{Namespace: namespace, RoleRef: ref})
	if r == nil {
		return roleState{}, false
	}
	return roleState{Wild: wildcards(r.Rules), Powers: powersOf(r.Rules, r.Namespace)}, true
}

// gainedByRole are what a change of a role adds to it: wildcards and powers.
func (l *look) gainedByRole() (wild, powers []string) {
	resource := l.Field(event.Resource).String()
	if resource != "roles" && resource != "clusterroles" || l.Field(event.Subresource).String() != "" || !l.done() {
		return nil, nil
	}
	wild, powers = l.roleSaid().wild, l.roleSaid().powers
	if l.creates() {
		return wild, powers
	}
	before, known := l.roleBefore()
	if !known && l.Field(event.Verb).Is("patch") && !l.touches("rules") {
		return nil, nil
	}
	if slices.Contains(before.Powers, everything) {
		return nil, nil
	}
	return without(wild, before.Wild), without(powers, before.Powers)
}

// aggregated are those of admin, edit and view that take over the rules of a ClusterRole, by its labels (Kubernetes documentation,
// "Using RBAC Authorization", aggregated ClusterRoles, 2026-11).
func (l *look) aggregated() []string {
	var out []string
	for _, into := range []string{"admin", "edit", "view"} {
		if l.object().Find("metadata.labels.rbac.authorization.k8s.io/aggregate-to-" + into).First().Is("true") {
			out = append(out, into)
		}
	}
	return out
}

// addedTo are those of them that a change gives rules with powers: by the rules, or by the label.
func (l *look) addedTo() []string {
	if l.Field(event.Resource).String() != "clusterroles" || l.Field(event.Subresource).String() != "" || !l.done() {
		return nil
	}
	into := l.aggregated()
	if len(into) == 0 {
		return nil
	}
	if wild, powers := l.gainedByRole(); len(wild)+len(powers) > 0 {
		return into
	}
	if said := l.roleSaid(); !said.whole || len(said.wild)+len(said.powers) == 0 {
		return nil
	}
	if before, known := l.roleAt(l.objectKey(), l.now()); known {
		return without(into, before.Into)
	}
	if l.Field(event.Verb).Is("patch") && l.touches("metadata") {
		return into
	}
	return nil
}

// touches says that a patch is about a member of the object, in whatever form it is.
func (l *look) touches(member string) bool {
	o := l.Field(event.RequestObject)
	if o.Kind() != event.List {
		return o.Find(member).First().Kind() != event.Absent
	}
	for op := range o.Find("").All() {
		path := op.Find("path").First().String()
		if path == "" || path == "/"+member || strings.HasPrefix(path, "/"+member+"/") {
			return true
		}
	}
	return false
}

// subjectsOf are whom a binding names, in words.
func subjectsOf(o event.Value) []string {
	var out []string
	for s := range o.Find("subjects").All() {
		if s.Kind() != event.Object {
			continue
		}
		name := s.Find("name").First().String()
		if ns := s.Find("namespace").First().String(); ns != "" {
			name = ns + "/" + name
		}
		out = append(out, s.Find("kind").First().String()+" "+name)
	}
	return out
}

// newSubjects are those that a change of a binding adds to it.
func (l *look) newSubjects() []string {
	resource := l.Field(event.Resource).String()
	if resource != "rolebindings" && resource != "clusterrolebindings" || l.Field(event.Subresource).String() != "" || !l.done() {
		return nil
	}
	now := subjectsOf(l.object())
	if l.creates() {
		return now
	}
	at := l.now()
	if f := l.ledger.Objects.Bindings.get(l.objectKey()); f != nil {
		for _, c := range slices.Backward(f.Changes) {
			if c.before(at) {
				return without(now, c.Subjects)
			}
		}
	}
	if c := l.snapshotCluster(); c != nil && !l.ctx.Access.Time().After(at.At) {
		for _, b := range c.Bindings() {
			if b.Name == l.name() && b.Namespace == l.Field(event.Namespace).String() {
				var was []string
				for _, s := range b.Subjects {
					was = append(was, s.Kind+" "+strings.TrimPrefix(s.Namespace+"/"+s.Name, "/"))
				}
				return without(now, was)
			}
		}
	}
	if l.Field(event.Verb).Is("patch") && !l.touches("subjects") {
		return nil
	}
	return now
}

// everybody are groups and users that anybody is, or whoever runs a pod.
var everybody = []string{"User system:anonymous", "Group system:unauthenticated", "Group system:authenticated", "Group system:serviceaccounts"}

// boundPowers are the powers of the role that a binding refers to; nil where nothing tells.
func (l *look) boundPowers() []string {
	o := l.object()
	kind, name := o.Find("roleRef.kind").First().String(), o.Find("roleRef.name").First().String()
	namespace, at := l.Field(event.Namespace).String(), l.now()
	resource, in := "clusterroles", ""
	if kind == "Role" {
		resource, in = "roles", namespace
	}
	powers, ok := ownRoles[name]
	switch {
	case !ok || resource == "roles":
	case namespace != "":
		return slices.DeleteFunc(slices.Clone(powers), clusterWide)
	default:
		return powers
	}
	s, ok := l.roleAt(key(clusterOf(l.Event), resource, in, name), at)
	if !ok {
		s, _ = l.snapshotRole(resource, in, name, at)
	}
	if namespace == "" {
		return s.Powers
	}
	return slices.DeleteFunc(slices.Clone(s.Powers), clusterWide)
}

// ownRoles are the powers of Kubernetes' own roles; of the user-facing ones (Kubernetes documentation, "Using RBAC Authorization",
// 2026-11).
var ownRoles = map[string][]string{
	"cluster-admin": {everything},
	"admin":         {"impersonate", "mint-tokens", "enter-pods", "run-pods", "read-secrets", "write-bindings", "write-roles", "write-service-accounts"},
	"edit":          {"impersonate", "mint-tokens", "enter-pods", "run-pods", "read-secrets", "write-service-accounts"},
	"view":          {},
	// Roles of Kubernetes' own parts (Kubernetes v1.36.3, plugin/pkg/auth/authorizer/rbac/bootstrappolicy/testdata).
	"system:aggregate-to-admin":                            {"write-bindings", "write-roles"},
	"system:aggregate-to-edit":                             {"impersonate", "mint-tokens", "enter-pods", "run-pods", "read-secrets", "write-service-accounts"},
	"system:kube-controller-manager":                       {"mint-tokens", "read-secrets", "write-service-accounts"},
	"system:kubelet-api-admin":                             {"reach-kubelets"},
	"system:node":                                          {"mint-tokens", "run-pods", "read-secrets"},
	"system:controller:certificate-controller":             {"approve-csrs", "sign-csrs"},
	"system:controller:clusterrole-aggregation-controller": {"escalate", "write-roles"},
	"system:controller:generic-garbage-collector":          {"reach-kubelets", "write-webhooks", "write-ack-identity", "enter-pods", "run-pods", "read-secrets", "write-bindings", "write-roles", "write-service-accounts"},
	"system:controller:namespace-controller":               {"reach-kubelets", "enter-pods", "read-secrets"},
	"system:controller:resourcequota-controller":           {"read-secrets"},
	"system:controller:service-account-controller":         {"write-service-accounts"},
	"system:controller:cronjob-controller":                 {"run-pods"},
	"system:controller:daemon-set-controller":              {"run-pods"},
	"system:controller:deployment-controller":              {"run-pods"},
	"system:controller:job-controller":                     {"run-pods"},
	"system:controller:persistent-volume-binder":           {"run-pods"},
	"system:controller:replicaset-controller":              {"run-pods"},
	"system:controller:replication-controller":             {"run-pods"},
	"system:controller:statefulset-controller":             {"run-pods"},
}

func only(all, of []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(s string) bool { return !slices.Contains(of, s) })
}

// rbacFields are about changes of roles and bindings.
var rbacFields = []enrichment{
	{
		Name: "drawbridge.role.wildcards", Text: "the wildcards that a change adds to a role: `everything`, or rules of Kubernetes' own API groups", Planes: onKubernetes, Ledger: true, Snapshot: true,
		Of: func(l *look) []string { wild, _ := l.gainedByRole(); return wild },
	},
	{
		Name: "drawbridge.role.strong", Text: "powers that a change adds to a role and that lead to other identities: bind, escalate, impersonate, reach-kubelets, mint-tokens and so on", Planes: onKubernetes, Ledger: true, Snapshot: true,
		Of: func(l *look) []string {
			_, p := l.gainedByRole()
			return without(p, append([]string{everything}, weakPowers...))
		},
	},
	{
		Name: "drawbridge.role.weak", Text: "powers that a change adds to a role and that matter in a namespace: run-pods, enter-pods, read-secrets and so on", Planes: onKubernetes, Ledger: true, Snapshot: true,
		Of: func(l *look) []string { _, p := l.gainedByRole(); return only(p, weakPowers) },
	},
	{
		Name: "drawbridge.role.added_to", Text: "those of the ClusterRoles admin, edit and view that take over what a change gives another one: wildcards, or powers", Planes: onKubernetes, Ledger: true, Snapshot: true,
		Of: func(l *look) []string { return l.addedTo() },
	},
	{
		Name: "drawbridge.binding.subjects", Text: "whom a change adds to a binding", Planes: onKubernetes, Ledger: true, Snapshot: true,
		Of: func(l *look) []string { return l.newSubjects() },
	},
	{
		Name: "drawbridge.binding.everybody", Text: "those of them that anybody is: anonymous, all authenticated, all service accounts", Planes: onKubernetes, Ledger: true, Snapshot: true,
		Of: func(l *look) []string { return only(l.newSubjects(), everybody) },
	},
	{
		Name: "drawbridge.binding.role", Text: "the role that a binding refers to", Planes: onKubernetes,
		Of: func(l *look) []string {
			ref := l.object().Find("roleRef").First()
			return some(strings.TrimSpace(cmp.Or(ref.Find("kind").First().String(), "") + " " + ref.Find("name").First().String()))
		},
	},
	{
		Name: "drawbridge.binding.powers", Text: "the powers of the role that a binding refers to, as Kubernetes' own roles, events and the snapshot tell", Planes: onKubernetes, Ledger: true, Snapshot: true,
		Of: func(l *look) []string { return l.boundPowers() },
	},
	{
		Name: "drawbridge.binding.strong", Text: "those of them that lead to other identities", Planes: onKubernetes, Ledger: true, Snapshot: true,
		Of: func(l *look) []string { return without(l.boundPowers(), append([]string{everything}, weakPowers...)) },
	},
}
