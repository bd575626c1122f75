package detect

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"drawbridge/internal/event"
	"drawbridge/internal/finding"
	"drawbridge/internal/sigma"
)

// predicate says whether an event is meant.
type predicate func(*look) bool

// rule is one compiled document over events.
type rule struct {
	name  string
	plane event.Plane
	// meant decides. likely is the same with everything that the ledger may yet tell taken as so: an event that is not
	// likely is never meant.
	meant, likely predicate
	// ledger says that the answer can change with later events.
	ledger bool
	// doubt says of an event that this answer can; nil is never.
	doubt func(*look) bool
	// wait is how long after the event it is judged, so that what comes later counts.
	wait time.Duration
	// via are the ways of which one must have issued the key of the event; nil is any, and none.
	via []string
	// id tells rules apart.
	id uint64
	// sampled says that of events with the same values of `once` in one minute, the earliest is enough to look at again.
	sampled bool
	// variant is set for a document that reports; parts only feed correlations.
	variant *variant
	feeds   []feed
}

// feed is a place of a rule in a correlation.
type feed struct {
	correlation *correlation
	at          int
	plane       event.Plane
	// group are the fields that the correlation groups by, for this rule.
	group []field
	value field
	// closes says that what comes before it in the order has been judged when this is: an event that finds no window then has
	// none.
	closes bool
}

type compiler struct {
	program  *Program
	compiled map[string][]*rule // by name and by Sigma id
	errs     []error
}

func (c *compiler) fail(r *sigma.Rule, line int, format string, args ...any) {
	c.errs = append(c.errs, errorAt(r, line, format, args...))
}

// documents compiles the documents of a detection: those over events, or the correlations, which come after all others.
func (c *compiler) documents(d *Detection, correlations bool) {
	for _, r := range d.Rules {
		if (r.Correlation != nil) != correlations {
			continue
		}
		var v *variant
		if r.Name == d.ID {
			v = c.variant(d, r)
			d.variants = append(d.variants, v)
		} else if !strings.HasPrefix(r.Name, d.ID+".") {
			c.fail(r, r.Line, "name %q: want %q, or %q for a part", r.Name, d.ID, d.ID+".part")
		}
		if correlations {
			c.correlation(r, v)
		} else {
			c.rule(r, v)
		}
	}
}

func (c *compiler) rule(r *sigma.Rule, v *variant) {
	plane, ok := planeOf(r.LogSource)
	if !ok {
		c.fail(r, r.Line, "logsource: want product: aws, service: cloudtrail or product: kubernetes, service: audit")
		return
	}
	w := writer{compiler: c, rule: r, plane: plane}
	out := &rule{name: r.Name, plane: plane, variant: v, meant: w.expr(r.Condition)}
	out.ledger, out.doubt, out.via, out.id = w.ledger, w.doubt, literals(r.Condition, "drawbridge.key.via"), fold(r.ID)
	out.likely = out.meant
	if out.ledger || out.doubt != nil {
		out.likely = w.likely(r.Condition)
	}
	if s, ok := r.Custom["after"].(string); ok {
		var err error
		if out.wait, err = time.ParseDuration(s); err != nil {
			c.fail(r, r.Line, "drawbridge.after: %v", err)
		}
	}
	out.ledger = out.ledger || out.wait > 0
	out.sampled = v != nil && len(v.once) > 0 && !slices.ContainsFunc(v.once, func(f field) bool { return f.enrich != nil && f.enrich.Ledger })
	for _, name := range []string{r.Name, r.ID} {
		if name != "" {
			c.compiled[name] = append(c.compiled[name], out)
		}
	}
	inner := writer{compiler: &compiler{program: c.program}, rule: r, plane: plane} // mistakes are told once
	c.program.indexes[plane].add(out, r.Condition, inner.expr)
}

// link gives every correlation its rules.
func (c *compiler) link() {
	for _, k := range c.program.correlations {
		longest := time.Duration(0)
		for i, name := range k.rule.Correlation.Rules {
			rules := c.compiled[name]
			if len(rules) == 0 {
				c.fail(k.rule, k.rule.Line, "correlation: no rule is named %q", name)
			}
			for _, r := range rules {
				f := feed{correlation: k, at: i, plane: r.plane, closes: k.kind == temporalOrdered && i > 0 && longest <= r.wait}
				w := writer{compiler: c, rule: k.rule, plane: r.plane}
				for _, g := range k.rule.Correlation.GroupBy {
					if alias, ok := k.rule.Correlation.Aliases[g]; ok {
						if g, ok = alias[name]; !ok {
							c.fail(k.rule, k.rule.Line, "correlation: an alias in group-by says nothing of %q", name)
						}
					}
					f.group = append(f.group, w.field(g, k.rule.Line))
				}
				if k.kind == valueCount {
					f.value = w.field(k.rule.Correlation.Field, k.rule.Line)
				}
				// A group that only the ledger can tell may be told late.
				r.ledger = r.ledger || w.ledger
				r.feeds = append(r.feeds, f)
				if i+1 < len(k.rule.Correlation.Rules) {
					longest = max(longest, r.wait)
				}
				if k.kind == absence && i == 0 {
					c.program.absences[k.rule.Name] = append(c.program.absences[k.rule.Name], f)
				}
			}
		}
	}
}

// spare finds the gates behind which one record can speak for others.
func (c *compiler) spare() {
	x := &c.program.indexes[event.CloudTrail]
	for i := range x.gates {
		g := &x.gates[i]
		if g.alike = !slices.ContainsFunc(g.rules, func(r *rule) bool { return !r.spared() }); !g.alike {
			continue
		}
		if x.asked == nil {
			x.asked = new(asked)
		}
		for _, r := range g.rules {
			x.asked.ask(r.variant.rule.Condition, r.variant.once)
		}
	}
}

// spared says that a rule need not see each of several records that are alike: only the earliest of them is looked at again, and
// it tells the cluster by what the ledger has.
func (r *rule) spared() bool {
	return r.ledger && r.sampled && len(r.feeds) == 0 && r.variant.cluster != nil
}

// writer writes predicates for one document.
type writer struct {
	*compiler
	rule   *sigma.Rule
	plane  event.Plane
	ledger bool
	// doubt is what makes of the answers about an event ones that another may change: see enrichment.
	doubt func(*look) bool
}

func (w *writer) expr(x sigma.Expr) predicate {
	switch x := x.(type) {
	case sigma.And:
		return all(w.exprs(x))
	case sigma.Or:
		return anyOf(w.exprs(x))
	case sigma.Not:
		p := w.expr(x.X)
		return func(l *look) bool { return !p(l) }
	case *sigma.Match:
		return w.match(x)
	}
	w.fail(w.rule, w.rule.Line, "condition: %T is not known", x)
	return never
}

// exprs writes the parts of a condition, the cheap ones first: which comes first decides nothing but the time it takes.
func (w *writer) exprs(xs []sigma.Expr) []predicate {
	out := make([]predicate, len(xs))
	for i, x := range byCost(w.plane, xs) {
		out[i] = w.expr(x)
	}
	return out
}

func byCost(p event.Plane, xs []sigma.Expr) []sigma.Expr {
	return slices.SortedStableFunc(slices.Values(xs), func(a, b sigma.Expr) int { return cost(p, a) - cost(p, b) })
}

// cost is about what a condition takes: 1 for a field that the scanner finds, more for one inside another, most for what has
// to be worked out.
func cost(p event.Plane, x sigma.Expr) int {
	sum := func(xs []sigma.Expr) int {
		n := 0
		for _, y := range xs {
			n += cost(p, y)
		}
		return n
	}
	switch x := x.(type) {
	case sigma.And:
		return sum(x)
	case sigma.Or:
		return sum(x)
	case sigma.Not:
		return cost(p, x.X)
	case *sigma.Match:
		switch {
		case x.Field == "":
			return 64
		case strings.HasPrefix(x.Field, "drawbridge."):
			return 32
		case event.ParsePath(p, x.Field).Field() != 0:
			return 1
		}
		return 8
	}
	return 0
}

// likely is x with all that the ledger may yet tell taken as so.
func (w *writer) likely(x sigma.Expr) predicate {
	inner := writer{compiler: &compiler{program: w.program}, rule: w.rule, plane: w.plane}
	p := inner.expr(x)
	if !inner.ledger && inner.doubt == nil {
		return p
	}
	switch x := x.(type) {
	case sigma.And:
		out := make([]predicate, len(x))
		for i, y := range byCost(w.plane, x) {
			out[i] = w.likely(y)
		}
		return all(out)
	case sigma.Or:
		out := make([]predicate, len(x))
		for i, y := range byCost(w.plane, x) {
			out[i] = w.likely(y)
		}
		return anyOf(out)
	case *sigma.Match:
		if e := enrichmentOf(x.Field); e != nil && e.Settled != nil {
			return func(l *look) bool { return !e.Settled(l) || p(l) }
		}
	}
	if !inner.ledger {
		return func(l *look) bool { return p(l) || inner.doubt(l) }
	}
	return always
}

func always(*look) bool { return true }
func never(*look) bool  { return false }

func all(ps []predicate) predicate {
	if len(ps) == 1 {
		return ps[0]
	}
	return func(l *look) bool {
		for _, p := range ps {
			if !p(l) {
				return false
			}
		}
		return true
	}
}

func anyOf(ps []predicate) predicate {
	if len(ps) == 1 {
		return ps[0]
	}
	return func(l *look) bool {
		for _, p := range ps {
			if p(l) {
				return true
			}
		}
		return false
	}
}

// field gives the values of a field of an event: those that the log wrote, or those of an enrichment.
type field struct {
	name   string
	path   event.Path
	enrich *enrichment
}

// values calls yield with each value as text until it returns false, and returns whether there was one.
func (f *field) values(l *look, yield func(string) bool) bool {
	if f.enrich != nil {
		vs := l.enriched(f.enrich)
		for _, v := range vs {
			if !yield(v) {
				break
			}
		}
		return len(vs) > 0
	}
	found := false
	l.Find(f.path).Each(func(v event.Value) bool {
		if v.Kind() == event.Null {
			return true
		}
		found = true
		return yield(v.String())
	})
	return found
}

// exists says whether there is a value.
func (f *field) exists(l *look) bool {
	if f.enrich != nil {
		return len(l.enriched(f.enrich)) > 0
	}
	if direct := f.path.Field(); direct != 0 {
		switch l.Field(direct).Kind() {
		case event.Absent, event.Null:
			return false
		case event.List:
			if l.Field(direct).Raw()[1] == '"' {
				return true
			}
		default:
			return true
		}
	}
	return f.values(l, func(string) bool { return false })
}

// one is the values joined, and false if there is none.
func (f *field) one(l *look) (string, bool) {
	if f.enrich != nil {
		if vs := l.enriched(f.enrich); len(vs) == 1 {
			return vs[0], true
		}
	} else if direct := f.path.Field(); direct != 0 {
		if v := l.Field(direct); v.Kind() == event.String {
			return v.String(), true
		}
	}
	var out []string
	ok := f.values(l, func(s string) bool { out = append(out, s); return len(out) < 32 })
	if len(out) == 1 {
		return out[0], true
	}
	return strings.Join(out, ", "), ok
}

func (w *writer) field(name string, line int) field {
	if strings.HasPrefix(name, "drawbridge.") {
		e := enrichmentOf(name)
		if e == nil {
			w.fail(w.rule, line, "field %q: not known; drawbridge's own fields are listed in docs/reference/detections.md", name)
			return field{name: name}
		}
		if e.Planes != 0 && e.Planes&planes(w.plane) == 0 {
			w.fail(w.rule, line, "field %q: not for %s events", name, w.plane)
		}
		w.ledger = w.ledger || e.Ledger && !e.Early
		if e.Doubt != nil {
			w.doubt = e.Doubt
		}
		return field{name: name, enrich: e}
	}
	first, _, _ := strings.Cut(name, ".")
	if !slices.Contains(topLevel[w.plane], first) {
		w.fail(w.rule, line, "field %q: a %s event has no %q", name, w.plane, first)
	}
	return field{name: name, path: event.ParsePath(w.plane, name)}
}

// topLevel are the members of a record. Kubernetes: audit.k8s.io/v1 Event. CloudTrail: AWS CloudTrail User Guide,
// "CloudTrail record contents", 2026-11.
var topLevel = map[event.Plane][]string{
	event.Kubernetes: {
		"kind", "apiVersion", "level", "auditID", "stage", "requestURI", "verb", "user", "impersonatedUser", "authenticationMetadata",
		"sourceIPs", "userAgent", "objectRef", "responseStatus", "requestObject", "responseObject", "requestReceivedTimestamp", "stageTimestamp", "annotations",
	},
	event.CloudTrail: {
		"eventVersion", "userIdentity", "eventTime", "eventSource", "eventName", "awsRegion", "sourceIPAddress", "userAgent", "errorCode",
		"errorMessage", "requestParameters", "responseElements", "additionalEventData", "requestID", "eventID", "eventType", "apiVersion",
		"managementEvent", "readOnly", "resources", "recipientAccountId", "serviceEventDetails", "sharedEventID", "vpcEndpointId",
		"vpcEndpointAccountId", "eventCategory", "addendum", "sessionCredentialFromConsole", "edgeDeviceDetails", "tlsDetails",
	},
}

func (w *writer) match(m *sigma.Match) predicate {
	if m.Field == "" {
		return keywords(m)
	}
	f := w.field(m.Field, m.Line)
	switch m.Op {
	case sigma.Exists:
		want := true
		if len(m.Values) > 0 {
			want, _ = m.Values[0].Bool()
		}
		return func(l *look) bool { return f.exists(l) == want }
	case sigma.FieldRef:
		return w.fieldRef(m, f)
	}
	if i := slices.IndexFunc(m.Values, func(v sigma.Value) bool { return v.IsNull() }); i >= 0 {
		rest := *m
		rest.Values = slices.Delete(slices.Clone(m.Values), i, i+1)
		absent := func(l *look) bool { return !f.exists(l) }
		if len(rest.Values) == 0 {
			return absent
		}
		return anyOf([]predicate{absent, w.compare(&rest, f)})
	}
	return w.compare(m, f)
}

// compare is the usual match: one of the field's values is as one of the pattern's, or with |all as each of them.
func (w *writer) compare(m *sigma.Match, f field) predicate {
	op, cased := m.Op, m.Cased
	if m.All {
		ps := make([]predicate, len(m.Values))
		for i, v := range m.Values {
			ps[i] = w.compare(&sigma.Match{Field: m.Field, Op: op, Cased: cased, Values: []sigma.Value{v}}, f)
		}
		return all(ps)
	}
	if op == sigma.StartsWith && f.enrich == nil {
		if p := begins(m, f); p != nil {
			return p
		}
	}
	values := m.Values
	matches := func(s string) bool {
		for i := range values {
			if values[i].Matches(op, cased, s) {
				return true
			}
		}
		return false
	}
	may := glanceOf(m)
	direct := event.Field(0)
	if f.enrich == nil {
		direct = f.path.Field()
	}
	slot := w.program.lists
	w.program.lists++
	inList := func(l *look) bool {
		is := false
		l.Find(f.path).Each(func(v event.Value) bool {
			is = v.Kind() != event.Null && may.match(v) && matches(v.String())
			return !is
		})
		return is
	}
	return func(l *look) bool {
		if f.enrich != nil {
			return slices.ContainsFunc(l.enriched(f.enrich), matches)
		}
		if direct != 0 {
			switch v := l.Field(direct); v.Kind() {
			case event.Absent, event.Null:
				return false
			case event.List:
				if list := v.Raw(); len(list) <= longest && slot < len(l.lists) {
					return l.lists[slot].of(list, func() bool { return inList(l) })
				}
			default:
				return may.match(v) && matches(v.String())
			}
		}
		return inList(l)
	}
}

// begins compares only as much of the field as the patterns are long, and so mostly without unescaping it; nil where a
// pattern has no fixed length.
func begins(m *sigma.Match, f field) predicate {
	longest := 0
	for _, v := range m.Values {
		s, ok := v.Literal()
		if !ok {
			return nil
		}
		longest = max(longest, len(s))
	}
	// Folding can change the length of letters outside ASCII: then more is compared, never less.
	longest *= utf8.UTFMax
	values, may := m.Values, glanceOf(m)
	return func(l *look) bool {
		is := false
		l.Find(f.path).Each(func(v event.Value) bool {
			if !may.match(v) {
				return true
			}
			s := v.Begin(longest)
			for i := range values {
				is = is || v.Kind() != event.Null && values[i].Matches(sigma.StartsWith, m.Cased, s)
			}
			return !is
		})
		return is
	}
}

func (w *writer) fieldRef(m *sigma.Match, f field) predicate {
	others := make([]field, len(m.Values))
	for i, v := range m.Values {
		others[i] = w.field(v.String(), m.Line)
	}
	return func(l *look) bool {
		is := false
		f.values(l, func(a string) bool {
			for i := range others {
				others[i].values(l, func(b string) bool {
					is = a == b || !m.Cased && strings.EqualFold(a, b)
					return !is
				})
			}
			return !is
		})
		return is
	}
}

// keywords looks for text anywhere in the record.
func keywords(m *sigma.Match) predicate {
	values := m.Values
	return func(l *look) bool {
		raw := string(l.Raw())
		for i := range values {
			if values[i].Matches(m.Op, m.Cased, raw) != m.All {
				return !m.All
			}
		}
		return m.All
	}
}

// variant reads what a reporting document says under `drawbridge:`.
func (c *compiler) variant(d *Detection, r *sigma.Rule) *variant {
	v := &variant{detection: d, rule: r}
	var err error
	if v.severity, err = finding.ParseSeverity(r.Level); err != nil {
		c.fail(r, r.Line, "level: %v", err)
	}
	plane, _ := planeOf(r.LogSource)
	w := writer{compiler: c, rule: r, plane: plane}
	if r.Correlation != nil {
		w.plane = c.planeOfCorrelation(r)
	}
	for key, value := range r.Custom {
		s, isText := value.(string)
		switch key {
		case "message":
			v.message = w.template(s)
		case "remediation":
			v.remediation = w.template(s)
		case "triage":
		case "after": // see rule
		case "once":
			isText = true
			names, _ := value.([]any)
			for _, n := range names {
				v.once = append(v.once, w.field(fmt.Sprint(n), r.Line))
			}
		case "cluster":
			f := w.field(s, r.Line)
			v.cluster = &f
		case "subject":
			isText = true
			v.subject = w.subject(value)
		default:
			c.fail(r, r.Line, "drawbridge.%s: not known; known are message, subject, triage, remediation, cluster, after and once", key)
		}
		if !isText {
			c.fail(r, r.Line, "drawbridge.%s: want text", key)
		}
	}
	if len(v.message) == 0 {
		v.message = template{{text: r.Title}}
	}
	if len(v.subject.kind) == 0 {
		v.subject = subject{kind: w.template("Event"), name: w.template("{drawbridge.event}")}
	}
	return v
}

// planeOfCorrelation is the plane whose fields a correlation's message may use: that of the rule that completes it.
func (c *compiler) planeOfCorrelation(r *sigma.Rule) event.Plane {
	for _, name := range slices.Backward(r.Correlation.Rules) {
		if rules := c.compiled[name]; len(rules) > 0 {
			return rules[0].plane
		}
	}
	return event.CloudTrail
}

func (w *writer) subject(value any) subject {
	m, _ := value.(map[string]any)
	text := func(key string) template {
		s, _ := m[key].(string)
		if s != "" && !strings.Contains(s, "{") {
			s = "{" + s + "}"
		}
		return w.template(s)
	}
	for key := range m {
		if !slices.Contains([]string{"kind", "namespace", "name", "arn"}, key) {
			w.fail(w.rule, w.rule.Line, "drawbridge.subject.%s: not known; known are kind, namespace, name and arn", key)
		}
	}
	kind, _ := m["kind"].(string)
	if kind == "" {
		w.fail(w.rule, w.rule.Line, "drawbridge.subject: want a kind and fields")
	}
	return subject{kind: w.template(kind), namespace: text("namespace"), name: text("name"), arn: text("arn")}
}

// template is text with fields in braces.
type template []struct {
	text  string
	field *field
}

func (w *writer) template(s string) template {
	var out template
	for s != "" {
		before, rest, open := strings.Cut(s, "{")
		if before != "" {
			out = append(out, struct {
				text  string
				field *field
			}{text: before})
		}
		if !open {
			break
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed {
			w.fail(w.rule, w.rule.Line, "%q: a brace is not closed", s)
			break
		}
		ledger := w.ledger
		f := w.field(name, w.rule.Line)
		w.ledger = ledger // what a message says does not decide
		out = append(out, struct {
			text  string
			field *field
		}{field: &f})
		s = after
	}
	return out
}

// absent stands in a message where a record does not tell.
const absent = "(not in the record)"

func (t template) render(l *look) string {
	var b strings.Builder
	for _, part := range t {
		if part.field == nil {
			b.WriteString(part.text)
			continue
		}
		s, ok := part.field.one(l)
		switch {
		case !ok:
			s = absent
		case len(t) > 1 && part.field.name == "drawbridge.cluster":
			s = event.ParseCluster(s).Name // in a sentence; the finding has the ARN
		}
		b.WriteString(s)
	}
	return b.String()
}

// name is the text of a subject's field: empty where the record does not tell.
func (t template) name(l *look) string {
	s := t.render(l)
	if s == absent {
		return ""
	}
	return s
}
