package siem

import (
	"slices"
	"strings"

	"drawbridge/internal/sigma"
)

// ours are fields that drawbridge computes and that are, or nearly are, a field of the record itself.
var ours = map[plane]map[string]struct{ field, loss string }{
	cloudTrail: {
		"drawbridge.event":            {field: "eventID"},
		"drawbridge.actor.access_key": {field: "userIdentity.accessKeyId"},
		"drawbridge.actor.account":    {field: "userIdentity.accountId"},
		"drawbridge.actor.service":    {field: "userIdentity.invokedBy"},
		"drawbridge.source":           {field: "sourceIPAddress"},
	},
	audit: {
		"drawbridge.event": {field: "auditID"},
	},
}

// grouping are such fields where only equality with other events counts.
var grouping = map[plane]map[string]struct{ field, loss string }{
	cloudTrail: {
		"drawbridge.cluster":         {clusterNames, "clusters of the same name in several accounts or regions are counted together"},
		"drawbridge.cluster.name":    {field: clusterNames},
		"drawbridge.entry.member":    {"requestParameters.principalArn", "a role with a path is not joined with what it does in the cluster: the audit log writes it without"},
		"drawbridge.actor.principal": {"userIdentity.arn", "sessions of one IAM role are counted apart, by their names"},
		"drawbridge.actor.identity":  {"userIdentity.arn", "sessions of one IAM role are counted apart, by their names"},
		"drawbridge.actor":           {"userIdentity.arn", "sessions of one IAM role are counted apart, by their names"},
	},
	audit: {
		"drawbridge.cluster.name":          {"", "events of several clusters are counted together: run it for each cluster's log"},
		"drawbridge.object":                {"objectRef.name", "objects of the same name in several namespaces count once"},
		"drawbridge.entry.member":          {field: "user.extra.canonicalArn"},
		"drawbridge.cluster":               {"", "events of several clusters are counted together: run it for each cluster's log"},
		"drawbridge.actor":                 {field: "user.username"},
		"drawbridge.actor.identity":        {"user.username", "sessions of one IAM role are counted apart, by their names"},
		"drawbridge.actor.service_account": {field: "user.username"},
		"drawbridge.source":                {"sourceIPs", "all addresses of a request are compared, proxies' too"},
	},
}

// members stand for the objects that are never there without them (CloudTrail User Guide, "CloudTrail userIdentity element";
// Kubernetes API reference, "Event v1 audit.k8s.io", 2026-11).
var members = map[string]string{
	"userIdentity": "userIdentity.type", "userIdentity.sessionContext.sessionIssuer": "userIdentity.sessionContext.sessionIssuer.arn",
	"user": "user.username", "impersonatedUser": "impersonatedUser.username",
}

// objects are other members of records that hold more.
var objects = []string{
	"userIdentity.sessionContext", "requestParameters", "responseElements", "additionalEventData", "serviceEventDetails", "tlsDetails",
	"user.extra", "impersonatedUser.extra", "objectRef", "responseStatus", "requestObject", "responseObject", "annotations", "requestObject.metadata",
	"requestObject.spec", "requestObject.data", "requestObject.roleRef", "requestObject.metadata.annotations", "requestObject.metadata.labels",
}

// clusterNames are the two members that name the cluster in EKS' and EKS Auth's calls; a call has one of them.
const clusterNames = "requestParameters.name or requestParameters.clusterName"

func isOurs(field string) bool { return strings.HasPrefix(field, "drawbridge.") }

// field is the record's field for one of ours.
func (q *query) field(name string) (string, bool) {
	if !isOurs(name) {
		return name, true
	}
	f, ok := ours[q.plane][name]
	if ok && f.loss != "" {
		q.lose("%s", f.loss)
	}
	return f.field, ok
}

// known leaves out what asks for a field that only drawbridge knows, where the rest still means something, and says what is
// lost; nil where nothing is left. negated counts whether a match sets events aside.
func (q *query) known(x sigma.Expr, negated bool) sigma.Expr {
	switch x := x.(type) {
	case sigma.And:
		var all sigma.And
		for _, p := range x {
			k := q.known(p, negated)
			if k == nil {
				if _, not := p.(sigma.Not); not && !negated {
					q.lose("events are not set aside by %s, which only drawbridge knows", unknown(p))
					continue
				}
				return nil
			}
			all = append(all, k)
		}
		if len(all) == 0 {
			return nil
		}
		return all
	case sigma.Or:
		var some sigma.Or
		var gone []string
		for _, p := range x {
			if k := q.known(p, negated); k != nil {
				some = append(some, k)
			} else {
				gone = append(gone, unknown(p))
			}
		}
		switch {
		case len(some) == 0:
			return nil
		case len(gone) > 0 && negated:
			q.lose("events are not set aside by %s, which only drawbridge knows", strings.Join(gone, ", "))
		case len(gone) > 0:
			q.lose("what only %s shows is missed: drawbridge computes it", strings.Join(gone, ", "))
		}
		return some
	case sigma.Not:
		if k := q.known(x.X, !negated); k != nil {
			return sigma.Not{X: k}
		}
		return nil
	case *sigma.Match:
		return q.knownMatch(x)
	}
	return nil
}

func (q *query) knownMatch(m *sigma.Match) sigma.Expr {
	field, ok := q.field(m.Field)
	if !ok {
		return q.said(m)
	}
	out := *m
	out.Field = field
	if everything(m) {
		out.Op, out.Values, out.All = sigma.Exists, []sigma.Value{sigma.NewBool(true)}, false
	}
	asksPresence := out.Op == sigma.Exists || slices.ContainsFunc(m.Values, func(v sigma.Value) bool { return v.IsNull() })
	if member, ok := members[field]; ok && asksPresence {
		out.Field = member
	} else if slices.Contains(objects, field) && asksPresence && q.target.leaves {
		q.refuse("%s is an object: the target sees only what is below it, not whether it is there", field)
	}
	if m.Op == sigma.FieldRef {
		out.Values = nil
		for i := range m.Values {
			other, ok := q.field(m.Values[i].String())
			if !ok {
				return nil
			}
			out.Values = append(out.Values, sigma.NewValue(sigma.Escape(other)))
		}
	}
	return &out
}

// everything says whether a comparison holds for every value of its field, so that there only has to be one.
func everything(m *sigma.Match) bool {
	return m.Field != "" && !m.All && len(m.Values) == 1 && len(m.Values[0].Pattern()) > 1 && patternOf(m, &m.Values[0]).any()
}

// unknown names the fields of an expression that only drawbridge knows.
func unknown(x sigma.Expr) string {
	var names []string
	for _, f := range sigma.Fields(x) {
		if isOurs(f) {
			names = append(names, f)
		}
	}
	return strings.Join(names, ", ")
}

// encoded says whether CloudTrail may write a field percent-encoded: EKS' path parameters, which drawbridge decodes.
func (q *query) encoded(field string) bool {
	if q.plane != cloudTrail || field != "requestParameters" && !strings.HasPrefix(field, "requestParameters.") {
		return false
	}
	source, ok := required(q.rule.Condition, "eventSource")
	return !ok || strings.EqualFold(source, eks)
}

const eks = "eks.amazonaws.com"

// required is the one value that a field must have for an expression to hold, if there is one.
func required(x sigma.Expr, field string) (string, bool) {
	switch x := x.(type) {
	case sigma.And:
		for _, p := range x {
			if v, ok := required(p, field); ok {
				return v, true
			}
		}
	case *sigma.Match:
		if x.Field == field && x.Op == sigma.Equals && len(x.Values) == 1 {
			return x.Values[0].Literal()
		}
	}
	return "", false
}

// spelled writes `all` as and, and adds the percent-encoded spelling of values.
func (q *query) spelled(x sigma.Expr) sigma.Expr {
	switch x := x.(type) {
	case sigma.And:
		all := make(sigma.And, len(x))
		for i, p := range x {
			all[i] = q.spelled(p)
		}
		return all
	case sigma.Or:
		some := make(sigma.Or, len(x))
		for i, p := range x {
			some[i] = q.spelled(p)
		}
		return some
	case sigma.Not:
		return sigma.Not{X: q.spelled(x.X)}
	case *sigma.Match:
		if x.All {
			var all sigma.And
			for i := range x.Values {
				one := *x
				one.All, one.Values = false, x.Values[i:i+1]
				all = append(all, q.spelled(&one))
			}
			return all
		}
		return q.spelledMatch(x)
	}
	return x
}

func (q *query) spelledMatch(m *sigma.Match) sigma.Expr {
	if !q.encoded(m.Field) {
		return m
	}
	other := *m
	other.Values = nil
	for i := range m.Values {
		v := m.Values[i]
		switch m.Op {
		case sigma.Regex:
			q.lose("%s: CloudTrail percent-encodes some of EKS' parameters; the regular expression sees them encoded", m.Field)
		case sigma.FieldRef:
			q.lose("%s: CloudTrail percent-encodes some of EKS' parameters; two spellings of a value are not equal here", m.Field)
		case sigma.Equals, sigma.Contains, sigma.StartsWith, sigma.EndsWith:
			if strings.Contains(v.String(), "%") {
				q.lose("%s: %q is looked for in the record as it is, where drawbridge compares with the decoded parameter", m.Field, v.String())
			}
			encoded, single := encode(v.Pattern())
			if single {
				q.lose("%s: a `?` does not match an encoded character where CloudTrail percent-encodes the parameter", m.Field)
			}
			if encoded != "" {
				other.Values = append(other.Values, sigma.NewValue(encoded))
			}
		}
	}
	if len(other.Values) == 0 {
		return m
	}
	if _, ok := required(q.rule.Condition, "eventSource"); !ok { // only EKS' records are so
		source := &sigma.Match{Field: "eventSource", Op: sigma.Equals, Cased: true, Values: []sigma.Value{sigma.NewValue(eks)}}
		return sigma.Or{m, sigma.And{source, &other}}
	}
	both := *m
	both.Values = append(m.Values[:len(m.Values):len(m.Values)], other.Values...)
	return &both
}

// encode writes a pattern as it looks percent-encoded, "" if it looks the same. single says that it has the wildcard ?.
func encode(parts [][]rune) (pattern string, single bool) {
	var b strings.Builder
	changed := false
	for i, part := range parts {
		if i > 0 {
			b.WriteByte('*')
		}
		for _, c := range part {
			switch {
			case c < 0:
				single = true
				b.WriteByte('?')
			case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("-_.~", c):
				b.WriteRune(c)
			default:
				changed = true
				for _, octet := range []byte(string(c)) {
					const hex = "0123456789ABCDEF"
					b.Write([]byte{'%', hex[octet>>4], hex[octet&15]})
				}
			}
		}
	}
	if !changed {
		return "", single
	}
	return b.String(), single
}

// flat takes away ands in ands, ors in ors, and such of one part.
func flat(x sigma.Expr) sigma.Expr {
	switch x := x.(type) {
	case sigma.And:
		var all sigma.And
		for _, p := range x {
			if inner, ok := flat(p).(sigma.And); ok {
				all = append(all, inner...)
			} else {
				all = append(all, flat(p))
			}
		}
		if len(all) == 1 {
			return all[0]
		}
		return all
	case sigma.Or:
		var some sigma.Or
		for _, p := range x {
			if inner, ok := flat(p).(sigma.Or); ok {
				some = append(some, inner...)
			} else {
				some = append(some, flat(p))
			}
		}
		if len(some) == 1 {
			return some[0]
		}
		return some
	case sigma.Not:
		if inner, ok := flat(x.X).(sigma.Not); ok {
			return inner.X
		}
		return sigma.Not{X: flat(x.X)}
	}
	return x
}
