package access

import (
	"maps"
	"slices"
	"strings"

	"drawbridge/internal/authenticator"
	"drawbridge/internal/iam"
	"drawbridge/internal/rbac"
)

// principals answers for the IAM principals that access entries, rows of aws-auth and mapAccounts let in.
func (q *query) principals() {
	for _, arn := range q.candidates() {
		id := IdentityOfARN(arn)
		k := q.c.Kubernetes(id)
		if k.Verdict == Denied {
			continue
		}
		list := q.holds(&k, k.Policies)
		q.emit(id, &k, list)
		if slices.ContainsFunc(list, func(f found) bool { return f.namespace == "" && f.verdict == Allowed && f.rule == nil }) {
			continue
		}
		for _, s := range k.Sessions {
			q.session(arn, s, list)
		}
	}
}

// session answers for a session that its name makes more than its role.
func (q *query) session(role iam.ARN, s Session, ofRole []found) {
	of := func(f found) string { return string(f.verdict) + "\x00" + f.namespace + "\x00" + ruleKey(f) }
	have := map[string]bool{}
	for _, f := range ofRole {
		have[of(f)] = true
	}
	id := Identity{Kind: KindIAMRole, ARN: sessionARN(caller{arn: role}, s.Name)}
	k := q.c.Kubernetes(id)
	more := slices.DeleteFunc(q.holds(&k, k.Policies), func(f found) bool { return have[of(f)] })
	q.emit(id, &k, more)
}

func ruleKey(f found) string {
	if f.rule == nil {
		return ""
	}
	return ruleText(f.rule)
}

// candidates are the principals that a store names, by their ARNs, sorted: with the path where the principal or its access
// entry is known.
func (q *query) candidates() []iam.ARN {
	c := q.c
	by := map[string]string{} // canonical ARN in lower case -> ARN
	add := func(arn string) {
		if parsed, err := iam.ParseARN(arn); err == nil {
			key := strings.ToLower(bare(parsed))
			if _, have := by[key]; !have {
				by[key] = arn
			}
		}
	}
	for _, e := range c.AccessEntries {
		if c.dead(e) == nil {
			add(e.PrincipalARN)
		}
	}
	for _, m := range c.Mappings() {
		if !m.CanMap() {
			continue
		}
		arn, err := iam.ParseARN(m.Read.ARN)
		if err == nil && m.Kind == authenticator.KindRole {
			if role, _ := c.all.RoleByName(arn.Account, arn.RoleName()); role != nil {
				add(role.ARN)
			}
		}
		add(m.Read.ARN)
	}
	for _, account := range q.mappedAccounts() {
		for u := range q.users {
			if arn, err := iam.ParseARN(u); err == nil && arn.Account == account {
				add(u)
			}
		}
		if acct := c.all.snapshot.Account(account); acct != nil && len(q.groups[rbac.GroupAuthenticated]) > 0 {
			for _, r := range acct.Roles {
				add(r.ARN)
			}
			for _, u := range acct.Users {
				add(u.ARN)
			}
		}
	}
	var all []iam.ARN
	for _, arn := range slices.Sorted(maps.Values(by)) {
		parsed, _ := iam.ParseARN(arn)
		all = append(all, parsed)
	}
	return all
}

// mappedAccounts are the accounts of mapAccounts that count.
func (q *query) mappedAccounts() []string {
	auth := q.c.ParsedAWSAuth()
	if auth == nil || !q.c.ReadsAWSAuth() {
		return nil
	}
	var ids []string
	for _, a := range auth.Accounts {
		if a.Valid {
			ids = append(ids, a.ID)
		}
	}
	return ids
}
