package detect

import (
	"slices"
	"strconv"
	"strings"

	"drawbridge/internal/event"
	"drawbridge/internal/finding"
)

// run are the events that a finding is made of, if it is a correlation's, and the group they are of.
type run struct {
	entries []entry
	of      *correlation
	group   uint64
}

// counts says that the run is a number of events that are like each other. Which of them complete it depends on the order in which
// they come: the group tells it from others, and about when they began.
func (r run) counts() bool {
	return r.of != nil && (r.of.kind == eventCount || r.of.kind == valueCount)
}

// identity tells one finding of a detection from another: the values of `once`, or the events it is made of. The same events
// give the same findings, however often they come. Of a burst that goes on, or begins again soon, all reports are one finding.
func (v *variant) identity(l *look, of run) string {
	if of.counts() && len(v.once) == 0 {
		return strconv.FormatUint(of.group, 36) + " " + strconv.FormatInt(of.entries[0].At/int64(4*of.of.span), 36)
	}
	var b strings.Builder
	v.parts(l, of, func(s string) { b.WriteString(s); b.WriteByte(0) })
	return strings.TrimSuffix(b.String(), "\x00")
}

// hash tells one report from another: nothing is reported twice.
func (v *variant) hash(l *look, of run) uint64 {
	h := fold(v.detection.ID)
	v.parts(l, of, func(s string) { h = foldInto(foldInto(h, "\x00"), s) })
	return h
}

func (v *variant) parts(l *look, of run, part func(string)) {
	if v.cluster == nil {
		part(clusterOf(l.Event))
	} else {
		part("")
	}
	if len(v.once) > 0 {
		for i := range v.once {
			s, _ := v.once[i].one(l)
			part(s)
		}
		return
	}
	if len(of.entries) == 0 {
		part(l.ID())
		l.request(part)
	}
	for _, e := range of.entries {
		part(e.ID)
		part(strconv.FormatInt(e.At, 36))
	}
}

// request tells a request to the API server from others of the same audit ID: a client may send that, as the header Audit-ID,
// and the API server takes it as it is (k8s.io/apiserver v0.36.3, pkg/endpoints/filters/audit_init.go). Both stages of one
// request say the same.
func (l *look) request(part func(string)) {
	if l.Plane() != event.Kubernetes {
		return
	}
	part(strconv.FormatInt(l.Time().UnixNano(), 36))
	for _, f := range []event.Field{event.Username, event.Verb, event.APIGroup, event.Resource, event.Subresource, event.Namespace} {
		part(l.Field(f).String())
	}
	part(l.name())
	part(string(event.Redact(nil, l.Field(event.RequestURI).Raw()))) // a kept event has it without credentials
}

func (g *Engine) finding(v *variant, l *look, of run) finding.Finding {
	cluster := clusterOf(l.Event)
	if v.cluster != nil {
		if of, ok := v.cluster.one(l); ok {
			cluster = of
		}
	}
	at := l.Time()
	s := finding.Subject{Kind: v.subject.kind.name(l), Namespace: v.subject.namespace.name(l), Name: v.subject.name.name(l), ARN: v.subject.arn.name(l)}
	if s.Kind == "IAMRole" && strings.Contains(s.Name, ":user/") {
		s.Kind = "IAMUser"
	}
	d := v.detection
	remediation := v.remediation.render(l)
	if remediation == "" {
		remediation = text(v.rule.Custom, "triage")
	}
	ev := g.story(l)
	if len(of.entries) > 1 {
		ev = append(evidence(of.entries), ev[1:]...)
	}
	told := s
	if of.counts() { // which event completes it says nothing
		told = finding.Subject{Kind: s.Kind}
	}
	return finding.Finding{
		ID: d.ID, Title: v.rule.Title, Severity: v.severity, Status: finding.Fail, Cluster: cluster, Subject: s,
		Message: v.message.render(l), Evidence: ev, Remediation: finding.Remediation{Text: remediation},
		Controls: []finding.Control{}, Techniques: slices.Clone(d.Techniques()),
		Fingerprint: finding.Fingerprint(d.ID, cluster, told, v.identity(l, of)), Time: &at,
	}
}

// eventText is an event in one line.
func eventText(l *look) string {
	var b strings.Builder
	b.WriteString(stamp(l.Time()))
	b.WriteByte(' ')
	b.WriteString(actionOf(l.Event))
	if name := objectOf(l.Event); name != "" {
		b.WriteByte(' ')
		b.WriteString(name)
	}
	b.WriteString(" by ")
	b.WriteString(actorText(l.actor()))
	if from := sources(l.Event); len(from) > 0 {
		b.WriteString(" from ")
		b.WriteString(strings.Join(from, ", "))
	}
	if !succeeded(l.Event) {
		b.WriteString(", refused")
	}
	return b.String()
}

// objectOf is what an event of the API server is about: namespace/name.
func objectOf(e *event.Event) string {
	if e.Plane() != event.Kubernetes {
		return ""
	}
	namespace, name := e.Field(event.Namespace).String(), e.Field(event.ObjectName).String()
	if namespace != "" && name != "" {
		return namespace + "/" + name
	}
	return namespace + name
}

// story is the event and what is known of those behind it, each sentence with the records that it rests on. What the records
// prove by an id that both hold is said as it is; what only fits is said to be probable.
func (g *Engine) story(l *look) []finding.Evidence {
	ev := []finding.Evidence{{Text: eventText(l), Source: recordOf(l.Event)}}
	a := l.actor()
	k := a.AccessKey
	for range 5 { // a chain of roles
		f := g.ledger.Keys.get(k)
		if k == "" || f == nil || f.Issue == nil {
			break
		}
		is := f.Issue
		text := stamp(is.At) + " access key " + k + " was issued for " + is.Role
		if f.workload() {
			text += " to " + is.holder() + " by " + is.Via
		} else {
			text += " to " + is.Asker
		}
		ev = append(ev, finding.Evidence{Text: text, Source: "certain: the access key id in CloudTrail event " + is.ID})
		if p := g.ledger.podOf(is.PodUID); p != nil {
			ev = append(ev, g.made(p, "certain: the pod's uid in the session tags and in ")...)
			break
		} else if is.Pod != "" {
			if p := g.ledger.podNamed(is.Cluster, is.Namespace, is.Pod, is.At); p != nil {
				ev = append(ev, g.made(p, "probable: a pod of this name, in ")...)
			}
			break
		}
		k = is.FromKey
	}
	if a.PodUID != "" {
		if p := g.ledger.podOf(a.PodUID); p != nil {
			ev = append(ev, g.made(p, "certain: the pod's uid in the request's user and in ")...)
		}
	}
	if m := l.minted(); m != nil {
		ev = append(ev, finding.Evidence{
			Text:   stamp(m.At) + " the token of service account " + m.Namespace + "/" + m.Name + " was made by " + m.By + " from " + m.From,
			Source: "certain: the token's id in the request's user and in audit event " + m.ID,
		})
	}
	if u, ok := l.firstUseOfIssued(); ok {
		ev = append(ev, finding.Evidence{
			Text:   stamp(u.At) + " the token was first used: " + u.Action + " from " + u.From,
			Source: "certain: the token's id in audit event " + u.ID,
		})
	}
	return ev
}

func (g *Engine) made(p *podFacts, how string) []finding.Evidence {
	if p.Created.ID == "" {
		return nil
	}
	text := stamp(p.Created.At) + " pod " + p.Namespace + "/" + p.Name + " was created by " + p.Creator
	if p.Node != "" {
		text += ", and runs on " + p.Node
	}
	return []finding.Evidence{{Text: text, Source: how + "audit event " + p.Created.ID}}
}

// recordOf names the record of an event.
func recordOf(e *event.Event) string {
	where := ""
	if in := e.Input(); in != "" {
		where = " in " + in
	}
	if e.Plane() == event.CloudTrail {
		return "CloudTrail event " + e.ID() + where
	}
	return "audit event " + e.ID() + where
}
