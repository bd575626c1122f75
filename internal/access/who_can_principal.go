package access

import (
	"maps"
	"slices"
	"strings"

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
		for _, h := range k.maybe {
			q.emit(id, &k, q.perhaps(q.held(q.hits(h)), everIs(h), list))
		}
		if k.otherwise != nil {
			q.emit(id, &k, q.perhaps(q.holds(k.otherwise, nil), recreated, list))
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
	id := Identity{Kind: KindIAMRole, ARN: sessionARN(role, s.Name)}
	k := q.c.Kubernetes(id)
	more := slices.DeleteFunc(q.holds(&k, k.Policies), func(f found) bool { return have[of(f)] })
	q.emit(id, &k, more)
}

// perhaps is what a principal holds besides if it is ever somebody else.
func (q *query) perhaps(list []found, ever string, known []found) []found {
	var more []found
	for _, f := range list {
		if !slices.ContainsFunc(known, func(k found) bool {
			return k.verdict == Allowed && k.rule == nil && (k.namespace == f.namespace || k.namespace == "")
		}) {
			f.verdict, f.open = Unknown, append([]string{ever}, f.open...)
			more = append(more, f)
		}
	}
	return more
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
	addByName := func(arn iam.ARN) {
		if role, _ := c.all.RoleByName(arn.Account, arn.RoleName()); role != nil && arn.IsRole() {
			add(role.ARN)
		}
		add(arn.String())
	}
	for _, e := range c.AccessEntries {
		if c.dead(e) == nil {
			add(e.PrincipalARN)
		}
	}
	for _, m := range c.Mappings() {
		if arn, err := iam.ParseARN(m.Read.ARN); err == nil && m.CanMap() {
			addByName(arn)
		}
	}
	for _, account := range q.mappedAccounts() {
		for u := range q.users {
			if arn, err := iam.ParseARN(u); err == nil && arn.Account == account && (arn.IsRole() || arn.IsUser()) {
				addByName(arn)
			}
		}
		if acct := c.all.snapshot.Account(account); acct != nil && q.groups[rbac.GroupAuthenticated] != 0 {
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

func sessionARN(role iam.ARN, session string) string {
	return "arn:" + role.Partition + ":sts::" + role.Account + ":assumed-role/" + role.RoleName() + "/" + session
}
