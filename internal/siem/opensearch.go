package siem

import "drawbridge/internal/sigma"

// openSearch writes OpenSearch's query DSL.
func openSearch() target {
	prefix := map[plane]string{cloudTrail: "cloudtrail.", audit: "kubernetes.audit."}
	return target{name: "opensearch", needs: []string{
		`An index of CloudTrail records as they are under "cloudtrail", and of audit events under "kubernetes.audit", with @timestamp from eventTime and requestReceivedTimestamp.`,
		dslMapping,
		"OpenSearch 1.0 or later.",
	}, event: func(q *query) string {
		d := dsl{q, prefix}
		return d.write(object{"query": d.expr(q.expr)})
	}, join: func(j *join) string {
		if j.Type == sigma.EventCount || j.Type == sigma.ValueCount {
			return counted(j, prefix, "@timestamp")
		}
		j.refuse("OpenSearch has no search for several things one after the other")
		return ""
	}}
}
