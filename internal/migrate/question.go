package migrate

import (
	"strings"

	"drawbridge/internal/access"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
	"drawbridge/internal/rbac"
)

// Questions are requests, by step from 1, that the authorizer of a cluster allows to the username and groups of the access
// entries that a plan makes, as the snapshot after it has it. Steps of which that is not known are not in it: entries whose
// username depends on the session, or to which nothing is bound by themselves.
func Questions(after *model.Snapshot, p plan.Plan) map[int][]rbac.Request {
	all := access.New(after)
	questions := map[int][]rbac.Request{}
	for i, change := range p {
		var cluster, username string
		var groups []string
		switch c := change.(type) {
		case plan.CreateAccessEntry:
			cluster, username, groups = c.Cluster, c.Username, c.Groups
		case plan.UpdateAccessEntry:
			cluster, username, groups = c.Cluster, c.Username, c.Groups
		}
		for _, k := range all.Clusters() {
			if k.ID() != cluster {
				continue
			}
			if q, ok := question(k, username, groups); ok {
				questions[i+1] = []rbac.Request{q}
			}
		}
	}
	return questions
}

// question is a request that the bindings of a username and groups allow.
func question(k *access.Cluster, username string, groups []string) (rbac.Request, bool) {
	h := rbac.Holder{User: username, Groups: groups}
	if strings.Contains(username, "{{") {
		h.User = ""
	}
	grants, _ := k.RBAC().Grants(h)
	for _, g := range grants {
		rule := g.PolicyRule()
		r := rbac.Request{User: h.User, Groups: h.Groups, Namespace: g.Binding.Namespace, Verb: concrete(rule.Verbs, "get")}
		if len(rule.NonResourceURLs) > 0 {
			r.NonResourceURL = strings.ReplaceAll(concrete(rule.NonResourceURLs, "/version"), "*", "")
		} else {
			r.APIGroup, r.Name = concrete(rule.APIGroups, ""), concrete(rule.ResourceNames, "")
			r.Resource, r.Subresource, _ = strings.Cut(concrete(rule.Resources, "pods"), "/")
		}
		if rbac.Allows(*rule, r) {
			return r, true
		}
	}
	return rbac.Request{}, false
}

// concrete is the first of some names, or another for any.
func concrete(names []string, anything string) string {
	if len(names) == 0 || names[0] == "*" {
		return anything
	}
	return names[0]
}
