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

// grouped is a field by which events are told apart. Its names may have several parts, joined by " + ", each of one of several
// fields, the first that is there, joined by " or ".
type grouped struct {
	field string
	// more is what an export then finds too much, loss what it may miss.
	more, loss string
	// bare says that paths are taken out of ARNs, cluster that it tells the cluster and nothing more.
	bare, cluster bool
	// lone is the one field for targets that take no more, with what they miss.
	lone, loneLoss string
}

const (
	nodesTogether = "nodes of one IAM role, which drawbridge tells apart, are counted together"
	sessionsApart = "sessions of one IAM role are counted apart, by their names"
	oneLog        = "events of several clusters are counted together: run it for each cluster's log"
)

// grouping are fields of ours where only equality with other events counts.
var grouping = map[plane]map[string]grouped{
	cloudTrail: {
		"drawbridge.cluster":              {field: "recipientAccountId + awsRegion + " + clusterNames, cluster: true, lone: "requestParameters.name", loneLoss: "calls that name their cluster in clusterName are left out, and clusters of the same name count as one"},
		"drawbridge.cluster.name":         {field: clusterNames, cluster: true, lone: "requestParameters.name", loneLoss: "calls that name their cluster in clusterName are left out"},
		"drawbridge.entry.member":         {field: "requestParameters.principalArn", bare: true},
		"drawbridge.actor.principal":      {field: issuerOr, lone: "userIdentity.arn", loneLoss: sessionsApart},
		"drawbridge.actor.identity":       {field: issuerOr + " or userIdentity.principalId or userIdentity.invokedBy", more: nodesTogether, lone: "userIdentity.arn", loneLoss: sessionsApart},
		"drawbridge.actor":                {field: "userIdentity.arn", loss: sessionsApart},
		"drawbridge.association.role_arn": {field: "requestParameters.roleArn", loss: "a call that does not name the role is not joined"},
	},
	audit: {
		"drawbridge.cluster":               {more: oneLog, cluster: true},
		"drawbridge.cluster.name":          {more: oneLog, cluster: true},
		"drawbridge.object":                {field: "objectRef.namespace + objectRef.name", lone: "objectRef.name", loneLoss: "objects of the same name in several namespaces count once"},
		"drawbridge.action":                {field: "verb + objectRef.resource or requestURI + objectRef.subresource"},
		"drawbridge.entry.member":          {field: "user.extra.canonicalArn"},
		"drawbridge.actor":                 {field: "user.username"},
		"drawbridge.actor.identity":        {field: "user.extra.canonicalArn or user.username", more: nodesTogether, lone: "user.username", loneLoss: sessionsApart},
		"drawbridge.actor.service_account": {field: "user.username"},
		"drawbridge.source":                {field: "sourceIPs", loss: "all addresses of a request are compared, proxies' too"},
	},
}

// issuerOr is the IAM role of a session, or the user.
const issuerOr = "userIdentity.sessionContext.sessionIssuer.arn or userIdentity.arn"

// members stand for the objects that are never there without them (CloudTrail User Guide, "CloudTrail userIdentity element";
// Kubernetes API reference, "Event v1 audit.k8s.io", 2026-11).
var members = map[string]string{
	"userIdentity": "userIdentity.type", "userIdentity.sessionContext.sessionIssuer": "userIdentity.sessionContext.sessionIssuer.arn",
	"user": "user.username", "impersonatedUser": "impersonatedUser.username",
}

// objects are other members of records that hold more.
var objects = []string{
	"userIdentity.sessionContext", "requestParameters", "responseElements", "additionalEventData", "serviceEventDetails", "tlsDetails",
	"requestParameters.configuration",
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

// bound says what may stand in for a condition of which drawbridge alone knows a part: above, what holds wherever the
// condition does; below, what holds nowhere else. A negation turns one into the other.
type bound bool

const (
	above bound = true
	below bound = false
)

// known is a bound of a condition by what the record tells, and says what is lost; nil is one that always holds above, and
// never below.
func (q *query) known(x sigma.Expr, b bound) sigma.Expr {
	switch x := x.(type) {
	case sigma.And:
		return q.parts(x, b, b == above, func(all []sigma.Expr) sigma.Expr { return sigma.And(all) })
	case sigma.Or:
		return q.parts(x, b, b == below, func(some []sigma.Expr) sigma.Expr { return sigma.Or(some) })
	case sigma.Not:
		if k := q.known(x.X, !b); k != nil {
			return sigma.Not{X: k}
		}
	case *sigma.Match:
		return q.knownMatch(x, b)
	}
	return nil
}

// parts is a bound of a conjunction or disjunction: of the parts that are known, or, unless some may be left out, none where
// one is not. A part that is left out is told of where the whole is not left out as well.
func (q *query) parts(parts []sigma.Expr, b bound, some bool, list func([]sigma.Expr) sigma.Expr) sigma.Expr {
	losses, misses, wider := len(q.out.Losses), q.out.Misses, q.wider
	var kept, gone []sigma.Expr
	for _, p := range parts {
		if k := q.known(p, b); k != nil {
			kept = append(kept, k)
		} else {
			gone = append(gone, p)
		}
	}
	if len(kept) == 0 || len(gone) > 0 && !some {
		if !q.refused { // what its parts lose is lost with the whole
			q.out.Losses, q.out.Misses, q.wider = q.out.Losses[:losses], misses, wider
		}
		return nil
	}
	for _, p := range gone {
		q.leaveOut(p, b)
	}
	return list(kept)
}

// leaveOut tells that a part of the condition is not looked at.
func (q *query) leaveOut(x sigma.Expr, b bound) {
	q.wider = true
	if not, ok := x.(sigma.Not); ok && b == above {
		q.also("fires also where %s, which only drawbridge knows", say(not.X))
		return
	}
	if b == above {
		q.also("fires also where it is not so that %s, which only drawbridge knows", say(x))
		return
	}
	q.also("fires also where %s, which only drawbridge knows", say(x))
}

func (q *query) knownMatch(m *sigma.Match, b bound) sigma.Expr {
	field, ok := q.field(m.Field)
	if !ok {
		return q.said(m, b)
	}
	out := *m
	out.Field = field
	if everything(m) {
		out.Op, out.Values, out.All = sigma.Exists, []sigma.Value{sigma.NewBool(true)}, false
	}
	asksPresence := out.Op == sigma.Exists || slices.ContainsFunc(m.Values, func(v sigma.Value) bool { return v.IsNull() })
	if member, ok := members[field]; ok && asksPresence {
		out.Field = member
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

// leafless says that a comparison asks whether an object is there, for targets that see only what is below it.
func (q *query) leafless(m *sigma.Match) bool {
	if !slices.Contains(objects, m.Field) || m.Op != sigma.Exists && !slices.ContainsFunc(m.Values, func(v sigma.Value) bool { return v.IsNull() }) {
		return false
	}
	q.refuse("%s is an object: the target sees only what is below it, not whether it is there", m.Field)
	return true
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
