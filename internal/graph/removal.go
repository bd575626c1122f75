package graph

import (
	"fmt"
	"slices"
	"strings"

	"drawbridge/internal/access"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

// What it costs others to take a grant away: nothing else is known than how much it serves, so that what one identity loses
// counts less than what many lose, and closing a hole less than taking a right away. The numbers only order.
const (
	costSubject     = 2 // a subject of a binding; a whole binding costs one more than it has subjects
	costHardening   = 2 // a setting that nobody should miss
	costAssociation = 3 // the role of a workload
	costStatement   = 3 // a policy of an IAM principal
	costTrust       = 3
	costEntry       = 4 // somebody's way into a cluster
)

// Removal says what to change to take a grant away.
type Removal struct {
	Object finding.Subject
	Text   string
	// Plan is the changes, where they follow from the snapshot; else Text says what to do.
	Plan plan.Plan
}

func removeBinding(c *cluster, bind *model.Binding) Removal {
	s := bind.Subject()
	return Removal{
		Object: s, Text: fmt.Sprintf("delete %s, which gives %s %s to %d subjects", s, bind.RoleRef.Kind, bind.RoleRef.Name, len(bind.Subjects)),
		Plan: plan.Plan{plan.DeleteBinding{Cluster: c.ID(), Namespace: bind.Namespace, Name: bind.Name}},
	}
}

func removeSubject(c *cluster, bind *model.Binding, i int) Removal {
	s, of := bind.Subject(), bind.Subjects[i]
	if len(bind.Subjects) == 1 {
		r := removeBinding(c, bind)
		r.Text = fmt.Sprintf("delete %s, which gives %s %s to %s", s, bind.RoleRef.Kind, bind.RoleRef.Name, access.SubjectText(of))
		return r
	}
	return Removal{
		Object: s, Text: fmt.Sprintf("take %s out of %s, which gives it %s %s", access.SubjectText(of), s, bind.RoleRef.Kind, bind.RoleRef.Name),
		Plan: plan.Plan{plan.RemoveSubject{Cluster: c.ID(), Namespace: bind.Namespace, Name: bind.Name, Index: i, Subject: of}},
	}
}

func deleteEntry(c *cluster, e *model.AccessEntry) Removal {
	r := Removal{Object: e.Subject(), Text: "delete the access entry of " + e.PrincipalARN, Plan: plan.Plan{plan.DeleteAccessEntry{Cluster: c.ID(), PrincipalARN: e.PrincipalARN}}}
	for _, m := range c.Mappings() {
		if c.EntryOf(m) == e {
			r.Text += ", and the row of aws-auth that would take its place"
			r.Plan = append(plan.Plan{row(c, m)}, r.Plan...)
		}
	}
	return r
}

func leaveGroup(c *cluster, e *model.AccessEntry, group string) Removal {
	groups := slices.DeleteFunc(slices.Clone(e.Groups), func(g string) bool { return g == group })
	return Removal{
		Object: e.Subject(), Text: fmt.Sprintf("take group %s off the access entry of %s", group, e.PrincipalARN),
		Plan: plan.Plan{plan.UpdateAccessEntry{Cluster: c.ID(), PrincipalARN: e.PrincipalARN, Groups: groups, Username: e.Username}},
	}
}

func disassociate(c *cluster, e *model.AccessEntry, a *model.PolicyAssociation) Removal {
	return Removal{
		Object: e.Subject(), Text: fmt.Sprintf("take %s on %s off the access entry of %s", a.PolicyName(), a.Scope, e.PrincipalARN),
		Plan: plan.Plan{plan.DisassociateAccessPolicy{Cluster: c.ID(), PrincipalARN: e.PrincipalARN, PolicyARN: a.PolicyARN}},
	}
}

func row(c *cluster, m *access.Mapping) plan.Change {
	return plan.RemoveAWSAuthRow{Cluster: c.ID(), Kind: m.Kind, Index: m.Index, ARN: m.Written.ARN, Username: m.Written.Username, Groups: m.Written.Groups}
}

func removeRow(c *cluster, m *access.Mapping) Removal {
	return Removal{Object: m.Subject(), Text: fmt.Sprintf("take the row of %s out of aws-auth", m.Written.ARN), Plan: plan.Plan{row(c, m)}}
}

func removeAssociation(c *cluster, a *model.PodIdentityAssociation) Removal {
	return Removal{
		Object: a.Subject(), Text: fmt.Sprintf("delete the Pod Identity association of %s/%s, or give it a role with less", a.Namespace, a.ServiceAccount),
		Plan: plan.Plan{plan.DeletePodIdentityAssociation{Cluster: c.ID(), Namespace: a.Namespace, ServiceAccount: a.ServiceAccount, ID: a.ID}},
	}
}

// narrow takes policies off a principal, where they are its own: a group's are others' too.
func narrow(p actor, policies []string) Removal {
	s := p.Object.Subject()
	if p.limited != nil {
		s = p.limited.Subject()
	}
	r := Removal{Object: s, Text: fmt.Sprintf("narrow, or take off %s, the policies by which it can: %s", s, strings.Join(policies, ", "))}
	inline, attached := own(p.Object)
	for _, policy := range policies {
		name, isInline := strings.CutPrefix(policy, "inline policy ")
		switch {
		case p.limited != nil:
			return r
		case isInline && slices.Contains(inline, name):
			r.Plan = append(r.Plan, plan.DeleteInlinePolicy{PrincipalARN: p.ARN, Name: name})
		case slices.Contains(attached, policy):
			r.Plan = append(r.Plan, plan.DetachPolicy{PrincipalARN: p.ARN, PolicyARN: policy})
		default:
			r.Plan = nil
			return r
		}
	}
	return r
}

// own are the names of the inline policies of a principal, and the ARNs of those attached to it.
func own(o model.Object) (inline, attached []string) {
	var list []model.InlinePolicy
	switch o := o.(type) {
	case *model.IAMRole:
		list, attached = o.Inline, o.Attached
	case *model.IAMUser:
		list, attached = o.Inline, o.Attached
	}
	for _, i := range list {
		inline = append(inline, i.Name)
	}
	return inline, attached
}
