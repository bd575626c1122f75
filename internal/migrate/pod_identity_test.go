package migrate

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"drawbridge/internal/access"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

const (
	issuer      = "oidc.eks.eu-central-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF"
	otherIssuer = "oidc.eks.eu-central-1.amazonaws.com/id/FEDCBA9876543210FEDCBA9876543210"
	github      = "token.actions.githubusercontent.com"
)

// trusting is a statement that lets in a service account of an issuer.
func trusting(issuer, subject string) string {
	return `{"Sid":"` + "Irsa" + `","Effect":"Allow","Principal":{"Federated":"arn:aws:iam::` + own + `:oidc-provider/` + issuer + `"},"Action":"sts:AssumeRoleWithWebIdentity","Condition":{"StringEquals":{"` +
		issuer + `:sub":"` + subject + `","` + issuer + `:aud":"sts.amazonaws.com"}}}`
}

func trustOf(statements ...string) model.Document {
	return model.Document(`{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`)
}

// pods is a cluster with the service account shop/web that holds role web through IRSA, and the agent on its nodes.
func pods(trust model.Document) *model.Snapshot {
	s := synthetic("aws", model.ModeAPI, nil, role("web"))
	c := s.Clusters[0]
	c.Description.Issuer = "https://" + issuer
	c.Description.AutoMode = true // the agent is built in
	sa := &model.ServiceAccount{}
	sa.Namespace, sa.Name, sa.Annotations = "shop", "web", map[string]string{access.RoleAnnotation: role("web"), "owner": "shop-team"}
	off := false
	sa.Automount = &off
	c.ServiceAccounts = []*model.ServiceAccount{sa}
	s.Accounts[0].MarkRead(model.AreaOIDCProviders)
	s.Accounts[0].OIDCProviders = []*model.OIDCProvider{{ARN: "arn:aws:iam::" + own + ":oidc-provider/" + issuer, URL: issuer, ClientIDs: []string{"sts.amazonaws.com"}}}
	s.Accounts[0].Roles[0].Trust = trust
	s.Accounts[0].Roles[0].Inline = []model.InlinePolicy{{Name: "read", Document: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::shop/*"}]}`}}
	return s
}

func movePods(t *testing.T, s *model.Snapshot) (*Migration, *model.Snapshot) {
	t.Helper()
	a := access.New(s)
	m := PodIdentity(s, a, a.Clusters()[0], Options{})
	var all plan.Plan
	for _, p := range m.Phases {
		all = append(all, p.Plan...)
	}
	after, err := all.Simulate(s)
	if err != nil {
		t.Fatal(err)
	}
	return m, after
}

// TestPodIdentityTraps has a case for each trap of known migrators.
func TestPodIdentityTraps(t *testing.T) {
	web := "system:serviceaccount:shop:web"

	t.Run("the trust stays as narrow as the subject was", func(t *testing.T) {
		_, after := movePods(t, pods(trustOf(trusting(issuer, web))))
		a := access.New(after)
		trust := a.Trust(after.Accounts[0].Roles[0])
		mine := access.PodSession{ClusterARN: after.Clusters[0].ARN, Namespace: "shop", ServiceAccount: "web"}
		if e := trust.PodIdentity(mine); e.Not() {
			t.Errorf("the role does not let its service account in: %v", e)
		}
		for name, s := range map[string]access.PodSession{
			"another namespace":       {ClusterARN: mine.ClusterARN, Namespace: "other", ServiceAccount: "web"},
			"another service account": {ClusterARN: mine.ClusterARN, Namespace: "shop", ServiceAccount: "other"},
			"another cluster":         {ClusterARN: mine.ClusterARN + "2", Namespace: "shop", ServiceAccount: "web"},
			"no session tags":         {ClusterARN: mine.ClusterARN, Namespace: "shop", ServiceAccount: "web", Untagged: true},
		} {
			if e := trust.PodIdentity(s); !e.Not() {
				t.Errorf("the role lets in %s", name)
			}
		}
	})
	t.Run("only this issuer's statement goes", func(t *testing.T) {
		kept := trusting(github, "repo:shop/web:ref:refs/heads/main")
		_, after := movePods(t, pods(trustOf(trusting(issuer, web), kept)))
		doc := string(after.Accounts[0].Roles[0].Trust)
		if strings.Contains(doc, issuer) || !strings.Contains(doc, kept) {
			t.Errorf("the trust policy is now %s", doc)
		}
	})
	t.Run("the service account is patched, not replaced", func(t *testing.T) {
		_, after := movePods(t, pods(trustOf(trusting(issuer, web))))
		sa := after.Clusters[0].ServiceAccounts[0]
		if sa.Automount == nil || *sa.Automount || sa.Annotations["owner"] == "" || sa.Annotations[access.RoleAnnotation] != "" {
			t.Errorf("the service account is now %+v", sa)
		}
	})
	t.Run("associations come before annotations go", func(t *testing.T) {
		m, _ := movePods(t, pods(trustOf(trusting(issuer, web))))
		var ids []string
		for _, p := range m.Phases {
			ids = append(ids, p.ID)
		}
		if diff := cmp.Diff([]string{PhaseTrust, PhaseAssociate, PhaseRestart, PhaseUnannotate, PhaseUntrust}, ids); diff != "" {
			t.Errorf("phases (-want +got):\n%s", diff)
		}
	})
	t.Run("nobody gains or loses, and everything can be undone", func(t *testing.T) {
		s := pods(trustOf(trusting(issuer, web)))
		a := access.New(s)
		r, err := NewResult("pod-identity", s, []*Migration{PodIdentity(s, a, a.Clusters()[0], Options{})})
		if err != nil {
			t.Fatal(err)
		}
		if !r.Proof.Equal {
			t.Errorf("gained %v, lost %v, unknown %v", r.Proof.Gained, r.Proof.Lost, r.Proof.Unknown)
		}
		for _, p := range r.Proof.Phases {
			if !p.BackEqual {
				t.Errorf("phase %s has no way back", p.ID)
			}
		}
	})

	t.Run("a token that opens other roles too is lost, and the proof says so", func(t *testing.T) {
		s := pods(trustOf(trusting(issuer, web)))
		s.Accounts[0].Roles = append(s.Accounts[0].Roles, &model.IAMRole{ARN: role("two"), Name: "two", Trust: trustOf(trusting(issuer, web))})
		r := migratePods(t, s, Options{})
		if want := []string{"sa/shop/web sts:AssumeRoleWithWebIdentity on " + role("two")}; r.Proof.Equal || cmp.Diff(want, grantsOf(r.Proof.Lost)) != "" || len(r.Proof.Gained) > 0 {
			t.Errorf("gained %v, lost %v", grantsOf(r.Proof.Gained), grantsOf(r.Proof.Lost))
		}
	})
	t.Run("an association whose role does not let EKS in is mended before IRSA goes", func(t *testing.T) {
		s := pods(trustOf(trusting(issuer, web)))
		s.Clusters[0].PodIdentityAssociations = []*model.PodIdentityAssociation{{Namespace: "shop", ServiceAccount: "web", RoleARN: role("web")}}
		r := migratePods(t, s, Options{})
		if diff := cmp.Diff([]string{PhaseTrust, PhaseRestart, PhaseUnannotate, PhaseUntrust}, phasesOf(r)); diff != "" {
			t.Errorf("phases (-want +got):\n%s", diff)
		}
	})

	for name, c := range map[string]struct {
		trust  model.Document
		change func(*model.Snapshot)
		want   string
	}{
		"a role shared by clusters": {trust: trustOf(trusting(issuer, web), trusting(otherIssuer, web)), want: "shared with other clusters"},
		"a role that is not there":  {change: func(s *model.Snapshot) { s.Accounts[0].Roles = nil }, want: "does not exist"},
		"a role that was not read": {change: func(s *model.Snapshot) {
			s.Accounts[0].Roles, s.Accounts[0].Read[model.AreaIAMRoles] = nil, false
		}, want: "was not read"},
		"a trust that lets nobody in": {trust: trustOf(trusting(issuer, "system:serviceaccount:shop:other")), want: "holds nothing now"},
		"an audience of its own": {change: func(s *model.Snapshot) {
			s.Clusters[0].ServiceAccounts[0].Annotations[access.AudienceAnnotation] = "vault"
		}, want: "made out for vault"},
		"an association with another role": {change: func(s *model.Snapshot) {
			s.Clusters[0].PodIdentityAssociations = []*model.PodIdentityAssociation{{Namespace: "shop", ServiceAccount: "web", RoleARN: role("else")}}
		}, want: "another role"},
		"an association with a target role": {change: func(s *model.Snapshot) {
			s.Clusters[0].PodIdentityAssociations = []*model.PodIdentityAssociation{{Namespace: "shop", ServiceAccount: "web", RoleARN: role("web"), TargetRoleARN: role("else")}}
		}, want: "by way of"},
		"an association without session tags": {change: func(s *model.Snapshot) {
			s.Clusters[0].PodIdentityAssociations = []*model.PodIdentityAssociation{{Namespace: "shop", ServiceAccount: "web", RoleARN: role("web"), DisableSessionTags: true}}
		}, want: "turn the tags on"},
		"Fargate": {change: func(s *model.Snapshot) {
			s.Clusters[0].FargateProfiles = []*model.FargateProfile{{Name: "all", Selectors: []model.FargateSelector{{Namespace: "shop"}}}}
			s.Clusters[0].Workloads = []*model.Workload{workload()}
		}, want: "Fargate"},
		"web identity by hand": {change: func(s *model.Snapshot) {
			w := workload()
			w.Containers = []model.Container{{Name: "web", Env: []model.EnvVar{{Name: "AWS_WEB_IDENTITY_TOKEN_FILE"}}}}
			s.Clusters[0].Workloads = []*model.Workload{w}
		}, want: "by hand"},
		"kept away from the webhook": {change: func(s *model.Snapshot) {
			w := workload()
			w.TemplateLabels = map[string]string{access.SkipWebhookLabel: ""}
			s.Clusters[0].Workloads = []*model.Workload{w}
		}, want: "keeps the webhook away"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.trust == "" {
				c.trust = trustOf(trusting(issuer, web))
			}
			s := pods(c.trust)
			if c.change != nil {
				c.change(s)
			}
			a := access.New(s)
			m := PodIdentity(s, a, a.Clusters()[0], Options{})
			if len(m.Holders) != 1 || m.Holders[0].Outcome != Blocked || !strings.Contains(m.Holders[0].Why, c.want) {
				t.Errorf("%+v, want blocked (… %s …)", m.Holders, c.want)
			}
			if len(m.Phases) != 0 {
				t.Errorf("%d phases for what is blocked", len(m.Phases))
			}
		})
	}
}

func workload() *model.Workload {
	w := &model.Workload{Kind: "Deployment"}
	w.Namespace, w.Name, w.ServiceAccount = "shop", "web", "web"
	return w
}

func TestWithoutProvider(t *testing.T) {
	arn := "arn:aws:iam::" + own + ":oidc-provider/" + issuer
	for in, want := range map[string]string{
		`{"statement":{"Effect":"Allow","Principal":{"Federated":["` + arn + `","x"]}}}`:                            `{"statement":{"Effect":"Allow","Principal":{"Federated":["x"]}}}`,
		`{"Statement":[{"Effect":"Deny","Principal":{"Federated":"` + arn + `"}}]}`:                                 `{"Statement":[{"Effect":"Deny","Principal":{"Federated":"` + arn + `"}}]}`,
		`{"Statement":[{"Effect":"Allow","Principal":{"Federated":"` + arn + `","AWS":"*"}}]}`:                      `{"Statement":[{"Effect":"Allow","Principal":{"AWS":"*"}}]}`,
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*"}],"Id":"z"}`:                        `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*"}],"Id":"z"}`,
		`{"Statement":[{"Effect":"Allow","Principal":{"Federated":["` + arn + `"]}},{"Effect":"Allow","Sid":"s"}]}`: `{"Statement":[{"Effect":"Allow","Sid":"s"}]}`,
	} {
		got, err := withoutProvider(model.Document(in), arn)
		if err != nil || string(got) != want {
			t.Errorf("%s becomes\n%s, %v; want\n%s", in, got, err, want)
		}
	}
	for _, in := range []string{"", "[]", "{", `{"Statement":[1]}`} {
		if got, err := withoutProvider(model.Document(in), arn); err == nil {
			t.Errorf("%s becomes %s, want an error", in, got)
		}
		if got, err := letPodsIn(model.Document(in), access.PodSession{}); err == nil {
			t.Errorf("%s becomes %s, want an error", in, got)
		}
	}
}
