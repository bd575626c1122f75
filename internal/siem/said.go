package siem

import (
	"slices"
	"strings"

	"drawbridge/internal/detect"
	"drawbridge/internal/sigma"
)

// said is a bound of a comparison with a field of ours by what the record alone says, as package detect works it out; nil
// where it says nothing. What it says is the same both ways unless a loss is told.
func (q *query) said(m *sigma.Match, b bound) sigma.Expr {
	if q.plane == cloudTrail {
		return q.saidByCall(m, b)
	}
	switch m.Field {
	case "drawbridge.done":
		return answer(m, q.done(b), q.done(!b))
	case "drawbridge.carried_out":
		return answer(m, carriedOut(), carriedOut())
	case "drawbridge.created":
		return answer(m, created(), created())
	case "drawbridge.actor.part":
		return q.actorPart(m, b)
	case "drawbridge.object.name":
		return q.objectName(m, b)
	case "drawbridge.path":
		return path(m)
	case "drawbridge.token.cloud_audience":
		return worded(m, b, []word{{"", audiences("requestObject.spec.audiences")}})
	case "drawbridge.kubelet.action":
		return q.kubeletAction(m, b)
	case "drawbridge.pod.projected":
		return q.inBody(m, b, projected())
	case "drawbridge.binding.subjects":
		return q.subjects(m, b)
	case "drawbridge.role.wildcards":
		return q.inBody(m, b, wildcards())
	}
	return nil
}

// word is one value of a field of ours and the condition under which it has that. The word "" is one that no rule can name.
type word struct {
	text string
	x    sigma.Expr
}

// worded is a comparison with a field whose values are words; the conditions bound it as b asks, nil like a nil of known. An
// absent value is not looked for. What has no name may be any that the rule means, unless all that it means have names.
func worded(m *sigma.Match, b bound, all []word) sigma.Expr {
	isBool := m.Op == sigma.Exists
	if isBool {
		if there, _ := m.Values[0].Bool(); !there {
			return nil // of a negation the rule itself makes one
		}
	} else if slices.ContainsFunc(m.Values, func(v sigma.Value) bool { return v.IsNull() }) || m.Op == sigma.FieldRef {
		return nil
	}
	literals, plain := literalsOf(m)
	names := plain && !slices.ContainsFunc(literals, func(s string) bool {
		return !slices.ContainsFunc(all, func(w word) bool { return w.text != "" && strings.EqualFold(w.text, s) })
	})
	var some sigma.Or
	for _, w := range all {
		switch is := isBool || w.text != "" && slices.ContainsFunc(m.Values, func(v sigma.Value) bool { return v.Matches(m.Op, m.Cased, w.text) }); {
		case !isBool && w.text == "":
			if b == above && !names {
				some = append(some, w.x)
			}
		case is && w.x == nil && b == above:
			return nil
		case is && w.x != nil:
			some = append(some, w.x)
		}
	}
	if len(some) == 0 {
		return nil
	}
	return some
}

// answer is a comparison with a field that is always true or false; no is what bounds the condition where it is negated.
func answer(m *sigma.Match, yes, no sigma.Expr) sigma.Expr {
	is, ok := literalsOf(m)
	switch {
	case !ok || len(is) != 1:
		return nil
	case is[0] == "true":
		return yes
	case is[0] == "false":
		return sigma.Not{X: no}
	}
	return nil
}

func compare(field string, op sigma.Op, values ...string) *sigma.Match {
	m := folded(field, op, values...)
	m.Cased = true
	return m
}

// folded compares without case.
func folded(field string, op sigma.Op, values ...string) *sigma.Match {
	m := &sigma.Match{Field: field, Op: op}
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

// carriedOut is a request that was answered with success.
func carriedOut() sigma.Expr {
	at := func(op sigma.Op, n float64) sigma.Expr {
		return &sigma.Match{Field: code, Op: op, Values: []sigma.Value{sigma.NewNumber(n)}}
	}
	return sigma.Or{compare(code, sigma.Equals, "101"), sigma.And{at(sigma.GreaterEqual, 200), at(sigma.Less, 300)}}
}

// done is a request that was carried out and was no dry run.
func (q *query) done(b bound) sigma.Expr {
	deletes := compare("verb", sigma.Equals, "delete", "deletecollection")
	asked := compare("requestURI", sigma.Equals, `*\?dryRun=All`, `*\?dryRun=All&*`, `*\?*&dryRun=All`, `*\?*&dryRun=All&*`)
	body := present("requestObject.kind", true) // which options of a delete always have
	var dry sigma.Expr
	if b == above { // so that only what surely was a dry run is set aside
		q.also("fires also on dry runs whose URL has a %% or ; in it, and on deletes with options in the URL")
		plain := sigma.Not{X: compare("requestURI", sigma.Contains, "%", ";")}
		dry = sigma.Or{sigma.And{deletes, compare("requestObject.dryRun", sigma.Equals, "All")}, sigma.And{sigma.Not{X: deletes}, asked, plain}}
	} else {
		dry = sigma.Or{sigma.And{deletes, body, compare("requestObject.dryRun", sigma.Equals, "All")}, asked, compare("requestURI", sigma.Contains, "%")}
	}
	return sigma.And{carriedOut(), sigma.Not{X: dry}}
}

// created is a request that made its object.
func created() sigma.Expr {
	return sigma.Or{
		compare("verb", sigma.Equals, "create"),
		sigma.And{compare("verb", sigma.Equals, "patch", "update"), compare(code, sigma.Equals, "201")},
	}
}

// actorPart is what a part of the cluster does. Who had a controller's token made, drawbridge knows by another event.
func (q *query) actorPart(m *sigma.Match, b bound) sigma.Expr {
	x := worded(m, b, actorParts())
	if controller := m.Op == sigma.Exists || slices.ContainsFunc(m.Values, func(v sigma.Value) bool { return v.Matches(m.Op, m.Cased, "controller") }); x != nil && controller && b == below {
		q.lose("what is done with a token of a controller that somebody else had made is taken for the controller's")
	}
	return x
}

// actorParts are requests of the cluster's own parts, as package detect knows them by their usernames.
func actorParts() []word {
	outside := sigma.And{
		present("user.extra.accessKeyId", false), present("user.extra.canonicalArn", false),
		present("user.extra.authentication.kubernetes.io/pod-name", false), present("user.extra.authentication.k8s.io/pod-name", false),
	}
	usernames, accounts := detect.Parts()
	for i := range accounts {
		accounts[i] = "system:serviceaccount:kube-system:" + accounts[i]
	}
	own := func(x ...sigma.Expr) sigma.Expr {
		return append(sigma.And{present("impersonatedUser.username", false)}, x...)
	}
	return []word{
		{"kubelet", own(compare("user.username", sigma.StartsWith, "system:node:"), compare("user.groups", sigma.Equals, "system:nodes"))},
		{"EKS", own(compare("user.username", sigma.StartsWith, "eks:"))},
		{"control plane", own(append(sigma.And{compare("user.username", sigma.Equals, usernames...)}, outside...))},
		{"controller", own(append(sigma.And{compare("user.username", sigma.Equals, accounts...)}, outside...))},
	}
}

// objectName is the name in the request, or that in the object where the API server made it.
func (q *query) objectName(m *sigma.Match, b bound) sigma.Expr {
	if m.Op == sigma.FieldRef || m.Op == sigma.Exists || slices.ContainsFunc(m.Values, func(v sigma.Value) bool { return v.IsNull() }) {
		return nil
	}
	at := func(field string) sigma.Expr {
		c := *m
		c.Field = field
		return &c
	}
	if b == below {
		return at("objectRef.name")
	}
	q.also("where the request has no name, those of the object in the request and in the answer are compared")
	return sigma.Or{at("objectRef.name"), sigma.And{present("objectRef.name", false), sigma.Or{at("responseObject.metadata.name"), at("requestObject.metadata.name")}}}
}

// path is the request's URL up to the question mark.
func path(m *sigma.Match) sigma.Expr {
	is, ok := literalsOf(m)
	if !ok {
		return nil
	}
	c := folded("requestURI", sigma.Equals)
	c.Cased = m.Cased
	for _, p := range is {
		c.Values = append(c.Values, sigma.NewValue(sigma.Escape(p)), sigma.NewValue(sigma.Escape(p)+`\?*`))
	}
	return c
}

// audiences are those that AWS takes for credentials.
func audiences(field string) sigma.Expr {
	m := folded(field, sigma.Equals)
	for _, scheme := range []string{"", "https://"} {
		for _, host := range []string{"pods.eks.amazonaws.com", "sts.amazonaws.com", "sts.*.amazonaws.com"} {
			for _, end := range []string{"", "/", ".cn", ".cn/"} {
				m.Values = append(m.Values, sigma.NewValue(scheme+host+end))
			}
		}
	}
	return m
}

// kubeletAction goes by the words of the URL; what percent-encoding hides counts as each of them.
func (q *query) kubeletAction(m *sigma.Match, b bound) sigma.Expr {
	if b == below {
		return nil
	}
	q.also("fires also where the word is elsewhere in the URL (%s), or the URL is percent-encoded", say(m))
	at := func(words ...string) sigma.Expr {
		return folded("requestURI", sigma.Contains, append(words, "%")...)
	}
	return worded(m, b, []word{
		{"command", at("exec", "run", "attach", "portforward", "cri", "checkpoint")},
		{"metrics", at("metrics", "stats", "healthz", "spec")},
		{"read", nil},
	})
}

// inBody is what the object tells that the request left behind, or asked for, above. A patch that the log has without its
// answer may say it in any form.
func (q *query) inBody(m *sigma.Match, b bound, x sigma.Or) sigma.Expr {
	if there, _ := m.Values[0].Bool(); b == below || m.Op == sigma.Exists && !there || slices.ContainsFunc(m.Values, func(v sigma.Value) bool { return v.IsNull() }) {
		return nil
	}
	q.also("fires also where the object has it already, where only the request names it, or a patch does without its answer in the log (%s)", say(m))
	return append(x, sigma.And{compare("verb", sigma.Equals, "patch"), present("responseObject.kind", false)})
}

func projected() sigma.Or {
	var some sigma.Or
	for _, object := range []string{"requestObject", "responseObject"} {
		for _, spec := range []string{"spec", "spec.template.spec", "spec.jobTemplate.spec.template.spec", "template.spec"} {
			some = append(some, audiences(object+"."+spec+".volumes.projected.sources.serviceAccountToken.audience"))
		}
	}
	return some
}

// subjects are whom a binding names. Those that it had before are not set aside.
func (q *query) subjects(m *sigma.Match, b bound) sigma.Expr {
	is, ok := literalsOf(m)
	if !ok {
		return nil
	}
	names := compare("", sigma.Equals)
	for _, s := range is {
		kind, name, found := cutSubject(s)
		if !found || kind == "ServiceAccount" {
			return nil
		}
		names.Values = append(names.Values, sigma.NewValue(sigma.Escape(name)))
	}
	names.Cased = m.Cased
	request, response := *names, *names
	request.Field, response.Field = "requestObject.subjects.name", "responseObject.subjects.name"
	return q.inBody(m, b, sigma.Or{&request, &response})
}

// wildcards are rules with a * in them; an aggregated role has the rules of others.
func wildcards() sigma.Or {
	var some sigma.Or
	for _, object := range []string{"requestObject", "responseObject"} {
		for _, of := range []string{"verbs", "resources", "apiGroups", "nonResourceURLs"} {
			some = append(some, compare(object+".rules."+of, sigma.Contains, `\*`))
		}
		some = append(some, present(object+".aggregationRule.clusterRoleSelectors", true))
	}
	return some
}
