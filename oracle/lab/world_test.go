package oracle

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"drawbridge/internal/access"
	"drawbridge/internal/lab/aws"
	"drawbridge/internal/lab/kube"
	"drawbridge/internal/model"
	sourceaws "drawbridge/internal/source/aws"
	sourcekube "drawbridge/internal/source/kube"
)

const (
	cluster = "prod"
	readers = "drawbridge-readers"
)

// world is one cluster with all that it stands on.
type world struct {
	gen
	mode          string
	aws           *aws.Server
	sts           callers
	principals    []*principal
	policyHolders []*principal // have one access policy each, and take no part in the rest
	associations  []kube.PolicyAssociation
	objects       *objects
	kube          *kube.Cluster
	snapshot      *model.Snapshot // drawbridge's side
	cluster       *access.Cluster
}

// newWorld makes the AWS side, starts the control plane on it, fills that, and collects both.
func newWorld(t *testing.T, seed uint64, mode string) *world {
	t.Helper()
	clock := aws.Epoch
	w := &world{gen: gen{rand.New(rand.NewPCG(seed, 0))}, mode: mode}
	w.aws = aws.New(aws.Options{Clock: func() time.Time { return clock }}).Start(t)
	r := w.aws.Account(home, "aws").Region(region)
	r.PutCluster(aws.Cluster{Name: cluster, Version: "1.36", AccessConfig: &aws.AccessConfig{AuthenticationMode: mode}})
	people, fixed := w.gen.principals(w.aws), w.fixed(w.aws)
	w.principals = append(people, fixed...)
	if mode != model.ModeConfigMap {
		w.entries(r, people)
		w.policyHolders = w.holders(w.aws)
		r.PutAccessEntry(aws.AccessEntry{ClusterName: cluster, PrincipalARN: fixed[0].arn, Type: "EC2_LINUX"})
		reader := w.aws.Account(home, "aws").PutUser(aws.User{UserName: "reader-by-entry", UserID: "AIDAREADER"})
		r.PutAccessEntry(aws.AccessEntry{ClusterName: cluster, PrincipalARN: reader, Username: "reader-by-entry", KubernetesGroups: []string{readers}})
	}
	clock = clock.Add(time.Hour)
	w.recreate(w.aws, people, clock)
	w.aws.Account(home, "aws").PutUser(aws.User{UserName: "reader-by-row", UserID: "AIDAROW"})
	data := w.awsAuth(people)
	data["mapUsers"] += "- userarn: arn:aws:iam::" + home + ":user/reader-by-row\n  username: reader-by-row\n  groups: [" + readers + "]\n"
	if mode != model.ModeAPI { // in mode API all of it is a leftover that does not count
		data["mapRoles"] = fixedRows(fixed) + data["mapRoles"]
	}
	w.objects = w.gen.objects(w.principals)
	w.objects.others = append(w.objects.others, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "aws-auth"}, Data: data})
	w.start(t, r)
	if err := w.kube.Load(t.Context(), w.objects.all()...); err != nil {
		t.Fatal(err)
	}
	w.collect(t, w.settle(t))
	return w
}

// start runs the real parts: API server and authenticator, and the webhook for access policies behind them.
func (w *world) start(t *testing.T, r *aws.Region) {
	t.Helper()
	authenticator, policies := w.stores(t, r)
	w.kube = kube.New(t, kube.Options{Controllers: kube.IdentityControllers(), Authenticator: &authenticator, AccessPolicies: &policies})
}

// stores are what EKS tells its authenticator and its authorizer, as it stands in the lab's AWS now.
func (w *world) stores(t *testing.T, r *aws.Region) (kube.Authenticator, kube.AccessPolicies) {
	t.Helper()
	var mapped []kube.MappedPrincipal
	w.associations = nil
	for _, e := range r.AccessEntries(cluster) {
		mapped = append(mapped, kube.MappedPrincipal{ARN: e.PrincipalARN, UniqueID: e.PrincipalID, Username: e.Username, Groups: e.KubernetesGroups})
		for _, p := range e.Policies {
			w.associations = append(w.associations, kube.PolicyAssociation{PrincipalARN: e.PrincipalARN, UniqueID: e.PrincipalID, PolicyARN: p.PolicyARN, Namespaces: p.AccessScope.Namespaces})
		}
	}
	rules, err := os.ReadFile(table)
	if err != nil {
		t.Fatal(err)
	}
	return kube.Authenticator{Cluster: cluster, Mode: w.mode, Entries: mapped, STS: &w.sts, Environment: w.aws.Env(home, region)}, kube.AccessPolicies{Published: rules, Associations: w.associations}
}

func (w *world) config(token string) *rest.Config {
	return &rest.Config{Host: w.kube.URL, TLSClientConfig: rest.TLSClientConfig{CAData: w.kube.CA}, BearerToken: token, QPS: -1}
}

// poll waits for something, for half a minute at most.
func poll(t *testing.T, what string, ok func(context.Context) (bool, error)) {
	t.Helper()
	if err := wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, 30*time.Second, true, ok); err != nil {
		t.Fatalf("wait for %s: %v", what, err)
	}
}

// settle waits until everybody knows what was put into the cluster: the authenticator its stores, the controller the
// roles that it fills, the authorizer all roles and bindings, the node authorizer the pods. Each is known to have seen
// everything once it has seen what was put there last. It returns somebody who may read all that drawbridge asks for.
func (w *world) settle(t *testing.T) (reader caller) {
	t.Helper()
	if w.mode != model.ModeAPI {
		reader = w.sts.add("arn:aws:iam::"+home+":user/reader-by-row", home, "AIDAROW")
		w.awaitUser(t, reader, "reader-by-row")
	}
	if w.mode != model.ModeConfigMap {
		reader = w.sts.add("arn:aws:iam::"+home+":user/reader-by-entry", home, "AIDAREADER")
		w.awaitUser(t, reader, "reader-by-entry")
	}
	poll(t, "the aggregation of ClusterRoles", func(ctx context.Context) (bool, error) {
		list, err := w.kube.Admin.RbacV1().ClusterRoles().List(ctx, metav1.ListOptions{})
		return err == nil && aggregated(list.Items), err
	})
	last := "zz-last"
	meta := metav1.ObjectMeta{Name: last}
	inShop := metav1.ObjectMeta{Name: last, Namespace: "shop"}
	rule := rbacv1.PolicyRule{Verbs: []string{"get"}, APIGroups: []string{last}, Resources: []string{last}}
	subjects := []rbacv1.Subject{{Kind: rbacv1.GroupKind, APIGroup: rbacv1.GroupName, Name: last}}
	pod := kube.Pod("shop", last, "web", kube.Node(0, "").Name)
	err := w.kube.Load(t.Context(),
		&rbacv1.ClusterRole{ObjectMeta: meta, Rules: []rbacv1.PolicyRule{{Verbs: []string{"get"}, NonResourceURLs: []string{"/" + last}}}},
		&rbacv1.ClusterRoleBinding{ObjectMeta: meta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: last}, Subjects: subjects},
		&rbacv1.Role{ObjectMeta: inShop, Rules: []rbacv1.PolicyRule{rule}},
		&rbacv1.RoleBinding{ObjectMeta: inShop, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: last}, Subjects: subjects},
		pod)
	if err != nil {
		t.Fatal(err)
	}
	w.awaitAllowed(t, authorizationv1.SubjectAccessReviewSpec{User: "x", Groups: []string{last}, NonResourceAttributes: &authorizationv1.NonResourceAttributes{Verb: "get", Path: "/" + last}})
	w.awaitAllowed(t, authorizationv1.SubjectAccessReviewSpec{User: "x", Groups: []string{last}, ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: "shop", Verb: "get", Group: last, Resource: last}})
	w.awaitAllowed(t, authorizationv1.SubjectAccessReviewSpec{User: "system:node:" + pod.Spec.NodeName, Groups: []string{"system:nodes"}, ResourceAttributes: &authorizationv1.ResourceAttributes{
		Namespace: "shop", Verb: "create", Resource: "serviceaccounts", Subresource: "token", Name: "web",
	}})
	return reader
}

func (w *world) awaitUser(t *testing.T, who caller, username string) {
	t.Helper()
	poll(t, "user "+username, func(ctx context.Context) (bool, error) {
		token, err := who.token(ctx, cluster) // a new one each time, for answers are remembered
		if err != nil {
			return false, err
		}
		review, err := kubernetes.NewForConfigOrDie(w.config(token)).AuthenticationV1().SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
		return err == nil && review.Status.UserInfo.Username == username, nil
	})
}

func (w *world) awaitAllowed(t *testing.T, spec authorizationv1.SubjectAccessReviewSpec) {
	t.Helper()
	poll(t, fmt.Sprintf("%s to be allowed %v %v", spec.User, spec.ResourceAttributes, spec.NonResourceAttributes), func(ctx context.Context) (bool, error) {
		r, err := w.kube.Admin.AuthorizationV1().SubjectAccessReviews().Create(ctx, &authorizationv1.SubjectAccessReview{Spec: spec}, metav1.CreateOptions{})
		return err == nil && r.Status.Allowed, err
	})
}

// aggregated says whether each aggregated role holds the rules of the roles that it is made of, as these are now.
func aggregated(roles []rbacv1.ClusterRole) bool {
	for _, r := range roles {
		if r.AggregationRule == nil {
			continue
		}
		var want []rbacv1.PolicyRule
		for _, s := range r.AggregationRule.ClusterRoleSelectors {
			selector, err := metav1.LabelSelectorAsSelector(&s)
			if err != nil {
				continue
			}
			for _, from := range roles {
				if from.Name != r.Name && selector.Matches(labels.Set(from.Labels)) {
					want = append(want, from.Rules...)
				}
			}
		}
		for _, rule := range want {
			if !has(r.Rules, rule) {
				return false
			}
		}
		for _, rule := range r.Rules {
			if !has(want, rule) {
				return false
			}
		}
	}
	return true
}

func has(rules []rbacv1.PolicyRule, rule rbacv1.PolicyRule) bool {
	return slices.ContainsFunc(rules, func(r rbacv1.PolicyRule) bool { return reflect.DeepEqual(r, rule) })
}

// collect reads both halves as `drawbridge collect` does, the Kubernetes one with a token of EKS, and takes the snapshot
// once through its file format.
func (w *world) collect(t *testing.T, reader caller) {
	t.Helper()
	token, err := reader.token(t.Context(), cluster)
	if err != nil {
		t.Fatal(err)
	}
	k, gaps, err := sourcekube.Collect(t.Context(), w.config(token), sourcekube.Options{Cluster: cluster})
	if err != nil {
		t.Fatal(err)
	}
	a, err := sourceaws.Collect(t.Context(), sourceaws.Options{
		Clusters: []string{cluster}, Regions: []string{region},
		Config: func(context.Context, string) (awssdk.Config, error) { return w.aws.Config(home, region), nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	s := model.Merge(&model.Snapshot{Clusters: []*model.Cluster{k}, Gaps: gaps}, a)
	s.Complete("not read")
	s.Sort()
	if len(s.Gaps) > 0 || len(s.Clusters) != 1 {
		t.Fatalf("%d clusters, gaps %v", len(s.Clusters), s.Gaps)
	}
	var file bytes.Buffer
	if err := model.Write(&file, s); err != nil {
		t.Fatal(err)
	}
	read, err := model.Read(&file)
	if err != nil {
		t.Fatal(err)
	}
	w.snapshot = read
	w.cluster = access.New(read).Clusters()[0]
}
