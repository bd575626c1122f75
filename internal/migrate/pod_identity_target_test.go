package migrate

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"drawbridge/internal/access"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

const abroadRole = "arn:aws:iam::" + other + ":role/web"

// abroad is the cluster of pods with a role of another account, which lets shop/web in by that account's own provider. First is
// the trust policy of role prod-shop-web of the cluster's account, which is not there without one.
func abroad(first model.Document) *model.Snapshot {
	s := pods(trustOf(strings.ReplaceAll(trusting(issuer, "system:serviceaccount:shop:web"), own, other)))
	foreign := &model.Account{ID: other, Partition: "aws"}
	foreign.MarkRead(model.AreaIAMRoles, model.AreaIAMUsers, model.AreaIAMGroups, model.AreaIAMPolicies, model.AreaOIDCProviders)
	foreign.OIDCProviders = []*model.OIDCProvider{{ARN: "arn:aws:iam::" + other + ":oidc-provider/" + issuer, URL: issuer, ClientIDs: []string{"sts.amazonaws.com"}}}
	web := s.Accounts[0].Roles[0]
	web.ARN = abroadRole
	foreign.Roles, s.Accounts[0].Roles = s.Accounts[0].Roles, nil
	if first != "" {
		s.Accounts[0].Roles = []*model.IAMRole{{ARN: role("prod-shop-web"), Name: "prod-shop-web", Trust: first}}
	}
	s.Accounts = append(s.Accounts, foreign)
	s.Clusters[0].ServiceAccounts[0].Annotations[access.RoleAnnotation] = abroadRole
	return s
}

// nobody is the trust policy of a role that was just made for pods: EKS may take it for any.
const podsService = `{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession"]}`

func migratePods(t *testing.T, s *model.Snapshot, o Options) *Result {
	t.Helper()
	a := access.New(s)
	r, err := NewResult("pod-identity", s, []*Migration{PodIdentity(s, a, a.Clusters()[0], o)})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func phasesOf(r *Result) []string {
	ids := []string{}
	for _, p := range r.Phases {
		ids = append(ids, p.ID)
	}
	return ids
}

// TestTargetRole has what becomes of service accounts whose role is of another account.
func TestTargetRole(t *testing.T) {
	t.Run("goes on from a first role, with the same access", func(t *testing.T) {
		r := migratePods(t, abroad(trustOf(podsService)), Options{})
		if !r.Proof.Equal || len(r.Blockers) > 0 {
			t.Errorf("blockers %v, gained %v, lost %v, unknown %v", r.Blockers, r.Proof.Gained, r.Proof.Lost, r.Proof.Unknown)
		}
		want := []string{PhaseTrust, PhaseTargetTrust, PhaseAssociate, PhaseRestart, PhaseUnannotate, PhaseUntrustTarget}
		if diff := cmp.Diff(want, phasesOf(r)); diff != "" {
			t.Errorf("phases (-want +got):\n%s", diff)
		}
		for _, p := range r.Proof.Phases {
			if !p.Equal || !p.BackEqual {
				t.Errorf("phase %+v", p)
			}
		}
		created := plan.CreatePodIdentityAssociation{Cluster: r.Before.Clusters[0].ARN, Namespace: "shop", ServiceAccount: "web", RoleARN: role("prod-shop-web"), TargetRoleARN: abroadRole}
		found := false
		for i, c := range r.Changes {
			if diff := cmp.Diff(plan.Change(created), c); diff == "" {
				found = true
			}
			want := own
			if strings.Contains(plan.Target(c).ARN, other) {
				want = other
			}
			if r.Steps[i].Account != want {
				t.Errorf("step %s is for account %s, want %s", c, r.Steps[i].Account, want)
			}
		}
		if !found {
			t.Errorf("no %s in\n%s", created, r.Changes)
		}
	})
	t.Run("the trust stays as narrow as the subject was", func(t *testing.T) {
		r := migratePods(t, abroad(trustOf(podsService)), Options{})
		a := access.New(r.After)
		target, _ := a.Role(abroadRole)
		trust := a.Trust(target)
		mine := access.PodSession{ClusterARN: r.After.Clusters[0].ARN, Namespace: "shop", ServiceAccount: "web"}
		if e := trust.Chain(role("prod-shop-web"), mine, ""); e.Not() {
			t.Errorf("the role does not let its service account in: %v", e)
		}
		if doc := string(target.Trust); strings.Contains(doc, issuer) {
			t.Errorf("the trust policy still lets the issuer in: %s", doc)
		}
		for name, c := range map[string]struct {
			first string
			s     access.PodSession
		}{
			"another first role":      {role("else"), mine},
			"another account's":       {"arn:aws:iam::" + other + ":role/prod-shop-web", mine},
			"another namespace":       {role("prod-shop-web"), access.PodSession{ClusterARN: mine.ClusterARN, Namespace: "other", ServiceAccount: "web"}},
			"another service account": {role("prod-shop-web"), access.PodSession{ClusterARN: mine.ClusterARN, Namespace: "shop", ServiceAccount: "other"}},
			"another cluster":         {role("prod-shop-web"), access.PodSession{ClusterARN: mine.ClusterARN + "2", Namespace: "shop", ServiceAccount: "web"}},
			"no session tags":         {role("prod-shop-web"), access.PodSession{Untagged: true}},
		} {
			if e := trust.Chain(c.first, c.s, ""); !e.Not() {
				t.Errorf("the role lets in %s: %v", name, e)
			}
		}
	})
	t.Run("an association without session tags is told by its external id", func(t *testing.T) {
		s := abroad(trustOf(podsService))
		s.Clusters[0].PodIdentityAssociations = []*model.PodIdentityAssociation{{Namespace: "shop", ServiceAccount: "web", RoleARN: role("prod-shop-web"), TargetRoleARN: abroadRole, DisableSessionTags: true}}
		r := migratePods(t, s, Options{})
		target, _ := access.New(r.After).Role(abroadRole)
		if id := "eu-central-1/" + own + "/prod/shop/web"; !strings.Contains(string(target.Trust), `"sts:ExternalId":"`+id+`"`) || strings.Contains(string(target.Trust), "RequestTag") {
			t.Errorf("the trust policy is now %s", target.Trust)
		}
		if len(r.Items) != 1 || r.Items[0].Becomes != Moving {
			t.Errorf("items %+v", r.Items)
		}
	})
	t.Run("a role that others can take goes on for them too, and the proof says so", func(t *testing.T) {
		root := `{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + own + `:root"},"Action":["sts:AssumeRole","sts:TagSession"]}`
		if r := migratePods(t, abroad(trustOf(podsService, root)), Options{}); r.Proof.Equal {
			t.Error("the first role gains nothing, says the proof")
		}
	})
	t.Run("a role that the user names goes first", func(t *testing.T) {
		s := abroad("")
		s.Accounts[0].Roles = []*model.IAMRole{{ARN: role("mine"), Name: "mine", Trust: trustOf(podsService)}}
		r := migratePods(t, s, Options{Roles: map[string]string{"prod/shop/web": role("mine"), "shop/web": role("else")}})
		if len(r.After.Clusters[0].PodIdentityAssociations) != 1 || r.After.Clusters[0].PodIdentityAssociations[0].RoleARN != role("mine") {
			t.Errorf("associations %+v", r.After.Clusters[0].PodIdentityAssociations)
		}
	})

	for name, c := range map[string]struct {
		first  model.Document
		change func(*model.Snapshot)
		o      Options
		want   string
	}{
		"no first role": {want: "make one named prod-shop-web"},
		"the account was not read": {first: trustOf(podsService), change: func(s *model.Snapshot) {
			s.Accounts = s.Accounts[:1]
		}, want: "get-account-authorization-details"},
		"the roles of the cluster's account were not read": {change: func(s *model.Snapshot) {
			s.Accounts[0].Read[model.AreaIAMRoles] = false
		}, want: "were not read"},
		"a first role of another account":  {first: trustOf(podsService), o: Options{Roles: map[string]string{"shop/web": abroadRole}}, want: "is no role of account " + own},
		"a first role that is not there":   {first: trustOf(podsService), o: Options{Roles: map[string]string{"shop/web": role("gone")}}, want: "does not exist"},
		"a first role of unreadable trust": {first: "{", want: "cannot be read"},
		"a first role that is forbidden to go on": {first: trustOf(podsService), change: func(s *model.Snapshot) {
			s.Accounts[0].Roles[0].Inline = []model.InlinePolicy{{Name: "no", Document: `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"sts:*","Resource":"*"}]}`}}
		}, want: "forbid it to go on"},
		"an association with another target": {first: trustOf(podsService), change: func(s *model.Snapshot) {
			s.Clusters[0].PodIdentityAssociations = []*model.PodIdentityAssociation{{Namespace: "shop", ServiceAccount: "web", RoleARN: role("prod-shop-web"), TargetRoleARN: abroadRole + "2"}}
		}, want: "another role"},
	} {
		t.Run(name, func(t *testing.T) {
			s := abroad(c.first)
			if c.change != nil {
				c.change(s)
			}
			r := migratePods(t, s, c.o)
			if len(r.Items) != 1 || r.Items[0].Becomes != Blocked || !strings.Contains(r.Items[0].Why, c.want) {
				t.Errorf("%+v, want blocked (… %s …)", r.Items, c.want)
			}
			if len(r.Steps) != 0 {
				t.Errorf("steps for what is blocked:\n%s", r.Changes)
			}
		})
	}
}
