package report

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"drawbridge/internal/finding"
	"drawbridge/internal/migrate"
)

// fleet is the status of three synthetic clusters: one done, one under way, one blocked.
func fleet() *migrate.Status {
	cluster := func(name, mode, next string, blockers ...string) migrate.ClusterStatus {
		return migrate.ClusterStatus{
			Cluster: finding.Cluster{Name: name, Account: own, Region: "eu-central-1", AuthenticationMode: mode}, Label: name, Next: next, Blockers: blockers,
			AccessEntries: 1, Rows: map[migrate.Outcome]int{migrate.BecomesEntry: 2, migrate.Nothing: 1, migrate.Blocked: len(blockers)}, IRSA: 3, PodIdentity: 2, Moving: 1,
			Phases: 5, PodIdentityBlockers: []string{},
		}
	}
	moving := cluster("moving", "API_AND_CONFIG_MAP", migrate.PhaseWatch)
	moving.PhasesDone = 2
	moving.PodIdentityBlockers = []string{"service account shop/a: its role does not exist", "service account shop/b: its role does not exist", "c", "d", "e", "f", "g"}
	return &migrate.Status{
		Version: finding.Version, Kind: migrate.KindStatus, Tool: finding.Tool{Version: "1.0"}, Time: time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC),
		Clusters: []migrate.ClusterStatus{
			cluster("done", "API", migrate.NextDone), moving,
			cluster("stuck", "CONFIG_MAP", migrate.PhaseEnable, "mapAccounts lets in every principal of account 444455556666"),
		},
		Evidence: []migrate.Evidence{
			{Cluster: "moving", From: time.Date(2026, 11, 16, 8, 0, 0, 0, time.UTC), To: time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC), Records: 9, Hours: 145, Covered: 145, Silences: []migrate.Silence{}, Others: []migrate.Seen{}, Rows: []migrate.RowEvidence{
				{Block: "mapRoles", Row: 1, ARN: "arn:aws:iam::111122223333:role/dev", Seen: &migrate.Seen{
					Principal: "arn:aws:iam::111122223333:role/dev", Username: "dev", Requests: 3, First: time.Date(2026, 11, 16, 8, 0, 0, 0, time.UTC),
					Last: time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC), LastByRow: time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC), How: map[migrate.How]int{migrate.ByRow: 3},
				}},
				{Block: "mapRoles", Row: 2, ARN: "arn:aws:iam::111122223333:role/never"},
			}},
			{Cluster: "stuck", Silences: []migrate.Silence{}, Rows: []migrate.RowEvidence{}, Others: []migrate.Seen{}},
		},
		Gaps: []finding.Gap{{Area: "awsAuth", Action: "get configmaps kube-system/aws-auth", Reason: "forbidden", Cluster: "moving"}},
	}
}

func TestMigrationStatus(t *testing.T) {
	for _, format := range MigrationStatusFormats {
		t.Run(format, func(t *testing.T) {
			var out bytes.Buffer
			if err := MigrationStatus(&out, format, fleet(), Options{Unicode: true}); err != nil {
				t.Fatal(err)
			}
			golden(t, "status."+format, out.String())
		})
	}
	if err := MigrationStatus(new(bytes.Buffer), "pdf", fleet(), Options{}); err == nil {
		t.Error("a format that is none is no error")
	}
}

func TestHostileMigrationStatus(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := func(name string) string { return hostileString().Draw(t, name) }
		st := fleet()
		c := &st.Clusters[2]
		c.Label, c.Name, c.Account, c.Region, c.AuthenticationMode, c.Next, c.Blockers, c.PodIdentityBlockers = s("label"), s("name"), s("account"), s("region"), s("mode"), s("next"), []string{s("blocker")}, []string{s("pod blocker")}
		st.Gaps[0].Reason = s("reason")
		st.Evidence[0].Rows[0].ARN, st.Evidence[0].Rows[0].Seen.Username, st.Evidence[0].Rows[1].ARN, st.Evidence[0].Cluster = s("seen"), s("username"), s("never seen"), s("of")
		for _, format := range MigrationStatusFormats {
			var out bytes.Buffer
			if err := MigrationStatus(&out, format, st, Options{Width: 80}); err != nil {
				t.Fatalf("%s: %v", format, err)
			}
			if i := strings.IndexFunc(out.String(), odd); i >= 0 {
				t.Fatalf("%s: hidden character in %q", format, out.String()[max(0, i-40):min(out.Len(), i+40)])
			}
		}
	})
}
