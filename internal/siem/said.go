package siem

import (
	"slices"

	"drawbridge/internal/detect"
	"drawbridge/internal/sigma"
)

// said writes a comparison with a field of ours that follows from the record alone; nil where it cannot be written.
func (q *query) said(m *sigma.Match) sigma.Expr {
	if q.plane != audit {
		return nil
	}
	switch m.Field {
	case "drawbridge.done":
		return q.done(m)
	case "drawbridge.actor.part":
		return parts(m)
	case "drawbridge.object.name":
		return q.objectName(m)
	}
	return nil
}

func compare(field string, op sigma.Op, values ...string) *sigma.Match {
	m := &sigma.Match{Field: field, Op: op, Cased: true}
	for _, v := range values {
		m.Values = append(m.Values, sigma.NewValue(v))
	}
	return m
}

func present(field string, there bool) *sigma.Match {
	return &sigma.Match{Field: field, Op: sigma.Exists, Values: []sigma.Value{sigma.NewBool(there)}}
}

// literalsOf are the values of an equality that has no wildcards.
func literalsOf(m *sigma.Match) ([]string, bool) {
	var all []string
	for i := range m.Values {
		s, ok := m.Values[i].Literal()
		if !ok || m.Op != sigma.Equals {
			return nil, false
		}
		all = append(all, s)
	}
	return all, true
}

// done is a request that was carried out and was no dry run, as package detect has it.
func (q *query) done(m *sigma.Match) sigma.Expr {
	is, ok := literalsOf(m)
	if !ok || len(is) != 1 {
		return nil
	}
	q.lose("a dry run is known by dryRun=All in the URL, or in the body of a delete; one written otherwise counts as carried out")
	code := func(op sigma.Op, n float64) sigma.Expr {
		return &sigma.Match{Field: "responseStatus.code", Op: op, Values: []sigma.Value{sigma.NewNumber(n)}}
	}
	deletes := compare("verb", sigma.Equals, "delete", "deletecollection")
	dry := sigma.Or{
		sigma.And{deletes, compare("requestObject.dryRun", sigma.Equals, "All")},
		sigma.And{sigma.Not{X: deletes}, compare("requestURI", sigma.Equals, `*\?dryRun=All`, `*\?dryRun=All&*`, `*\?*&dryRun=All`, `*\?*&dryRun=All&*`)},
	}
	done := sigma.And{sigma.Or{compare("responseStatus.code", sigma.Equals, "101"), sigma.And{code(sigma.GreaterEqual, 200), code(sigma.Less, 300)}}, sigma.Not{X: dry}}
	if is[0] == "false" {
		return sigma.Not{X: done}
	}
	return done
}

// parts are requests of the cluster's own parts, as package detect knows them by their usernames.
func parts(m *sigma.Match) sigma.Expr {
	wanted, ok := literalsOf(m)
	if m.Op == sigma.Exists {
		wanted, ok = []string{"kubelet", "control plane", "controller", "EKS"}, true
	}
	if !ok {
		return nil
	}
	outside := sigma.And{
		present("user.extra.accessKeyId", false), present("user.extra.canonicalArn", false),
		present("user.extra.authentication.kubernetes.io/pod-name", false), present("user.extra.authentication.k8s.io/pod-name", false),
	}
	usernames, accounts := detect.Parts()
	for i := range accounts {
		accounts[i] = "system:serviceaccount:kube-system:" + accounts[i]
	}
	some := sigma.Or{}
	for _, part := range []struct {
		name string
		x    sigma.Expr
	}{
		{"kubelet", sigma.And{compare("user.username", sigma.StartsWith, "system:node:"), compare("user.groups", sigma.Equals, "system:nodes")}},
		{"EKS", compare("user.username", sigma.StartsWith, "eks:")},
		{"control plane", append(sigma.And{compare("user.username", sigma.Equals, usernames...)}, outside...)},
		{"controller", append(sigma.And{compare("user.username", sigma.Equals, accounts...)}, outside...)},
	} {
		if slices.Contains(wanted, part.name) {
			some = append(some, part.x)
		}
	}
	if len(some) == 0 {
		return nil
	}
	x := sigma.And{present("impersonatedUser.username", false), some}
	if there, isBool := m.Values[0].Bool(); m.Op == sigma.Exists && isBool && !there {
		return sigma.Not{X: x}
	}
	return x
}

// objectName is the name in the request, or that in the object where the API server made it.
func (q *query) objectName(m *sigma.Match) sigma.Expr {
	if m.Op == sigma.FieldRef || m.Op == sigma.Exists || slices.ContainsFunc(m.Values, func(v sigma.Value) bool { return v.IsNull() }) {
		return nil
	}
	at := func(field string) sigma.Expr {
		c := *m
		c.Field = field
		return &c
	}
	q.lose("where the request has no name, that of the object in the request or in the answer is compared")
	return sigma.Or{at("objectRef.name"), sigma.And{present("objectRef.name", false), sigma.Or{at("responseObject.metadata.name"), at("requestObject.metadata.name")}}}
}
