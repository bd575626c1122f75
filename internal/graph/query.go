package graph

import (
	"fmt"
	"slices"
	"strings"

	"drawbridge/internal/access"
	"drawbridge/internal/iam"
	"drawbridge/internal/model"
)

// Target is where paths are to lead.
type Target = access.Identity

// targetForms are the ways to write a target, for errors and help.
const targetForms = "cluster-admin, secrets, account-admin, secret/NAMESPACE/NAME, node/NAME, an ARN, or an identity"

// ParseTarget reads a target as the command line writes it. Its errors say which forms there are.
func ParseTarget(s string) (Target, error) {
	switch s {
	case "cluster-admin":
		return Target{Kind: KindClusterAdmin}, nil
	case "secrets":
		return Target{Kind: KindSecrets}, nil
	case "account-admin":
		return Target{Kind: KindAccountAdmin}, nil
	}
	if parts := strings.Split(s, "/"); len(parts) == 3 && parts[0] == "secret" && parts[1] != "" && parts[2] != "" {
		return Target{Kind: KindSecret, Namespace: parts[1], Name: parts[2]}, nil
	}
	if arn, err := iam.ParseARN(s); err == nil {
		if id := access.IdentityOfARN(arn); id.Kind == access.KindPrincipal {
			return Target{Kind: KindResource, ARN: s}, nil
		}
	}
	id, err := ParsePlace(s)
	if err != nil {
		return Target{}, fmt.Errorf("target %q is not %s: %w", s, targetForms, err)
	}
	return id, nil
}

// ParsePlace reads an identity or a node as the command line writes it.
func ParsePlace(s string) (access.Identity, error) {
	if n, ok := strings.CutPrefix(s, "node/"); ok && n != "" && !strings.Contains(n, "/") {
		return access.Identity{Kind: KindNode, Name: n}, nil
	}
	return access.ParseIdentity(s)
}

// matches says whether a place is what somebody asks for; of an empty part of the question any will do.
func matches(place, asked access.Identity) bool {
	if place.Kind == access.KindIAMRole && asked.Kind == access.KindIAMRole {
		return sameRole(place.ARN, asked.ARN)
	}
	return place.Kind == asked.Kind && place.ARN == asked.ARN && (asked.Cluster == "" || place.Cluster == asked.Cluster) &&
		(asked.Namespace == "" || place.Namespace == asked.Namespace) && (asked.Name == "" || place.Name == asked.Name)
}

// sameRole says whether two ARNs are of one role: one of them may be that of a session, which has no path.
func sameRole(a, b string) bool {
	if a == b {
		return true
	}
	x, err := iam.ParseARN(a)
	y, err2 := iam.ParseARN(b)
	return err == nil && err2 == nil && x.IsAssumedRole() != y.IsAssumedRole() && x.Account == y.Account && strings.EqualFold(x.RoleName(), y.RoleName())
}

// find lists the vertices of an identity or target, one in each cluster that has it, in the order of their names.
func (g *Graph) find(asked access.Identity) []int32 {
	var found []int32
	for v := range g.vertices {
		if x := &g.vertices[v]; !x.passing && !x.part && matches(x.id, asked) && (x.id.Kind != KindAccountAdmin || g.knows(x.id.Name)) {
			found = append(found, int32(v))
		}
	}
	slices.SortStableFunc(found, func(a, b int32) int { return g.vertices[a].id.Compare(g.vertices[b].id) })
	return found
}

// knows says whether an account is one of the snapshot's or of its clusters'.
func (g *Graph) knows(account string) bool {
	return g.snapshot.Account(account) != nil || slices.ContainsFunc(g.snapshot.Clusters, func(c *model.Cluster) bool { return c.Account == account })
}

// begin lists the vertices of an identity as one that somebody is: a service account is whoever runs as it, and a pod is the
// running one.
func (g *Graph) begin(asked access.Identity) []int32 {
	var found []int32
	for v, is := range g.starts {
		if is && matches(g.vertices[v].id, asked) {
			found = append(found, v)
		}
	}
	for _, v := range g.pods {
		if matches(g.vertices[v].id, asked) {
			found = append(found, v)
		}
	}
	if asked.Kind == access.KindPod {
		for p, v := range g.podAt {
			if p.Namespace == asked.Namespace && p.Name == asked.Name {
				found = append(found, v)
			}
		}
	}
	if len(found) == 0 {
		found = g.find(asked)
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// everybody are the identities that somebody may be and that are not privileged already: IAM principals, service accounts,
// whoever comes from outside, and running pods.
func (g *Graph) everybody() []int32 {
	privileged := g.privileged()
	var all []int32
	for v, is := range g.starts {
		if is && !privileged[v] {
			all = append(all, v)
		}
	}
	for _, v := range g.pods {
		if !privileged[v] {
			all = append(all, v)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// privileged marks who certainly may do everything in a cluster or an account as what they are: by a policy rule or policy of
// their own, or by what they are mapped to, and not by taking a step.
func (g *Graph) privileged() []bool {
	marked := make([]bool, len(g.vertices))
	var queue []int32
	for v := range g.vertices {
		if k := g.vertices[v].id.Kind; k == KindClusterAdmin || k == KindAccountAdmin {
			marked[v] = true
			queue = append(queue, int32(v))
		}
	}
	for len(queue) > 0 {
		v := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		for _, i := range g.in.of(v) {
			e := &g.edges[i]
			if marked[e.from] || e.possible || e.kind > 0 && !Kinds[e.kind-1].standing {
				continue
			}
			marked[e.from] = true
			queue = append(queue, e.from)
		}
	}
	return marked
}
