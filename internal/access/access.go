// Package access answers what follows from a snapshot: which Kubernetes username and groups an IAM principal gets, what
// those may do, which AWS identity a pod holds and what its role may do. Each such fact is worked out in one place, with
// its evidence, and is unknown where the snapshot does not tell. It judges nothing: that is for checks.
package access

import (
	"strings"
	"sync"
	"time"

	"drawbridge/internal/model"
)

// Access answers for one snapshot, which must not change afterwards. It is safe for concurrent use.
type Access struct {
	snapshot *model.Snapshot
	clusters map[*model.Cluster]*Cluster

	roles       map[string]*model.IAMRole // by ARN
	rolesByName map[string]*model.IAMRole // by account/name, in lower case
	profiles    map[string]*model.IAMRole // by the ARN of an instance profile
	users       map[string]*model.IAMUser // by ARN
	groups      map[string]*model.IAMGroup
	managed     map[string]*model.IAMPolicy
	// complete holds the accounts whose roles and users were read without a gap, so that absence means something.
	complete map[string]bool
	// tried holds the accounts of which somebody tried to read roles or users; "" is any account.
	tried map[string]bool

	parsed sync.Map // model.Document -> parsedPolicy
	powers sync.Map // the text of rules -> []rbac.Held

	managedPolicies sync.Map // ARN -> managedPolicy

	principals sync.Map // *model.IAMRole or *model.IAMUser -> *IAMPrincipal
	asked      sync.Map // *iam.Policy -> *actionSet

	trustingService sync.Map // [account, service] -> byARN[*model.IAMRole]
	ways            func() *ways
	leftTo          sync.Map // account -> []iam.Named
	podEntries      sync.Map // podEntryKey -> Entry
	guardrails      sync.Map // account -> *Guardrails
}

// New prepares the answers for a snapshot. What is costly is worked out when it is first asked for.
func New(s *model.Snapshot) *Access {
	a := &Access{
		snapshot: s, clusters: map[*model.Cluster]*Cluster{},
		roles: map[string]*model.IAMRole{}, rolesByName: map[string]*model.IAMRole{}, profiles: map[string]*model.IAMRole{},
		users:  map[string]*model.IAMUser{},
		groups: map[string]*model.IAMGroup{}, managed: map[string]*model.IAMPolicy{}, complete: map[string]bool{}, tried: map[string]bool{},
	}
	for _, acct := range s.Accounts {
		a.complete[acct.ID] = acct.Read[model.AreaIAMRoles] && acct.Read[model.AreaIAMUsers]
		a.tried[acct.ID] = acct.Read[model.AreaIAMRoles] || acct.Read[model.AreaIAMUsers]
		for _, r := range acct.Roles {
			a.roles[r.ARN] = r
			a.rolesByName[acct.ID+"/"+strings.ToLower(r.Name)] = r
			for _, p := range r.InstanceProfiles {
				a.profiles[p] = r
			}
		}
		for _, u := range acct.Users {
			a.users[u.ARN] = u
		}
		for _, g := range acct.Groups {
			a.groups[acct.ID+"/"+g.Name] = g
		}
		for _, p := range acct.Policies {
			a.managed[p.ARN] = p
		}
	}
	for _, g := range s.Gaps {
		if g.Area == string(model.AreaIAMRoles) || g.Area == string(model.AreaIAMUsers) {
			delete(a.complete, g.Account)
			a.tried[g.Account] = a.tried[g.Account] || g.Reason != model.NotInInput
			if g.Account == "" { // whose was not told: it may be anybody's
				clear(a.complete)
			}
		}
	}
	for _, c := range s.Clusters {
		a.clusters[c] = newCluster(a, c)
	}
	a.ways = sync.OnceValue(a.allWays)
	return a
}

// Cluster returns the answers about one cluster of the snapshot.
func (a *Access) Cluster(c *model.Cluster) *Cluster { return a.clusters[c] }

// Time is when the snapshot was taken; the zero time where it does not say.
func (a *Access) Time() time.Time { return a.snapshot.Time }

// Clusters returns the answers about all clusters, in the snapshot's order.
func (a *Access) Clusters() []*Cluster {
	all := make([]*Cluster, len(a.snapshot.Clusters))
	for i, c := range a.snapshot.Clusters {
		all[i] = a.clusters[c]
	}
	return all
}
