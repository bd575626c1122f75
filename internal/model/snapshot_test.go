package model

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"

	"drawbridge/internal/finding"
)

// sample is a synthetic snapshot with something in areas of every shape, and more pods than one section holds.
func sample() *Snapshot {
	c := &Cluster{
		Name: "prod", ARN: "arn:aws:eks:us-east-1:111122223333:cluster/prod", Account: "111122223333", Region: "us-east-1", Partition: "aws",
		Description:   &Description{AuthenticationMode: ModeAPI, KubernetesVersion: "1.36"},
		AccessEntries: []*AccessEntry{{PrincipalARN: "arn:aws:iam::111122223333:role/ci", Type: EntryStandard, At: At{&finding.Location{File: "a.json", Line: 3}}}},
		Roles:         []*Role{{Meta: Meta{Namespace: "a", Name: "r"}, Rules: []rbacv1.PolicyRule{{Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"pods"}}}}},
	}
	for i := range 2*chunk + 1 {
		c.Pods = append(c.Pods, &Pod{Meta: Meta{Namespace: "a", Name: fmt.Sprintf("p-%05d", i)}})
	}
	c.MarkRead(AreaCluster, AreaAccessEntries, AreaPods, AreaRoles, AreaAWSAuth, AreaNodes)
	a := &Account{ID: "111122223333", Partition: "aws", Roles: []*IAMRole{{ARN: "arn:aws:iam::111122223333:role/ci", Name: "ci", Trust: `{"Version":"2012-10-17"}`}}}
	a.Organization = organization()
	a.MarkRead(AreaIAMRoles, AreaOrganization)
	return &Snapshot{
		Time: time.Date(2026, 11, 23, 1, 2, 3, 0, time.UTC), Tool: "test", Clusters: []*Cluster{c}, Accounts: []*Account{a},
		Gaps: []finding.Gap{{Area: "nodegroups", Action: "eks:ListNodegroups", Reason: "AccessDenied", Cluster: "prod"}},
	}
}

func organization() *Organization {
	full := []OrganizationPolicy{{ID: "p-FullAWSAccess", Name: "FullAWSAccess", Document: `{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`}}
	return &Organization{
		ID: "o-example123", ManagementAccount: "777788889999", FeatureSet: "ALL", RCPsUnknown: true,
		Levels: []OrganizationLevel{{ID: "r-ab12", SCPs: full}, {ID: "ou-ab12-11111111", SCPs: full}, {ID: "111122223333", SCPs: full}},
	}
}

func encode(t testing.TB, s *Snapshot) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, s); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestWriteThenRead(t *testing.T) {
	s := sample()
	text := encode(t, s)
	if !json.Valid(text) {
		t.Error("the file is not one JSON document")
	}
	if !IsSnapshot(text) {
		t.Error("the file is not recognised as a snapshot")
	}
	got, err := Read(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(s, got); diff != "" {
		t.Error(diff)
	}
	if !bytes.Equal(text, encode(t, got)) {
		t.Error("writing again gives other bytes")
	}
}

func TestReadReformatted(t *testing.T) {
	var indented bytes.Buffer
	if err := json.Indent(&indented, encode(t, sample()), "", "  "); err != nil {
		t.Fatal(err)
	}
	got, err := Read(&indented)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sample(), got); diff != "" {
		t.Error(diff)
	}
}

func TestReadOnlyWantedAreas(t *testing.T) {
	got, err := Read(bytes.NewReader(encode(t, sample())), AreaRoles)
	if err != nil {
		t.Fatal(err)
	}
	c := got.Clusters[0]
	if len(c.Roles) != 1 || !c.Read[AreaRoles] {
		t.Error("the wanted area was not read")
	}
	if len(c.Pods) != 0 || c.Read[AreaPods] || c.Description != nil {
		t.Error("an area that nobody wanted was read")
	}
}

func TestReadRefuses(t *testing.T) {
	text := string(encode(t, sample()))
	for name, c := range map[string]struct{ in, want string }{
		"newer version":   {strings.Replace(text, "snapshot/v1", "snapshot/v2", 1), "use a newer drawbridge"},
		"other version":   {strings.Replace(text, "drawbridge.snapshot/v1", "cat/v1", 1), "not a snapshot version"},
		"cut off":         {text[:len(text)/2], "line"},
		"cut at a line":   {text[:strings.LastIndex(text[:len(text)-5], "\n")+1], "ends early"},
		"null item":       {strings.Replace(text, `"items":[{"principalArn"`, `"items":[null,{"principalArn"`, 1), "is null"},
		"wrong type":      {strings.Replace(text, `"items":[{"principalArn":`, `"items":[{"groups":7,"principalArn":`, 1), "accessEntries"},
		"duplicate names": {strings.Replace(text, `"items":[{"principalArn":`, `"items":[{"type":"a","type":"b","principalArn":`, 1), "duplicate"},
		"no such cluster": {strings.Replace(text, `"cluster":0`, `"cluster":7`, 1), "no such cluster"},
		"binary":          {"\x00\x01\x02", "read snapshot"},
		"empty":           {"", "read snapshot"},
		"trailing text":   {text + "more", "after the end"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.in == text {
				t.Fatal("the case changes nothing")
			}
			if _, err := Read(strings.NewReader(c.in)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

// TestReadReleased reads a file of every version ever released. The files are never regenerated: they are what users have.
func TestReadReleased(t *testing.T) {
	files, err := filepath.Glob("testdata/released/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal("no released versions", err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		s, err := Read(bytes.NewReader(b))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, a := range Areas {
			read := slices.ContainsFunc(s.Clusters, func(c *Cluster) bool { return c.Read[a.Area] }) ||
				slices.ContainsFunc(s.Accounts, func(acct *Account) bool { return acct.Read[a.Area] })
			if !read && !a.Optional {
				t.Errorf("%s: area %s is not read", name, a.Area)
			}
		}
		if c := s.Clusters[0]; c.AuthenticationMode() != ModeConfigMap || len(c.Pods) != 2 || c.Pods[0].Name == "" || c.AWSAuth == nil {
			t.Errorf("%s: the first cluster is %+v", name, c)
		}
	}
}

// TestReadInPart keeps what was read of an area that has a gap.
func TestReadInPart(t *testing.T) {
	s := sample()
	delete(s.Clusters[0].Read, AreaPods)
	s.Gaps = append(s.Gaps, finding.Gap{Area: string(AreaPods), Action: "list pods", Reason: "expired", Cluster: "prod"})
	got, err := Read(bytes.NewReader(encode(t, s)))
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]*Snapshot{"read": got, "merged": Merge(s)} {
		if n := len(s.Clusters[0].Pods); n != 2*chunk+1 || len(s.GapsFor(s.Clusters[0], AreaPods)) != 1 {
			t.Errorf("%s: %d pods, gaps %v", name, n, s.Gaps)
		}
	}
}

// TestSort shuffles what sources read and expects one order.
func TestSort(t *testing.T) {
	shuffled := sample()
	c := shuffled.Clusters[0]
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(c.Pods), func(i, j int) { c.Pods[i], c.Pods[j] = c.Pods[j], c.Pods[i] })
	shuffled.Clusters = append([]*Cluster{{Name: "zeta"}}, shuffled.Clusters...)
	shuffled.Sort()
	want := sample()
	want.Clusters = append(want.Clusters, &Cluster{Name: "zeta"})
	if diff := cmp.Diff(want, shuffled); diff != "" {
		t.Error(diff[:min(len(diff), 2000)])
	}
}

func TestUnknownAreaIsIgnored(t *testing.T) {
	text := strings.Replace(string(encode(t, sample())), `{"area":"nodes"`, `{"area":"fromTheFuture"`, 1)
	if _, err := Read(strings.NewReader(text)); err != nil {
		t.Error(err)
	}
}

func TestComplete(t *testing.T) {
	s := sample()
	s.Complete("not in the files")
	got := map[string]bool{}
	for _, g := range s.Gaps {
		if got[g.Area] {
			t.Errorf("two gaps for %s", g.Area)
		}
		got[g.Area] = true
	}
	for _, a := range Areas {
		read := s.Clusters[0].Read[a.Area] || s.Accounts[0].Read[a.Area]
		if (read || a.Optional) == got[string(a.Area)] {
			t.Errorf("area %s: read %v, gap %v", a.Area, read, got[string(a.Area)])
		}
	}
}

func TestMerge(t *testing.T) {
	a, b := sample(), sample()
	b.Clusters[0].Read = nil
	b.Clusters[0].Pods = nil
	b.Clusters[0].AccessEntries = nil
	b.Clusters[0].Nodegroups = []*Nodegroup{{Name: "ng"}}
	b.Clusters[0].ARN = "" // a folder of kubectl output knows the name only
	b.Clusters[0].MarkRead(AreaNodegroups)
	b.Gaps = nil
	for name, merged := range map[string]*Snapshot{"ab": Merge(a, b), "ba": Merge(b, a)} {
		if len(merged.Clusters) != 1 || len(merged.Accounts) != 1 {
			t.Fatalf("%s: %d clusters, %d accounts", name, len(merged.Clusters), len(merged.Accounts))
		}
		c := merged.Clusters[0]
		if len(c.Pods) != len(a.Clusters[0].Pods) || len(c.Nodegroups) != 1 || len(merged.Accounts[0].Roles) != 1 || c.ARN == "" {
			t.Errorf("%s: %d pods, %d node groups, %d roles, ARN %q", name, len(c.Pods), len(c.Nodegroups), len(merged.Accounts[0].Roles), c.ARN)
		}
		if len(merged.Gaps) != 0 {
			t.Errorf("%s: the gap in node groups stays although they were read: %v", name, merged.Gaps)
		}
	}
	east := &Snapshot{Accounts: []*Account{{ID: "111122223333", AllClustersOf: []string{"us-east-1"}}}}
	both := &Snapshot{Accounts: []*Account{{ID: "111122223333", AllClustersOf: []string{"eu-west-1", "us-east-1"}}}}
	if diff := cmp.Diff([]string{"eu-west-1", "us-east-1"}, Merge(east, both).Accounts[0].AllClustersOf); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(sample(), Merge(sample(), sample())); diff != "" {
		t.Errorf("merging with itself: %s", diff)
	}
}

// TestMergeOrganization keeps what was read of an organization, whoever looked at it last.
func TestMergeOrganization(t *testing.T) {
	of := func(o *Organization) *Snapshot {
		a := &Account{ID: "111122223333", Organization: o}
		a.MarkRead(AreaOrganization)
		return &Snapshot{Accounts: []*Account{a}}
	}
	full, member, other := organization(), &Organization{ID: "o-example123", SCPsUnknown: true, RCPsUnknown: true}, &Organization{ID: "o-other12345", SCPsUnknown: true}
	for _, c := range []struct {
		name  string
		parts []*Snapshot
		want  *Organization
	}{
		{"seen by a member last", []*Snapshot{of(full), of(member)}, full},
		{"seen by a member first", []*Snapshot{of(member), of(full)}, full},
		{"moved to another", []*Snapshot{of(full), of(other)}, other},
		{"never in any, then in one", []*Snapshot{of(nil), of(full)}, full},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, Merge(c.parts...).Accounts[0].Organization); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAccessScopeCovers(t *testing.T) {
	for _, c := range []struct {
		patterns  []string
		namespace string
		want      bool
	}{
		{[]string{"dev"}, "dev", true},
		{[]string{"dev"}, "dev-1", false},
		{[]string{"dev-*"}, "dev-1", true},
		{[]string{"*"}, "kube-system", true},
		{[]string{"a*c*e"}, "abcde", true},
		{[]string{"a*c*e"}, "ace", true},
		{[]string{"a*c*e"}, "ae", false},
		{[]string{"*-prod"}, "x-prod", true},
		{nil, "x", false},
		{[]string{"aa*aa"}, "aaa", false},
	} {
		if got := (AccessScope{Type: ScopeNamespace, Namespaces: c.patterns}).Covers(c.namespace); got != c.want {
			t.Errorf("%q covers %q: %v", c.patterns, c.namespace, got)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(encode(f, sample())[:2000])
	small := sample()
	small.Clusters[0].Pods = small.Clusters[0].Pods[:2]
	f.Add(encode(f, small))
	f.Add([]byte(`{"version":"drawbridge.snapshot/v1","clusters":[null],"sections":[` + "\n]}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Read(bytes.NewReader(b))
		if err != nil {
			return
		}
		again, err := Read(bytes.NewReader(encode(t, s)))
		if err != nil {
			t.Fatalf("what was read cannot be written and read again: %v", err)
		}
		if !bytes.Equal(encode(t, s), encode(t, again)) {
			t.Fatal("a second round changes the snapshot")
		}
	})
}
