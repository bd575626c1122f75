package checks

import (
	"os"
	"strings"
	"testing"

	"drawbridge/internal/check"
	"drawbridge/internal/check/checktest"
	"drawbridge/internal/demo"
	"drawbridge/internal/finding"
	"drawbridge/internal/plan"
)

// withoutPlan are the checks whose findings nobody can fix without a decision, or without something that no snapshot holds.
var withoutPlan = map[string]string{
	"access-entry-iam-user":                 "which role the person or program is to take instead is for people to say",
	"access-entry-unknown-policy":           "what the policy grants has to be looked up first",
	"authentication-mode-config-map":        "the first step of a migration, with no way back, and it opens a second store",
	"aws-auth-invalid":                      "what the row was meant to say stands nowhere",
	"aws-auth-map-accounts":                 "who of the account is meant stands in the audit log",
	"aws-auth-session-name-template":        "which group or username was meant is for people to say",
	"aws-auth-system-masters":               "an admin needs another way in first: a migration",
	"cluster-endpoint-public":               "from which networks people come is for people to say",
	"iam-attaches-pod-identity":             "which roles the principal has to pass is for people to say",
	"iam-grants-cluster-access":             "who may administer the cluster is for people to say; behind the way that is closed lesser ones come up",
	"irsa-pod-identity-candidate":           "a migration",
	"irsa-role-privileged":                  "what the workload uses stands in CloudTrail",
	"irsa-trust-mismatch":                   "either side may be the wrong one, and without the annotation pods go on with their node's role",
	"node-role-privileged":                  "what the nodes use stands in CloudTrail",
	"node-role-reachable":                   "pods may count on the role, and new nodes follow their launch template",
	"oidc-identity-provider-associated":     "whether people sign in that way stands in the audit log",
	"pod-identity-agent-metrics-exposed":    "the arguments come from the add-on's configuration, which no snapshot holds",
	"pod-identity-agent-missing":            "software to install",
	"pod-identity-agent-unexpected":         "who changed it comes before what to change",
	"pod-identity-pods-predate-association": "a restart changes no configuration",
	"pod-identity-role-privileged":          "what the workload uses stands in CloudTrail",
	"pod-identity-shared-role":              "new roles, with names and permissions of their own",
	"pod-identity-target-role":              "whom else the target is for is decided in its account",
	"pod-identity-unsupported-node":         "a way in through IRSA has to be made first, which gives access",
	"pod-identity-webhook-unexpected":       "whether the webhook is wanted is for people to say",
	"rbac-mints-aws-tokens":                 "which of the rights are needed is for people to say",
	"rbac-runs-as-aws-identity":             "which of the rights are needed is for people to say",
	"trail-misses-read-events":              "which trail; and the data events of basic selectors are in no snapshot",
	"workload-default-service-account":      "a new service account, with a name of its own",
	"workload-host-network-near-agent":      "whether the workload needs the node's network is for people to say",
	"workload-identity-shared":              "new service accounts and roles, with names of their own",
	"workload-static-aws-credentials":       "a role has to be made first, which gives access",
}

// TestPlans makes every plan that a check proposes for its cases and looks at what comes of it. A check has a case with a plan,
// or stands among those that have none, with the reason.
func TestPlans(t *testing.T) {
	for _, c := range All {
		t.Run(c.ID, func(t *testing.T) {
			t.Parallel()
			archive, err := os.ReadFile(file(c, ".txtar"))
			if err != nil {
				t.Fatal(err)
			}
			plans, why := checktest.Plans(t, c, All, archive), withoutPlan[c.ID]
			if plans == 0 && why == "" {
				t.Error("no case has a plan: give the check one, or say in withoutPlan why it has none")
			}
			if plans > 0 && why != "" {
				t.Errorf("%d plans, but withoutPlan says: %s", plans, why)
			}
		})
	}
	for id := range withoutPlan {
		if ByID(id) == nil {
			t.Errorf("withoutPlan names %s, which is no check", id)
		}
	}
}

// TestPlansOfDemo makes the plans that the demo gets, a fleet with everything wrong at once, which a scan sees after it is complete.
func TestPlansOfDemo(t *testing.T) {
	s, err := demo.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	s.Complete("not read")
	checktest.Follow(t, s, check.Settings{}, All)
}

// TestPlanProposed holds what is proposed to what is safe: the steps, or none where they would give access, break what runs or
// rest on what was not read.
func TestPlanProposed(t *testing.T) {
	const (
		admin = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
		trust = `{Version: "2012-10-17", Statement: [{Effect: Allow, Principal: {Service: pods.eks.amazonaws.com}, Action: ["sts:AssumeRole", "sts:TagSession"]}`
		oidc  = `{Effect: Allow, Principal: {Federated: "arn:aws:iam::111122223333:oidc-provider/oidc.eks.us-east-1.amazonaws.com/id/AB"}, Action: "sts:AssumeRoleWithWebIdentity"}`
	)
	for _, tt := range []struct {
		name  string
		check *check.Check
		yaml  string
		want  string // the steps, or ""
	}{
		{"rows that would count again go first", accessEntryExternalAccount, `
mode: API_AND_CONFIG_MAP
accessEntries: [{principalArn: "arn:aws:iam::444455556666:role/v"}]
awsAuth: {name: aws-auth, data: {mapRoles: "- {rolearn: 'arn:aws:iam::444455556666:role/v', username: v}"}}
`, `1. take the row of arn:aws:iam::444455556666:role/v (username v, groups none) out of aws-auth
2. delete the access entry of arn:aws:iam::444455556666:role/v
`},
		{"rows that were not read", accessEntryExternalAccount, `
mode: API_AND_CONFIG_MAP
gaps: [{area: awsAuth}]
accessEntries: [{principalArn: "arn:aws:iam::444455556666:role/v"}]
`, ""},
		{"an account that is let in as a whole", accessEntryExternalAccount, `
mode: API_AND_CONFIG_MAP
accessEntries: [{principalArn: "arn:aws:iam::444455556666:role/v"}]
awsAuth: {name: aws-auth, data: {mapAccounts: "- '444455556666'"}}
`, ""},
		{"mode API reads no rows", accessEntryExternalAccount, `
mode: API
gaps: [{area: awsAuth}]
accessEntries: [{principalArn: "arn:aws:iam::444455556666:role/v"}]
`, "1. delete the access entry of arn:aws:iam::444455556666:role/v\n"},
		{"a recreated principal whose row lets it in", accessEntryGhostPrincipal, `
mode: API_AND_CONFIG_MAP
accessEntries: [{principalArn: "arn:aws:iam::111122223333:role/r", created: 2026-01-01T00:00:00Z}]
iamRoles: [{arn: "arn:aws:iam::111122223333:role/r", name: r, created: 2026-02-01T00:00:00Z}]
awsAuth: {name: aws-auth, data: {mapRoles: "- {rolearn: 'arn:aws:iam::111122223333:role/r', username: r}"}}
`, ""},
		{"the only admin", clusterCreatorAdmin, `
cluster: {authenticationMode: API, created: 2026-01-10T10:00:00Z}
accessEntries: [{principalArn: "arn:aws:iam::111122223333:role/p", created: 2026-01-10T10:09:00Z}]
policyAssociations: [{principalArn: "arn:aws:iam::111122223333:role/p", policyArn: "` + admin + `", scope: {type: cluster}}]
`, ""},
		{"a username that stays strong without the group", accessEntryGroupPrivileged, `
accessEntries: [{principalArn: "arn:aws:iam::111122223333:role/a", type: STANDARD, groups: [admins], username: carol}]
clusterRoles: [{name: all, rules: [{verbs: ["*"], apiGroups: ["*"], resources: ["*"]}]}]
clusterRoleBindings: [{name: p, roleRef: {kind: ClusterRole, name: all}, subjects: [{kind: Group, name: admins}, {kind: User, name: carol}]}]
`, ""},
		{"an entry that has the narrower policy with another scope", accessEntryReadsSecrets, `
accessEntries: [{principalArn: "arn:aws:iam::111122223333:role/a"}]
policyAssociations:
- {principalArn: "arn:aws:iam::111122223333:role/a", policyArn: "arn:aws:eks::aws:cluster-access-policy/AmazonEKSAdminViewPolicy", scope: {type: namespace, namespaces: [shop]}}
- {principalArn: "arn:aws:iam::111122223333:role/a", policyArn: "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy", scope: {type: cluster}}
`, ""},
		{"a role that pods have", podIdentityDefaultServiceAccount, `
podIdentityAssociations: [{id: a-1, namespace: web, serviceAccount: default, roleArn: "arn:aws:iam::111122223333:role/r"}]
workloads: [{namespace: web, name: d, kind: Deployment}]
`, ""},
		{"an add-on's association", podIdentityDangling, `
podIdentityAssociations: [{id: a-1, namespace: web, serviceAccount: api, ownerArn: "arn:aws:eks:us-east-1:111122223333:addon/lab/x/y", roleArn: "arn:aws:iam::111122223333:role/r"}]
iamRoles: [{arn: "arn:aws:iam::111122223333:role/r", name: r}]
namespaces: [{name: web}]
`, ""},
		{"tags that would let the pods in", podIdentitySessionTagsDisabled, `
podIdentityAssociations: [{id: a-1, namespace: web, serviceAccount: api, disableSessionTags: true, roleArn: "arn:aws:iam::111122223333:role/r"}]
iamRoles: [{arn: "arn:aws:iam::111122223333:role/r", name: r, trust: {Statement: [{Effect: Allow, Principal: {Service: pods.eks.amazonaws.com}, Action: ["sts:AssumeRole", "sts:TagSession"], Condition: {StringEquals: {"aws:RequestTag/kubernetes-namespace": web}}}]}}]
`, ""},
		{"an association without tags, which the conditions would keep out", podIdentityTrustUnconditioned, `
podIdentityAssociations: [{id: a-1, namespace: web, serviceAccount: api, disableSessionTags: true, roleArn: "arn:aws:iam::111122223333:role/r"}]
iamRoles: [{arn: "arn:aws:iam::111122223333:role/r", name: r, trust: ` + trust + `]}}]
`, ""},
		{"two statements that let in", podIdentityTrustUnconditioned, `
podIdentityAssociations: [{id: a-1, namespace: web, serviceAccount: api, roleArn: "arn:aws:iam::111122223333:role/r"}]
iamRoles: [{arn: "arn:aws:iam::111122223333:role/r", name: r, trust: ` + trust + `, {Effect: Allow, Principal: {Service: [pods.eks.amazonaws.com, ec2.amazonaws.com]}, Action: ["sts:AssumeRole", "sts:TagSession"]}]}}]
`, ""},
		{"service accounts with another audience", irsaTrustWithoutAudience, `
cluster: {issuer: "https://oidc.eks.us-east-1.amazonaws.com/id/AB"}
serviceAccounts: [{namespace: web, name: api, annotations: {eks.amazonaws.com/role-arn: "arn:aws:iam::111122223333:role/r", eks.amazonaws.com/audience: vault}}]
iamRoles: [{arn: "arn:aws:iam::111122223333:role/r", name: r, trust: {Statement: [` + oidc + `]}}]
`, ""},
		{"service accounts that were not read", irsaTrustWildcardSubject, `
gaps: [{area: serviceAccounts}]
cluster: {issuer: "https://oidc.eks.us-east-1.amazonaws.com/id/AB"}
serviceAccounts: [{namespace: web, name: api, annotations: {eks.amazonaws.com/role-arn: "arn:aws:iam::111122223333:role/r"}}]
iamRoles: [{arn: "arn:aws:iam::111122223333:role/r", name: r, trust: {Statement: [` + oidc + `]}}]
`, ""},
		{"a Job's template", serviceAccountTokenAutomounted, `
serviceAccounts: [{namespace: shop, name: web}]
workloads: [{namespace: shop, name: j, kind: Job, serviceAccount: web, automount: true}]
`, ""},
		{"a template that has its own field", serviceAccountTokenAutomounted, `
serviceAccounts: [{namespace: shop, name: web}]
workloads: [{namespace: shop, name: d, kind: Deployment, serviceAccount: web, automount: true}]
`, "1. take automountServiceAccountToken out of Workload shop/deployment/d\n2. set automountServiceAccountToken: false in ServiceAccount shop/web\n"},
		{"a default service account at work", rbacDefaultServiceAccountPrivileged, `
clusterRoles: [{name: all, rules: [{verbs: ["*"], apiGroups: ["*"], resources: ["*"]}]}]
clusterRoleBindings: [{name: t, roleRef: {kind: ClusterRole, name: all}, subjects: [{kind: ServiceAccount, namespace: shop, name: default}]}]
pods: [{namespace: shop, name: p, serviceAccount: default}]
`, ""},
		{"a role that is everybody's", awsAuthWritable, `
mode: CONFIG_MAP
awsAuth: {name: aws-auth}
roles: [{namespace: kube-system, name: "system:sync", rules: [{verbs: [patch], apiGroups: [""], resources: [configmaps], resourceNames: [aws-auth]}]}]
roleBindings: [{namespace: kube-system, name: s, roleRef: {kind: Role, name: "system:sync"}, subjects: [{kind: Group, name: devs}]}]
`, ""},
		{"what Kubernetes binds itself", rbacAnonymousPrivileged, `
clusterRoles: [{name: "system:discovery", rules: [{verbs: [get], apiGroups: [""], resources: [secrets]}]}]
clusterRoleBindings: [{name: d, roleRef: {kind: ClusterRole, name: "system:discovery"}, subjects: [{kind: Group, name: "system:authenticated"}]}]
`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := checktest.Parse("case.yaml", []byte(tt.yaml))
			if err != nil {
				t.Fatal(err)
			}
			found := check.Run([]*check.Check{tt.check}, c.Snapshot, check.Settings{})
			found = found[:min(len(found), 1)]
			if len(found) == 0 || found[0].Status != finding.Fail {
				t.Fatalf("nothing found, %+v", found)
			}
			got := ""
			if p := found[0].Remediation.Plan; p != nil {
				steps, err := plan.Read(p)
				if err != nil {
					t.Fatal(err)
				}
				got = steps.String()
			}
			if got != tt.want {
				t.Errorf("proposes\n%s\nwant\n%s", got, tt.want)
			}
			if strings.TrimSpace(found[0].Remediation.Text) == "" {
				t.Error("says nothing about how to fix it")
			}
		})
	}
}
