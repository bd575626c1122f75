package migrate

import (
	"fmt"
	"strings"
	"testing"

	"drawbridge/internal/access"
	"drawbridge/internal/model"
)

// TestTrustPolicyQuota has roles whose trust policy may become too long.
func TestTrustPolicyQuota(t *testing.T) {
	// shared gives n service accounts one role by IRSA, whose trust policy has some white space.
	shared := func(n int) *model.Snapshot {
		s := pods("")
		var statements []string
		s.Clusters[0].ServiceAccounts = nil
		for i := range n {
			sa := &model.ServiceAccount{}
			sa.Namespace, sa.Name, sa.Annotations = "shop", fmt.Sprint("web-", i), map[string]string{access.RoleAnnotation: role("web")}
			s.Clusters[0].ServiceAccounts = append(s.Clusters[0].ServiceAccounts, sa)
			statements = append(statements, trusting(issuer, "system:serviceaccount:shop:"+sa.Name))
		}
		s.Accounts[0].Roles[0].Trust = trustOf(strings.Join(statements, ",\n"+strings.Repeat(" ", 2000)))
		return s
	}
	count := func(r *Result, o Outcome) (n int) {
		for _, i := range r.Items {
			if i.Becomes == o {
				n++
			}
		}
		return n
	}
	t.Run("white space does not count", func(t *testing.T) {
		if r := migratePods(t, shared(2), Options{}); len(r.Blockers) > 0 {
			t.Error(r.Blockers)
		}
	})
	t.Run("what no longer fits is blocked, and the role goes on to trust the issuer", func(t *testing.T) {
		r := migratePods(t, shared(3), Options{})
		if count(r, Blocked) != 2 || !strings.Contains(strings.Join(r.Blockers, "\n"), "--trust-policy-quota") || !strings.Contains(string(r.After.Accounts[0].Roles[0].Trust), "shop:web-2") {
			t.Errorf("items %+v, blockers %v", r.Items, r.Blockers)
		}
		if !r.Proof.Equal {
			t.Errorf("gained %v, lost %v, unknown %v", r.Proof.Gained, r.Proof.Lost, r.Proof.Unknown)
		}
	})
	t.Run("a quota that was raised", func(t *testing.T) {
		if r := migratePods(t, shared(3), Options{TrustPolicyQuota: TrustPolicyQuotaMax}); len(r.Blockers) > 0 {
			t.Error(r.Blockers)
		}
	})
	t.Run("a policy that is over the quota already tells that it was raised", func(t *testing.T) {
		if r := migratePods(t, shared(6), Options{}); count(r, Blocked) == 0 || count(r, BecomesPodIdentity) == 0 {
			t.Errorf("items %+v", r.Items)
		}
	})
}

// TestSessionTags has what is said of the tags of sessions.
func TestSessionTags(t *testing.T) {
	web := trustOf(trusting(issuer, "system:serviceaccount:shop:web"))
	t.Run("how much there is to pack is told, and whether it fits is not known", func(t *testing.T) {
		want := len("eks-cluster-arn"+"eks-cluster-name"+"kubernetes-namespace"+"kubernetes-service-account"+"kubernetes-pod-name"+"kubernetes-pod-uid"+
			"arn:aws:eks:eu-central-1:"+own+":cluster/prod"+"prod"+"shop"+"web") + 253 + 36
		if r := migratePods(t, pods(web), Options{}); !strings.Contains(strings.Join(r.Warnings, "\n"), fmt.Sprintf("up to %d characters (shop/web)", want)) {
			t.Error(r.Warnings)
		}
	})
	t.Run("a tag that is too long", func(t *testing.T) {
		s := pods(web)
		s.Clusters[0].ARN = "arn:aws:eks:eu-central-1:" + own + ":cluster/" + strings.Repeat("x", 256)
		r := migratePods(t, s, Options{})
		if len(r.Items) != 1 || r.Items[0].Becomes != Blocked || !strings.Contains(r.Items[0].Why, "session tag eks-cluster-arn") {
			t.Errorf("%+v", r.Items)
		}
	})
}
