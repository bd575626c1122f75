//go:build cgo

package oracle

import (
	"bytes"
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"testing"

	"github.com/duckdb/duckdb-go/v2"
)

// athena is DuckDB with the tables and the functions that the SQL for Athena asks for.
type athena struct{ c *sql.Conn }

// trino are functions that DuckDB has under other names.
var trino = []string{
	`CREATE MACRO cardinality(l) AS len(l)`,
	`CREATE MACRO regexp_like(s, p) AS regexp_matches(s, p)`,
	`CREATE MACRO array_join(l, s) AS array_to_string(l, ', ')`,
	`CREATE MACRO from_iso8601_timestamp(s) AS CAST(s AS TIMESTAMPTZ)`,
	`CREATE MACRO to_unixtime(t) AS epoch(t)`,
	`CREATE TABLE kubernetes_audit (event VARCHAR)`,
	`CREATE TABLE cloudtrail_logs (eventversion VARCHAR,
	  useridentity STRUCT(type VARCHAR, principalid VARCHAR, arn VARCHAR, accountid VARCHAR, invokedby VARCHAR, accesskeyid VARCHAR, username VARCHAR,
	    sessioncontext STRUCT(attributes STRUCT(mfaauthenticated VARCHAR, creationdate VARCHAR),
	      sessionissuer STRUCT(type VARCHAR, principalid VARCHAR, arn VARCHAR, accountid VARCHAR, username VARCHAR), ec2roledelivery VARCHAR)),
	  eventtime VARCHAR, eventsource VARCHAR, eventname VARCHAR, awsregion VARCHAR, sourceipaddress VARCHAR, useragent VARCHAR, errorcode VARCHAR,
	  errormessage VARCHAR, requestparameters VARCHAR, responseelements VARCHAR, additionaleventdata VARCHAR, requestid VARCHAR, eventid VARCHAR,
	  readonly VARCHAR, eventtype VARCHAR, apiversion VARCHAR, recipientaccountid VARCHAR, serviceeventdetails VARCHAR, sharedeventid VARCHAR, vpcendpointid VARCHAR)`,
}

// function is a Go function in DuckDB; NULL in, NULL out.
type function struct {
	config duckdb.ScalarFuncConfig
	call   func([]driver.Value) (any, error)
}

func (f *function) Config() duckdb.ScalarFuncConfig { return f.config }
func (f *function) Executor() duckdb.ScalarFuncExecutor {
	return duckdb.ScalarFuncExecutor{RowExecutor: f.call}
}

func newAthena(t testing.TB) *athena {
	t.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	c, err := db.Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	a := &athena{c}
	for _, s := range trino {
		a.exec(t, s)
	}
	text := info(t, duckdb.TYPE_VARCHAR)
	list, err := duckdb.NewListInfo(text)
	if err != nil {
		t.Fatal(err)
	}
	a.register(t, "json_values", list, func(v []driver.Value) (any, error) { return texts(lax(v[0].(string), v[1].(string))), nil })
	a.register(t, "json_query", text, func(v []driver.Value) (any, error) { return marshal(lax(v[0].(string), v[1].(string))), nil })
	a.register(t, "json_extract_scalar", text, func(v []driver.Value) (any, error) {
		found := texts(lax(v[0].(string), "lax "+regexp.MustCompile(`\.(\w+)`).ReplaceAllString(v[1].(string), `."$1"`)))
		if len(found) != 1 {
			return nil, nil
		}
		return found[0], nil
	})
	a.register(t, "cidr_contains", info(t, duckdb.TYPE_BOOLEAN), func(v []driver.Value) (any, error) {
		ip, err := netip.ParseAddr(v[1].(string))
		if err != nil {
			return nil, nil
		}
		return netip.MustParsePrefix(v[0].(string)).Contains(ip.Unmap()), nil
	})
	return a
}

func info(t testing.TB, typ duckdb.Type) duckdb.TypeInfo {
	i, err := duckdb.NewTypeInfo(typ)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func (a *athena) register(t testing.TB, name string, result duckdb.TypeInfo, call func([]driver.Value) (any, error)) {
	text := info(t, duckdb.TYPE_VARCHAR)
	f := &function{duckdb.ScalarFuncConfig{InputTypeInfos: []duckdb.TypeInfo{text, text}, ResultTypeInfo: result}, call}
	if err := duckdb.RegisterScalarUDF(a.c, name, f); err != nil {
		t.Fatal(err)
	}
}

func (a *athena) exec(t testing.TB, s string, args ...any) {
	t.Helper()
	if _, err := a.c.ExecContext(context.Background(), s, args...); err != nil {
		t.Fatalf("%v\n%s", err, s)
	}
}

// lax evaluates a path of SQL/JSON in lax mode: member accessors unwrap a list, [*] wraps what is none.
func lax(doc, path string) []any {
	var root any
	d := json.NewDecoder(strings.NewReader(doc))
	d.UseNumber()
	if d.Decode(&root) != nil {
		return nil
	}
	items := []any{root}
	path = strings.TrimPrefix(path, "lax $")
	for path != "" {
		var next []any
		if rest, ok := strings.CutPrefix(path, "[*]"); ok {
			for _, it := range items {
				if l, isList := it.([]any); isList {
					next = append(next, l...)
				} else {
					next = append(next, it)
				}
			}
			items, path = next, rest
			continue
		}
		key, err := strconvUnquotePrefix(path[1:])
		if err != nil {
			return nil
		}
		path = path[1+len(key.raw):]
		for _, it := range items {
			of := []any{it}
			if l, isList := it.([]any); isList {
				of = l
			}
			for _, o := range of {
				if m, isObject := o.(map[string]any); isObject {
					if v, there := m[key.text]; there {
						next = append(next, v)
					}
				}
			}
		}
		items = next
	}
	return items
}

type key struct{ raw, text string }

// strconvUnquotePrefix reads the quoted key at the start of a path.
func strconvUnquotePrefix(s string) (key, error) {
	var text string
	d := json.NewDecoder(strings.NewReader(s))
	if err := d.Decode(&text); err != nil {
		return key{}, err
	}
	return key{s[:d.InputOffset()], text}, nil
}

// texts casts JSON values to array(varchar); nil where Trino's cast fails, as for objects.
func texts(items []any) []any {
	out := []any{}
	for _, it := range items {
		switch it := it.(type) {
		case string:
			out = append(out, it)
		case json.Number:
			out = append(out, it.String())
		case bool:
			out = append(out, fmt.Sprint(it))
		case nil:
			out = append(out, nil)
		default:
			return nil
		}
	}
	return out
}

func marshal(v []any) string {
	if v == nil {
		return "[]"
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(v) != nil {
		return "[]"
	}
	return strings.TrimSpace(b.String())
}

// load puts events into the tables as the SerDes do.
func (a *athena) load(t testing.TB, records []record) {
	t.Helper()
	a.exec(t, "BEGIN")
	defer a.exec(t, "COMMIT")
	a.exec(t, "DELETE FROM kubernetes_audit")
	a.exec(t, "DELETE FROM cloudtrail_logs")
	for _, r := range records {
		if r.audit {
			a.exec(t, "INSERT INTO kubernetes_audit VALUES (?)", string(bytes.TrimSpace(r.line)))
			continue
		}
		var fields map[string]any
		d := json.NewDecoder(bytes.NewReader(r.line))
		d.UseNumber()
		if err := d.Decode(&fields); err != nil {
			t.Fatal(err)
		}
		column := func(path string) any {
			var v any = fields
			for _, k := range strings.Split(path, ".") {
				m, _ := v.(map[string]any)
				v = m[k]
			}
			switch v := v.(type) {
			case nil:
				return nil
			case string:
				return v
			case json.Number:
				return v.String()
			case bool:
				return fmt.Sprint(v)
			default:
				return strings.TrimSpace(string(mustMarshal(t, v)))
			}
		}
		var args []any
		text := func(paths ...string) string {
			var out []string
			for _, p := range paths {
				args = append(args, column(p))
				out = append(out, fmt.Sprintf("'%s': CAST(? AS VARCHAR)", strings.ToLower(p[strings.LastIndex(p, ".")+1:])))
			}
			return strings.Join(out, ", ")
		}
		const u = "userIdentity."
		const x = u + "sessionContext."
		args = append(args, column("eventVersion"))
		user := "{" + text(u+"type", u+"principalId", u+"arn", u+"accountId", u+"invokedBy", u+"accessKeyId", u+"userName") +
			", 'sessioncontext': {'attributes': {" + text(x+"attributes.mfaAuthenticated", x+"attributes.creationDate") + "}, 'sessionissuer': {" +
			text(x+"sessionIssuer.type", x+"sessionIssuer.principalId", x+"sessionIssuer.arn", x+"sessionIssuer.accountId", x+"sessionIssuer.userName") +
			"}, " + text(x+"ec2RoleDelivery") + "}}"
		rest := []string{
			"eventTime", "eventSource", "eventName", "awsRegion", "sourceIPAddress", "userAgent", "errorCode", "errorMessage", "requestParameters",
			"responseElements", "additionalEventData", "requestID", "eventID", "readOnly", "eventType", "apiVersion", "recipientAccountId", "serviceEventDetails",
			"sharedEventID", "vpcEndpointId",
		}
		for _, c := range rest {
			args = append(args, column(c))
		}
		a.exec(t, "INSERT INTO cloudtrail_logs VALUES (?, "+user+strings.Repeat(", CAST(? AS VARCHAR)", len(rest))+")", args...)
	}
}

// spellings are SQL/JSON functions and types that DuckDB cannot parse, as calls of the Go functions.
var spellings = []struct {
	from *regexp.Regexp
	to   string
}{
	{regexp.MustCompile(`try_cast\(json_parse\(json_query\((\w+), ('(?:[^']|'')*') WITH ARRAY WRAPPER\)\) AS array\(varchar\)\)`), "json_values($1, $2)"},
	{regexp.MustCompile(`json_query\((\w+), ('(?:[^']|'')*') WITH ARRAY WRAPPER\)`), "json_query($1, $2)"},
	{regexp.MustCompile(`contains\(('[0-9a-f.:/]+'), try_cast\(([\w.]+) AS ipaddress\)\)`), "cidr_contains($1, $2)"},
	{regexp.MustCompile(`':\$1/'`), `':\1/'`},
}

// ids runs a statement and returns the ids of the events that it finds.
func (a *athena) ids(t testing.TB, statement string) map[string]bool {
	t.Helper()
	id := "id"
	switch {
	case strings.HasPrefix(statement, "WITH"):
	case strings.Contains(statement, "FROM kubernetes_audit"):
		id = "json_extract_scalar(event, '$.auditID')"
	default:
		id = "eventid"
	}
	for _, s := range spellings {
		statement = s.from.ReplaceAllString(statement, s.to)
	}
	rows, err := a.c.QueryContext(context.Background(), "SELECT "+id+" FROM (\n"+statement+")")
	if err != nil {
		t.Fatalf("%v\n%s", err, statement)
	}
	defer rows.Close()
	out := map[string]bool{}
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		out[s] = true
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("%v\n%s", err, statement)
	}
	return out
}
