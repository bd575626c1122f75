package oracle

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/kubernetes/pkg/auth/nodeidentifier"
	"k8s.io/kubernetes/pkg/registry/rbac/validation"
	"k8s.io/kubernetes/plugin/pkg/auth/authorizer/node"
	realrbac "k8s.io/kubernetes/plugin/pkg/auth/authorizer/rbac"
	"k8s.io/kubernetes/plugin/pkg/auth/authorizer/rbac/bootstrappolicy"
	"sigs.k8s.io/aws-iam-authenticator/pkg/arn"
	"sigs.k8s.io/aws-iam-authenticator/pkg/config"
	"sigs.k8s.io/aws-iam-authenticator/pkg/mapper"
	"sigs.k8s.io/aws-iam-authenticator/pkg/mapper/configmap"
	"sigs.k8s.io/aws-iam-authenticator/pkg/token"

	"drawbridge/internal/model"
	"drawbridge/internal/rbac"
	"drawbridge/oracle/authenticator/real"
	"drawbridge/oracle/kubebin/accesspolicy/decide"
)

// actor is somebody who asks: a session of a role, or a user or root user.
type actor struct {
	*principal
	session string
}

func (w *world) actors() []actor {
	var all []actor
	for _, p := range w.principals {
		if !p.isRole() {
			all = append(all, actor{p, ""})
		}
		for _, session := range p.sessions {
			all = append(all, actor{p, session})
		}
	}
	return all
}

// caller is what the authenticator learns from STS of an actor.
func (a actor) caller(t *testing.T) *token.Identity {
	t.Helper()
	_, canonical, err := arn.Canonicalize(a.sts(a.session))
	if err != nil {
		t.Fatal(err)
	}
	return &token.Identity{ARN: a.sts(a.session), CanonicalARN: canonical, AccountID: a.account, UserID: a.unique, SessionName: a.session, AccessKeyID: "ASIA0000000000000010"}
}

// who is as whom somebody comes in, or that nobody is known.
type who struct {
	known    bool
	username string
	groups   []string
}

// authenticator is the real one, with the stores of a state.
func (s state) authenticator(t *testing.T) *real.Handler {
	t.Helper()
	h := &real.Handler{EC2: real.Instances{instance: instanceName}}
	if s.mode != model.ModeConfigMap {
		h.Mappers = append(h.Mappers, s.front(t))
	}
	if s.mode != model.ModeAPI {
		users, roles, accounts, _ := configmap.ParseMap(s.awsAuth) // what is broken is left out, as it does it
		h.Mappers = append(h.Mappers, real.ConfigMapMapper(users, roles, accounts))
	}
	return h
}

// front is the mapper of access entries. Only for those of nodes EKS lets through usernames that begin with system:, and it is
// not known how: they have no reserved prefixes here, which is checked when entries are made.
func (s state) front(t *testing.T) mapper.Mapper {
	t.Helper()
	var users []config.UserMapping
	var roles []config.RoleMapping
	for _, e := range s.entries {
		if strings.Contains(e.arn, ":role/") {
			roles = append(roles, config.RoleMapping{RoleARN: e.arn, UserId: e.unique, Username: e.username, Groups: e.groups})
		} else {
			users = append(users, config.UserMapping{UserARN: e.arn, UserId: e.unique, Username: e.username, Groups: e.groups})
		}
	}
	m, err := real.EntryMapper(users, roles, nil)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// authority is the real authorizers of a world in a state, in the order of EKS.
type authority struct {
	node, rbac authorizer.Authorizer
	policies   *decide.Authorizer
}

var published = func() decide.Published {
	text, err := os.ReadFile("../../internal/awsdata/access-policies.json")
	if err != nil {
		panic(err)
	}
	p, err := decide.Read(text)
	if err != nil {
		panic(err)
	}
	return p
}()

func (w *world) authority(s state) authority {
	_, static := validation.NewTestRuleResolver(w.roles, w.narrow, w.clusterRoles, w.wide)
	a := authority{rbac: realrbac.New(static, static, static, static), policies: decide.New(published, nil)}
	a.node = node.NewAuthorizer(node.NewGraph(), nodeidentifier.NewDefaultNodeIdentifier(), bootstrappolicy.NodeRules())
	if s.mode != model.ModeConfigMap {
		a.policies = decide.New(published, s.policies)
	}
	return a
}

// allows decides a request of somebody who came in. Masters are asked about first, as the API server does it.
func (a authority) allows(id string, as who, r rbac.Request) bool {
	if !as.known {
		return false
	}
	groups := append(slices.Clone(as.groups), user.AllAuthenticated)
	if slices.Contains(groups, user.SystemPrivilegedGroup) {
		return true
	}
	attributes := authorizer.AttributesRecord{
		User: &user.DefaultInfo{Name: as.username, Groups: groups}, Verb: r.Verb, Namespace: r.Namespace, APIGroup: r.APIGroup, APIVersion: "v1",
		Resource: r.Resource, Subresource: r.Subresource, Name: r.Name, Path: r.NonResourceURL, ResourceRequest: r.NonResourceURL == "",
	}
	for _, one := range []authorizer.Authorizer{a.node, a.rbac} {
		if d, _, _ := one.Authorize(context.Background(), attributes); d == authorizer.DecisionAllow {
			return true
		}
	}
	allowed, _ := a.policies.Allows(context.Background(), id, review(r))
	return allowed
}

func review(r rbac.Request) authorizationv1.SubjectAccessReviewSpec {
	if r.NonResourceURL != "" {
		return authorizationv1.SubjectAccessReviewSpec{NonResourceAttributes: &authorizationv1.NonResourceAttributes{Verb: r.Verb, Path: r.NonResourceURL}}
	}
	return authorizationv1.SubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{
		Verb: r.Verb, Namespace: r.Namespace, Group: r.APIGroup, Version: "v1", Resource: r.Resource, Subresource: r.Subresource, Name: r.Name,
	}}
}

// requests are some that a world's rules, and those of access policies, are about, and some that they are not.
func (w *world) requests(n int) []rbac.Request {
	var rules []rbacv1.PolicyRule
	for _, r := range w.clusterRoles {
		rules = append(rules, r.Rules...)
	}
	for _, r := range w.roles {
		rules = append(rules, r.Rules...)
	}
	for _, name := range []string{"AmazonEKSViewPolicy", "AmazonEKSAdminPolicy"} {
		i := slices.IndexFunc(published, func(r *rbacv1.ClusterRole) bool { return r.Name == name })
		rules = append(rules, pick(w.gen, published[i].Rules...))
	}
	var all []rbac.Request
	for range n {
		rule := pick(w.gen, rules...)
		r := rbac.Request{Verb: pick(w.gen, append(rule.Verbs, "get")...), Namespace: pick(w.gen, append([]string{"", "other"}, namespaces...)...)}
		if len(rule.NonResourceURLs) > 0 {
			r.NonResourceURL, r.Namespace = strings.ReplaceAll(pick(w.gen, rule.NonResourceURLs...), "*", "/x"), ""
		} else {
			r.APIGroup, r.Name = pick(w.gen, rule.APIGroups...), pick(w.gen, append(rule.ResourceNames, "", "c")...)
			r.Resource, r.Subresource, _ = strings.Cut(pick(w.gen, append(rule.Resources, "pods")...), "/")
		}
		for _, field := range []*string{&r.Verb, &r.APIGroup, &r.Resource} {
			if *field == "*" {
				*field = pick(w.gen, "list", "secrets", "apps", "*")
			}
		}
		all = append(all, r)
	}
	return all
}
