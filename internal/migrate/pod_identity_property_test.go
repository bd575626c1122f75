package migrate

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"drawbridge/internal/access"
	"drawbridge/internal/model"
)

// drawPods makes a cluster whose service accounts have roles by IRSA, kube2iam, keys, associations and their nodes, of two
// accounts, shared and not, with trust policies that let in what they should, or not. The options are what a user may decide.
func drawPods(t *rapid.T) (*model.Snapshot, Options) {
	pick := func(name string, from ...string) string { return rapid.SampledFrom(from).Draw(t, name) }
	maybe := func(name string) bool { return rapid.Bool().Draw(t, name) }
	s := abroad(trustOf(podsService))
	c := s.Clusters[0]
	old := aged()
	c.Nodes, c.Instances = old.Clusters[0].Nodes, old.Clusters[0].Instances
	s.Accounts[0].Roles = append(s.Accounts[0].Roles, old.Accounts[0].Roles[1])
	s.Accounts[0].Users = keyed().Accounts[0].Users
	roles := []string{role("a"), role("b"), abroadRole}
	allow := func(action, resource string) []model.InlinePolicy {
		return []model.InlinePolicy{{Name: "may", Document: model.Document(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"` + action + `","Resource":"` + resource + `"}]}`)}}
	}
	for i, name := range []string{"a", "b"} {
		s.Accounts[0].Roles = append(s.Accounts[0].Roles, &model.IAMRole{ARN: roles[i], Name: name, Inline: allow("s3:GetObject", "arn:aws:s3:::"+name+"/*")})
	}
	accounts := []string{"web", "api", "job", "default"}
	for _, arn := range roles {
		r := findRole(s, arn)
		account := strings.Split(arn, ":")[4]
		statements := []string{`{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}`}
		for _, sa := range accounts {
			if maybe("irsa") {
				statements = append(statements, strings.ReplaceAll(trusting(issuer, "system:serviceaccount:shop:"+sa), own, account))
			}
		}
		for _, more := range []string{nodesIn, podsService, strings.ReplaceAll(trusting(github, "repo:shop"), own, account), `{"Effect":"Allow","Principal":{"AWS":"` + account + `"},"Action":"sts:AssumeRole"}`} {
			if maybe("more trust") {
				statements = append(statements, more)
			}
		}
		r.Trust = trustOf(statements...)
	}
	c.ServiceAccounts, c.Workloads = nil, nil
	for i, name := range accounts {
		sa := &model.ServiceAccount{}
		sa.Namespace, sa.Name, sa.Annotations = "shop", name, map[string]string{}
		if maybe("annotated") {
			sa.Annotations[access.RoleAnnotation] = pick("role", roles...)
		}
		if maybe("associated") && maybe("associated indeed") {
			c.PodIdentityAssociations = append(c.PodIdentityAssociations, &model.PodIdentityAssociation{Namespace: "shop", ServiceAccount: name, RoleARN: pick("has", roles[:2]...), DisableSessionTags: maybe("untagged")})
		}
		c.ServiceAccounts = append(c.ServiceAccounts, sa)
		for n := range rapid.IntRange(0, 2).Draw(t, "workloads") {
			w := workload()
			w.Name, w.ServiceAccount, w.TemplateAnnotations = fmt.Sprint(name, "-", n), name, map[string]string{}
			switch pick("source", "none", "none", "kube2iam", "kube2iam", "keys") {
			case "kube2iam":
				w.TemplateAnnotations[kube2iamRole] = pick("names", "a", "b", abroadRole, "gone")
			case "keys":
				w.Containers = []model.Container{{Name: "main", Env: []model.EnvVar{{Name: "AWS_SECRET_ACCESS_KEY"}}}}
			}
			c.Workloads = append(c.Workloads, w)
			if maybe("runs") {
				pod := &model.Pod{Phase: "Running", PodSpec: w.PodSpec}
				pod.Namespace, pod.Name, pod.Owner, pod.NodeName, pod.Annotations = "shop", fmt.Sprint(w.Name, "-", i), "deployment/"+w.Name, "n1", w.TemplateAnnotations
				c.Pods = append(c.Pods, pod)
			}
		}
	}
	o := Options{Roles: map[string]string{}, KeysOf: map[string]string{}}
	for _, name := range accounts {
		if maybe("decided") {
			o.Roles["shop/"+name] = pick("by", role("a"), role("prod-shop-web"), role("gone"))
		}
		if maybe("owner known") {
			o.KeysOf["shop/"+name] = s.Accounts[0].Users[0].ARN
		}
	}
	return s, o
}

func findRole(s *model.Snapshot, arn string) *model.IAMRole {
	for _, a := range s.Accounts {
		if i := slices.IndexFunc(a.Roles, func(r *model.IAMRole) bool { return r.ARN == arn }); i >= 0 {
			return a.Roles[i]
		}
	}
	return nil
}

// TestPodIdentityProofHolds asks, of random clusters, single requests to AWS before and after the whole migration: whatever
// decision differs was announced, as what an identity gains or loses by itself, or as the way to another role. And whatever it
// does can be undone.
func TestPodIdentityProofHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, o := drawPods(t)
		a := access.New(s)
		r, err := NewResult("pod-identity", s, []*Migration{PodIdentity(s, a, a.Clusters()[0], o)})
		if err != nil {
			t.Fatal(err)
		}
		before, after := access.New(r.Before), access.New(r.After)
		ids := []access.Identity{}
		for _, id := range before.Identities() {
			if id.Kind != access.KindPod && id.Kind != access.KindUser && id.Kind != access.KindGroup {
				ids = append(ids, id)
			}
		}
		buckets := map[string]string{"a": role("a"), "b": role("b"), "shop": abroadRole} // by who may read each, and nobody else
		for _, id := range ids {
			if slices.ContainsFunc(r.Proof.Unknown, func(g access.Grant) bool { return r.Proof.Of(g, id) }) || onlyPods(before, id.ARN) && onlyPods(after, id.ARN) {
				continue
			}
			for bucket, through := range buckets {
				q := access.AWSQuestion{Action: "s3:GetObject", Resource: "arn:aws:s3:::" + bucket + "/x"}
				old, now := before.CheckAWS(id, q)[0], after.CheckAWS(id, q)[0]
				if old.Verdict == now.Verdict || old.Verdict == access.Unknown || now.Verdict == access.Unknown {
					continue
				}
				side := map[bool][]access.Grant{true: r.Proof.Gained, false: r.Proof.Lost}[now.Verdict == access.Allowed]
				if !slices.ContainsFunc(side, func(g access.Grant) bool { return r.Proof.Of(g, id) && announces(g, q, through) }) {
					t.Fatalf("%s may %s on %s: %s before, %s after, and the proof (equal: %v) does not say so\n%v\n%v\n%s", id, q.Action, q.Resource, old.Verdict, now.Verdict, r.Proof.Equal, old.Chain, now.Chain, r.Changes)
				}
			}
		}
		for _, p := range r.Proof.Phases {
			if !p.BackEqual {
				t.Fatalf("phase %s has no way back", p.ID)
			}
		}
		for _, i := range r.Items {
			if i.From == FromIRSA && i.Becomes == BecomesPodIdentity && after.Clusters()[0].Association(i.Subject.Namespace, i.Subject.Name) == nil {
				t.Fatalf("%s is to have an association, and has none", i.Subject)
			}
		}
	})
}

// announces says whether a grant is about a request, or about the role through which it is made.
func announces(g access.Grant, q access.AWSQuestion, through string) bool {
	if g.Statement == nil {
		return false
	}
	for _, action := range g.Statement.Actions {
		for _, resource := range g.Statement.Resources {
			if strings.HasPrefix(action, "sts:AssumeRole") && resource == through || action == q.Action && strings.HasPrefix(q.Resource, strings.TrimSuffix(resource, "*")) {
				return true
			}
		}
	}
	return false
}

// TestProofOfCopies compares random clusters before and after each phase of a migration, and then copies of them that share no
// object: what is shared saves work and changes no answer.
func TestProofOfCopies(t *testing.T) {
	copied := func(t *rapid.T, s *model.Snapshot) *model.Snapshot {
		var b bytes.Buffer
		if err := model.Write(&b, s); err != nil {
			t.Fatal(err)
		}
		out, err := model.Read(&b)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	said := func(p *Proof) []string {
		var all []string
		for side, grants := range map[string][]access.Grant{"+": p.Gained, "-": p.Lost, "?": p.Unknown} {
			for _, g := range grants {
				for _, id := range append([]access.Identity{g.Identity}, p.AlikeIn(g)...) {
					all = append(all, fmt.Sprint(side, id, " ", g.What(), g.Scope, g.Conditions))
				}
			}
		}
		slices.Sort(all)
		return all
	}
	rapid.Check(t, func(t *rapid.T) {
		s, o := drawPods(t)
		a := access.New(s)
		now := s
		for _, phase := range PodIdentity(s, a, a.Clusters()[0], o).Phases {
			after, err := phase.Plan.Simulate(now)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(said(Compare(copied(t, now), copied(t, after))), said(Compare(now, after))); diff != "" {
				t.Fatalf("phase %s (-apart +shared):\n%s", phase.ID, diff)
			}
			now = after
		}
	})
}
