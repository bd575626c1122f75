package checks

import (
	"slices"
	"strings"

	"drawbridge/internal/access"
	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

var podIdentitySharedRole = &check.Check{
	ID:         "pod-identity-shared-role",
	Title:      "One IAM role serves several service accounts",
	Severity:   finding.Medium,
	Needs:      []model.Area{model.AreaPodIdentityAssociations, model.AreaServiceAccounts},
	Techniques: []string{"T1078.004"},
	Since:      "0.1",
	Run: func(p *check.Pass) {
		shared := map[string][]roleUser{}
		here, seen := map[string]bool{}, map[roleUserName]bool{}
		for _, c := range p.Access.Access().Clusters() {
			for _, sa := range c.AWSServiceAccounts() {
				u := roleUser{c.Cluster, sa}
				if name := (roleUserName{c.Cluster, sa.RoleARN, sa.Namespace, sa.Name}); !seen[name] {
					seen[name] = true
					shared[sa.RoleARN] = append(shared[sa.RoleARN], u)
				}
				here[sa.RoleARN] = here[sa.RoleARN] || c.Cluster == p.Cluster && sa.Via == access.ViaPodIdentity
			}
		}
		var arns []string
		for arn, users := range shared {
			if here[arn] && len(users) > 1 && arn != "" {
				arns = append(arns, arn)
			}
		}
		slices.Sort(arns)
		for _, arn := range arns {
			reportSharedRole(p, arn, shared[arn])
		}
	},
}

// roleUser is a service account of a cluster that uses a role.
type roleUser struct {
	cluster *model.Cluster
	access.AWSServiceAccount
}

type roleUserName struct {
	cluster               *model.Cluster
	role, namespace, name string
}

func reportSharedRole(p *check.Pass, arn string, users []roleUser) {
	names, clusters := map[string]bool{}, map[string]bool{}
	var all []string
	for _, u := range users {
		name := u.Namespace + "/" + u.Name
		names[name], clusters[p.Snapshot.Label(u.cluster)] = true, true
		if u.cluster != p.Cluster {
			name += " of cluster " + p.Snapshot.Label(u.cluster)
		}
		all = append(all, name)
	}
	role, _ := p.Access.Access().Role(arn)
	if role == nil {
		role = roleByARN(arn)
	}
	var r *check.Report
	if len(names) == 1 {
		r = p.Report(role, "%s serves %s in %d clusters, so whoever takes one cluster has what the others may do; low, because it is one service account by name",
			role.Name, users[0].Namespace+"/"+users[0].Name, len(clusters)).Severity(finding.Low)
	} else {
		r = p.Report(role, "%s serves %d service accounts, so each may do what any of them needs: %s", role.Name, len(users), check.Some(all, 4))
	}
	for _, u := range users[:min(len(users), 20)] {
		r.Evidence(u.Object.Subject().String(), "%s, cluster %s", u.Via, p.Snapshot.Label(u.cluster))
	}
	r.Fix("# one role for each service account: create it with what that one needs, then point its association there").
		Fix(plan.Shell("aws", "iam", "create-role", "--role-name", "NAME", "--assume-role-policy-document", "file://trust.json"))
	for _, u := range users {
		if a, ok := u.Object.(*model.PodIdentityAssociation); ok && u.cluster == p.Cluster {
			r.Fix(plan.Shell("aws", "eks", "update-pod-identity-association", "--cluster-name", p.Cluster.Name, "--region", p.Cluster.Region,
				"--association-id", a.ID, "--role-arn", "ARN") + " # " + plan.Shell(u.Namespace+"/"+u.Name))
			break
		}
	}
}

// roleByARN stands for a role that was not read, so that findings about it are about the role all the same.
func roleByARN(arn string) *model.IAMRole {
	return &model.IAMRole{ARN: arn, Name: arn[strings.LastIndexByte(arn, '/')+1:]}
}
