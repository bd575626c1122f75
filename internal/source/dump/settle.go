package dump

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"drawbridge/internal/model"
	"drawbridge/internal/projection"
)

// describes is what describes the things that a list answer names.
var describes = map[model.Area]string{
	model.AreaAccessEntries:           "eks:DescribeAccessEntry",
	model.AreaPodIdentityAssociations: "eks:DescribePodIdentityAssociation",
	model.AreaNodegroups:              "eks:DescribeNodegroup",
	model.AreaFargateProfiles:         "eks:DescribeFargateProfile",
	model.AreaAddons:                  "eks:DescribeAddon",
	model.AreaCapabilities:            "eks:DescribeCapability",
	model.AreaIdentityProviders:       "eks:DescribeIdentityProviderConfig",
}

// settle turns what was gathered about a cluster into its areas and gaps.
func (s *site) settle() {
	for area, objects := range s.objects {
		s.settleKube(area, objects)
	}
	for kind := range s.kinds {
		s.c.MarkRead(areasOfKind(kind)...)
	}
	s.workloads()
	s.awsAuth()
	s.cutLists()
	for _, area := range slices.Sorted(maps.Keys(s.items)) {
		if area != partSubscriptions && area != model.AreaInstances {
			s.put(area, s.unique(area, s.items[area]))
		}
	}
	for _, area := range slices.Sorted(maps.Keys(s.listings)) {
		if area != partSubscriptions && area != model.AreaPolicyAssociations {
			s.list(area)
		}
	}
	s.instances()
	s.logGroup()
	s.policyAssociations()
	s.nodeTemplates()
}

// settleKube puts the Kubernetes objects of an area in order.
func (s *site) settleKube(area model.Area, objects []any) {
	rows, twice := distinct(objects)
	for _, t := range twice {
		info, _ := area.Info()
		s.gap(area, info.Action, t)
	}
	for _, v := range rows {
		put(s.c, v)
	}
	s.c.MarkRead(area)
}

// workloads leaves out the ReplicaSets and Jobs whose owner is there, and says which kinds nobody looked at.
func (s *site) workloads() {
	if !s.c.Read[model.AreaWorkloads] {
		return
	}
	have := map[string]bool{}
	for _, w := range s.c.Workloads {
		have[w.Namespace+" "+strings.ToLower(w.Kind)+"/"+w.Name] = true
	}
	s.c.Workloads = slices.DeleteFunc(s.c.Workloads, func(w *model.Workload) bool {
		return projection.Controlled(w.Meta) && have[w.Namespace+" "+w.Owner]
	})
	for _, kind := range workloadKinds {
		if !s.kinds[kind] {
			s.gap(model.AreaWorkloads, "list "+strings.ToLower(kind)+"s", fmt.Sprintf("no %s and no empty list of them in the files", kind))
		}
	}
}

// awsAuth: a list of the ConfigMaps of kube-system without aws-auth shows that there is none. Every namespace has a
// ConfigMap of its own, kube-root-ca.crt (Kubernetes documentation, "Certificates and Certificate Signing Requests",
// 2026-11), so a list of kube-system is never empty.
func (s *site) awsAuth() {
	cut := slices.ContainsFunc(s.pages, func(p kubePage) bool { return p.kind == "ConfigMap" && p.more && !s.finished(p) })
	if s.c.AWSAuth == nil && s.kubeSystem && !cut {
		s.c.MarkRead(model.AreaAWSAuth)
	}
}

// cutLists records the Kubernetes lists that end with a continue token and whose last page is not in the files.
func (s *site) cutLists() {
	for _, p := range s.pages {
		if !p.more || s.finished(p) {
			continue
		}
		for _, area := range areasOfKind(p.kind) {
			info, _ := area.Info()
			s.gap(area, info.Action, fmt.Sprintf("a list of %ss is cut off: it ends with a continue token and the rest is not in the files", p.kind))
		}
	}
}

// finished says whether the last page of a list is there. All pages of a list have one resource version.
func (s *site) finished(p kubePage) bool {
	return p.version != "" && slices.ContainsFunc(s.pages, func(q kubePage) bool { return q.kind == p.kind && q.version == p.version && !q.more })
}

// unique keeps one of the items that describe the same thing. Where they differ, that is a gap.
func (s *site) unique(area model.Area, items []item) []item {
	kept, twice := uniqueItems(items)
	for _, t := range twice {
		info, _ := area.Info()
		s.gap(area, info.Action, t)
	}
	return kept
}

// put adds items in the order of what they are about, as the live source does: messages name the first of several.
func (s *site) put(area model.Area, items []item) {
	slices.SortStableFunc(items, func(x, y item) int { return compareKeyed(keyOfObject(x.value), keyOfObject(y.value)) })
	for _, i := range items {
		put(s.c, i.value)
	}
	s.c.MarkRead(area)
}

// list compares a list answer with what is described.
func (s *site) list(area model.Area) {
	info, _ := area.Info()
	found := map[string]bool{}
	for _, i := range s.items[area] {
		found[i.key] = true
	}
	missing, listed, cut, _ := compare(s.listings[area], found)
	if action := describes[area]; len(missing) > 0 && action != "" {
		s.gap(area, action, "listed and not described: "+few(missing))
	}
	if cut {
		s.gap(area, info.Action, cutOff)
	}
	if listed == 0 && area != model.AreaLogGroup {
		s.c.MarkRead(area)
	}
}

const cutOff = "the answer is cut off: it ends with a token for the rest, and the rest is not in the files"

// compare returns what the list answers name and nothing describes, how much they name, whether one of them is cut off
// and the rest missing, and what the answers are about.
func compare(listings []listing, found map[string]bool) (missing []string, listed int, cut bool, about map[string]bool) {
	seen := map[string]bool{}
	more, ended := map[string]bool{}, map[string]bool{}
	about = map[string]bool{}
	for _, l := range listings {
		for _, name := range l.names {
			if !seen[name] {
				seen[name] = true
				if !found[name] {
					missing = append(missing, name)
				}
			}
		}
		switch {
		case l.part:
		case l.truncated:
			more[l.of] = true
		default:
			ended[l.of] = true
		}
		about[l.of] = true
	}
	for of := range more {
		cut = cut || !ended[of]
	}
	slices.Sort(missing)
	return missing, len(seen), cut, about
}

// instances keeps the EC2 instances that run as nodes: those whose tags name the cluster, and of those without such tags
// the ones that the nodes of the cluster name, as far as its nodes were read.
func (s *site) instances() {
	nodes := map[string]bool{}
	for _, n := range s.c.Nodes {
		nodes[n.InstanceID()] = true
	}
	var items []item
	for _, i := range s.items[model.AreaInstances] {
		v := i.value.(*instance)
		if len(v.clusters) > 0 || nodes[v.ID] || !s.c.Read[model.AreaNodes] {
			i.value = v.Instance
			items = append(items, i)
		}
	}
	if len(items) > 0 {
		s.put(model.AreaInstances, s.unique(model.AreaInstances, items))
	}
}

// logGroup puts the log group and its subscription filters together. That there is no group follows from an answer that
// is empty or reaches beyond the clusters' groups.
func (s *site) logGroup() {
	area := model.AreaLogGroup
	if s.c.LogGroup == nil {
		for _, l := range s.listings[area] {
			if l.other && !l.truncated {
				s.c.MarkRead(area)
			}
		}
		return
	}
	for _, i := range s.unique(partSubscriptions, s.items[partSubscriptions]) {
		s.c.LogGroup.Subscriptions = append(s.c.LogGroup.Subscriptions, i.value.(*subscription).SubscriptionFilter)
	}
	_, _, cut, _ := compare(s.listings[partSubscriptions], nil)
	if len(s.listings[partSubscriptions]) == 0 || cut {
		s.c.LogGroup.SubscriptionsUnknown = true
		s.gap(area, "logs:DescribeSubscriptionFilters", "no complete describe-subscription-filters answer for "+s.c.LogGroup.Name)
	}
}

// policyAssociations: every access entry that can have access policies needs an answer of its own. Node entries cannot,
// but for those of Auto Mode (EKS User Guide, "Create access entries", 2026-11). In mode CONFIG_MAP EKS refuses all calls
// about access entries: there are none.
func (s *site) policyAssociations() {
	area := model.AreaPolicyAssociations
	if s.c.AuthenticationMode() == model.ModeConfigMap {
		s.c.MarkRead(model.AreaAccessEntries, area)
		return
	}
	_, _, cut, answered := compare(s.listings[area], nil)
	entries, types := map[string]bool{}, map[string]string{}
	for _, e := range s.c.AccessEntries {
		entries[e.PrincipalARN], types[e.PrincipalARN] = true, e.Type
	}
	for _, l := range s.listings[model.AreaAccessEntries] {
		for _, name := range l.names {
			entries[name] = true
		}
	}
	var missing []string
	for principal := range entries {
		e := model.AccessEntry{Type: types[principal]}
		if !answered[principal] && (!e.IsNode() || e.Type == model.EntryEC2) {
			missing = append(missing, principal)
		}
	}
	slices.Sort(missing)
	switch {
	case len(missing) > 0:
		s.gap(area, "eks:ListAssociatedAccessPolicies", "no answer about the access policies of "+few(missing))
	case s.c.Read[model.AreaAccessEntries]:
		s.c.MarkRead(area)
	}
	if len(answered) > 0 {
		s.c.MarkRead(area)
	}
	if cut {
		s.gap(area, "eks:ListAssociatedAccessPolicies", cutOff)
	}
}

// nodeTemplates: the launch template versions that node groups use must be described; where none uses one there is
// nothing to read.
func (s *site) nodeTemplates() {
	have := map[string]bool{}
	for _, t := range s.c.LaunchTemplates {
		have[t.ID+" "+t.Version] = true
	}
	var missing []string
	for _, g := range s.c.Nodegroups {
		if used := g.LaunchTemplateID + " " + g.LaunchTemplateVersion; g.LaunchTemplateID != "" && !have[used] {
			missing = append(missing, g.LaunchTemplateID+" version "+g.LaunchTemplateVersion)
		}
	}
	slices.Sort(missing)
	complete := !slices.ContainsFunc(s.gaps, func(g gapOf) bool { return g.Area == string(model.AreaNodegroups) })
	switch {
	case len(missing) > 0:
		s.gap(model.AreaLaunchTemplates, "ec2:DescribeLaunchTemplateVersions", "used by a node group and not described: "+few(slices.Compact(missing)))
	case s.c.Read[model.AreaNodegroups] && complete:
		s.c.MarkRead(model.AreaLaunchTemplates)
	}
}

// usesTemplate says whether a node group uses the launch template of an item.
func usesTemplate(group, template item) bool {
	g, ok := group.value.(*model.Nodegroup)
	t, is := template.value.(*model.LaunchTemplate)
	return ok && is && g.LaunchTemplateID == t.ID
}
