package report

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"drawbridge/internal/access"
	"drawbridge/internal/migrate"
	"drawbridge/internal/model"
)

// BenchmarkPlan writes the migration of 500 rows of aws-auth in every format.
func BenchmarkPlan(b *testing.B) {
	c := planCluster1("prod", "eu-central-1", model.ModeAPIConfigMap)
	acct := &model.Account{ID: own, Partition: "aws"}
	acct.MarkRead(model.AreaIAMRoles, model.AreaIAMUsers)
	var rows strings.Builder
	for i := range 500 {
		name := fmt.Sprintf("role-%03d", i)
		fmt.Fprintf(&rows, "- rolearn: arn:aws:iam::%s:role/%s\n  username: user-%d\n  groups: [group-%d]\n", own, name, i, i%300)
		acct.Roles = append(acct.Roles, &model.IAMRole{ARN: "arn:aws:iam::" + own + ":role/" + name, Name: name})
	}
	c.AWSAuth = &model.AWSAuth{Data: map[string]string{"mapRoles": rows.String()}}
	s := &model.Snapshot{Clusters: []*model.Cluster{c}, Accounts: []*model.Account{acct}}
	a := access.New(s)
	r := planResult(b, migrationEntries, s, migrate.AccessEntries(s, a, a.Clusters()[0], migrate.Options{}))
	if len(r.Steps) < 1000 {
		b.Fatalf("%d steps", len(r.Steps))
	}
	for _, f := range PlanFormats {
		b.Run(f.Name, func(b *testing.B) {
			for b.Loop() {
				if err := f.Write(io.Discard, r, Options{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
