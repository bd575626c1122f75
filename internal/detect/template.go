package detect

import (
	"fmt"
	"slices"
	"strings"

	"drawbridge/internal/event"
	"drawbridge/internal/finding"
	"drawbridge/internal/sigma"
)

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
			if r.Correlation != nil {
				c.fail(r, r.Line, "drawbridge.after: is for rules over events; a correlation has a timespan")
			}
		case "once":
			isText = true
			names, _ := value.([]any)
			if len(names) == 0 {
				c.fail(r, r.Line, "drawbridge.once: want a list of fields")
			}
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
