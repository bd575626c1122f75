package detect

import (
	"slices"
	"strings"

	"drawbridge/internal/event"
)

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
