package access

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"drawbridge/internal/iam"
	"drawbridge/internal/model"
)

// All accounts, clusters, roles and policies in these tests are made up.
const (
	testRole    = "arn:aws:iam::111122223333:role/app"
	testCluster = "arn:aws:eks:us-east-1:111122223333:cluster/lab"
)

func trustOf(t *testing.T, roleARN string, statements ...string) *Trust {
	t.Helper()
	doc := `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
	trust := New(&model.Snapshot{}).Trust(&model.IAMRole{ARN: roleARN, Name: "app", Trust: model.Document(doc)})
	if trust == nil {
		t.Fatalf("unreadable: %s", doc)
	}
	return trust
}

// pods lets Pod Identity in under a condition.
func pods(condition string) string {
	return service(`["sts:AssumeRole","sts:TagSession"]`, condition)
}

func service(actions, condition string) string {
	s := `{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},"Action":` + actions
	if condition != "" {
		s += `,"Condition":{` + condition + `}`
	}
	return s + `}`
}

func TestPodIdentityReach(t *testing.T) {
	const (
		namespace = `"aws:RequestTag/kubernetes-namespace":"payments"`
		account   = `"aws:RequestTag/kubernetes-service-account":"api"`
		cluster   = `"aws:RequestTag/eks-cluster-arn":"` + testCluster + `"`
	)
	tests := []struct {
		name                string
		trust               []string
		anybody, anyCluster Answer
		needs               string // part of If
	}{
		{"bare", []string{pods("")}, Yes, Yes, ""},
		{"bound to all three", []string{pods(`"StringEquals":{` + cluster + `,` + namespace + `,` + account + `}`)}, No, No, ""},
		{"bound to namespace and service account", []string{pods(`"StringEquals":{` + namespace + `,` + account + `}`)}, No, Yes, ""},
		{"bound to the cluster", []string{pods(`"StringEquals":{` + cluster + `}`)}, No, No, ""},
		{"bound to the cluster by name", []string{pods(`"StringEquals":{"aws:RequestTag/eks-cluster-name":"lab"}`)}, No, No, ""},
		{"any cluster of the account", []string{pods(`"StringLike":{"aws:RequestTag/eks-cluster-arn":"arn:aws:eks:*:111122223333:cluster/*"}`)}, Yes, Yes, ""},
		{"clusters by prefix", []string{pods(`"ArnLike":{"aws:RequestTag/eks-cluster-arn":"arn:aws:eks:*:111122223333:cluster/prod-*"}`)}, No, No, ""},
		{"the literal * matches nothing", []string{pods(`"StringEquals":{"aws:RequestTag/kubernetes-namespace":"*"}`)}, No, Yes, ""},
		{"StringLike * with a tag that must be there", []string{pods(`"StringLike":{"aws:RequestTag/kubernetes-namespace":"*"}`)}, Yes, Yes, ""},
		{"IfExists holds without session tags", []string{pods(`"StringEqualsIfExists":{` + cluster + `}`)}, Yes, Yes, ""},
		{"ForAllValues holds without session tags", []string{pods(`"ForAllValues:StringEquals":{` + namespace + `}`)}, Yes, Yes, ""},
		{"a list of what is not let in", []string{pods(`"StringNotEquals":{` + namespace + `}`)}, Yes, Yes, ""},
		{"own account", []string{pods(`"StringEquals":{"aws:SourceAccount":"111122223333"}`)}, Yes, Yes, ""},
		{"own organization", []string{pods(`"StringEquals":{"aws:SourceOrgId":"${aws:ResourceOrgId}"}`)}, Yes, Yes, ""},
		{"source ARN cannot be evaluated", []string{pods(`"ArnEquals":{"aws:SourceArn":"` + testCluster + `"}`)}, Maybe, Maybe, "ArnEquals aws:SourceArn = " + testCluster},
		{"an operator nobody knows", []string{pods(`"StringEqualz":{` + cluster + `}`)}, Maybe, Maybe, "StringEqualz"},
		{"two statements, one bare", []string{pods(`"StringEquals":{` + cluster + `}`), pods("")}, Yes, Yes, ""},
		{"one statement an action, tagging unconditioned", []string{service(`"sts:AssumeRole"`, `"StringEquals":{`+cluster+`}`), service(`"sts:TagSession"`, "")}, No, No, ""},
		{"one statement an action, assuming unconditioned", []string{service(`"sts:AssumeRole"`, ""), service(`"sts:TagSession"`, `"StringEquals":{`+cluster+`}`)}, Yes, Yes, ""},
		{"a deny of other clusters", []string{pods(""), `{"Effect":"Deny","Principal":"*","Action":"sts:AssumeRole","Condition":{"StringNotEquals":{` + cluster + `}}}`}, No, No, ""},
		{"only without tags, and by what cannot be evaluated", []string{pods(`"Null":{"aws:RequestTag/kubernetes-namespace":"true"},"ArnEquals":{"aws:SourceArn":"` + testCluster + `"}`)}, Maybe, Maybe, "aws:SourceArn"},
		{"another service", []string{strings.ReplaceAll(pods(""), "pods.eks", "ec2")}, No, No, ""},
		{"everybody", []string{strings.ReplaceAll(pods(""), `{"Service":"pods.eks.amazonaws.com"}`, `"*"`)}, Yes, Yes, ""},
		{"NotPrincipal is not supported in trust policies", []string{`{"Effect":"Allow","NotPrincipal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"sts:*"}`}, Maybe, Maybe, "principal"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			got := trustOf(t, testRole, tc.trust...).PodIdentityReach("us-east-1")
			if got.Anybody != tc.anybody || got.AnyCluster != tc.anyCluster {
				t.Errorf("anybody %v, any cluster %v, want %v and %v; if %q", got.Anybody, got.AnyCluster, tc.anybody, tc.anyCluster, got.If)
			}
			if !strings.Contains(strings.Join(got.If, "; "), tc.needs) {
				t.Errorf("if %q, want %q", got.If, tc.needs)
			}
		})
	}
}

func TestPodIdentity(t *testing.T) {
	session := PodSession{ClusterARN: testCluster, Namespace: "payments", ServiceAccount: "api"}
	untagged := session
	untagged.Untagged = true
	bound := pods(`"StringEquals":{"aws:RequestTag/eks-cluster-arn":"` + testCluster + `","aws:RequestTag/kubernetes-namespace":"payments"}`)
	tests := []struct {
		name    string
		session PodSession
		trust   string
		want    iam.Verdict
	}{
		{"bare", session, pods(""), iam.Allowed},
		{"bound to it", session, bound, iam.Allowed},
		{"bound to another namespace", session, strings.ReplaceAll(bound, "payments", "shop"), iam.Denied},
		{"bound, without session tags", untagged, bound, iam.Denied},
		{"without tagging", session, service(`"sts:AssumeRole"`, ""), iam.Denied},
		{"without tagging, untagged", untagged, service(`"sts:AssumeRole"`, ""), iam.Allowed},
		{"only tag keys of Pod Identity", session, pods(`"ForAllValues:StringEquals":{"aws:TagKeys":["eks-cluster-arn"]}`), iam.Denied},
		{"source ARN", session, pods(`"ArnLike":{"aws:SourceArn":"arn:aws:eks:*"}`), iam.Undecided},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			if got := trustOf(t, testRole, tc.trust).PodIdentity(tc.session); got.Verdict != tc.want {
				t.Errorf("%v, want %v; %+v", got.Verdict, tc.want, got)
			}
		})
	}
}

func TestChain(t *testing.T) {
	const (
		first  = "arn:aws:iam::111122223333:role/team/first"
		target = "arn:aws:iam::444455556666:role/target"
		id     = "us-east-1/111122223333/lab/payments/api"
	)
	session := PodSession{ClusterARN: testCluster, Namespace: "payments", ServiceAccount: "api"}
	untagged := session
	untagged.Untagged = true
	root := func(condition string) string {
		return `{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":["sts:AssumeRole","sts:TagSession"],"Condition":{` + condition + `}}`
	}
	tests := []struct {
		name    string
		trust   string
		session PodSession
		id      string
		want    iam.Verdict
	}{
		{"the whole account", root(""), session, "", iam.Allowed},
		{"the first role by its ARN", root(`"ArnEquals":{"aws:PrincipalArn":"` + first + `"}`), session, "", iam.Allowed},
		{"another role", root(`"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::111122223333:role/other"}`), session, "", iam.Denied},
		{"the tags", root(`"StringEquals":{"aws:RequestTag/kubernetes-namespace":"payments"}`), session, "", iam.Allowed},
		{"the tags, which are off", root(`"StringEquals":{"aws:RequestTag/kubernetes-namespace":"payments"}`), untagged, id, iam.Denied},
		{"the external id", root(`"StringEquals":{"sts:ExternalId":"` + id + `"}`), untagged, id, iam.Allowed},
		{"another external id", root(`"StringEquals":{"sts:ExternalId":"x"}`), untagged, id, iam.Denied},
		{"the organization", root(`"StringEquals":{"aws:PrincipalOrgID":"o-example"}`), session, "", iam.Undecided},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			if got := trustOf(t, target, tc.trust).Chain(first, tc.session, tc.id); got.Verdict != tc.want {
				t.Errorf("%v, want %v; %+v", got.Verdict, tc.want, got)
			}
		})
	}
}

func TestChainReach(t *testing.T) {
	const first = "arn:aws:iam::111122223333:role/first"
	session := PodSession{ClusterARN: testCluster, Namespace: "payments", ServiceAccount: "api"}
	statement := func(principal, actions, condition string) string {
		return `{"Effect":"Allow","Principal":{"AWS":"` + principal + `"},"Action":` + actions + `,"Condition":{` + condition + `}}`
	}
	const root, both = "arn:aws:iam::111122223333:root", `["sts:AssumeRole","sts:TagSession"]`
	tests := []struct {
		name                     string
		trust                    []string
		anybody, anyPod, tagging iam.Verdict
	}{
		{"the account", []string{statement(root, both, "")}, iam.Allowed, iam.Allowed, iam.Allowed},
		{"the role", []string{statement(first, both, "")}, iam.Denied, iam.Allowed, iam.Denied},
		{"the role for one namespace", []string{statement(first, both, `"StringEquals":{"aws:RequestTag/kubernetes-namespace":"payments"}`)}, iam.Denied, iam.Denied, iam.Denied},
		{"AWS's sample", []string{
			statement(root, `"sts:AssumeRole"`, `"StringEquals":{"aws:RequestTag/kubernetes-namespace":"payments"},"ArnEquals":{"aws:PrincipalArn":"`+first+`"}`),
			statement(root, `"sts:TagSession"`, ""),
		}, iam.Denied, iam.Denied, iam.Allowed},
		{"an organization", []string{statement("*", both, `"StringEquals":{"aws:PrincipalOrgID":"o-example"}`)}, iam.Undecided, iam.Undecided, iam.Undecided},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			got := trustOf(t, "arn:aws:iam::444455556666:role/target", tc.trust...).ChainReach(first, session)
			if got.Anybody.Verdict != tc.anybody || got.AnyPod.Verdict != tc.anyPod || got.Tagging.Verdict != tc.tagging {
				t.Errorf("anybody %v, any pod %v, tagging %v", got.Anybody.Verdict, got.AnyPod.Verdict, got.Tagging.Verdict)
			}
		})
	}
}

// TestTrustUnreadable: what cannot be read is nil, not a policy that lets nobody in.
func TestTrustUnreadable(t *testing.T) {
	a := New(&model.Snapshot{})
	for _, r := range []*model.IAMRole{nil, {ARN: testRole}, {ARN: testRole, Trust: "{"}, {ARN: "app", Trust: "{}"}} {
		if got := a.Trust(r); got != nil {
			t.Errorf("%+v: %+v", r, got)
		}
	}
}

// TestStatements: only the trust policy's own statements are given as the reason.
func TestStatements(t *testing.T) {
	const first = "arn:aws:iam::111122223333:role/first"
	statement := `{"Sid":"Chain","Effect":"Allow","Principal":{"AWS":"` + first + `"},"Action":["sts:AssumeRole","sts:TagSession"]}`
	got := trustOf(t, "arn:aws:iam::111122223333:role/target", statement).Chain(first, PodSession{}, "").Statements
	if diff := cmp.Diff([]string{"Chain: Allow AWS:" + first + " to sts:AssumeRole, sts:TagSession"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestConditionsArePrinted(t *testing.T) {
	trust := trustOf(t, testRole, pods(`"StringEquals":{"aws:SourceAccount":"111122223333"}`), strings.ReplaceAll(pods(`"Bool":{"a":"true"}`), "pods.eks", "ec2"))
	want := []string{"StringEquals aws:SourceAccount = 111122223333"}
	if diff := cmp.Diff(want, trust.PodIdentityReach("us-east-1").Conditions); diff != "" {
		t.Error(diff)
	}
}
