package cli_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"drawbridge/internal/lab/aws"
)

// throttledRows is how many rows are moved. Each throttled call waits for a fifth of a second or more before it is made again, so
// that 200 rows take half a minute: go test ./internal/cli -run TestLabThrottled -rows 200.
var throttledRows = flag.Int("rows", 20, "rows of aws-auth that TestLabThrottled moves")

// TestLabThrottled moves rows, half of them of system:masters, while every twentieth call to AWS is throttled: all of them, in
// their phases, each call with an effect made once.
func TestLabThrottled(t *testing.T) {
	n := *throttledRows
	w := newWorld(t)
	tr := w.trial(t, "throttled")
	text := ""
	for i := range n {
		name, group := fmt.Sprintf("row-%03d", i), "viewers"
		if i%2 == 0 {
			group = "system:masters"
		}
		w.aws.Account(account, "aws").PutRole(aws.Role{RoleName: name, Path: "/team/", AssumeRolePolicyDocument: ec2Trust})
		text += fmt.Sprintf("- rolearn: %s\n  username: %s\n  groups: [%s]\n", iamARN("role/"+name), name, group)
	}
	tr.text(t, map[string]string{"mapRoles": text})
	before := len(tr.patches(t))
	w.aws.ForgetCalls()
	w.aws.ThrottleEvery(20)
	run := func(args string, words ...string) {
		t.Helper()
		start := time.Now()
		tr.migrate(t, 0, args, words...)
		t.Logf("%s: %s", args, time.Since(start))
	}
	run(creating, fmt.Sprintf("%[1]d of %[1]d steps done", n+n/2))
	run(emptying, fmt.Sprintf("%[1]d of %[1]d steps done", n))
	run("access-entries --apply --phase api-only --confirm-irreversible", "1 of 1 steps done")
	w.aws.ThrottleEvery(0)

	want := map[string]int{"eks:CreateAccessEntry": n, "eks:AssociateAccessPolicy": n / 2, "eks:UpdateClusterConfig": 1}
	if diff := cmp.Diff(want, tr.effects()); diff != "" {
		t.Errorf("calls with effect (-want +got):\n%s", diff)
	}
	if patches := len(tr.patches(t)) - before; patches != n {
		t.Errorf("aws-auth was patched %d times, want %d", patches, n)
	}
	throttled := 0
	for _, c := range w.aws.Calls() {
		if c.Error == "ThrottlingException" || c.Error == "Throttling" || c.Error == "RequestLimitExceeded" {
			throttled++
		}
	}
	if throttled < n/10 {
		t.Errorf("%d calls were throttled", throttled)
	}
	if got := len(tr.aws.Account(account, "aws").Region(region).AccessEntries(tr.name)); got != n {
		t.Errorf("%d access entries, want %d", got, n)
	}
	if rest := tr.mapRoles(t); cmp.Diff("[]\n", rest) != "" && rest != "" {
		t.Errorf("aws-auth still has %q", rest)
	}
	t.Logf("%d calls, %d throttled", len(w.aws.Calls()), throttled)
}

// patches are the writes of aws-auth that the API server's own record has.
func (tr *trial) patches(t *testing.T) []string {
	t.Helper()
	events, err := tr.kube.AuditEvents()
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, raw := range events {
		var e struct {
			AuditID, Verb, Stage string
			ObjectRef            struct{ Resource, Name string }
			ResponseStatus       struct{ Code int }
		}
		if err := json.Unmarshal(raw, &e); err != nil {
			t.Fatal(err)
		}
		if e.Verb == "patch" && e.Stage == "ResponseComplete" && e.ObjectRef.Resource == "configmaps" && e.ObjectRef.Name == "aws-auth" && e.ResponseStatus.Code == 200 {
			ids = append(ids, e.AuditID)
		}
	}
	return ids
}
