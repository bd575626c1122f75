package plan

import (
	"fmt"
	"strings"
	"testing"

	"drawbridge/internal/authenticator"
	"drawbridge/internal/model"
)

// BenchmarkEmptyAWSAuth empties an aws-auth of 500 rows row by row, as a migration does: it renders and simulates the plan.
func BenchmarkEmptyAWSAuth(b *testing.B) {
	const rows = 500
	var text strings.Builder
	var p Plan
	for i := range rows {
		arn := fmt.Sprintf("arn:aws:iam::111122223333:role/team-%d", i)
		fmt.Fprintf(&text, "- rolearn: %s\n  username: team-%d:{{SessionName}}\n  groups:\n  - team-%d\n", arn, i, i)
		p = append(Plan{RemoveAWSAuthRow{lab, authenticator.KindRole, i, arn, fmt.Sprintf("team-%d:{{SessionName}}", i), []string{fmt.Sprintf("team-%d", i)}}}, p...)
	}
	s := one()
	s.Clusters[0].AWSAuth = &model.AWSAuth{Data: map[string]string{"mapRoles": text.String()}}
	for b.Loop() {
		if _, err := p.Render(s); err != nil {
			b.Fatal(err)
		}
		if _, err := p.Simulate(s); err != nil {
			b.Fatal(err)
		}
	}
}
