package aws

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	lab "drawbridge/internal/lab/aws"
	"drawbridge/internal/model"
)

var update = flag.Bool("update", false, "write the golden files")

func encoded(t testing.TB, s *model.Snapshot) string {
	t.Helper()
	var b bytes.Buffer
	if err := model.Write(&b, s); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// The golden file is the fleet of fleet_test.go, read by eye against it when it changes.
func TestCollect(t *testing.T) {
	s := fleet(t, lab.Options{})
	o := options(s)
	o.Regions = []string{home, away}
	got := collect(t, o)
	if len(got.Gaps) > 0 {
		t.Errorf("gaps: %v", gapLines(got))
	}
	golden(t, "fleet.json", encoded(t, got))
}

// However pages are cut, calls are refused for a moment and answers come in, the snapshot is the same.
func TestCollectIsTheSame(t *testing.T) {
	want, err := os.ReadFile(filepath.Join("testdata", "fleet.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name     string
		pages    int
		throttle int
		limit    int
		regions  []string
	}{
		{"one item a page", 1, 0, 0, []string{home, away}},
		{"two items a page", 2, 0, 0, []string{home, away}},
		{"every third call throttled", 0, 3, 0, []string{home, away}},
		{"one call at a time", 0, 0, 1, []string{home, away}},
		{"many calls at a time, regions twice and the other way round", 2, 5, 64, []string{away, home, away}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := fleet(t, lab.Options{PageSize: test.pages})
			s.ThrottleEvery(test.throttle)
			o := options(s)
			o.Limit, o.Regions = test.limit, test.regions
			if diff := cmp.Diff(string(want), encoded(t, collect(t, o))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A cluster in CONFIG_MAP mode refuses access-entry calls, and that is no gap: it has no access entries.
func TestConfigMapMode(t *testing.T) {
	s := fleet(t, lab.Options{})
	o := options(s)
	o.AllClusters, o.Clusters = false, []string{"legacy"}
	got := collect(t, o)
	c := clusterOf(t, got, "legacy", home)
	if !c.Read[model.AreaAccessEntries] || !c.Read[model.AreaPolicyAssociations] || len(c.AccessEntries) > 0 || len(got.Gaps) > 0 {
		t.Errorf("read %v, entries %v, gaps %v", c.Read, c.AccessEntries, gapLines(got))
	}
	if !slices.ContainsFunc(s.Calls(), func(c lab.Call) bool {
		return c.Action == "eks:ListAccessEntries" && c.Error == "InvalidRequestException"
	}) {
		t.Error("the lab did not refuse eks:ListAccessEntries")
	}
}

// The same refusal where the mode is not known, and any other refusal in that mode, are gaps.
func TestConfigMapModeSwallowsNothingElse(t *testing.T) {
	for _, test := range []struct{ name, denied, reason string }{
		{"mode unknown", "eks:DescribeCluster", "InvalidRequestException: The cluster's authentication mode must be set to one of [API, API_AND_CONFIG_MAP] to perform this operation."},
		{"denied", "eks:ListAccessEntries", "AccessDeniedException: User: "},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := fleet(t, lab.Options{})
			s.Deny(test.denied)
			o := options(s)
			o.AllClusters, o.Clusters = false, []string{"legacy"}
			got := collect(t, o)
			c := clusterOf(t, got, "legacy", home)
			for _, area := range []model.Area{model.AreaAccessEntries, model.AreaPolicyAssociations} {
				gaps := got.GapsFor(c, area)
				if c.Read[area] || len(gaps) != 1 || gaps[0].Action != "eks:ListAccessEntries" || !strings.HasPrefix(gaps[0].Reason, test.reason) {
					t.Errorf("%s: read %v, gaps %v", area, c.Read[area], gaps)
				}
			}
		})
	}
}

func TestPartitions(t *testing.T) {
	for partition, region := range map[string]string{"aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"} {
		t.Run(partition, func(t *testing.T) {
			s := lab.New(lab.Options{})
			a := s.Account(account, partition)
			role := a.PutRole(lab.Role{RoleName: "ops", AssumeRolePolicyDocument: trust})
			r := a.Region(region)
			r.PutCluster(lab.Cluster{Name: "prod", AccessConfig: &lab.AccessConfig{AuthenticationMode: "API"}})
			r.PutAccessEntry(lab.AccessEntry{ClusterName: "prod", PrincipalARN: role})
			s.Start(t)
			o := options(s)
			o.Regions = []string{region}
			for _, denied := range []string{"", "eks:DescribeCluster", "iam:GetAccountAuthorizationDetails"} {
				s.Allow()
				s.Deny(denied)
				got := collect(t, o)
				c := clusterOf(t, got, "prod", region)
				want := "arn:" + partition + ":eks:" + region + ":" + account + ":cluster/prod"
				if c.ARN != want || c.Partition != partition || c.Account != account || got.Accounts[0].Partition != partition {
					t.Errorf("without %q: cluster %+v, account %+v", denied, c, got.Accounts[0])
				}
				if len(got.Accounts[0].Roles) != 1 || got.Accounts[0].Roles[0].ARN != role {
					t.Errorf("without %q: roles %v", denied, got.Accounts[0].Roles)
				}
			}
		})
	}
}

// The lab dates its sessions by its clock, which is the real one here: the SDK renews what seems to have expired.
func TestRoleChain(t *testing.T) {
	s := fleet(t, lab.Options{Clock: time.Now})
	hub := s.Account("777788889999", "aws").PutRole(lab.Role{RoleName: "hub", AssumeRolePolicyDocument: trust})
	s.Account(foreign, "aws").Region(home).PutCluster(lab.Cluster{Name: "theirs"})
	s.Account(foreign, "aws").Region(away).PutCluster(lab.Cluster{Name: "theirs"})
	auditor := s.Account(foreign, "aws").PutRole(lab.Role{RoleName: "auditor", AssumeRolePolicyDocument: trust})
	o := options(s)
	o.RoleChain, o.ExternalID, o.Regions = []string{hub, auditor}, "drawbridge-7", []string{home, away}
	got := collect(t, o)
	var read []string
	for _, c := range got.Clusters {
		read = append(read, c.ARN)
	}
	want := []string{"arn:aws:eks:" + home + ":" + foreign + ":cluster/theirs", "arn:aws:eks:" + away + ":" + foreign + ":cluster/theirs"}
	if diff := cmp.Diff(want, read); diff != "" || got.Accounts[0].ID != foreign {
		t.Errorf("clusters of account %s (-want +got):\n%s", got.Accounts[0].ID, diff)
	}
	var chain []string
	for _, session := range s.Sessions() {
		chain = append(chain, session.RoleARN+" "+session.SessionName+" "+session.ExternalID)
	}
	if diff := cmp.Diff([]string{hub + " drawbridge ", auditor + " drawbridge drawbridge-7"}, chain); diff != "" {
		t.Errorf("sessions (-want +got):\n%s", diff)
	}
}

func TestProgress(t *testing.T) {
	s := fleet(t, lab.Options{})
	o := options(s)
	var mu sync.Mutex
	done, total := 0, 0
	o.Progress = func(d, n int, what string) {
		if !mu.TryLock() {
			t.Error("progress is told of two things at once")
			return
		}
		defer mu.Unlock()
		if d != done+1 || n < total || what == "" {
			t.Errorf("after %d of %d came %d of %d, %q", done, total, d, n, what)
		}
		done, total = d, n
	}
	collect(t, o)
	if done == 0 || done != total {
		t.Errorf("ended at %d of %d", done, total)
	}
}

func TestErrors(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*lab.Server, *Options)
		want   string
	}{
		{"nothing asked for", func(_ *lab.Server, o *Options) { o.AllClusters = false }, "--all-clusters"},
		{"no region", func(_ *lab.Server, o *Options) { o.Regions = nil }, "--region"},
		{
			"unknown cluster", func(_ *lab.Server, o *Options) { o.AllClusters, o.Clusters = false, []string{"prod", "nope"} },
			`find EKS cluster "nope" of account 111122223333 in eu-central-1: no such cluster`,
		},
		{"no cluster", func(_ *lab.Server, o *Options) { o.Regions = []string{"eu-west-1"} }, "there are none"},
		{"no permission to list", func(s *lab.Server, _ *Options) { s.Deny("eks:ListClusters") }, "grant eks:ListClusters"},
		{"no credentials", func(s *lab.Server, o *Options) { s.Deny("sts:GetCallerIdentity") }, "--profile"},
		{
			"role chain refused", func(s *lab.Server, o *Options) { s.Deny("sts:AssumeRole"); o.RoleChain = []string{arnOf("role/app")} },
			"through arn:aws:iam::111122223333:role/app",
		},
		{"nothing readable", func(s *lab.Server, o *Options) {
			o.AllClusters, o.Clusters = false, []string{"prod"}
			s.Deny("eks:*", "iam:*", "ec2:*", "logs:*", "cloudtrail:*", "organizations:ListParents")
		}, "every call failed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := fleet(t, lab.Options{})
			o := options(s)
			test.change(s, &o)
			got, err := Collect(context.Background(), o)
			if err == nil || !strings.Contains(err.Error(), test.want) || got != nil {
				t.Errorf("error %v, snapshot %v", err, got != nil)
			}
		})
	}
}

func TestCancel(t *testing.T) {
	s := fleet(t, lab.Options{})
	o := options(s)
	o.Limit = 1
	ctx, cancel := context.WithCancelCause(context.Background())
	enough := errors.New("enough")
	o.Progress = func(done, _ int, _ string) {
		if done == 3 {
			s.ForgetCalls()
			cancel(enough)
		}
	}
	if _, err := Collect(ctx, o); !errors.Is(err, enough) {
		t.Errorf("error %v", err)
	}
	if n := len(s.Calls()); n > 2 {
		t.Errorf("%d more calls after the end", n)
	}
}

// A call that waits for its turn ends with the context.
func TestCancelWaiting(t *testing.T) {
	full := make(slots, 1)
	full <- struct{}{}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := call(ctx, full, func() (int, error) { return 1, nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}
