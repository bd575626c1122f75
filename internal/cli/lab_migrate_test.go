package cli_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"drawbridge/internal/lab/aws"
)

// TestLabMigrate moves a cluster from aws-auth to access entries, and half of the way back, against a real API server and the
// lab's AWS.
func TestLabMigrate(t *testing.T) {
	w := newWorld(t)
	w.aws.Account(account, "aws").PutRole(aws.Role{RoleName: "breakglass", Path: "/ops/", AssumeRolePolicyDocument: ec2Trust})
	config := w.kubeconfig(t, "arn:aws:eks:"+region+":"+account+":cluster/"+cluster, "admin", "system:masters")
	t.Chdir(t.TempDir())
	t.Setenv("XDG_STATE_HOME", t.TempDir()) // locks
	migrate := func(want int, args ...string) string {
		t.Helper()
		status, stdout, stderr := run(t.Context(), strings.NewReader(""), append([]string{"migrate"}, append(args, "--kubeconfig", config)...)...)
		if status != want {
			t.Fatalf("migrate %q: exit status %d, want %d\n%s%s", args, status, want, stdout, stderr)
		}
		return stdout + stderr
	}
	rows := func() string {
		t.Helper()
		m, err := w.kube.Admin.CoreV1().ConfigMaps("kube-system").Get(t.Context(), "aws-auth", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return m.Data["mapRoles"]
	}
	before := rows()
	w.otherAccount(t)

	if text := migrate(0, "access-entries"); !strings.Contains(text, "role/ops/breakglass") {
		t.Errorf("the plan does not name the role with its path:\n%s", text)
	}
	if writes := w.aws.Writes(); len(writes) > 0 {
		t.Errorf("a plan wrote to AWS: %v", writes)
	}

	w.aws.Deny("eks:AssociateAccessPolicy")
	migrate(1, "access-entries", "--apply") // the first phase, which ends half-way
	w.aws.Allow()
	if text := migrate(1, "access-entries", "--apply", "--phase", "empty-aws-auth"); !strings.Contains(text, "not finished") {
		t.Errorf("rows were to go before the entries were whole:\n%s", text)
	}
	migrate(0, "access-entries", "--apply", "--journal", "drawbridge-prod-create-entries.journal")
	writes := slices.DeleteFunc(w.aws.Writes(), func(c aws.Call) bool { return c.Error != "" })
	if len(writes) != 2 {
		t.Errorf("writes to AWS: %v, want an entry and an association", writes)
	}
	migrate(0, "verify", "--journal", "drawbridge-prod-create-entries.journal")
	if got := rows(); got != before {
		t.Errorf("aws-auth changed with the entries:\n%s", got)
	}

	migrate(0, "access-entries", "--apply", "--phase", "empty-aws-auth")
	if got := rows(); strings.Contains(got, "breakglass") {
		t.Errorf("the row is still there:\n%s", got)
	}
	if text := migrate(3, "rollback", "--journal", "drawbridge-prod-create-entries.journal"); !strings.Contains(text, "lost") {
		t.Errorf("undoing the entries while the rows are gone is not refused for the loss:\n%s", text)
	}
	migrate(0, "rollback", "--journal", "drawbridge-prod-empty-aws-auth.journal")
	if got := rows(); got != before {
		t.Errorf("aws-auth is not as it was before:\n%s\nwant\n%s", got, before)
	}
	migrate(0, "verify", "--journal", "drawbridge-prod-empty-aws-auth.journal")
	// With AWS credentials alone the cluster is found and a token made for it.
	if status, stdout, stderr := run(t.Context(), strings.NewReader(""), "migrate", "verify", "--journal", "drawbridge-prod-empty-aws-auth.journal"); status != 0 {
		t.Errorf("verify without a kubeconfig: exit status %d\n%s%s", status, stdout, stderr)
	}

	if text := migrate(1, "access-entries", "--apply", "--phase", "api-only"); !strings.Contains(text, "cannot be undone") {
		t.Errorf("it is not said why the last step is refused:\n%s", text)
	}
	migrate(0, "access-entries", "--apply", "--phase", "empty-aws-auth", "--journal", "again.journal")
	migrate(0, "access-entries", "--apply", "--phase", "api-only", "--confirm-irreversible")
	if text := migrate(0, "status"); !strings.Contains(text, "1 of 1 clusters are done") {
		t.Errorf("the status does not say that it is done:\n%s", text)
	}
}

// otherAccount: with a role to assume there, another account's IAM is read too.
func (w *world) otherAccount(t *testing.T) {
	t.Helper()
	a := w.aws.Account("444455556666", "aws")
	role := a.PutRole(aws.Role{RoleName: "drawbridge", AssumeRolePolicyDocument: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + account + `"},"Action":"sts:AssumeRole"}]}`})
	partner := a.PutRole(aws.Role{RoleName: "partner", Path: "/team/", AssumeRolePolicyDocument: ec2Trust})
	collect := func(want int, args ...string) string {
		t.Helper()
		status, _, stderr := run(t.Context(), strings.NewReader(""), append([]string{"collect", "--cluster", cluster, "--region", region, "-o", "fleet.json"}, args...)...)
		if status != want {
			t.Fatalf("collect %q: exit status %d, want %d\n%s", args, status, want, stderr)
		}
		b, err := os.ReadFile("fleet.json")
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if text := collect(0); strings.Contains(text, partner) {
		t.Errorf("without a role there, %s was read", partner)
	}
	if text := collect(0, "--account-role", role); !strings.Contains(text, partner) {
		t.Errorf("%s was not read", partner)
	}
	collect(2, "--account-role", "partner")
	collect(2, "--account-role", role, "--account-role", partner)
}
