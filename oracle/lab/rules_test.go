package oracle

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sync/errgroup"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/component-helpers/auth/rbac/validation"

	"drawbridge/internal/access"
	"drawbridge/internal/awsdata"
	"drawbridge/internal/lab/aws"
	"drawbridge/internal/rbac"
)

// table is where the published rules stand, for the webhook.
const table = "../../internal/awsdata/access-policies.json"

// holders makes an IAM role for each published access policy, which has that one and nothing else.
func (g gen) holders(s *aws.Server) []*principal {
	var all []*principal
	for _, name := range slices.Compact(slices.Sorted(slices.Values(published))) {
		id := g.unique("AROA")
		arn := s.Account(home, "aws").PutRole(aws.Role{RoleName: name, RoleID: id, AssumeRolePolicyDocument: trust})
		s.Account(home, "aws").Region(region).PutAccessEntry(aws.AccessEntry{ClusterName: cluster, PrincipalARN: arn}, aws.AssociatedAccessPolicy{PolicyARN: policyPrefix + name, AccessScope: aws.AccessScope{Type: "cluster"}})
		all = append(all, &principal{arn: arn, account: home, unique: id})
	}
	return all
}

// rules asks for each access policy and each verb on each resource that any of them grants: chance finds few of them.
func (w *world) rules(t *testing.T, n *tally) {
	t.Helper()
	requests := everyRule(t)
	var asked, allowed atomic.Int64
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(8)
	for _, p := range w.policyHolders {
		group.Go(func() error {
			a := &actor{name: p.sts("rules"), principal: p}
			id, err := access.ParseIdentity(a.name)
			if err != nil {
				return err
			}
			token, err := w.sts.add(a.name, home, p.unique+":rules").token(ctx, cluster)
			if err != nil {
				return err
			}
			client, err := kubernetes.NewForConfig(w.config(token))
			if err != nil {
				return err
			}
			for _, r := range requests {
				real, err := ask(ctx, client, a.who, r)
				if err != nil {
					return err
				}
				asked.Add(1)
				if real.allowed() {
					allowed.Add(1)
				}
				if ours := w.cluster.Check(id, r); (ours.Verdict == access.Allowed) != real.allowed() || ours.Verdict == access.Unknown {
					n.mismatch(t, "%s\nrequest %s\nreally  %s %s\nours    %s\n%s", p.name(), r, real.by, real.reason, ours.Verdict, chain(ours))
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	t.Logf("published rules: %d requests, %d of them allowed", asked.Load(), allowed.Load())
}

// everyRule returns a request in a namespace for each verb on each resource of the published rules: of the table that the
// webhook reads and of drawbridge's own, should they differ.
func everyRule(t *testing.T) []rbac.Request {
	t.Helper()
	b, err := os.ReadFile(table)
	if err != nil {
		t.Fatal(err)
	}
	var theirs struct {
		Policies []struct{ Rules []rbacv1.PolicyRule }
	}
	if err := json.Unmarshal(b, &theirs); err != nil {
		t.Fatal(err)
	}
	var atoms []rbacv1.PolicyRule
	add := func(rules []rbacv1.PolicyRule) {
		for _, r := range rules {
			atoms = append(atoms, validation.BreakdownRule(r)...)
		}
	}
	for _, p := range theirs.Policies {
		add(p.Rules)
	}
	for _, p := range awsdata.AccessPolicies() {
		add(p.Rules)
	}
	var all []rbac.Request
	have := map[[3]string]bool{}
	for _, rule := range atoms {
		if len(rule.NonResourceURLs) > 0 {
			continue
		}
		key := [3]string{rule.Verbs[0], rule.APIGroups[0], rule.Resources[0]}
		if have[key] {
			continue
		}
		have[key] = true
		resource, subresource, _ := strings.Cut(key[2], "/")
		all = append(all, rbac.Request{Verb: key[0], APIGroup: key[1], Resource: resource, Subresource: subresource, Namespace: "shop"})
	}
	return all
}
