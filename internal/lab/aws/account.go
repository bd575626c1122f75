package aws

import (
	"fmt"
	"slices"
	"strings"
)

// Account is one AWS account. Get it from Server.Account.
type Account struct {
	ID, Partition string

	srv     *Server
	iam     *iamState
	regions map[string]*Region
	denied  []string
}

// Region is one region of an account: its EKS, CloudTrail, CloudWatch Logs and EC2.
type Region struct {
	Name string

	acct   *Account
	eks    eksState
	trails trailState
	logs   logState
	ec2    ec2State
}

// Account returns the account with that id, made in the partition (aws, aws-cn, aws-us-gov, …) if it is new.
func (s *Server) Account(id, partition string) *Account {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.account(id, partition)
}

func (s *Server) account(id, partition string) *Account {
	a, ok := s.accounts[id]
	if !ok {
		a = &Account{ID: id, Partition: partition, srv: s, regions: map[string]*Region{}}
		a.iam = newIAMState(a)
		s.accounts[id] = a
	}
	return a
}

// Region returns the account's region of that name. It panics if the region is not of the account's
// partition, because no such place exists.
func (a *Account) Region(name string) *Region {
	a.srv.mu.Lock()
	defer a.srv.mu.Unlock()
	if partitionOf(name) != a.Partition {
		panic(fmt.Sprintf("lab: region %s is not in partition %s", name, a.Partition))
	}
	return a.region(name)
}

func (a *Account) region(name string) *Region {
	r, ok := a.regions[name]
	if !ok {
		r = &Region{Name: name, acct: a, eks: eksState{}, trails: trailState{}, logs: logState{}, ec2: newEC2State()}
		a.regions[name] = r
	}
	return r
}

// ARN builds an ARN in the account; region is "" for IAM and STS.
func (a *Account) ARN(service, region, resource string) string {
	return "arn:" + a.Partition + ":" + service + ":" + region + ":" + a.ID + ":" + resource
}

func (r *Region) arn(service, resource string) string { return r.acct.ARN(service, r.Name, resource) }

// partitionOf follows the regions' naming (AWS SDK partitions.json, 2026-11).
func partitionOf(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	case strings.HasPrefix(region, "us-iso-"):
		return "aws-iso"
	case strings.HasPrefix(region, "us-isob-"):
		return "aws-iso-b"
	case strings.HasPrefix(region, "eusc-"):
		return "aws-eusc"
	}
	return "aws"
}

// dnsSuffix is the domain of the partition's endpoints.
func dnsSuffix(partition string) string {
	if partition == "aws-cn" {
		return "amazonaws.com.cn"
	}
	return "amazonaws.com"
}

// principalARN is an ARN of IAM or STS, split.
type principalARN struct {
	partition, service, account, kind, path, name string
}

// parsePrincipal splits arn:P:iam::ACCOUNT:role/path/name and arn:P:sts::ACCOUNT:assumed-role/name/session,
// whose name is then "name/session". It is false for anything else.
func parsePrincipal(arn string) (principalARN, bool) {
	f := strings.SplitN(arn, ":", 6)
	if len(f) != 6 || f[0] != "arn" || f[3] != "" || len(f[4]) != 12 || !slices.Contains([]string{"iam", "sts"}, f[2]) {
		return principalARN{}, false
	}
	kind, rest, ok := strings.Cut(f[5], "/")
	if !ok || rest == "" {
		return principalARN{}, false
	}
	p := principalARN{partition: f[1], service: f[2], account: f[4], kind: kind, path: "/", name: rest}
	if f[2] == "iam" {
		if i := strings.LastIndex(rest, "/"); i >= 0 {
			p.path, p.name = "/"+rest[:i+1], rest[i+1:]
		}
	}
	return p, p.name != ""
}
