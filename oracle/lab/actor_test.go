package oracle

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"drawbridge/internal/rbac"
)

// actor is somebody who asks: in drawbridge's words, and with a token or certificate for the real API server.
type actor struct {
	name      string // as the command line takes it
	broader   string // the IAM role of a session
	principal *principal
	session   string
	config    *rest.Config
	// recreated has the token of a principal of the same ARN that was created later.
	recreated *rest.Config

	who   authenticationv1.UserInfo // who the API server says it is
	known bool
}

// actors are everybody who asks in a world.
func (w *world) actors(t *testing.T) []*actor {
	t.Helper()
	all := w.callers(t)
	for _, ns := range namespaces[:4] {
		for _, sa := range []string{"web", "job", "default"} {
			all = append(all, w.withServiceAccount(t, "sa/"+ns+"/"+sa, ns, sa, nil))
		}
	}
	for _, pod := range w.objects.pods {
		ref := &authenticationv1.BoundObjectReference{Kind: "Pod", APIVersion: "v1", Name: pod.Name}
		all = append(all, w.withServiceAccount(t, "pod/"+pod.Namespace+"/"+pod.Name, pod.Namespace, pod.Spec.ServiceAccountName, ref))
	}
	for _, user := range usernames {
		all = append(all, w.withCertificate(t, "user:"+user, user))
	}
	for _, group := range groups {
		all = append(all, w.withCertificate(t, "group:"+group, "somebody", group))
	}
	return all
}

// callers are the IAM principals of a world, with new tokens: the API server remembers answers about old ones.
func (w *world) callers(t *testing.T) []*actor {
	t.Helper()
	var all []*actor
	for _, p := range w.principals {
		asking := p.sessions
		if !p.isRole() {
			asking = []string{""}
		}
		for _, session := range asking {
			id, broader := p.unique, ""
			if p.isRole() {
				id, broader = id+":"+session, p.arn
			}
			a := &actor{name: p.sts(session), broader: broader, principal: p, session: session}
			token, err := w.sts.add(a.name, p.account, id).token(t.Context(), cluster)
			if err != nil {
				t.Fatal(err)
			}
			a.config = w.config(token)
			if token, err = w.sts.add(a.name, p.account, "AXXXRECREATED"+strings.TrimPrefix(id, p.unique)).token(t.Context(), cluster); err != nil {
				t.Fatal(err)
			}
			a.recreated = w.config(token)
			all = append(all, a)
		}
	}
	return all
}

func (w *world) withServiceAccount(t *testing.T, name, namespace, sa string, bound *authenticationv1.BoundObjectReference) *actor {
	t.Helper()
	r, err := w.kube.Admin.CoreV1().ServiceAccounts(namespace).CreateToken(t.Context(), sa, &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{BoundObjectRef: bound}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return &actor{name: name, config: w.config(r.Status.Token)}
}

func (w *world) withCertificate(t *testing.T, name, user string, groups ...string) *actor {
	t.Helper()
	if strings.HasPrefix(user, "system:node:") {
		groups = append(groups, "system:nodes") // as every kubelet has it
	}
	c, err := w.kube.Config(user, groups...)
	if err != nil {
		t.Fatal(err)
	}
	return &actor{name: name, config: c}
}

// Who decided in reality.
const (
	refused        = "401"
	denied         = "denied"
	byMasters      = "allowed: system:masters"
	byNode         = "allowed: Node"
	byRBAC         = "allowed: RBAC"
	byAccessPolicy = "allowed: access policy"
	byDoing        = "allowed: done, not asked"
)

// answer is what reality says.
type answer struct {
	by     string
	reason string
}

func (a answer) allowed() bool { return a.by != refused && a.by != denied }

// whoami is who the API server takes the actor for; nobody is the zero value and false.
func whoami(ctx context.Context, client kubernetes.Interface) (authenticationv1.UserInfo, bool, error) {
	review, err := client.AuthenticationV1().SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if apierrors.IsUnauthorized(err) {
		return authenticationv1.UserInfo{}, false, nil
	}
	if err != nil {
		return authenticationv1.UserInfo{}, false, fmt.Errorf("ask who one is: %w", err)
	}
	return review.Status.UserInfo, true, nil
}

// ask asks the API server whether the actor itself may do something.
func ask(ctx context.Context, client kubernetes.Interface, who authenticationv1.UserInfo, r rbac.Request) (answer, error) {
	review := &authorizationv1.SelfSubjectAccessReview{}
	if r.NonResourceURL != "" {
		review.Spec.NonResourceAttributes = &authorizationv1.NonResourceAttributes{Verb: r.Verb, Path: r.NonResourceURL}
	} else {
		review.Spec.ResourceAttributes = &authorizationv1.ResourceAttributes{
			Verb: r.Verb, Namespace: r.Namespace, Group: r.APIGroup, Version: "*", Resource: r.Resource, Subresource: r.Subresource, Name: r.Name,
		}
	}
	got, err := client.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
	if apierrors.IsUnauthorized(err) {
		return answer{by: refused}, nil
	}
	if err != nil {
		return answer{}, fmt.Errorf("ask %+v: %w", r, err)
	}
	s := got.Status
	switch {
	case !s.Allowed:
		return answer{denied, s.Reason}, nil
	case strings.HasPrefix(s.Reason, "RBAC: "):
		return answer{byRBAC, s.Reason}, nil
	case strings.HasPrefix(s.Reason, "EKS Access Policy: "):
		return answer{byAccessPolicy, s.Reason}, nil
	case strings.HasPrefix(who.Username, "system:node:") && !slices.Contains(who.Groups, "system:masters"):
		return answer{byNode, s.Reason}, nil
	}
	return answer{byMasters, s.Reason}, nil
}

// do does one of the things that change nothing, and says what it was.
func do(ctx context.Context, client kubernetes.Interface, g gen) (rbac.Request, answer, error) {
	r := rbac.Request{Verb: "list", Namespace: pick(g, namespaces...)}
	var where string
	switch g.IntN(6) {
	case 0:
		r = rbac.Request{Verb: "get", NonResourceURL: pick(g, "/healthz", "/version", "/metrics", "/api", "/livez/etcd")}
		where = r.NonResourceURL
	case 1:
		r.APIGroup, r.Resource = "apps", "deployments"
		where = "/apis/apps/v1/namespaces/" + r.Namespace + "/deployments"
	case 2:
		r.Namespace, r.Resource = "", pick(g, "nodes", "pods", "secrets")
		where = "/api/v1/" + r.Resource
	default:
		r.Resource = pick(g, "pods", "secrets", "configmaps", "services", "serviceaccounts")
		where = "/api/v1/namespaces/" + r.Namespace + "/" + r.Resource
	}
	if r.Resource != "" && g.chance(2) {
		r.Verb, r.Name = "get", pick(g, "a", "b", "web", "pod-0")
		where += "/" + r.Name
	}
	err := client.CoreV1().RESTClient().Get().AbsPath(where).Do(ctx).Error()
	switch {
	case apierrors.IsUnauthorized(err):
		return r, answer{by: refused}, nil
	case apierrors.IsForbidden(err):
		return r, answer{by: denied, reason: err.Error()}, nil
	case err == nil, apierrors.IsNotFound(err):
		return r, answer{by: byDoing}, nil
	}
	return r, answer{}, fmt.Errorf("do %s: %w", r, err)
}
