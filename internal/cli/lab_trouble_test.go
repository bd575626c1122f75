package cli_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"drawbridge/internal/cli"
	"drawbridge/internal/lab/aws"
)

// trial is one cluster of the lab that is migrated while something goes wrong.
type trial struct {
	*world
	name, config string
	// see is shown every call to AWS before it is made, and says whether it answered it.
	see func(http.ResponseWriter, *http.Request) bool
	// during is done as soon as standard error says a text.
	during func(said string)
}

// trial makes a cluster with three rows in aws-auth and begins in an empty folder.
func (w *world) trial(t *testing.T, name string) *trial {
	t.Helper()
	tr := &trial{world: w, name: name, see: func(http.ResponseWriter, *http.Request) bool { return false }, during: func(string) {}}
	w.aws.ForgetCalls()
	w.aws.Allow()
	tr.status("ACTIVE")
	tr.rows(t, "team-0", "team-1", "team-2")
	tr.config = w.kubeconfig(t, "arn:aws:eks:"+region+":"+account+":cluster/"+name, "admin", "system:masters")
	t.Chdir(t.TempDir())
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	front := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if !tr.see(rw, r) {
			w.aws.ServeHTTP(rw, r)
		}
	}))
	t.Cleanup(front.Close)
	t.Setenv("AWS_ENDPOINT_URL", front.URL)
	return tr
}

// status puts the cluster in a status, as an upgrade that somebody started does.
func (tr *trial) status(s string) {
	tr.aws.Account(account, "aws").Region(region).PutCluster(aws.Cluster{
		Name: tr.name, RoleARN: iamARN("role/cluster"), Status: s, Endpoint: tr.kube.URL,
		CertificateAuthority: &aws.Certificate{Data: base64.StdEncoding.EncodeToString(tr.kube.CA)},
		AccessConfig:         &aws.AccessConfig{AuthenticationMode: "API_AND_CONFIG_MAP"},
	})
}

func (tr *trial) entry(name, username string, groups ...string) {
	tr.aws.Account(account, "aws").Region(region).PutAccessEntry(aws.AccessEntry{ClusterName: tr.name, PrincipalARN: iamARN("role/team/" + name), Username: username, KubernetesGroups: groups})
}

// rows writes aws-auth.
func (tr *trial) rows(t *testing.T, names ...string) {
	t.Helper()
	var text strings.Builder
	for _, n := range names {
		fmt.Fprintf(&text, "- rolearn: %s\n  username: %s\n  groups: [viewers]\n", iamARN("role/"+n), n)
	}
	tr.text(t, map[string]string{"mapRoles": text.String()})
}

func (tr *trial) text(t *testing.T, data map[string]string) {
	t.Helper()
	maps := tr.kube.Admin.CoreV1().ConfigMaps("kube-system")
	m, err := maps.Get(t.Context(), "aws-auth", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	m.Data = data
	if _, err := maps.Update(t.Context(), m, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func (tr *trial) mapRoles(t *testing.T) string {
	t.Helper()
	m, err := tr.kube.Admin.CoreV1().ConfigMaps("kube-system").Get(t.Context(), "aws-auth", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return m.Data["mapRoles"]
}

// said is standard error: it tells when something is written.
type said struct {
	strings.Builder
	tell func(string)
}

func (s *said) Write(b []byte) (int, error) {
	n, err := s.Builder.Write(b)
	s.tell(string(b))
	return n, err
}

// migrate runs a command, which must end with a status and say all of these.
func (tr *trial) migrate(t *testing.T, want int, args string, words ...string) {
	t.Helper()
	var out strings.Builder
	log := &said{tell: func(s string) { tr.during(s) }}
	status := cli.Main(t.Context(), append([]string{"drawbridge", "migrate"}, append(strings.Fields(args), "--kubeconfig", tr.config)...), strings.NewReader(""), &out, log)
	text := out.String() + log.String()
	if status != want {
		t.Fatalf("migrate %s: exit status %d, want %d\n%s", args, status, want, text)
	}
	for _, word := range words {
		if !strings.Contains(text, word) {
			t.Errorf("migrate %s does not say %q:\n%s", args, word, text)
		}
	}
}

// once does something the first time that a text is said.
func once(text string, do func()) func(string) {
	done := false
	return func(s string) {
		if !done && strings.Contains(s, text) {
			done = true
			do()
		}
	}
}

// effects counts the calls that changed something, by action.
func (tr *trial) effects() map[string]int {
	n := map[string]int{}
	for _, c := range tr.aws.Writes() {
		if c.Error == "" {
			n[c.Action]++
		}
	}
	return n
}

const (
	creating = "access-entries --apply --phase create-entries"
	created  = "drawbridge-%s-create-entries.journal"
	emptying = "access-entries --apply --phase empty-aws-auth"
)

// TestLabTrouble: whatever comes between, the run stops, says what it was doing and what to do, and loses nothing.
func TestLabTrouble(t *testing.T) {
	w := newWorld(t)
	for i := range 3 {
		w.aws.Account(account, "aws").PutRole(aws.Role{RoleName: fmt.Sprint("team-", i), Path: "/team/", AssumeRolePolicyDocument: ec2Trust})
	}
	for name, test := range map[string]func(*testing.T, *trial){
		"edited-between-plan-and-apply": editedSincePlan, "edited-between-steps": editedBetweenSteps,
		"entry-made-by-somebody-else": otherEntry, "rights-lost": rightsLost, "rights-lost-in-the-cluster": kubernetesRightsLost,
		"being-upgraded": beingUpgraded, "in-use": refusedAsInUse, "no-yaml": noYAML,
		"still-needed": stillNeeded,
	} {
		t.Run(name, func(t *testing.T) { test(t, w.trial(t, name)) })
	}
}

func editedSincePlan(t *testing.T, tr *trial) {
	tr.migrate(t, 0, creating)
	described := 0
	tr.see = func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/clusters/"+tr.name) {
			if described++; described == 2 { // the first was for the plan
				tr.rows(t, "team-0", "team-1", "team-2", "late")
			}
		}
		return false
	}
	tr.migrate(t, 1, emptying, "aws-auth was edited since the plan was made", "make a new plan", "nothing was changed")
	if !strings.Contains(tr.mapRoles(t), "late") || !strings.Contains(tr.mapRoles(t), "team-0") {
		t.Errorf("aws-auth is %s", tr.mapRoles(t))
	}
	tr.migrate(t, 3, emptying, "does not keep everybody's access") // the new plan sees the row of a role that is not there
}

func editedBetweenSteps(t *testing.T, tr *trial) {
	tr.migrate(t, 0, creating)
	journal := "drawbridge-" + tr.name + "-empty-aws-auth.journal"
	tr.during = once("step 1 of 3, verified", func() { tr.rows(t, "team-0", "team-1", "late") })
	tr.migrate(t, 1, emptying, "stopped at step 2 of 3", "take the row of", "team-1", "aws-auth was edited since this run last wrote it", "look at what others changed", journal)
	if text := tr.mapRoles(t); !strings.Contains(text, "late") || !strings.Contains(text, "team-1") {
		t.Errorf("the edit is lost: %s", text)
	}
	tr.migrate(t, 1, emptying, "aws-auth was edited")
	tr.migrate(t, 1, "rollback --accept-changes --journal "+journal, "expected the text that was read, found another", "migrate rollback --abandon --journal "+journal)
	// What the message says does help.
	edited := tr.mapRoles(t)
	tr.migrate(t, 2, "rollback --abandon --accept-changes --journal "+journal, "--accept-changes does not go with it")
	tr.migrate(t, 0, "rollback --abandon --journal "+journal, "given up: 1 of 3 steps are done and stay", "kept as "+journal+".abandoned")
	if diff := cmp.Diff(edited, tr.mapRoles(t)); diff != "" {
		t.Errorf("giving up changed aws-auth (-before +after):\n%s", diff)
	}
	if _, err := os.Lstat(journal); !os.IsNotExist(err) {
		t.Errorf("the journal is still there: %v", err)
	}
	tr.rows(t, "team-0", "team-1")
	tr.migrate(t, 0, "verify --journal "+journal+".abandoned", "step 1, done")
	tr.migrate(t, 0, emptying, "note: no audit log was read")
	tr.migrate(t, 1, "rollback --abandon --journal "+journal, "there is nothing to give up")
	if text := tr.mapRoles(t); strings.Contains(text, "team") {
		t.Errorf("rows that stay: %s", text)
	}
}

func otherEntry(t *testing.T, tr *trial) {
	tr.during = once("step 1 of 3, verified", func() { tr.entry("team-1", "else", "admins") })
	tr.migrate(t, 1, creating, "stopped at step 2 of 3", "create an access entry for "+iamARN("role/team/team-1"),
		"expected none, found one of type STANDARD with username else and groups admins", "look at what others changed")
	tr.migrate(t, 0, "rollback --accept-changes --journal "+fmt.Sprintf(created, tr.name), "1 undone")
	left := tr.aws.Account(account, "aws").Region(region).AccessEntries(tr.name)
	if len(left) != 1 || left[0].Username != "else" {
		t.Errorf("after the rollback there are %+v", left)
	}
}

func rightsLost(t *testing.T, tr *trial) {
	tr.during = once("step 2 of 3, verified", func() { tr.aws.Deny("eks:CreateAccessEntry") })
	tr.migrate(t, 1, creating, "stopped at step 3 of 3", "eks:CreateAccessEntry", "get the right that is named", "the same command goes on")
	tr.aws.Allow()
	tr.migrate(t, 0, creating, "going on with", "3 of 3 steps done")
	if n := tr.effects()["eks:CreateAccessEntry"]; n != 3 {
		t.Errorf("%d entries were made, want 3", n)
	}
}

func kubernetesRightsLost(t *testing.T, tr *trial) {
	tr.migrate(t, 0, creating)
	whole := tr.config
	arn := "arn:aws:eks:" + region + ":" + account + ":cluster/" + tr.name
	tr.config = tr.kubeconfig(t, arn, "reader", readers)
	tr.migrate(t, 1, emptying, `User "reader" cannot get resource "namespaces"`, "get the right that is named", "nothing was changed")
	tr.let(t, "operators", "cluster-admin")
	tr.config = tr.kubeconfig(t, arn, "operator", "operators")
	tr.during = once("step 1 of 3, verified", func() { tr.let(t, "operators", "view") })
	tr.migrate(t, 1, emptying, "stopped at step 2 of 3", `User "operator" cannot`, "get the right that is named", "the same command goes on")
	if text := tr.mapRoles(t); !strings.Contains(text, "team-1") || strings.Contains(text, "team-2") {
		t.Errorf("aws-auth is %s", text)
	}
	tr.config = whole
	tr.migrate(t, 0, emptying, "3 of 3 steps done")
}

// let binds a group to one ClusterRole instead of any other, and waits until the authorizer knows.
func (tr *trial) let(t *testing.T, group, role string) {
	t.Helper()
	bindings := tr.kube.Admin.RbacV1().ClusterRoleBindings()
	if err := bindings.Delete(t.Context(), group, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
		t.Fatal(err)
	}
	_, err := bindings.Create(t.Context(), &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: group}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: group}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: "operator", Groups: []string{group}, ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: "kube-system", Resource: "configmaps", Name: "aws-auth", Verb: "patch"},
	}}
	err = wait.PollUntilContextTimeout(t.Context(), 10*time.Millisecond, 10*time.Second, true, func(ctx context.Context) (bool, error) {
		r, err := tr.kube.Admin.AuthorizationV1().SubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
		return err == nil && r.Status.Allowed == (role == "cluster-admin"), err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func beingUpgraded(t *testing.T, tr *trial) {
	tr.during = once("step 1 of 3, verified", func() { tr.status("UPDATING") })
	tr.migrate(t, 1, creating, "stopped at step 2 of 3", "is UPDATING", "wait until it is ACTIVE", "the same command goes on")
	tr.migrate(t, 1, creating, "is UPDATING")
	tr.status("ACTIVE")
	tr.migrate(t, 0, creating, "3 of 3 steps done")
}

// refusedAsInUse: the upgrade began between the look and the call.
func refusedAsInUse(t *testing.T, tr *trial) {
	for _, code := range []string{"ResourceInUseException", "InvalidRequestException"} {
		calls := 0
		tr.see = func(rw http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, "/access-entries") {
				return false
			}
			if calls++; calls != 2 {
				return false
			}
			rw.Header().Set("X-Amzn-Errortype", code)
			rw.Header().Set("Content-Type", "application/json")
			rw.WriteHeader(http.StatusConflict)
			fmt.Fprintf(rw, `{"message": "Cluster %s has an update in progress"}`, tr.name)
			return true
		}
		tr.migrate(t, 1, creating, "stopped at step 2 of 3", code, "has an update in progress", "wait until `aws eks describe-cluster", "the same command goes on")
		tr.migrate(t, 0, creating, "3 of 3 steps done")
		tr.migrate(t, 0, "rollback --accept-changes --journal "+fmt.Sprintf(created, tr.name), "3 undone")
		if err := os.Remove(fmt.Sprintf(created, tr.name)); err != nil {
			t.Fatal(err)
		}
	}
}

func noYAML(t *testing.T, tr *trial) {
	tr.text(t, map[string]string{"mapRoles": "- rolearn: [\n"})
	tr.migrate(t, 0, "access-entries", "mapRoles: nothing of the block is read", "mend the block")
	tr.migrate(t, 1, "access-entries --apply --confirm-irreversible", "nothing to carry out", "the plan without --apply says why")
}

// stillNeeded: a row by which somebody comes in, although its principal has an entry, stays until somebody says otherwise.
func stillNeeded(t *testing.T, tr *trial) {
	tr.entry("team-1", "else", "admins")
	tr.migrate(t, 0, creating)
	record := func(name string) string {
		return strings.ReplaceAll(`{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"1","stage":"ResponseComplete","verb":"list","user":{"username":"NAME","groups":["viewers"],`+
			`"extra":{"canonicalArn":["`+iamARN("role/NAME")+`"],"arn":["arn:aws:sts::`+account+`:assumed-role/NAME/jane"],"sessionName":["jane"]}},"requestReceivedTimestamp":"2099-11-16T08:00:00Z"}`+"\n", "NAME", name)
	}
	if err := os.WriteFile("audit.log", []byte(record("team-0")+record("team-1")), 0o600); err != nil {
		t.Fatal(err)
	}
	tr.migrate(t, 3, emptying+" --audit-log audit.log", "rows that are to go are still needed", "role/team-1: 1 request", "1 of them since it has an access entry", "--accept-changes")
	if text := tr.mapRoles(t); !strings.Contains(text, "team-1") || !strings.Contains(text, "team-0") {
		t.Errorf("rows are gone: %s", text)
	}
	if err := os.WriteFile("audit.log", []byte(record("team-0")), 0o600); err != nil {
		t.Fatal(err)
	}
	tr.migrate(t, 0, emptying+" --audit-log audit.log", "note: audit logs from 2099-11-16", "3 of 3 steps done")
}
