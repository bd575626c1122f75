package oracle

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"drawbridge/internal/model"
)

// gen makes clusters; equal seeds make equal ones.
type gen struct{ *rand.Rand }

func pick[T any](g gen, list ...T) T { return list[g.IntN(len(list))] }

// chance is true once in n.
func (g gen) chance(n int) bool { return g.IntN(n) == 0 }

// some returns between min and max of the strings, repetitions included.
func (g gen) some(min, max int, list []string) []string {
	var out []string
	for range min + g.IntN(max-min+1) {
		out = append(out, pick(g, list...))
	}
	return out
}

const (
	home = "111122223333" // the cluster's account
	near = "444455556666" // another, which is read, and trusted, in some worlds
	far  = "777788889999" // in mapAccounts of some worlds
)

// instance is a session name of nodes, and instanceName what EC2 calls it.
const (
	instance     = "i-0123456789abcdef0"
	instanceName = "ip-10-0-0-1.ec2.internal"
)

// nodeProfile is the instance profile by which instances have the role of nodes.
const nodeProfile = "arn:aws:iam::" + home + ":instance-profile/node"

// principal is an IAM principal that asks.
type principal struct {
	arn, account, unique string
	sessions             []string // of a role
	// recreated says that access entries from before are of another principal of this ARN.
	recreated bool
}

func (p *principal) name() string { return p.arn[strings.LastIndex(p.arn, "/")+1:] }

func (p *principal) isRole() bool { return strings.Contains(p.arn, ":role/") }

func (p *principal) isUser() bool { return strings.Contains(p.arn, ":user/") }

func (p *principal) isNode() bool { return p.name() == "node" || p.name() == "fargate" }

// sts is the ARN of one of its sessions, or its own.
func (p *principal) sts(session string) string {
	if !p.isRole() {
		return p.arn
	}
	return "arn:aws:sts::" + p.account + ":assumed-role/" + p.name() + "/" + session
}

// stripped is the ARN without path under which the authenticator looks for a role.
func (p *principal) stripped() string {
	if !p.isRole() {
		return p.arn
	}
	return "arn:aws:iam::" + p.account + ":role/" + p.name()
}

var (
	roleNames = []string{"Dev", "Ops", "a+b=c,d.e@f-g_h", "AWSReservedSSO_Admin_0123456789abcdef", "Lead"}
	sessions  = []string{"alice", "bob", "jane@example.com", instance}
)

// principals are those who ask, and one that exists in name only.
func (g gen) principals() []*principal {
	var all []*principal
	for _, account := range []string{home, near, far} {
		for _, name := range roleNames {
			path := pick(g, "/", "/", "/team/", "/a/b/")
			if strings.HasPrefix(name, "AWSReservedSSO") {
				path = "/aws-reserved/sso.amazonaws.com/eu-central-1/"
			}
			all = append(all, &principal{arn: "arn:aws:iam::" + account + ":role" + path + name, account: account, unique: g.unique("AROA"), sessions: g.some(1, 2, sessions), recreated: g.chance(10)})
			if account == far {
				break
			}
		}
		all = append(all,
			&principal{arn: "arn:aws:iam::" + account + ":user" + pick(g, "/", "/team/") + "carol", account: account, unique: g.unique("AIDA"), recreated: g.chance(10)},
			&principal{arn: "arn:aws:iam::" + account + ":root", account: account, unique: account})
	}
	return append(all,
		&principal{arn: "arn:aws:iam::" + home + ":role/node", account: home, unique: g.unique("AROA"), sessions: []string{instance}},
		&principal{arn: "arn:aws:iam::" + home + ":role/fargate", account: home, unique: g.unique("AROA"), sessions: []string{"fargate-ip-10-0-0-9.ec2.internal"}})
}

func (g gen) unique(prefix string) string { return fmt.Sprintf("%s%017d", prefix, g.IntN(1e15)) }

// Entries from before the migration were made on the first day; who was made again was so on the second.
var (
	firstDay  = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	secondDay = firstDay.AddDate(0, 0, 1)
)

// accounts are what a snapshot has of those that were read.
func accounts(all []*principal, read []string) []*model.Account {
	var out []*model.Account
	for _, id := range read {
		a := &model.Account{ID: id, Partition: "aws"}
		a.MarkRead(model.AreaIAMRoles, model.AreaIAMUsers, model.AreaIAMGroups, model.AreaIAMPolicies)
		for _, p := range all {
			created := firstDay.AddDate(0, 0, -1)
			if p.recreated {
				created = secondDay
			}
			switch {
			case p.account != id:
			case p.isRole():
				a.Roles = append(a.Roles, &model.IAMRole{ARN: p.arn, ID: p.unique, Name: p.name(), Created: created})
				if p.name() == "node" {
					a.Roles[len(a.Roles)-1].InstanceProfiles = []string{nodeProfile}
				}
			case p.isUser():
				a.Users = append(a.Users, &model.IAMUser{ARN: p.arn, ID: p.unique, Name: p.name(), Created: created})
			}
		}
		out = append(out, a)
	}
	return out
}
