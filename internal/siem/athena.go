package siem

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"drawbridge/internal/sigma"
)

// The tables that the SQL is written for. The first is AWS' own (Amazon Athena User Guide, "Create a table for CloudTrail logs
// in Athena using manual partitioning", 2026-11) with the columns that detections may ask for; the second takes audit events
// as lines.
const (
	cloudTrailTable = `CREATE EXTERNAL TABLE cloudtrail_logs (
  eventversion STRING,
  useridentity STRUCT<type: STRING, principalid: STRING, arn: STRING, accountid: STRING, invokedby: STRING, accesskeyid: STRING, username: STRING,
    sessioncontext: STRUCT<
      attributes: STRUCT<mfaauthenticated: STRING, creationdate: STRING>,
      sessionissuer: STRUCT<type: STRING, principalid: STRING, arn: STRING, accountid: STRING, username: STRING>,
      ec2roledelivery: STRING>>,
  eventtime STRING, eventsource STRING, eventname STRING, awsregion STRING, sourceipaddress STRING, useragent STRING, errorcode STRING,
  errormessage STRING, requestparameters STRING, responseelements STRING, additionaleventdata STRING, requestid STRING, eventid STRING,
  readonly STRING, resources ARRAY<STRUCT<arn: STRING, accountid: STRING, type: STRING>>, eventtype STRING, apiversion STRING,
  recipientaccountid STRING, serviceeventdetails STRING, sharedeventid STRING, vpcendpointid STRING)
ROW FORMAT SERDE 'org.apache.hive.hcatalog.data.JsonSerDe'
STORED AS INPUTFORMAT 'com.amazon.emr.cloudtrail.CloudTrailInputFormat'
OUTPUTFORMAT 'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat'
LOCATION 's3://BUCKET/AWSLogs/ACCOUNT/CloudTrail/'`
	auditTable = `CREATE EXTERNAL TABLE kubernetes_audit (event STRING)
ROW FORMAT DELIMITED FIELDS TERMINATED BY '\001' LINES TERMINATED BY '\n'
LOCATION 's3://BUCKET/audit/'`
)

// athena writes SQL for Athena engine version 3 (Trino's functions and SQL/JSON paths).
func athena() target {
	return target{name: "athena", needs: []string{
		cloudTrailTable + ";", auditTable + ";",
		"Kubernetes audit events as JSON lines, one event a line, in kubernetes_audit: as Firehose delivers the messages of the log group /aws/eks/CLUSTER/cluster.",
		"Athena engine version 3. Add a condition on the partitions or the time that is to be searched.",
	}, event: func(q *query) string {
		s := sql{q}
		where := s.expr(q.expr)
		return fmt.Sprintf("SELECT *\nFROM %s\nWHERE %s\n", q.table(), where)
	}, join: athenaJoin}
}

func (q *query) table() string {
	if q.plane == audit {
		return "kubernetes_audit"
	}
	return "cloudtrail_logs"
}

type sql struct{ *query }

func (s sql) expr(x sigma.Expr) string { return infix(x, "\n  AND ", "\n  OR ", "NOT ", s.match) }

// columns of cloudtrail_logs that hold text, by the record's names; jsonColumns hold JSON.
var (
	columns = words(`eventVersion eventTime eventSource eventName awsRegion sourceIPAddress userAgent errorCode errorMessage requestID eventID readOnly
		eventType apiVersion recipientAccountId sharedEventID vpcEndpointId userIdentity.type userIdentity.principalId userIdentity.arn userIdentity.accountId
		userIdentity.invokedBy userIdentity.accessKeyId userIdentity.userName userIdentity.sessionContext.attributes.mfaAuthenticated
		userIdentity.sessionContext.attributes.creationDate userIdentity.sessionContext.sessionIssuer.type userIdentity.sessionContext.sessionIssuer.principalId
		userIdentity.sessionContext.sessionIssuer.arn userIdentity.sessionContext.sessionIssuer.accountId userIdentity.sessionContext.sessionIssuer.userName
		userIdentity.sessionContext.ec2RoleDelivery`)
	jsonColumns = words(`requestParameters responseElements additionalEventData serviceEventDetails`)
)

// source is where a field stands: a text column, or a path in a column of JSON.
func (s sql) source(field string) (column string, path []string) {
	keys := segments(field)
	switch {
	case s.plane == audit:
		return "event", keys
	case columns[field]:
		return strings.ToLower(field), nil
	case jsonColumns[keys[0]]:
		return strings.ToLower(keys[0]), keys[1:]
	}
	s.refuse("the CloudTrail table has no column for %s", field)
	return "NULL", nil
}

// jsonPath is a lax SQL/JSON path: lists on the way are walked.
func jsonPath(keys []string) string {
	var b strings.Builder
	b.WriteString("lax $")
	for _, k := range keys {
		b.WriteString(`."` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(k) + `"`)
	}
	return b.String()
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// values are all values at a path as texts; NULL if there is an object among them.
func values(column string, path []string) string {
	return fmt.Sprintf("try_cast(json_parse(json_query(%s, %s WITH ARRAY WRAPPER)) AS array(varchar))", column, quote(jsonPath(path)+"[*]"))
}

// there says whether a field is there and not null.
func (s sql) there(field string) string {
	column, path := s.source(field)
	switch {
	case path == nil:
		return column + " IS NOT NULL"
	case len(path) == 0:
		return fmt.Sprintf("coalesce(%s <> 'null', false)", column)
	}
	return fmt.Sprintf(`NOT regexp_like(coalesce(json_query(%s, %s WITH ARRAY WRAPPER), '[]'), '^\[(null(,null)*)?\]$')`, column, quote(jsonPath(path)))
}

func (s sql) match(m *sigma.Match) string {
	if m.Field == "" {
		return s.keywords(m)
	}
	if m.Op == sigma.Exists {
		if there, _ := m.Values[0].Bool(); !there {
			return "NOT (" + s.there(m.Field) + ")"
		}
		return "(" + s.there(m.Field) + ")"
	}
	if m.Op == sigma.FieldRef {
		return s.fieldRef(m)
	}
	var tests []string
	null := false
	column, path := s.source(m.Field)
	v := "v"
	if path == nil {
		v = column
	}
	for i := range m.Values {
		if m.Values[i].IsNull() {
			null = true
			continue
		}
		tests = append(tests, s.test(m, &m.Values[i], v))
	}
	test := strings.Join(tests, " OR ")
	switch {
	case test == "":
	case path == nil:
		test = "coalesce(" + test + ", false)"
	default:
		test = fmt.Sprintf("coalesce(cardinality(filter(%s, v -> %s)), 0) > 0", values(column, path), test)
	}
	switch {
	case !null:
		return "(" + test + ")"
	case test == "":
		return "NOT (" + s.there(m.Field) + ")"
	}
	return "(NOT (" + s.there(m.Field) + ") OR " + test + ")"
}

// test compares one text.
func (s sql) test(m *sigma.Match, v *sigma.Value, text string) string {
	switch m.Op {
	case sigma.Regex:
		return fmt.Sprintf("regexp_like(%s, %s)", text, quote(v.Regexp()))
	case sigma.CIDR:
		return fmt.Sprintf("contains(%s, try_cast(%s AS ipaddress))", quote(v.Prefix().String()), text)
	case sigma.Less, sigma.LessEqual, sigma.Greater, sigma.GreaterEqual:
		n, _ := v.Number()
		sign := map[sigma.Op]string{sigma.Less: "<", sigma.LessEqual: "<=", sigma.Greater: ">", sigma.GreaterEqual: ">="}[m.Op]
		return fmt.Sprintf("try_cast(%s AS double) %s %s", text, sign, strconv.FormatFloat(n, 'f', -1, 64))
	}
	return like(patternOf(m, v), text)
}

// like compares a text with a pattern. Trino's LIKE counts characters for _ as Sigma does for ?.
func like(p pattern, text string) string {
	low := func(s string) string { return s }
	if !p.cased {
		text, low = "lower("+text+")", strings.ToLower
	}
	if s, ok := p.literal(); ok {
		return text + " = " + quote(low(s))
	}
	return fmt.Sprintf(`%s LIKE %s ESCAPE '\'`, text, quote(low(p.write("%", "_", escape(`%_\`)))))
}

func (s sql) keywords(m *sigma.Match) string {
	if s.plane != audit {
		s.refuse("the CloudTrail table has no column with the whole record to search for keywords")
		return ""
	}
	var tests []string
	for i := range m.Values {
		tests = append(tests, s.test(m, &m.Values[i], "event"))
	}
	return "(" + strings.Join(tests, " OR ") + ")"
}

func (s sql) fieldRef(m *sigma.Match) string {
	var tests []string
	for i := range m.Values {
		other := m.Values[i].String()
		a, b := s.scalar(m.Field), s.scalar(other)
		for _, f := range []string{m.Field, other} {
			if len(listAt(segments(f))) > 0 {
				s.refuse("%s is a list: two lists are not compared", f)
			}
		}
		if !m.Cased {
			a, b = "lower("+a+")", "lower("+b+")"
		}
		tests = append(tests, a+" = "+b)
	}
	return "coalesce(" + strings.Join(tests, " OR ") + ", false)"
}

// scalar is one field as text; of several values, all of them in one text.
func (s sql) scalar(field string) string {
	column, path := s.source(field)
	switch {
	case path == nil:
		return column
	case len(path) == 0:
		return column
	}
	return fmt.Sprintf("array_join(%s, ', ')", values(column, path))
}

// key is what events are grouped by, with one spelling where CloudTrail has two. Of several parts one is enough.
func (s sql) key(k keyField) string {
	var parts []string
	for _, some := range k.parts() {
		var either []string
		for _, f := range some {
			either = append(either, fmt.Sprintf("nullif(%s, '')", s.spelling(f, k)))
		}
		part := either[0]
		if len(either) > 1 {
			part = "coalesce(" + strings.Join(either, ", ") + ")"
		}
		parts = append(parts, part)
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return "nullif(trim(concat(coalesce(" + strings.Join(parts, ", ''), ' ', coalesce(") + ", ''))), '')"
}

// spelling is a field decoded and without path, where the key wants that.
func (s sql) spelling(field string, k keyField) string {
	text := s.scalar(field)
	if k.decode {
		for _, c := range []string{":", "/", "@", "+", "=", ","} {
			code := fmt.Sprintf("%%%02X", c[0])
			text = fmt.Sprintf("replace(%s, %s, %s)", text, quote(code), quote(c))
		}
	}
	if k.bare {
		text = fmt.Sprintf("regexp_replace(%s, ':(role|user)/.*/', ':$1/')", text)
	}
	return text
}

// matches is a table of one side's events: when (at, seconds), what (rule, id), and the keys.
func (s sql) matches(j *join, side int) string {
	sd := j.sides[side]
	at, id := "to_unixtime(from_iso8601_timestamp(eventtime))", "eventid"
	if s.plane == audit {
		at, id = "to_unixtime(from_iso8601_timestamp(json_extract_scalar(event, '$.requestReceivedTimestamp')))", "json_extract_scalar(event, '$.auditID')"
	}
	cols := []string{at + " AS at", id + " AS id", fmt.Sprintf("%d AS rule", side)}
	where := s.expr(s.query.expr)
	for i, g := range sd.group {
		key := "''"
		if !g.none() {
			key = s.key(g)
			where += fmt.Sprintf("\n  AND %s IS NOT NULL", key)
		}
		cols = append(cols, fmt.Sprintf("%s AS g%d", key, i))
	}
	value := "''"
	if !sd.value.none() {
		value = s.key(sd.value)
	}
	cols = append(cols, value+" AS value")
	return fmt.Sprintf("  SELECT DISTINCT %s\n  FROM %s\n  WHERE %s", strings.Join(cols, ", "), s.table(), where)
}

// athenaJoin writes a correlation: every event that completes it, with sliding windows.
func athenaJoin(j *join) string {
	var all []string
	for i, side := range j.sides {
		for _, q := range side.queries {
			all = append(all, sql{q}.matches(j, i))
		}
	}
	if j.refused {
		return ""
	}
	with := "WITH matches AS (\n" + strings.Join(all, "\n  UNION\n") + "\n)\n"
	var groups, same []string
	for i := range j.GroupBy {
		groups = append(groups, fmt.Sprintf("g%d", i))
		same = append(same, fmt.Sprintf("b.g%d = a.g%d", i, i))
	}
	span := int64(j.Timespan.Seconds())
	by := func(prefix string) string {
		var out []string
		for _, g := range groups {
			out = append(out, prefix+g)
		}
		return strings.Join(append(out, prefix+"at", prefix+"id"), ", ")
	}
	on := strings.Join(append(slices.Clone(same), fmt.Sprintf("b.at BETWEEN a.at - %d AND a.at", span)), " AND ")
	// An audit ID is what a client sends as such: requests are told apart by their time as well.
	count := map[string]string{sigma.EventCount: "count(DISTINCT concat(b.id, ' ', CAST(b.at AS varchar)))", sigma.ValueCount: "count(DISTINCT b.value)", sigma.Temporal: "count(DISTINCT b.rule)"}[j.Type]
	if count != "" {
		return with + fmt.Sprintf("SELECT %s, %s AS n\nFROM matches a JOIN matches b ON %s\nGROUP BY %s\nHAVING %s >= %d\n", by("a."), count, on, by("a."), count, j.least())
	}
	// temporal_ordered: a chain, each step not before the last, all within the timespan of the first
	from, where := "matches m0", []string{"m0.rule = 0"}
	for i := 1; i < len(j.sides); i++ {
		on := []string{fmt.Sprintf("m%d.rule = %d", i, i), fmt.Sprintf("m%d.at BETWEEN m%d.at AND m0.at + %d", i, i-1, span)}
		for _, g := range groups {
			on = append(on, fmt.Sprintf("m%d.%s = m0.%s", i, g, g))
		}
		from += fmt.Sprintf("\n  JOIN matches m%d ON %s", i, strings.Join(on, " AND "))
	}
	return with + fmt.Sprintf("SELECT DISTINCT %s\nFROM %s\nWHERE %s\n", by(fmt.Sprintf("m%d.", len(j.sides)-1)), from, strings.Join(where, " AND "))
}
