package apply

import (
	"bytes"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
	rbacv1 "k8s.io/api/rbac/v1"

	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

// same says whether two snapshots of the same parts hold the same, aside from what AWS and Kubernetes set or spell otherwise
// than they were told to.
func same(a, b *model.Snapshot) (bool, error) { return plan.Equal(plainly(a), plainly(b)) }

// plainly returns the snapshot with lists that have no order sorted, defaults filled in, and policy documents in canonical form.
func plainly(s *model.Snapshot) *model.Snapshot {
	out := *s
	out.Clusters, out.Accounts = nil, nil
	for _, c := range s.Clusters {
		k := *c
		k.AccessEntries = each(c.AccessEntries, func(e *model.AccessEntry) {
			e.Groups, e.Tags = sorted(e.Groups), ownTags(e.Tags)
		})
		k.PolicyAssociations = each(c.PolicyAssociations, func(a *model.PolicyAssociation) { a.Scope.Namespaces = sorted(a.Scope.Namespaces) })
		k.PodIdentityAssociations = each(c.PodIdentityAssociations, func(a *model.PodIdentityAssociation) {
			a.Policy, a.Tags = canonical(a.Policy), ownTags(a.Tags)
		})
		filled := func(b *model.Binding) { b.RoleRef, b.Subjects = roleRef(b.RoleRef), subjects(b) }
		k.RoleBindings, k.ClusterRoleBindings = each(c.RoleBindings, filled), each(c.ClusterRoleBindings, filled)
		k.Roles, k.ClusterRoles = each(c.Roles, plainRules), each(c.ClusterRoles, plainRules)
		k.Workloads = each(c.Workloads, func(w *model.Workload) { w.UID = "" })
		if c.AWSAuth != nil {
			k.AWSAuth = &model.AWSAuth{Meta: model.Meta{Namespace: c.AWSAuth.Namespace, Name: c.AWSAuth.Name}, Data: c.AWSAuth.Data}
			if len(k.AWSAuth.Data) == 0 {
				k.AWSAuth.Data = nil
			}
		}
		k.ServiceAccounts = each(c.ServiceAccounts, func(sa *model.ServiceAccount) {
			if len(sa.Annotations) == 0 {
				sa.Annotations = nil
			}
		})
		out.Clusters = append(out.Clusters, &k)
	}
	for _, a := range s.Accounts {
		acct := *a
		acct.Roles = each(a.Roles, func(r *model.IAMRole) { r.Trust, r.Inline = canonical(r.Trust), plainInline(r.Inline) })
		acct.Users = each(a.Users, func(u *model.IAMUser) { u.Inline = plainInline(u.Inline) })
		out.Accounts = append(out.Accounts, &acct)
	}
	return &out
}

func plainRules(r *model.Role) {
	r.UID = ""
	rules := slices.Clone(r.Rules)
	for i, rule := range rules {
		rules[i] = rbacv1.PolicyRule{
			Verbs: append([]string(nil), rule.Verbs...), APIGroups: append([]string(nil), rule.APIGroups...), Resources: append([]string(nil), rule.Resources...),
			ResourceNames: append([]string(nil), rule.ResourceNames...), NonResourceURLs: append([]string(nil), rule.NonResourceURLs...),
		}
	}
	if r.Rules = rules; len(rules) == 0 {
		r.Rules = nil
	}
}

func plainInline(policies []model.InlinePolicy) []model.InlinePolicy {
	out := make([]model.InlinePolicy, len(policies))
	for i, p := range policies {
		out[i] = model.InlinePolicy{Name: p.Name, Document: canonical(p.Document)}
	}
	return out
}

// canonical is a policy document in one spelling (RFC 8785); what is no JSON stays as it is.
func canonical(d model.Document) model.Document {
	v := jsontext.Value(bytes.Clone([]byte(d)))
	if err := v.Canonicalize(); err != nil {
		return d
	}
	return model.Document(v)
}

// each copies the items of a list and changes the copies.
func each[T any](items []*T, change func(*T)) []*T {
	out := make([]*T, len(items))
	for i, item := range items {
		v := *item
		change(&v)
		out[i] = &v
	}
	return out
}

// spelt returns a change that expects a policy document or a subject with it spelt as it stands there: AWS and Kubernetes may
// keep another spelling of what they were given.
func spelt(change plan.Change, v *view) plan.Change {
	as := func(want model.Document, has ...model.Document) model.Document {
		for _, h := range has {
			if canonical(h) == canonical(want) {
				return h
			}
		}
		return want
	}
	switch c := change.(type) {
	case plan.UpdateTrustPolicy:
		for _, a := range v.Accounts {
			for _, r := range a.Roles {
				c.Before = as(c.Before, r.Trust)
			}
		}
		return c
	case plan.PutInlinePolicy:
		if c.Before == "" {
			return c
		}
		for _, p := range inline(v.Snapshot, c.PrincipalARN) {
			if p.Name == c.Name {
				c.Before = as(c.Before, p.Document)
			}
		}
		return c
	case plan.RemoveSubject:
		for _, k := range v.Clusters {
			for _, b := range slices.Concat(k.RoleBindings, k.ClusterRoleBindings) {
				at := b.Namespace == c.Namespace && b.Name == c.Name && c.Index >= 0 && c.Index < len(b.Subjects)
				if at && subject(b.Subjects[c.Index]) == subject(c.Subject) {
					c.Subject = b.Subjects[c.Index]
				}
			}
		}
		return c
	}
	return change
}

// inline are the inline policies of a role or user.
func inline(s *model.Snapshot, arn string) []model.InlinePolicy {
	for _, a := range s.Accounts {
		for _, r := range a.Roles {
			if r.ARN == arn {
				return r.Inline
			}
		}
		for _, u := range a.Users {
			if u.ARN == arn {
				return u.Inline
			}
		}
	}
	return nil
}
