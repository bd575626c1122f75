package access

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"drawbridge/internal/diff"
	"drawbridge/internal/iam"
	"drawbridge/internal/model"
	"drawbridge/internal/rbac"
)

// copied is a snapshot of its own.
func copied(t interface{ Fatal(...any) }, s *model.Snapshot) *model.Snapshot {
	var b bytes.Buffer
	if err := model.Write(&b, s); err != nil {
		t.Fatal(err)
	}
	c, err := model.Read(&b)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *Change) covers(q rbac.Request) bool {
	covers := func(scope string, rule diff.Rule) bool {
		if scope != ScopeCluster {
			for _, s := range strings.Split(scope, ", ") {
				rule.Namespaces = append(rule.Namespaces, strings.TrimPrefix(s, "namespace/"))
			}
		}
		return rule.Allows(q)
	}
	if c.Rule == nil || !covers(c.Scope, diff.Rule{PolicyRule: *c.Rule}) {
		return false
	}
	return !slices.ContainsFunc(c.Except, func(x ScopedRule) bool { return covers(x.Scope, diff.Rule{PolicyRule: x.Rule}) })
}

func of(d *Difference, id Identity) IdentityDifference {
	for _, one := range d.Identities {
		if one.Identity == id {
			return one
		}
	}
	return IdentityDifference{}
}

// mutate changes something about a world: takes grants away, or lays another world's over it.
func (w *world) mutate(t *rapid.T) {
	if rapid.Bool().Draw(t, "removed") {
		for range rapid.IntRange(1, 3).Draw(t, "removals") {
			w.removeGrant(t)
		}
		return
	}
	other := drawWorld(t)
	switch rapid.SampledFrom([]string{"bindings", "roles", "entries", "everything"}).Draw(t, "other") {
	case "bindings":
		w.c.RoleBindings, w.c.ClusterRoleBindings = other.c.RoleBindings, other.c.ClusterRoleBindings
	case "roles":
		w.c.Roles, w.c.ClusterRoles = other.c.Roles, other.c.ClusterRoles
	case "entries":
		w.c.AccessEntries, w.c.PolicyAssociations, w.c.AWSAuth = other.c.AccessEntries, other.c.PolicyAssociations, other.c.AWSAuth
	case "everything":
		*w.c = *other.c
	}
	if rapid.IntRange(0, 3).Draw(t, "fails") == 0 {
		w.fail(rapid.SampledFrom([]model.Area{model.AreaClusterRoles, model.AreaRoleBindings, model.AreaAccessEntries, model.AreaAWSAuth, model.AreaCluster, model.AreaPolicyAssociations}).Draw(t, "area"))
	}
}

// Whatever check denies before and allows after is gained or unknown, every witness shows a difference, and the difference
// looks the same from the other side.
func TestDiffAgreesWithCheck(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		before := New(copied(t, w.Snapshot))
		w.mutate(t)
		after := New(copied(t, w.Snapshot))
		d := Diff(before, after)
		b, a := before.Clusters()[0], after.Clusters()[0]
		for _, one := range d.Identities {
			for _, c := range one.Gained {
				id := sessionOf(t, one.Identity, &c)
				yes, no := a.Check(id, c.Witness.request()), b.Check(id, c.Witness.request())
				if c.Rule != nil && (yes.Verdict == Denied || no.Verdict == Allowed || len(c.Conditions) == 0 && (yes.Verdict != Allowed || no.Verdict != Denied)) {
					t.Fatalf("%s: %s gained by witness %s, which is %s before and %s after: %q\n%v\n%v", id, c.What(), c.Witness, no.Verdict, yes.Verdict, c.Conditions, no.Chain, yes.Chain)
				}
				if c.Rule != nil && !c.covers(c.Witness.request()) {
					t.Fatalf("%s: witness %s is not of %s", one.Identity, c.Witness, c.What())
				}
			}
		}
		r := drawRequest(t)
		for _, id := range append(before.Identities(), after.Identities()...) {
			yes, no := a.Check(id, r), b.Check(id, r)
			one := of(d, id)
			if yes.Verdict == Allowed && no.Verdict == Denied && len(one.Unknown) == 0 && !slices.ContainsFunc(one.Gained, func(c Change) bool { return c.covers(r) }) && !ofItsPods(yes) {
				t.Fatalf("%s %s: denied before, allowed after, and not gained\n%v\n%v\n%+v", id, r, yes.Chain, no.Chain, one)
			}
		}
		mirrored := Diff(after, before)
		for _, one := range d.Identities {
			other := of(mirrored, one.Identity)
			if x := cmp.Diff(summary(one.Gained), summary(other.Lost)) + cmp.Diff(summary(one.Lost), summary(other.Gained)); x != "" || len(one.Unknown) != len(other.Unknown) {
				t.Fatalf("%s seen from the other side: %s\n%v\n%v", one.Identity, x, one.Unknown, other.Unknown)
			}
		}
		if d.Equal != mirrored.Equal || len(d.Identities) != len(mirrored.Identities) {
			t.Fatalf("%d identities differ, and %d seen from the other side", len(d.Identities), len(mirrored.Identities))
		}
	})
}

// sessionOf is the session of a role that a change is about: one of a name, any but some, or the role as a whole.
func sessionOf(t *rapid.T, id Identity, c *Change) Identity {
	for _, condition := range c.Conditions {
		name := "any-other-name"
		if rest, ok := strings.CutPrefix(condition, sessionNamed); ok {
			name, _, _ = strings.Cut(rest, ",")
		} else if !strings.HasPrefix(condition, "the session has another name than ") {
			continue
		}
		role, err := iam.ParseARN(id.ARN)
		if err != nil {
			t.Fatal(err)
		}
		id.ARN = sessionARN(role, name)
	}
	return id
}

// ofItsPods says that a kubelet is allowed something because of the pods on its node, which no rule tells.
func ofItsPods(g Grant) bool {
	return len(g.Chain) > 0 && g.Chain[len(g.Chain)-1].Source == "Node authorizer" && g.Chain[len(g.Chain)-1] != nodeLink
}

func summary(changes []Change) []string {
	all := []string{}
	for _, c := range changes {
		all = append(all, c.Scope+" "+c.What()+" "+c.Witness.String())
	}
	slices.Sort(all)
	return all
}

// Nothing differs from itself, whatever could not be read; taking a grant away gives nobody anything.
func TestDiffOfNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		if rapid.IntRange(0, 3).Draw(t, "fails") == 0 {
			w.fail(rapid.SampledFrom([]model.Area{model.AreaClusterRoles, model.AreaRoleBindings, model.AreaAccessEntries, model.AreaAWSAuth, model.AreaCluster}).Draw(t, "area"))
		}
		before := New(copied(t, w.Snapshot))
		if d := Diff(before, New(copied(t, w.Snapshot))); !d.Equal || len(d.Identities) > 0 {
			text, _ := json.Marshal(d.Identities)
			t.Fatalf("differs from itself: %s", text)
		}
		what := w.removeGrant(t)
		for _, one := range Diff(before, New(copied(t, w.Snapshot))).Identities {
			if len(one.Gained) > 0 {
				t.Fatalf("without %s %s gained %s", what, one.Identity, summary(one.Gained))
			}
		}
	})
}

// What an identity is said to hold is what check allows, and what check allows it is said to hold.
func TestGrantsAgreeWithCheck(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c, id, r := drawWorld(t).access(), drawIdentity(t), drawRequest(t)
		k := c.Kubernetes(id)
		sources := c.sources(&k)
		excess, err := diff.Rules(diffRules(sources), nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range excess {
			if g := c.Check(id, e.Witness); g.Verdict != k.Verdict && g.Verdict != Allowed {
				t.Fatalf("%s holds %v, but %s is %s: %v", id, e.Rule, e.Witness, g.Verdict, g.Conditions)
			}
		}
		g := c.Check(id, r)
		holds := slices.ContainsFunc(diffRules(sources), func(rule diff.Rule) bool { return rule.Allows(r) })
		if g.Verdict == Allowed && !holds && !ofItsPods(g) {
			t.Fatalf("%s may %s, and holds nothing that says so: %v", id, r, g.Chain)
		}
		if g.Verdict == Denied && holds {
			t.Fatalf("%s holds %s, which is denied: %v", id, r, g.Chain)
		}
		for _, grant := range c.GrantsOf(id) {
			if grant.Verdict == Allowed && (grant.Rule == nil || len(grant.Chain) == 0) {
				t.Fatalf("%s: a grant without rule or chain: %+v", id, grant)
			}
		}
	})
}
