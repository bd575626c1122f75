package authenticator

import "slices"

// survivors files the rows of one kind as the authenticator does: under their key, the last one wins.
func survivors(a *AWSAuth, kind Kind) map[string]*Row {
	last := map[string]*Row{}
	for i := range a.Rows {
		if r := &a.Rows[i]; r.Kind == kind && r.Effective.State != Dropped {
			last[r.key()] = r
		}
	}
	return last
}

// byFold lists the surviving rows by folded ARN, because the authenticator compares them with a caller
// regardless of case. More than one in a list: which one is found is random.
func byFold(a *AWSAuth, kind Kind) map[string][]*Row {
	kept := survivors(a, kind)
	lists := map[string][]*Row{}
	for i := range a.Rows {
		r := &a.Rows[i]
		if r.Kind == kind && r.Effective.State != Dropped && r.Read.ARN != "" && kept[r.key()] == r {
			f := fold(r.Read.ARN)
			lists[f] = append(lists[f], r)
		}
	}
	return lists
}

// settle decides the state of every row that was not dropped.
func settle(a *AWSAuth) {
	kept := map[Kind]map[string]*Row{KindRole: survivors(a, KindRole), KindUser: survivors(a, KindUser)}
	lists := map[Kind]map[string][]*Row{KindRole: byFold(a, KindRole), KindUser: byFold(a, KindUser)}
	for i := range a.Rows {
		if r := &a.Rows[i]; r.Effective.State != Dropped {
			f := fold(r.Read.ARN)
			r.Effective = effective(r, kept[r.Kind][r.key()], lists[KindRole][f], lists[r.Kind][f])
		}
	}
}

// effective decides one row's state, given the row that survives under its key, and the role mappings and
// the rows of its own kind that match the same callers.
func effective(r, survivor *Row, roles, rivals []*Row) Effective {
	if r.Read.ARN == "" {
		return Effective{State: NeverMatches, Why: "sso needs a feature gate that is off by default"}
	}
	if why := unmatchable(r.Read.ARN); why != "" {
		return Effective{State: NeverMatches, Why: why}
	}
	if survivor != r {
		return Effective{State: Shadowed, Why: "a later row has the same ARN", By: survivor.Ref()}
	}
	// Role mappings are searched first, whatever the ARNs in them name.
	if r.Kind == KindUser && len(roles) > 0 {
		return Effective{State: Shadowed, Why: "mapRoles is searched first and has the same ARN", By: roles[0].Ref()}
	}
	for _, other := range rivals {
		if other != r && !sameMapping(r, other) {
			return Effective{State: Undetermined, Why: "another row has the same ARN in other letters; which one is found is random", By: other.Ref()}
		}
	}
	if r.Read.Username == "" {
		return Effective{State: EmptyUsername, Why: "the username is read as empty; the groups are granted"}
	}
	return Effective{State: Live}
}

func sameMapping(a, b *Row) bool {
	return a.Read.Username == b.Read.Username && slices.Equal(a.Read.Groups, b.Read.Groups)
}
