package dump

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"drawbridge/internal/finding"
	"drawbridge/internal/model"
)

// AreaFiles is the area of a gap about a file of which nobody can tell what it holds.
const AreaFiles = "files"

// site is a cluster under construction.
type site struct {
	c          *model.Cluster
	items      map[model.Area][]item
	listings   map[model.Area][]listing
	objects    map[model.Area][]any
	kinds      map[string]bool
	pages      []kubePage
	kubeSystem bool
	gaps       []finding.Gap
	// saved says that only a snapshot file holds the cluster so far.
	saved bool
}

func newSite(r ref) *site {
	return &site{
		c:     &model.Cluster{Name: r.name, ARN: r.arn, Account: r.account, Region: r.region, Partition: r.partition},
		items: map[model.Area][]item{}, listings: map[model.Area][]listing{}, objects: map[model.Area][]any{}, kinds: map[string]bool{},
	}
}

func (s *site) gap(area model.Area, action, reason string) {
	s.gaps = append(s.gaps, finding.Gap{Area: string(area), Action: action, Reason: reason})
}

// assembler puts what the files hold together into clusters and accounts.
type assembler struct {
	harvests  []*harvest
	sites     []*site
	byARN     map[string]*site
	described map[string][]*site // by folder, as describe-cluster answers name them
	named     map[string][]*site // by folder, as other answers name them
	owners    map[string]*site   // by folder; see owner
	holders   map[string]*holder
	accounts  map[string][]string // by folder, as IAM objects name them
	clusters  []listing           // what list-clusters names
	later     []func()            // what can be placed once everything else is
	gaps      []finding.Gap
}

// assemble makes one snapshot of all files.
func assemble(harvests []*harvest) *model.Snapshot {
	a := &assembler{
		harvests: harvests, byARN: map[string]*site{}, described: map[string][]*site{}, named: map[string][]*site{},
		owners: map[string]*site{}, holders: map[string]*holder{}, accounts: map[string][]string{},
	}
	a.findSites()
	a.findAccounts()
	for _, h := range harvests {
		a.distribute(h)
	}
	for _, f := range a.later {
		f()
	}
	s := &model.Snapshot{}
	for _, t := range a.sites {
		if t.saved {
			continue
		}
		if t.c.Account == "" {
			t.c.Account = a.onlyAccount()
		}
		t.settle()
		s.Clusters = append(s.Clusters, t.c)
	}
	a.unlisted()
	s.Gaps = a.gaps
	for id, h := range a.holders {
		for _, t := range a.sites {
			if t.c.Account == id {
				h.a.Partition = cmp.Or(h.a.Partition, t.c.Partition)
			}
		}
		h.settle()
		s.Accounts = append(s.Accounts, h.a)
		s.Gaps = append(s.Gaps, h.gaps...)
	}
	for _, t := range a.sites {
		for _, g := range t.gaps {
			g.Cluster = s.Label(t.c)
			s.Gaps = append(s.Gaps, g)
		}
	}
	slices.SortFunc(s.Clusters, func(x, y *model.Cluster) int { return cmp.Or(cmp.Compare(x.Name, y.Name), cmp.Compare(x.ARN, y.ARN)) })
	slices.SortFunc(s.Accounts, func(x, y *model.Account) int { return cmp.Compare(x.ID, y.ID) })
	model.SortGaps(s.Gaps)
	s.Gaps = slices.Compact(s.Gaps)
	return a.withSaved(s)
}

// withSaved merges the snapshot files in, the newest last, and what the other files hold after them.
func (a *assembler) withSaved(s *model.Snapshot) *model.Snapshot {
	var saved []*model.Snapshot
	for _, h := range a.harvests {
		if h.snapshot != nil {
			saved = append(saved, h.snapshot)
		}
	}
	empty := len(s.Clusters) == 0 && len(s.Accounts) == 0 && len(s.Gaps) == 0
	if len(saved) == 1 && empty {
		return saved[0]
	}
	if len(saved) == 0 {
		return s
	}
	slices.SortStableFunc(saved, func(x, y *model.Snapshot) int { return x.Time.Compare(y.Time) })
	return model.Merge(append(saved, s)...)
}

// weak are the areas whose answers name clusters without being about them: tags and log groups outlive their cluster.
func weak(area model.Area) bool {
	return area == model.AreaLogGroup || area == partSubscriptions || area == model.AreaInstances
}

// findSites collects the clusters that the answers name, those with an ARN first.
func (a *assembler) findSites() {
	a.eachRef(func(h *harvest, r ref, describes bool) {
		if r.arn != "" && a.byARN[r.arn] == nil {
			a.byARN[r.arn] = a.addSite(r)
		}
	})
	for _, h := range a.harvests {
		if h.snapshot == nil {
			continue
		}
		for _, c := range h.snapshot.Clusters {
			r := ref{c.Name, c.ARN, c.Account, c.Region, c.Partition}
			t := a.byARN[c.ARN]
			if t == nil && (c.ARN != "" || a.byName(c.Name) == nil) {
				t = a.addSite(r)
				t.saved = true
				if c.ARN != "" {
					a.byARN[c.ARN] = t
				}
			}
		}
	}
	a.eachRef(func(h *harvest, r ref, describes bool) {
		if r.arn == "" && len(a.byName(r.name)) == 0 {
			a.addSite(r)
		}
	})
	slices.SortFunc(a.sites, func(x, y *site) int { return cmp.Or(cmp.Compare(x.c.Name, y.c.Name), cmp.Compare(x.c.ARN, y.c.ARN)) })
	a.eachRef(func(h *harvest, r ref, describes bool) {
		t := a.byARN[r.arn]
		if t == nil {
			if same := a.byName(r.name); len(same) == 1 {
				t = same[0]
			}
		}
		into := a.named
		if describes {
			into = a.described
		}
		if dir := h.in.dir(); t != nil && !slices.Contains(into[dir], t) {
			into[dir] = append(into[dir], t)
		}
	})
}

func (a *assembler) addSite(r ref) *site {
	t := newSite(r)
	a.sites = append(a.sites, t)
	return t
}

// eachRef calls f with every cluster that an answer is about.
func (a *assembler) eachRef(f func(h *harvest, r ref, describes bool)) {
	for _, h := range a.harvests {
		for _, p := range h.parts {
			for _, i := range p.items {
				if i.cluster.name != "" && !weak(i.area) {
					f(h, i.cluster, i.area == model.AreaCluster)
				}
			}
			for _, l := range p.listings {
				if l.cluster.name != "" && !weak(l.area) {
					f(h, l.cluster, false)
				}
			}
		}
	}
}

func (a *assembler) byName(name string) []*site {
	var same []*site
	for _, t := range a.sites {
		if t.c.Name == name {
			same = append(same, t)
		}
	}
	return same
}

// owner is the cluster that a folder belongs to: the one that is described in it, else the only one that answers in it
// and the folders below name, else that of the folder above. Where no folder tells, the only cluster there is. Nil means
// that nobody can tell.
func (a *assembler) owner(dir string) *site {
	if t, ok := a.owners[dir]; ok {
		return t
	}
	t := a.findOwner(dir)
	a.owners[dir] = t
	return t
}

func (a *assembler) findOwner(dir string) *site {
	if len(a.described[dir]) == 1 {
		return a.described[dir][0]
	}
	switch in := a.inside(dir); {
	case len(in) == 1:
		return in[0]
	case len(in) > 1:
		return nil
	}
	if up := filepath.Dir(dir); up != dir {
		return a.owner(up)
	}
	if len(a.sites) == 1 {
		return a.sites[0]
	}
	if len(a.sites) == 0 {
		return a.addSite(ref{name: Unnamed})
	}
	return nil
}

// inside are the clusters that the answers in a folder and in those below it are about.
func (a *assembler) inside(dir string) []*site {
	var found []*site
	for _, in := range []map[string][]*site{a.described, a.named} {
		for d, sites := range in {
			if !within(dir, d) {
				continue
			}
			for _, t := range sites {
				if !slices.Contains(found, t) {
					found = append(found, t)
				}
			}
		}
	}
	slices.SortFunc(found, func(x, y *site) int { return cmp.Or(cmp.Compare(x.c.Name, y.c.Name), cmp.Compare(x.c.ARN, y.c.ARN)) })
	return found
}

// below are the clusters that something in a folder can be about: those of the folder and of the folders in it, else
// all.
func (a *assembler) below(dir string) []*site {
	if found := a.inside(dir); len(found) > 0 {
		return found
	}
	return a.sites
}

// resolve is the cluster that an answer in a folder is about, or nil where nobody can tell.
func (a *assembler) resolve(r ref, dir string) *site {
	if t := a.byARN[r.arn]; t != nil {
		return t
	}
	if r.name == "" {
		return a.owner(dir)
	}
	same := a.byName(r.name)
	if len(same) == 1 {
		return same[0]
	}
	if t := a.owner(dir); t != nil && slices.Contains(same, t) {
		return t
	}
	return nil
}

// ambiguous records that something in a folder belongs to one of several clusters.
func (a *assembler) ambiguous(h *harvest, area model.Area, what string) {
	reason := fmt.Sprintf("%s: %s could be of any of several clusters: give each cluster a folder with its describe-cluster answer", h.in.path, what)
	info, _ := area.Info()
	for _, t := range a.below(h.in.dir()) {
		t.saved = false
		t.gap(area, info.Action, reason)
	}
}

// distribute gives what a file holds to its cluster and account.
func (a *assembler) distribute(h *harvest) {
	for _, p := range h.problems {
		a.problem(h, p)
	}
	dir := h.in.dir()
	for _, p := range h.parts {
		for _, i := range p.items {
			if ofAccount(i.area) {
				a.accountItem(h, p, i)
			} else {
				a.item(h, i)
			}
		}
		for _, l := range p.listings {
			switch {
			case l.area == model.AreaCluster:
				a.clusters = append(a.clusters, l)
			case ofAccount(l.area):
				a.accountListing(h, l)
			default:
				a.listing(h, l)
			}
		}
		for _, s := range p.sweeps {
			a.sweep(h, p, s)
		}
		if len(p.objects) > 0 || len(p.kinds) > 0 || len(p.pages) > 0 || p.kubeSystem {
			if t := a.owner(dir); t != nil {
				t.kube(p)
			} else {
				for area := range p.objects {
					a.ambiguous(h, area, "the Kubernetes objects")
				}
			}
		}
	}
}

// ofAccount says whether an area, or a part of one, belongs to an account.
func ofAccount(area model.Area) bool {
	whole, _, _ := strings.Cut(string(area), "/")
	info, _ := model.Area(whole).Info()
	return info.OfAccount
}

// item gives something of a cluster to it.
func (a *assembler) item(h *harvest, i item) {
	dir := h.in.dir()
	switch i.area {
	case model.AreaAccessPolicies:
		for _, t := range a.shared(dir) {
			t.add(i)
		}
		return
	case model.AreaLaunchTemplates:
		a.later = append(a.later, func() { a.template(dir, i) })
		return
	case model.AreaInstances:
		a.instance(dir, i)
		return
	}
	t := a.resolve(i.cluster, dir)
	switch {
	case t != nil && (!weak(i.area) || i.cluster.name == t.c.Name):
		t.add(i)
	case t == nil && !weak(i.area):
		a.ambiguous(h, i.area, "an answer")
	}
}

func (s *site) add(i item) {
	s.saved = false
	s.items[i.area] = append(s.items[i.area], i)
}

// shared are the clusters that an answer about a whole region is good for.
func (a *assembler) shared(dir string) []*site {
	if t := a.owner(dir); t != nil {
		return []*site{t}
	}
	return a.below(dir)
}

// instance gives an EC2 instance to the clusters that its tags name, else to the folder's.
func (a *assembler) instance(dir string, i item) {
	v := i.value.(*instance)
	for _, name := range v.clusters {
		if t := a.resolve(ref{name: name}, dir); t != nil && t.c.Name == name && (t.c.Account == "" || i.account == "" || t.c.Account == i.account) {
			t.add(i)
		}
	}
	if len(v.clusters) == 0 {
		if t := a.owner(dir); t != nil {
			t.add(i)
		}
	}
}

// template gives a launch template version to the clusters whose node groups use the template, else to the folder's.
func (a *assembler) template(dir string, i item) {
	used := false
	for _, t := range a.sites {
		if slices.ContainsFunc(t.items[model.AreaNodegroups], func(g item) bool { return usesTemplate(g, i) }) {
			t.add(i)
			used = true
		}
	}
	if t := a.owner(dir); t != nil && !used {
		t.add(i)
	}
}

// listing gives a list answer to its cluster.
func (a *assembler) listing(h *harvest, l listing) {
	dir := h.in.dir()
	targets := []*site{a.resolve(l.cluster, dir)}
	if l.area == model.AreaAccessPolicies || l.area == model.AreaLogGroup {
		targets = a.shared(dir)
	}
	for _, t := range targets {
		switch {
		case t == nil && !weak(l.area) && l.area != model.AreaLaunchTemplates:
			a.ambiguous(h, l.area, "a list answer")
		case t == nil, l.region != "" && t.c.Region != "" && l.region != t.c.Region, l.region == "" && l.area == model.AreaLogGroup && len(targets) > 1:
		case weak(l.area) && l.cluster.name != "" && l.cluster.name != t.c.Name:
		default:
			t.saved = false
			t.listings[l.area] = append(t.listings[l.area], l)
		}
	}
}

// kube takes in the Kubernetes objects of a file.
func (s *site) kube(p *part) {
	s.saved = false
	for area, objects := range p.objects {
		s.objects[area] = append(s.objects[area], objects...)
	}
	for kind := range p.kinds {
		s.kinds[kind] = true
	}
	s.pages = append(s.pages, p.pages...)
	s.kubeSystem = s.kubeSystem || p.kubeSystem
}

// problem turns a part of a file that could not be read into gaps of what it may have held.
func (a *assembler) problem(h *harvest, p problem) {
	reason := p.String()
	if len(p.areas) == 0 {
		a.gaps = append(a.gaps, finding.Gap{Area: AreaFiles, Action: "read file", Reason: reason})
	}
	for _, area := range p.areas {
		info, _ := area.Info()
		g := finding.Gap{Area: string(area), Action: info.Action, Reason: reason}
		if info.OfAccount {
			g.Account = a.accountOf(h.in.dir())
			a.gaps = append(a.gaps, g)
			continue
		}
		for _, t := range a.shared(h.in.dir()) {
			t.gap(area, info.Action, reason)
		}
	}
}

// unlisted records the clusters that list-clusters names and nothing describes.
func (a *assembler) unlisted() {
	for _, l := range a.clusters {
		for _, name := range l.names {
			if slices.ContainsFunc(a.byName(name), func(t *site) bool { return t.saved || t.c.Description != nil }) {
				continue
			}
			a.gaps = append(a.gaps, finding.Gap{Area: string(model.AreaCluster), Action: "eks:DescribeCluster", Cluster: name, Reason: "the cluster is listed and not described"})
		}
	}
}
