package cli

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"drawbridge/internal/iam"
	"drawbridge/internal/migrate"
)

// podIdentityFlags are what a user decides about the roles of service accounts.
func podIdentityFlags(cmd *cobra.Command, o *migrate.Options) {
	f := cmd.Flags()
	f.Var(&byServiceAccount{to: &o.Roles, is: iam.ARN.IsRole, want: "role"}, "role", "`[CLUSTER/]NAMESPACE/NAME=ARN` of the cluster account's role that a service account is to get where its own cannot be, repeatable")
	f.Var(&byServiceAccount{to: &o.KeysOf, is: iam.ARN.IsUser, want: "user"}, "keys-of", "`[CLUSTER/]NAMESPACE/NAME=ARN` of the IAM user whose access keys the pods of a service account have, repeatable")
	f.Var((*trustPolicyQuota)(&o.TrustPolicyQuota), "trust-policy-quota", fmt.Sprintf("`CHARACTERS` that trust policies of the account may have; default %d, which every account has", migrate.TrustPolicyQuota))
	f.Var(&convention{&o.RoleNames, migrate.ParseRoleNames}, "role-names", "`CONVENTION` of the names of roles, of {cluster}, {namespace} and {service-account}; default "+migrate.DefaultRoleNames)
	f.Var(&convention{&o.ServiceAccountNames, migrate.ParseServiceAccountNames}, "service-account-names", "`CONVENTION` of the names of service accounts, of {workload}; default "+migrate.DefaultServiceAccountNames)
}

// trustPolicyQuota is a flag that holds the length of trust policies.
type trustPolicyQuota int

// Set takes a length that IAM gives.
func (q *trustPolicyQuota) Set(text string) error {
	n, err := strconv.Atoi(text)
	if err != nil || n < migrate.TrustPolicyQuota || n > migrate.TrustPolicyQuotaMax {
		return fmt.Errorf("want a number from %d to %d", migrate.TrustPolicyQuota, migrate.TrustPolicyQuotaMax)
	}
	*q = trustPolicyQuota(n)
	return nil
}

// String is the default, which the help tells in words.
func (q *trustPolicyQuota) String() string { return "" }

// Type names the value in help.
func (q *trustPolicyQuota) Type() string { return "int" }

// byServiceAccount is a flag that names an IAM principal for a service account.
type byServiceAccount struct {
	to   *map[string]string
	is   func(iam.ARN) bool
	want string
}

// Set takes one [CLUSTER/]NAMESPACE/NAME=ARN.
func (b *byServiceAccount) Set(text string) error {
	who, arn, ok := strings.Cut(text, "=")
	parts := strings.Split(who, "/")
	if !ok || len(parts) < 2 || len(parts) > 3 || strings.Contains("/"+who+"/", "//") {
		return fmt.Errorf("want [CLUSTER/]NAMESPACE/NAME=ARN")
	}
	if parsed, err := iam.ParseARN(arn); err != nil || !b.is(parsed) {
		return fmt.Errorf("%q is not the ARN of an IAM %s", arn, b.want)
	}
	if *b.to == nil {
		*b.to = map[string]string{}
	}
	if have := (*b.to)[who]; have != "" && have != arn {
		return fmt.Errorf("%s has two: %s and %s", who, have, arn)
	}
	(*b.to)[who] = arn
	return nil
}

// String is the default, which is none.
func (b *byServiceAccount) String() string { return "" }

// Type names the value in help.
func (b *byServiceAccount) Type() string { return "string" }

// convention is a flag that holds a naming convention.
type convention struct {
	to    *string
	check func(string) error
}

// Set takes a convention that can be one.
func (c *convention) Set(text string) error {
	if err := c.check(text); err != nil {
		return err
	}
	*c.to = text
	return nil
}

// String is the default, which the help tells in words.
func (c *convention) String() string { return "" }

// Type names the value in help.
func (c *convention) Type() string { return "string" }
