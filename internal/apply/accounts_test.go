package apply

import (
	"errors"
	"os"
	"testing"

	lab "drawbridge/internal/lab/aws"
	"drawbridge/internal/plan"
)

// A plan about roles of two accounts is carried out with the credentials of each; without those of one, nothing is.
func TestOtherAccounts(t *testing.T) {
	const other = "444455556666"
	w := newWorld(t, "API_AND_CONFIG_MAP", lab.Options{}, "app")
	target := w.Account(other, "aws").PutRole(lab.Role{RoleName: "app", AssumeRolePolicyDocument: trust})
	p := plan.Plan{
		plan.UpdateTrustPolicy{RoleARN: role("app"), Before: trust, After: podTrust},
		plan.UpdateTrustPolicy{RoleARN: target, Before: trust, After: podTrust},
	}
	o := w.options()
	o.Clients.Account = account
	_, err := Run(t.Context(), p, o)
	if none, ok := errors.AsType[*NoCredentials](err); !ok || none.Account != other {
		t.Fatalf("without credentials for the other account: %v", err)
	}
	if _, err := os.Stat(o.Journal); err == nil || len(w.Writes()) > 0 {
		t.Fatalf("something was done without credentials for all: %v", w.Writes())
	}
	o.Clients.Accounts = map[string]IAM{other: AWS(w.Config(other, region)).IAM}
	if s, err := Run(t.Context(), p, o); err != nil || !s.Finished() {
		t.Fatal(err)
	}
	after, err := o.Clients.read(t.Context(), reach{"", []part{{kind: partTrust, name: role("app")}, {kind: partTrust, name: target}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range after.Accounts {
		if a.Roles[0].Trust != podTrust {
			t.Errorf("account %s: %s", a.ID, a.Roles[0].Trust)
		}
	}
	if s, err := Undo(t.Context(), o); err != nil || !s.Finished() {
		t.Fatal(err)
	}
}
