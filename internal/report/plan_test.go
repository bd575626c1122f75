package report

import (
	"bytes"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"

	"drawbridge/internal/access"
	"drawbridge/internal/finding"
	"drawbridge/internal/migrate"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

// own is the account of the synthetic clusters.
const own = "111122223333"

func planCluster1(name, region, mode string) *model.Cluster {
	c := &model.Cluster{Name: name, ARN: "arn:aws:eks:" + region + ":" + own + ":cluster/" + name, Account: own, Region: region, Partition: "aws", Read: map[model.Area]bool{}}
	for _, a := range model.Areas {
		if !a.OfAccount {
			c.Read[a.Area] = true
		}
	}
	c.Description = &model.Description{AuthenticationMode: mode, KubernetesVersion: "1.33", Issuer: "https://oidc.eks." + region + ".amazonaws.com/id/ABC"}
	return c
}

func serviceAccount(namespace, name string, labels, annotations map[string]string) *model.ServiceAccount {
	sa := &model.ServiceAccount{}
	sa.Namespace, sa.Name, sa.Labels, sa.Annotations = namespace, name, labels, annotations
	return sa
}

// entriesPlan is a synthetic migration to access entries: rows of every outcome, entries that are there already.
func entriesPlan(t testing.TB) *migrate.Result {
	t.Helper()
	c := planCluster1("prod", "eu-central-1", model.ModeAPIConfigMap)
	c.AWSAuth = &model.AWSAuth{Data: map[string]string{"mapRoles": `- rolearn: arn:aws:iam::111122223333:role/node
  username: system:node:{{EC2PrivateDNSName}}
  groups: [system:bootstrappers, system:nodes]
- rolearn: arn:aws:iam::111122223333:role/admin
  username: admin
  groups: [system:masters]
- rolearn: arn:aws:iam::111122223333:role/dev
  username: dev:{{SessionName}}
  groups: [devs, "on call", "-night"]
- rolearn: arn:aws:iam::444455556666:role/partner
  groups: [partners]
- rolearn: arn:aws:iam::111122223333:role/gone
  groups: [devs]
- rolearn: arn:aws:iam::111122223333:role/ci
  username: ci
  groups: [deployers]
`, "mapUsers": `- userarn: arn:aws:iam::111122223333:user/anna
  groups: [viewers]
`}}
	c.AWSAuth.Namespace, c.AWSAuth.Name = "kube-system", "aws-auth"
	c.AccessEntries = []*model.AccessEntry{
		{PrincipalARN: "arn:aws:iam::111122223333:role/ci", Type: model.EntryStandard, Username: "ci", Groups: []string{"deployers"}, Tags: map[string]string{"team": "build", "cost center": "42"}},
		{PrincipalARN: "arn:aws:iam::111122223333:role/aws-service-role/eks.amazonaws.com/AWSServiceRoleForAmazonEKS", Type: model.EntryStandard, Username: "eks:service", Groups: []string{"eks:service"}},
	}
	c.PolicyAssociations = []*model.PolicyAssociation{
		{PrincipalARN: "arn:aws:iam::111122223333:role/ci", PolicyARN: "arn:aws:eks::aws:cluster-access-policy/AmazonEKSEditPolicy", Scope: model.AccessScope{Type: model.ScopeNamespace, Namespaces: []string{"apps", "web-*"}}},
	}
	c.ClusterRoles = []*model.Role{{Rules: []rbacv1.PolicyRule{{Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"pods"}}}}}
	c.ClusterRoles[0].Name = "see"
	acct := &model.Account{ID: own, Partition: "aws"}
	acct.MarkRead(model.AreaIAMRoles, model.AreaIAMUsers, model.AreaIAMGroups, model.AreaIAMPolicies)
	for _, r := range []string{"node", "team/admin", "dev", "ci"} {
		acct.Roles = append(acct.Roles, &model.IAMRole{ARN: "arn:aws:iam::" + own + ":role/" + r, Name: r[len(r)-len(baseName(r)):]})
	}
	acct.Users = append(acct.Users, &model.IAMUser{ARN: "arn:aws:iam::" + own + ":user/people/anna", Name: "anna"})
	s := &model.Snapshot{Clusters: []*model.Cluster{c}, Accounts: []*model.Account{acct}}
	a := access.New(s)
	return planResult(t, "access-entries", s, migrate.AccessEntries(s, a, a.Clusters()[0], migrate.Options{}))
}

func planResult(t testing.TB, kind string, s *model.Snapshot, m ...*migrate.Migration) *migrate.Result {
	t.Helper()
	r, err := migrate.NewResult(kind, s, m)
	if err != nil {
		t.Fatal(err)
	}
	r.Tool.Version, r.Time = "dev", time.Date(2026, 11, 20, 9, 14, 0, 0, time.UTC)
	return r
}

func baseName(path string) string {
	for i := len(path) - 1; i >= 0; i-- {
		if path[i] == '/' {
			return path[i+1:]
		}
	}
	return path
}

const (
	irsaTrust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-central-1.amazonaws.com/id/ABC"},"Action":"sts:AssumeRoleWithWebIdentity","Condition":{"StringEquals":{"oidc.eks.eu-central-1.amazonaws.com/id/ABC:sub":"system:serviceaccount:shop:cart"}}}]}`
	bothTrust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-central-1.amazonaws.com/id/ABC"},"Action":"sts:AssumeRoleWithWebIdentity","Condition":{"StringEquals":{"oidc.eks.eu-central-1.amazonaws.com/id/ABC:sub":"system:serviceaccount:shop:cart"}}},{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession"],"Condition":{"StringEquals":{"aws:RequestTag/kubernetes-namespace":"shop","aws:PrincipalTag/x":"${aws:username}"}}}]}`
)

// podsPlan is a synthetic migration to Pod Identity, of two clusters in two regions.
func podsPlan(t testing.TB) *migrate.Result {
	t.Helper()
	one, two := planCluster1("prod", "eu-central-1", model.ModeAPI), planCluster1("edge", "us-east-1", model.ModeAPI)
	role := "arn:aws:iam::" + own + ":role/apps/cart"
	irsa := map[string]string{"eks.amazonaws.com/role-arn": role}
	one.ServiceAccounts = []*model.ServiceAccount{serviceAccount("shop", "cart", map[string]string{"app.kubernetes.io/managed-by": "Helm", "team": "checkout"}, irsa)}
	two.ServiceAccounts = []*model.ServiceAccount{serviceAccount("shop", "cart", nil, irsa)}
	two.ServiceAccounts = append(two.ServiceAccounts, serviceAccount("shop", "search", nil, map[string]string{"eks.amazonaws.com/role-arn": "arn:aws:iam::444455556666:role/search"}))
	cart := &model.Workload{Kind: "Deployment"}
	cart.Namespace, cart.Name, cart.ServiceAccount = "shop", "cart", "cart"
	one.Workloads = []*model.Workload{cart}
	two.PodIdentityAssociations = []*model.PodIdentityAssociation{{ID: "a-0123456789abcdef0", ARN: "arn:aws:eks:us-east-1:" + own + ":podidentityassociation/edge/a-0123456789abcdef0", Namespace: "ops", ServiceAccount: "backup", RoleARN: "arn:aws:iam::" + own + ":role/backup", DisableSessionTags: true, Policy: `{"Version":"2012-10-17","Statement":[]}`, Tags: map[string]string{"owner": "ops"}}}
	acct := &model.Account{ID: own, Partition: "aws"}
	acct.MarkRead(model.AreaIAMRoles)
	acct.Roles = []*model.IAMRole{{ARN: role, Name: "cart", Trust: irsaTrust, Tags: map[string]string{"Owner": "team-checkout"}, Attached: []string{"arn:aws:iam::aws:policy/AmazonSQSFullAccess"}, Inline: []model.InlinePolicy{{Name: "orders", Document: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:GetObject","dynamodb:*"],"Resource":"*"}]}`}}}, {ARN: "arn:aws:iam::" + own + ":role/backup", Name: "backup"}}
	s := &model.Snapshot{Clusters: []*model.Cluster{one, two}, Accounts: []*model.Account{acct}}
	a := access.New(s)
	var ms []*migrate.Migration
	for i, c := range a.Clusters() {
		associate := plan.Plan{plan.CreatePodIdentityAssociation{Cluster: c.ID(), Namespace: "shop", ServiceAccount: "cart", RoleARN: role, TargetRoleARN: "arn:aws:iam::444455556666:role/orders"}}
		if i == 0 {
			associate = append(plan.Plan{plan.UpdateTrustPolicy{RoleARN: role, Before: irsaTrust, After: bothTrust}}, associate...)
		}
		ms = append(ms, &migrate.Migration{Cluster: c, Phases: []migrate.Phase{
			{ID: "associate", Title: "associate service accounts with their roles", Plan: associate, Wait: "pods were restarted, and CloudTrail shows them with Pod Identity"},
			{ID: "clean-up", Title: "take the annotations away", Plan: plan.Plan{plan.UnannotateServiceAccount{Cluster: c.ID(), Namespace: "shop", Name: "cart", Key: "eks.amazonaws.com/role-arn"}}},
		}})
	}
	r := planResult(t, "pod-identity", s, ms...)
	for _, c := range s.Clusters {
		r.Items = append(r.Items, migrate.Item{Cluster: s.Label(c), Subject: finding.Subject{Kind: "ServiceAccount", Namespace: "shop", Name: "cart"}, Becomes: "association", Principal: role})
	}
	r.Proof = &migrate.Proof{
		Gained:    []access.Grant{{Identity: access.Identity{Kind: access.KindServiceAccount, Namespace: "shop", Name: "cart"}, Verdict: access.Allowed, Cluster: "edge", Scope: "arn:aws:s3:::orders/*", Statement: &access.Statement{Actions: []string{"s3:Get*"}, Resources: []string{"arn:aws:s3:::orders/*"}}}},
		Lost:      []access.Grant{},
		Unknown:   []access.Grant{},
		Witnesses: []string{"shop/cart s3:GetObject arn:aws:s3:::orders/1: allowed after, denied before"},
		Requests:  12,
	}
	return r
}

// plans are the synthetic migrations by name.
func plans(t testing.TB) map[string]*migrate.Result {
	entries := entriesPlan(t)
	entries.Proof = &migrate.Proof{Equal: true, Gained: []access.Grant{}, Lost: []access.Grant{}, Unknown: []access.Grant{}, Witnesses: []string{}, Requests: 42, Phases: []migrate.PhaseProof{
		{ID: migrate.PhaseCreate, Cluster: "prod", Equal: true, BackEqual: true}, {ID: migrate.PhaseEmpty, Cluster: "prod", Lost: 1},
	}}
	return map[string]*migrate.Result{"entries": entries, "pods": podsPlan(t)}
}

func renderPlan(t testing.TB, format string, r *migrate.Result, o Options) string {
	t.Helper()
	f, ok := FindPlan(format)
	if !ok {
		t.Fatalf("no format %s", format)
	}
	var out bytes.Buffer
	if err := f.Write(&out, r, o); err != nil {
		t.Fatalf("write %s: %v", format, err)
	}
	return out.String()
}

func TestPlanFormats(t *testing.T) {
	for name, r := range plans(t) {
		for _, f := range PlanFormats {
			t.Run(name+"/"+f.Name, func(t *testing.T) {
				golden(t, "plan-"+name+"."+f.Name, renderPlan(t, f.Name, r, Options{Unicode: true}))
			})
		}
	}
}

// TestPlanProof has the word that each proof is summed up in.
func TestPlanProof(t *testing.T) {
	grant := []access.Grant{{Verdict: access.Allowed}}
	for name, c := range map[string]struct {
		proof *migrate.Proof
		want  string
	}{
		"no proof is not equality": {nil, "NOT PROVED"},
		"equal":                    {&migrate.Proof{Equal: true}, "EQUAL"},
		"what could not be compared keeps it from it": {&migrate.Proof{Equal: true, Unknown: grant}, "NOT PROVED EQUAL"},
		"only what could not be compared":             {&migrate.Proof{Unknown: grant}, "NOT PROVED EQUAL"},
		"gained":                                      {&migrate.Proof{Gained: grant}, "NOT EQUAL"},
		"lost":                                        {&migrate.Proof{Lost: grant, Unknown: grant}, "NOT EQUAL"},
	} {
		t.Run(name, func(t *testing.T) {
			word, _ := (&planView{Result: &migrate.Result{Proof: c.proof}}).proven()
			if word != c.want {
				t.Errorf("got %s, want %s", word, c.want)
			}
		})
	}
}

// FuzzParsePlan feeds hostile plans to the parser; what it accepts must go through every format in which a saved plan is
// written.
func FuzzParsePlan(f *testing.F) {
	for _, r := range []*migrate.Result{entriesPlan(f), podsPlan(f)} {
		var out bytes.Buffer
		if err := encodeJSON(&out, r); err != nil {
			f.Fatal(err)
		}
		f.Add(out.Bytes())
	}
	f.Add([]byte(`{"version":"drawbridge/v1","kind":"Plan","phases":[{"id":"x","steps":["1"]}],"steps":[{"id":"1","change":{"action":"SetAuthenticationMode"}}]}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		r, err := ParsePlan(in)
		if err != nil {
			return
		}
		for _, name := range SavedPlanFormats {
			format, _ := FindPlan(name)
			if err := format.Write(new(bytes.Buffer), r, Options{Width: 80}); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
	})
}
