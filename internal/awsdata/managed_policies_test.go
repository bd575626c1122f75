package awsdata

import (
	"strings"
	"testing"
	"time"

	"drawbridge/internal/iam"
)

func TestManagedPolicy(t *testing.T) {
	for _, c := range []struct {
		arn, version string // of the version at least
		allows       string
	}{
		{"arn:aws:iam::aws:policy/AdministratorAccess", "v1", "*"},
		{"arn:aws:iam::aws:policy/ReadOnlyAccess", "v100", "s3:Get*"},
		{"arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess", "v3", "s3:Get*"},
		{"arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy", "v3", "eks-auth:AssumeRoleForPodIdentity"},
		{"arn:aws:iam::aws:policy/AmazonEKSWorkerNodeMinimalPolicy", "v1", "eks-auth:AssumeRoleForPodIdentity"},
		{"arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy", "v5", "ec2:AssignPrivateIpAddresses"},
		{"arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore", "v2", "ssmmessages:OpenDataChannel"},
		{"arn:aws:iam::aws:policy/service-role/AmazonEBSCSIDriverPolicy", "v2", "ec2:AttachVolume"},
		{"arn:aws:iam::aws:policy/job-function/ViewOnlyAccess", "v10", "ec2:DescribeInstance*"},
		{"arn:aws:iam::aws:policy/aws-service-role/AmazonEKSServiceRolePolicy", "v5", "ec2:CreateNetworkInterface"},
	} {
		doc, version, ok := ManagedPolicy(c.arn)
		if !ok || !strings.Contains(doc, `"`+c.allows+`"`) {
			t.Errorf("%s: known %v, without %s", c.arn, ok, c.allows)
		}
		if len(version) < len(c.version) || len(version) == len(c.version) && version < c.version {
			t.Errorf("%s: version %s, want at least %s", c.arn, version, c.version)
		}
	}
	for _, arn := range []string{
		"", "AdministratorAccess", "arn:aws:iam::aws:policy/", "arn:aws:iam::aws:policy/Nothing", "arn:aws:iam::111122223333:policy/AdministratorAccess",
		"arn:aws:iam::aws:policy/EBSCSIDriverPolicy", "arn:aws:iam::aws:policy/service-role/AdministratorAccess", "arn:evil:iam::aws:policy/AdministratorAccess",
		"arn:aws:s3:::x:iam::aws:policy/AdministratorAccess", "arn:aws:iam::aws:policy/AdministratorAccess\tv1",
	} {
		if _, _, ok := ManagedPolicy(arn); ok {
			t.Errorf("%q is known", arn)
		}
	}
}

func TestManagedPolicyOfOtherPartition(t *testing.T) {
	const name = ":iam::aws:policy/AmazonEKS_CNI_Policy"
	here, version, _ := ManagedPolicy("arn:aws" + name)
	there, same, ok := ManagedPolicy("arn:aws-cn" + name)
	if !ok || version != same || !strings.Contains(there, `"arn:aws-cn:ec2:`) || strings.Contains(there, `"arn:aws:`) {
		t.Errorf("%v %s\n%s", ok, same, there)
	}
	if strings.ReplaceAll(there, "arn:aws-cn:", "arn:aws:") != here {
		t.Error("more than the partition differs")
	}
}

// TestManagedPolicyDocuments holds all copies to what internal/iam understands: a policy that it does not would evaluate
// to unknown.
func TestManagedPolicyDocuments(t *testing.T) {
	all := managedPolicies().policies
	if len(all) < 1594 {
		t.Errorf("%d policies, want at least the 1594 of 2026-08", len(all))
	}
	if _, err := time.Parse(time.DateOnly, ManagedPoliciesDate()); err != nil {
		t.Error(err)
	}
	for _, line := range all {
		name, _, _ := strings.Cut(line, "\t")
		doc, version, ok := ManagedPolicy("arn:aws:iam::aws:policy/" + name)
		if !ok || !strings.HasPrefix(version, "v") {
			t.Errorf("%s: version %q", name, version)
			continue
		}
		p, err := iam.Parse([]byte(doc))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		unknown := p.Unknown
		for i := range p.Statements {
			unknown = append(unknown, p.Statements[i].Unknown...)
		}
		if len(unknown) > 0 || len(p.Statements) == 0 {
			t.Errorf("%s: %d statements, not understood: %v", name, len(p.Statements), unknown)
		}
	}
}

func BenchmarkFirstManagedPolicy(b *testing.B) {
	for b.Loop() {
		inflate("managed policies", managedPoliciesFile)
	}
}

func BenchmarkManagedPolicy(b *testing.B) {
	for b.Loop() {
		ManagedPolicy("arn:aws:iam::aws:policy/ReadOnlyAccess")
	}
}
