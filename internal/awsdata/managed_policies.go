package awsdata

import (
	_ "embed"
	"slices"
	"strings"
	"sync"
)

// managedPoliciesFile is written by gen. Its first line is "package<tab>date", every other "path and name<tab>version<tab>document",
// sorted.
//
//go:embed managed-policies.tsv.zst
var managedPoliciesFile string

type managedPolicyTable struct {
	date     string
	policies []string // lines
}

// managedPolicies takes some 3 ms, once, for whoever asks for the first policy.
var managedPolicies = sync.OnceValue(func() *managedPolicyTable {
	lines := strings.Split(strings.TrimSuffix(inflate("managed policies", managedPoliciesFile), "\n"), "\n")
	_, date, _ := strings.Cut(lines[0], "\t")
	return &managedPolicyTable{date, lines[1:]}
})

// ManagedPoliciesDate is the day, as 2006-01-02, of the newest change that the copies of AWS managed policies hold.
func ManagedPoliciesDate() string { return managedPolicies().date }

// ManagedPolicy returns the copy of an AWS managed policy: the document of its default version on ManagedPoliciesDate, and
// that version ("v3"). The copies are of the partition aws; for others, the ARNs in the document are put into the
// partition of the ARN asked for, and the version is not that of the other partition. AWS changes its policies and mostly
// adds to them: a copy may allow less than the policy of today.
func ManagedPolicy(arn string) (document, version string, ok bool) {
	partition, name, ok := CutManagedPolicy(arn)
	if !ok {
		return "", "", false
	}
	all := managedPolicies().policies
	i, found := slices.BinarySearchFunc(all, name, func(line, name string) int {
		key, _, _ := strings.Cut(line, "\t")
		return strings.Compare(key, name)
	})
	if !found {
		return "", "", false
	}
	_, rest, _ := strings.Cut(all[i], "\t")
	version, document, _ = strings.Cut(rest, "\t")
	if partition != "aws" {
		document = strings.ReplaceAll(document, `"arn:aws:`, `"arn:`+partition+`:`)
	}
	return document, version, true
}

// CutManagedPolicy cuts the ARN of an AWS managed policy into its partition and its name with the path before it
// ("service-role/AmazonEBSCSIDriverPolicy"). It is false for every other ARN.
func CutManagedPolicy(arn string) (partition, name string, ok bool) {
	rest, ok := strings.CutPrefix(arn, "arn:")
	if !ok {
		return "", "", false
	}
	partition, name, ok = strings.Cut(rest, ":iam::aws:policy/")
	if !ok || !strings.HasPrefix(partition, "aws") || strings.Contains(partition, ":") || name == "" {
		return "", "", false
	}
	return partition, name, true
}
