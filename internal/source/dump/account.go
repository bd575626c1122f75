package dump

import (
	"cmp"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"drawbridge/internal/finding"
	"drawbridge/internal/iam"
	"drawbridge/internal/model"
)

// holder is an account under construction.
type holder struct {
	a        *model.Account
	items    map[model.Area][]item
	listings map[model.Area][]listing
	sweeps   []sweep
	gaps     []finding.Gap
}

func (h *holder) gap(area model.Area, action, reason string) {
	h.gaps = append(h.gaps, finding.Gap{Area: string(area), Action: action, Reason: reason, Account: h.a.ID})
}

func (a *assembler) holder(account string) *holder {
	h := a.holders[account]
	if h == nil {
		h = &holder{a: &model.Account{ID: account}, items: map[model.Area][]item{}, listings: map[model.Area][]listing{}}
		a.holders[account] = h
	}
	return h
}

// findAccounts collects the accounts that IAM objects name, by folder.
func (a *assembler) findAccounts() {
	for _, h := range a.harvests {
		dir := h.in.dir()
		add := func(account string) {
			if account != "" && !slices.Contains(a.accounts[dir], account) {
				a.accounts[dir] = append(a.accounts[dir], account)
			}
		}
		for _, p := range h.parts {
			for _, i := range p.items {
				if ofAccount(i.area) {
					add(i.account)
				}
			}
			for _, l := range p.listings {
				if l.area == model.AreaOIDCProviders {
					add(l.of)
				}
			}
		}
	}
}

// accountOf is the account that a folder is about: that of its cluster, else the one that its IAM objects name, else
// that of the folder above; or the only one there is; or "".
func (a *assembler) accountOf(dir string) string {
	if len(a.sites) > 0 {
		if t := a.owner(dir); t != nil && t.c.Account != "" {
			return t.c.Account
		}
	}
	for ; ; dir = filepath.Dir(dir) {
		if in := a.accounts[dir]; len(in) == 1 {
			return in[0]
		} else if len(in) > 1 {
			return ""
		}
		if dir == filepath.Dir(dir) {
			return a.onlyAccount()
		}
	}
}

// onlyAccount is the one account that clusters and IAM objects name, or "".
func (a *assembler) onlyAccount() string {
	all := map[string]bool{}
	for _, in := range a.accounts {
		for _, account := range in {
			all[account] = true
		}
	}
	for _, t := range a.sites {
		if t.c.Account != "" {
			all[t.c.Account] = true
		}
	}
	if len(all) != 1 {
		return ""
	}
	return slices.Collect(maps.Keys(all))[0]
}

// accountItem gives an object of IAM, CloudTrail or Organizations to its account. AWS managed policies belong to every account of the
// answer that they stand in.
func (a *assembler) accountItem(h *harvest, p *part, i item) {
	if i.area == partSelectors {
		a.later = append(a.later, func() { a.selectors(i) })
		return
	}
	accounts := []string{i.account}
	if i.account == "" && i.area == model.AreaIAMPolicies {
		accounts = inDocument(p, i.doc)
	}
	if i.area == model.AreaOIDCProviders {
		accounts = a.listedProvider(i.key)
	}
	if len(accounts) == 0 || accounts[0] == "" {
		accounts = []string{a.accountOf(h.in.dir())}
	}
	if accounts[0] == "" && i.account == "" && i.area == model.AreaTrails {
		accounts[0] = accountOf(i.key)
	}
	for _, account := range accounts {
		if account == "" {
			a.homeless(h, i.area)
			continue
		}
		t := a.holder(account)
		t.items[i.area] = append(t.items[i.area], i)
	}
}

// selectors gives event selectors to the accounts that have the trail.
func (a *assembler) selectors(i item) {
	for _, t := range a.holders {
		if slices.ContainsFunc(t.items[model.AreaTrails], func(trail item) bool { return trail.key == i.key }) {
			t.items[i.area] = append(t.items[i.area], i)
		}
	}
}

func (a *assembler) homeless(h *harvest, area model.Area) {
	info, _ := area.Info()
	a.gaps = append(a.gaps, finding.Gap{Area: string(area), Action: info.Action, Reason: h.in.path + ": nothing tells which account an answer is about: put it into the folder of a cluster of that account"})
}

// inDocument are the accounts that the objects of one answer name.
func inDocument(p *part, doc int) []string {
	var accounts []string
	for _, i := range p.items {
		if i.doc == doc && i.account != "" && ofAccount(i.area) && !slices.Contains(accounts, i.account) {
			accounts = append(accounts, i.account)
		}
	}
	return accounts
}

// listedProvider are the accounts whose list names an OpenID Connect provider by its URL.
func (a *assembler) listedProvider(url string) []string {
	var accounts []string
	for _, h := range a.harvests {
		for _, p := range h.parts {
			for _, l := range p.listings {
				for _, arn := range l.names {
					if l.area == model.AreaOIDCProviders && strings.HasSuffix(arn, ":oidc-provider/"+url) && !slices.Contains(accounts, l.of) {
						accounts = append(accounts, l.of)
					}
				}
			}
		}
	}
	return accounts
}

func (a *assembler) accountListing(h *harvest, l listing) {
	account := cmp.Or(l.of, a.accountOf(h.in.dir()))
	if account == "" {
		a.homeless(h, l.area)
		return
	}
	l.of = ""
	t := a.holder(account)
	t.listings[l.area] = append(t.listings[l.area], l)
}

func (a *assembler) sweep(h *harvest, p *part, s sweep) {
	if _, policies := s.has[model.AreaIAMPolicies]; policies && len(s.has) == 1 && !slices.ContainsFunc(p.items, func(i item) bool { return i.doc == s.doc && i.area == model.AreaIAMPolicies }) {
		return // list-policies of IAM, or of an organization, say nothing, nor does an empty one
	}
	s.refers = slices.ContainsFunc(p.items, func(i item) bool { return i.doc == s.doc && refers(i.value) })
	accounts := inDocument(p, s.doc)
	if len(accounts) == 0 {
		accounts = []string{a.accountOf(h.in.dir())}
	}
	for _, account := range accounts {
		if account == "" {
			a.homeless(h, model.AreaIAMRoles)
			continue
		}
		t := a.holder(account)
		t.sweeps = append(t.sweeps, s)
	}
}

func refers(v any) bool {
	switch v := v.(type) {
	case *model.IAMRole:
		return len(v.Attached) > 0 || v.Boundary != ""
	case *model.IAMUser:
		return len(v.Attached) > 0 || v.Boundary != "" || len(v.Groups) > 0
	case *model.IAMGroup:
		return len(v.Attached) > 0
	case *model.IAMPolicy:
		return true
	}
	return false
}

const sweepAction = "iam:GetAccountAuthorizationDetails"

var iamAreas = []model.Area{model.AreaIAMRoles, model.AreaIAMUsers, model.AreaIAMGroups, model.AreaIAMPolicies}

// settle turns what was gathered about an account into its areas and gaps.
func (h *holder) settle() {
	for _, area := range append([]model.Area{model.AreaTrails}, iamAreas...) {
		kept, twice := uniqueItems(h.items[area])
		for _, t := range twice {
			info, _ := area.Info()
			h.gap(area, info.Action, t)
		}
		for _, i := range kept {
			h.put(i.value)
		}
		if len(kept) > 0 {
			h.a.MarkRead(area)
		}
	}
	h.readSweeps()
	h.readPolicies()
	h.oidcProviders()
	h.trails()
	h.organization()
}

func (h *holder) put(v any) {
	arn := ""
	switch v := v.(type) {
	case *model.IAMRole:
		h.a.Roles, arn = append(h.a.Roles, v), v.ARN
	case *model.IAMUser:
		h.a.Users, arn = append(h.a.Users, v), v.ARN
	case *model.IAMGroup:
		h.a.Groups, arn = append(h.a.Groups, v), v.ARN
	case *model.IAMPolicy:
		h.a.Policies, arn = append(h.a.Policies, v), v.ARN
	case *model.Trail:
		h.a.Trails, arn = append(h.a.Trails, v), v.ARN
	case *model.OIDCProvider:
		h.a.OIDCProviders, arn = append(h.a.OIDCProviders, v), v.ARN
	}
	if a, err := iam.ParseARN(arn); err == nil && h.a.Partition == "" {
		h.a.Partition = a.Partition
	}
}

// readSweeps tells which lists of get-account-authorization-details were read. With --filter the answer has all lists,
// and those that were filtered out are empty. So where only one list holds anything and that refers to the others, as the
// roles of every real account do, the emptiness of the others says nothing.
func (h *holder) readSweeps() {
	for _, s := range h.sweeps {
		filtered := len(s.full()) == 1 && s.refers
		for area := range s.has {
			if !filtered {
				h.a.MarkRead(area)
			}
		}
	}
	cut := h.cutSweep()
	for _, area := range iamAreas {
		switch {
		case len(h.sweeps) > 0 && !h.a.Read[area]:
			h.gap(area, sweepAction, "the answers hold none of them, as with --filter: that there are none is not shown")
		case cut:
			h.gap(area, sweepAction, cutOff)
		}
	}
	var partial []string
	for _, r := range h.a.Roles {
		if r.PoliciesUnknown {
			partial = append(partial, r.Name)
		}
	}
	if len(partial) > 0 {
		h.gap(model.AreaIAMRoles, sweepAction, "get-role does not tell the policies of "+few(partial))
	}
	if len(h.sweeps) == 0 && len(h.a.Roles) > 0 && len(partial) == 0 {
		h.gap(model.AreaIAMRoles, sweepAction, "only single roles were read")
	}
}

// full are the lists of an answer that something is in.
func (s sweep) full() []model.Area {
	var areas []model.Area
	for area, some := range s.has {
		if some {
			areas = append(areas, area)
		}
	}
	return areas
}

// cutSweep says whether an answer ends with a token for the rest and the rest is not there. Answers are pages of one
// sweep where they share a list: a page ends in the middle of one.
func (h *holder) cutSweep() bool {
	ended := map[model.Area]bool{}
	var open []sweep
	for _, s := range h.sweeps {
		if s.truncated {
			open = append(open, s)
			continue
		}
		for _, area := range s.full() {
			ended[area] = true
		}
	}
	for {
		n := len(open)
		open = slices.DeleteFunc(open, func(s sweep) bool {
			linked := slices.ContainsFunc(s.full(), func(area model.Area) bool { return ended[area] })
			for _, area := range s.full() {
				ended[area] = ended[area] || linked
			}
			return linked
		})
		if len(open) == 0 || len(open) == n {
			return len(open) > 0
		}
	}
}

// readPolicies leaves out the AWS managed policies that nothing refers to, and says which policies and groups are
// referred to and not there.
func (h *holder) readPolicies() {
	referred := map[string]bool{}
	for _, r := range h.a.Roles {
		refer(referred, r.Boundary, r.Attached)
	}
	for _, u := range h.a.Users {
		refer(referred, u.Boundary, u.Attached)
	}
	for _, g := range h.a.Groups {
		refer(referred, "", g.Attached)
	}
	h.a.Policies = slices.DeleteFunc(h.a.Policies, func(p *model.IAMPolicy) bool {
		return strings.Contains(p.ARN, ":iam::aws:policy/") && !referred[p.ARN]
	})
	for _, p := range h.a.Policies {
		delete(referred, p.ARN)
	}
	if len(referred) > 0 {
		h.gap(model.AreaIAMPolicies, sweepAction, "attached and not in the answers: "+few(slices.Sorted(maps.Keys(referred))))
	}
	groups := map[string]bool{}
	for _, u := range h.a.Users {
		for _, g := range u.Groups {
			groups[g] = true
		}
	}
	for _, g := range h.a.Groups {
		delete(groups, g.Name)
	}
	if len(groups) > 0 {
		h.gap(model.AreaIAMGroups, sweepAction, "users are in groups that are not in the answers: "+few(slices.Sorted(maps.Keys(groups))))
	}
}

func refer(referred map[string]bool, boundary string, attached []string) {
	if boundary != "" {
		referred[boundary] = true
	}
	for _, arn := range attached {
		referred[arn] = true
	}
}

// oidcProviders puts the list, which has the ARNs, and the descriptions, which have none, together.
func (h *holder) oidcProviders() {
	area := model.AreaOIDCProviders
	kept, twice := uniqueItems(h.items[area])
	for _, t := range twice {
		h.gap(area, "iam:GetOpenIDConnectProvider", t)
	}
	byURL := map[string]bool{}
	for _, i := range kept {
		o := *i.value.(*model.OIDCProvider)
		o.ARN = iam.ARN{Partition: cmp.Or(h.a.Partition, "aws"), Service: "iam", Account: h.a.ID, Resource: "oidc-provider/" + o.URL}.String()
		byURL[o.URL] = true
		h.put(&o)
	}
	missing, listed, cut, _ := compare(h.listings[area], nil)
	var undescribed []string
	for _, arn := range missing {
		_, url, _ := strings.Cut(arn, ":oidc-provider/")
		if !byURL[url] {
			undescribed = append(undescribed, arn)
		}
	}
	if len(undescribed) > 0 {
		h.gap(area, "iam:GetOpenIDConnectProvider", "listed and not described: "+few(undescribed))
	}
	if cut {
		h.gap(area, "iam:ListOpenIDConnectProviders", cutOff)
	}
	if len(kept) > 0 || len(h.listings[area]) > 0 && listed == 0 {
		h.a.MarkRead(area)
	}
}

// trails puts the trails, their event selectors and their status together.
func (h *holder) trails() {
	area := model.AreaTrails
	_, _, cut, _ := compare(h.listings[area], nil)
	if cut {
		h.gap(area, "cloudtrail:DescribeTrails", cutOff)
	}
	if len(h.listings[area]) > 0 {
		h.a.MarkRead(area)
	}
	kept, twice := uniqueItems(h.items[partSelectors])
	for _, t := range twice {
		h.gap(area, "cloudtrail:GetEventSelectors", t)
	}
	var missing []string
	for _, t := range h.a.Trails {
		i := slices.IndexFunc(kept, func(i item) bool { return i.key == t.ARN || i.key == t.Name })
		if i < 0 {
			t.SelectorsUnknown = true
			missing = append(missing, t.Name)
			continue
		}
		s := kept[i].value.(*selectors)
		t.Selectors, t.Advanced = s.basic, s.advanced
	}
	if len(missing) > 0 {
		h.gap(area, "cloudtrail:GetEventSelectors", fmt.Sprintf("no answer about the event selectors of %s", few(missing)))
	}
	if status := h.items[partStatus]; len(status) == 1 && len(h.a.Trails) == 1 {
		logging := status[0].value.(*trailStatus).logging
		h.a.Trails[0].Logging = &logging
	}
}
