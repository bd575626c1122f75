package migrate

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"drawbridge/internal/access"
	"drawbridge/internal/event"
	"drawbridge/internal/model"
)

var monday = time.Date(2026, 11, 16, 8, 0, 0, 0, time.UTC)

// record is one synthetic audit event of a session of a role.
func record(at time.Time, role, username string, groups []string, more string) string {
	session := "jane"
	if role == "node" {
		session = "i-0123456789abcdef0"
	}
	return fmt.Sprintf(`{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"%d","stage":"ResponseComplete","verb":"get",`+
		`"user":{"username":%q,"uid":"aws-iam-authenticator:%s:AROAEXAMPLE","groups":["%s","system:authenticated"],"extra":{"canonicalArn":["arn:aws:iam::%s:role/%s"],`+
		`"arn":["arn:aws:sts::%s:assumed-role/%s/%s"],"sessionName":["%[9]s"],"principalId":["AROAEXAMPLE"]}},"objectRef":{"resource":"pods","namespace":"shop"},`+
		`"responseStatus":{"code":200},"requestReceivedTimestamp":%q,"stageTimestamp":%[10]q%s}`+"\n",
		at.UnixNano(), username, own, strings.Join(groups, `","`), own, role, own, role, session, at.Format(time.RFC3339Nano), more)
}

// lease is what an API server is always asked.
func lease(at time.Time) string {
	return fmt.Sprintf(`{"kind":"Event","auditID":"l%d","stage":"ResponseComplete","verb":"update","user":{"username":"system:node:x"},"requestReceivedTimestamp":%q}`+"\n", at.UnixNano(), at.Format(time.RFC3339Nano))
}

// watchAll reads logs, as of a cluster where it is named.
func watchAll(t *testing.T, s *model.Snapshot, cluster, logs string) (*Watch, Evidence) {
	t.Helper()
	w := NewWatch(s, access.New(s))
	d := event.NewDecoder(strings.NewReader(logs), event.Options{Input: "audit.log", Cluster: cluster})
	for {
		var e event.Event
		if err := d.Next(&e); errors.Is(err, io.EOF) {
			return w, w.Evidence()[0]
		} else if err != nil {
			t.Fatal(err)
		}
		w.See(&e)
	}
}

// watchedCluster has rows of every kind: without an entry, with one that gives the same, with one that gives another username,
// one that nobody uses, and one of nodes.
func watchedCluster() *model.Snapshot {
	s := synthetic("aws", model.ModeAPIConfigMap, map[string]string{"mapRoles": `
- {rolearn: "` + role("alone") + `", username: alone, groups: [g]}
- {rolearn: "` + role("same") + `", username: same, groups: [g, h]}
- {rolearn: "` + role("differs") + `", username: "old:{{SessionName}}", groups: [g]}
- {rolearn: "` + role("never") + `", username: never}
- {rolearn: "` + role("node") + `", username: "system:node:{{EC2PrivateDNSName}}", groups: ["system:bootstrappers", "system:nodes"]}
`}, role("alone"), role("team/same"), role("differs"), role("never"), role("node"))
	s.Clusters[0].AccessEntries = []*model.AccessEntry{
		{PrincipalARN: role("team/same"), Type: "STANDARD", Username: "same", Groups: []string{"h", "g"}, Created: monday},
		{PrincipalARN: role("differs"), Type: "STANDARD", Username: "new", Groups: []string{"g"}, Created: monday.Add(time.Hour)},
	}
	return s
}

// TestWatch is what an audit log tells, and what it does not.
func TestWatch(t *testing.T) {
	reason := `,"annotations":{"authorization.k8s.io/decision":"allow","authorization.k8s.io/reason":"EKS Access Policy: allowed by ClusterRoleBinding \"x\""}`
	at := func(minutes int) time.Time { return monday.Add(time.Duration(minutes) * time.Minute) }
	logs := record(at(0), "alone", "alone", []string{"g"}, "") +
		record(at(1), "Alone", "alone", []string{"g"}, "") + // the authenticator does not look at case
		record(at(2), "same", "same", []string{"g", "h"}, "") +
		record(at(3), "same", "same", []string{"g", "h"}, reason) +
		record(at(4), "differs", "old:jane", []string{"g"}, "") + // before it had an entry
		record(at(90), "differs", "new", []string{"g"}, "") +
		record(at(91), "differs", "old:jane", []string{"g"}, "") + // and after
		record(at(92), "node", "system:node:ip-10-0-0-1.ec2.internal", []string{"system:bootstrappers", "system:nodes"}, "") +
		record(at(93), "creator", "kubernetes-admin", []string{"system:masters"}, "") +
		strings.Replace(record(at(94), "alone", "alone", []string{"g"}, ""), "ResponseComplete", "RequestReceived", 1) +
		strings.Replace(record(at(95), "alone", "alone", []string{"g"}, ""), "ResponseComplete", "ResponseStarted", 1) +
		lease(at(60*30))
	_, e := watchAll(t, watchedCluster(), "", logs)
	type row struct {
		requests, byRow, byEntry, either, since int
		depends                                 bool
	}
	got := map[string]row{}
	for _, r := range e.Rows {
		one := row{depends: r.Depends()}
		if s := r.Seen; s != nil {
			one.requests, one.byRow, one.byEntry, one.either, one.since = s.Requests, s.How[ByRow], s.How[ByEntry], s.How[ByEither], s.RowSinceEntry
		}
		got[strings.TrimPrefix(r.ARN, role(""))] = one
	}
	want := map[string]row{
		"alone": {requests: 2, byRow: 2, depends: true}, "same": {requests: 2, byEntry: 1, either: 1}, "never": {},
		"differs": {requests: 3, byRow: 2, byEntry: 1, since: 1, depends: true}, "node": {requests: 1, byRow: 1, depends: true},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(row{})); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if len(e.Others) != 1 || !strings.HasSuffix(e.Others[0].Principal, "role/creator") || e.Others[0].How[ByNone] != 1 {
		t.Errorf("others %+v", e.Others)
	}
	silence := []Silence{{monday.Add(2 * time.Hour), monday.Add(30 * time.Hour)}}
	if diff := cmp.Diff(silence, e.Silences); diff != "" || e.Hours != 31 || e.Covered != 3 {
		t.Errorf("%d of %d hours, silences (-want +got):\n%s", e.Covered, e.Hours, diff)
	}
	text := strings.Join(e.Sentences(), "\n")
	for _, want := range []string{
		"from 2026-11-16 08:00 to 2026-11-17 14:00: 1.2 days", "in 28 of 31 hours there is no record at all", "still needed: mapRoles row 1", "1 of them since it has an access entry",
		"it cannot be told, as the row and the access entry give the same", "no row names arn:aws:iam::" + own + ":role/creator: 1 request", "never seen in that time, which does not say unused: " + role("never"),
	} {
		if !strings.Contains(text, want) {
			t.Errorf("it is not said %q:\n%s", want, text)
		}
	}
}

// A record is counted for the cluster that it is of, and for none where that is not known.
func TestWatchClusters(t *testing.T) {
	s := watchedCluster()
	logs := record(monday, "alone", "alone", []string{"g"}, "")
	for name, want := range map[string][4]int{"": {1, 0, 0, 0}, "prod": {1, 0, 0, 0}, "test": {0, 0, 1, 0}, "arn:aws:eks:us-east-1:" + own + ":cluster/prod": {0, 0, 1, 0}} {
		w, e := watchAll(t, s, name, logs)
		if got := [4]int{e.Records, w.Unassigned, w.Foreign, w.Other}; got != want {
			t.Errorf("log of %q: %v, want %v", name, got, want)
		}
	}
	second := *s.Clusters[0]
	second.Name, second.ARN = "test", "arn:aws:eks:eu-central-1:"+own+":cluster/test"
	s.Clusters = append(s.Clusters, &second)
	if w, e := watchAll(t, s, "", logs); w.Unassigned != 1 || e.Records != 0 {
		t.Errorf("a log of one of two clusters: %+v, %+v", w, e)
	}
	if w, _ := watchAll(t, s, "test", `{"eventVersion":"1.08","eventID":"x","eventTime":"2026-11-16T08:00:00Z","eventSource":"eks.amazonaws.com","eventName":"ListClusters"}`+"\n"); w.Other != 1 {
		t.Errorf("a CloudTrail record: %+v", w)
	}
	if text := (&Evidence{}).Sentences(); len(text) != 1 || !strings.Contains(text[0], "nothing is known") {
		t.Errorf("without a record: %q", text)
	}
}

// mapAccounts lets in whom no row names.
func TestWatchAccounts(t *testing.T) {
	s := synthetic("aws", model.ModeAPIConfigMap, map[string]string{"mapAccounts": `["` + own + `"]`})
	logs := strings.Replace(record(monday, "x", role("x"), nil, ""), `"","system:authenticated"`, `"system:authenticated"`, 1)
	if _, e := watchAll(t, s, "", logs); len(e.Others) != 1 || e.Others[0].How[ByRow] != 1 {
		t.Errorf("%+v", e.Others)
	}
}
