package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"drawbridge/internal/access"
	"drawbridge/internal/iam"
	"drawbridge/internal/migrate"
	"drawbridge/internal/model"
)

// held says which service account holds which role, through what, for what, and whose it is.
type held struct {
	namespace, account string
	through            string
	role, target       string
	// policies are the names of what the role that pods end up with is allowed by, and services what those that could be read
	// are about. Read says that the role's policies are known.
	policies, services []string
	read               bool
	// workloads are those that run with the service account.
	workloads []string
	// owner is who is told to own it, and where that is written; empty where nothing tells.
	owner, told string
}

// governance is the page for those who answer for the roles: for each cluster, which service account holds which role once
// the migration is done.
func (m *markdown) governance(r *migrate.Result, clusters []planCluster) {
	s := r.After
	roles := map[string]*model.IAMRole{}
	documents := map[string]model.Document{}
	for _, a := range s.Accounts {
		for _, r := range a.Roles {
			roles[r.ARN] = r
		}
		for _, p := range a.Policies {
			documents[p.ARN] = p.Document
		}
	}
	for _, c := range s.Clusters {
		i := slices.IndexFunc(clusters, func(p planCluster) bool { return cmp.Or(p.ARN, p.Name) == c.ID() })
		if i < 0 {
			continue
		}
		m.head("Who holds which role in " + mdText(clusters[i].Label))
		list := holders(c, clusters[i].items, roles, documents)
		if len(list) == 0 {
			m.line("No service account holds a role%s.", map[bool]string{true: ", as far as could be read"}[clusters[i].Unsure])
			continue
		}
		m.row("Service account", "Role", "Through", "For what", "Run by", "Owner")
		m.row("---", "---", "---", "---", "---", "---")
		for _, h := range list {
			role := cmp.Or(mdCell(clusters[i].short(h.role)), "not told")
			if h.target != "" {
				role += "<br>then " + mdCell(clusters[i].short(h.target))
			}
			purpose := nonEmpty(strings.Join(h.services, "; "), strings.Join(h.policies, ", "))
			for n := range purpose {
				purpose[n] = mdText(purpose[n])
			}
			owner := "not told"
			if h.owner != "" {
				owner = mdText(h.owner) + " (" + mdText(h.told) + ")"
			}
			m.row(mdCell(h.namespace+"/"+h.account), role, mdText(h.through), cmp.Or(strings.Join(purpose, "<br>"), unpurposed(h)), cmp.Or(mdText(strings.Join(h.workloads, ", ")), "nothing that was read"), owner)
		}
		m.convention(r, c, list)
	}
}

// unpurposed says why nothing says what a role is for.
func unpurposed(h held) string {
	switch {
	case h.role == "":
		return "not told"
	case h.read:
		return "no policies"
	}
	return "not read"
}

// convention lists the roles whose names are not those that the user's naming convention gives.
func (m *markdown) convention(r *migrate.Result, c *model.Cluster, list []held) {
	if r.RoleNames == "" {
		return
	}
	o := migrate.Options{RoleNames: r.RoleNames}
	var lines []string
	for _, h := range list {
		arn, err := iam.ParseARN(h.role)
		if want := o.RoleName(c.Name, h.namespace, h.account); err == nil && arn.Account == c.Account && !strings.EqualFold(arn.RoleName(), want) {
			lines = append(lines, "- "+mdCell(arn.RoleName())+" of "+mdCell(h.namespace+"/"+h.account)+" would be "+mdCell(want))
		}
	}
	m.line("")
	if len(lines) == 0 {
		m.line("Every role of the cluster's account has the name that the convention %s gives.", mdCell(r.RoleNames))
		return
	}
	m.line("Names of roles of the cluster's account that do not follow the convention %s:", mdCell(r.RoleNames))
	m.line("")
	for _, l := range lines {
		m.line("%s", l)
	}
}

// holders are the service accounts of a cluster that hold a role, or whose pods go on to have one or keys in another way, in order.
func holders(c *model.Cluster, items []migrate.Item, roles map[string]*model.IAMRole, documents map[string]model.Document) []held {
	type key struct{ namespace, name string }
	workloads := map[key][]string{}
	for _, w := range c.Workloads {
		if w.Owner == "" {
			k := key{w.Namespace, cmp.Or(w.ServiceAccount, "default")}
			workloads[k] = append(workloads[k], w.Subject().Name)
		}
	}
	accounts, namespaces := map[key]*model.ServiceAccount{}, map[string]*model.Namespace{}
	for _, sa := range c.ServiceAccounts {
		accounts[key{sa.Namespace, sa.Name}] = sa
	}
	for _, n := range c.Namespaces {
		namespaces[n.Name] = n
	}
	var list []held
	add := func(h held, tags map[string]string) {
		k := key{h.namespace, h.account}
		h.workloads = workloads[k]
		told := []ownership{{tags, "tag of the association"}}
		if sa := accounts[k]; sa != nil {
			told = append(told, ownership{sa.Labels, "label of the service account"}, ownership{sa.Annotations, "annotation of the service account"})
		}
		if r := roles[cmp.Or(h.target, h.role)]; r != nil { // pods get the sessions of the last role only
			told = append(told, ownership{r.Tags, "tag of the role"})
			h.policies, h.services = purpose(r, documents)
			h.read = !r.PoliciesUnknown
		}
		if r := roles[h.role]; r != nil && h.target != "" {
			told = append(told, ownership{r.Tags, "tag of the first role"})
		}
		if n := namespaces[h.namespace]; n != nil {
			told = append(told, ownership{n.Labels, "label of the namespace"})
		}
		h.owner, h.told = owner(told)
		list = append(list, h)
	}
	associated := map[key]bool{}
	for _, a := range c.PodIdentityAssociations {
		associated[key{a.Namespace, a.ServiceAccount}] = true
		add(held{namespace: a.Namespace, account: a.ServiceAccount, through: "Pod Identity", role: a.RoleARN, target: a.TargetRoleARN}, a.Tags)
	}
	for _, sa := range c.ServiceAccounts {
		if role := sa.Annotations[access.RoleAnnotation]; role != "" && !associated[key{sa.Namespace, sa.Name}] {
			add(held{namespace: sa.Namespace, account: sa.Name, through: "IRSA", role: role}, nil)
		}
	}
	for _, i := range items {
		if i.From != migrate.FromIRSA && i.Becomes == migrate.Blocked {
			h := held{namespace: i.Subject.Namespace, account: i.Subject.Name, through: string(i.From), role: i.Principal}
			if i.From == migrate.FromKeys {
				h.role = "" // what its keys are for is not told
			}
			add(h, nil)
		}
	}
	slices.SortStableFunc(list, func(a, b held) int {
		return cmp.Or(strings.Compare(a.namespace, b.namespace), strings.Compare(a.account, b.account))
	})
	return list
}

// purpose is what a role is allowed by, and the services, with the first of their actions, that those of the policies name whose
// text was read.
func purpose(r *model.IAMRole, documents map[string]model.Document) (policies, services []string) {
	about := map[string][]string{}
	read := func(d model.Document) {
		p, err := iam.Parse([]byte(d))
		if err != nil {
			return
		}
		for _, s := range p.Statements {
			for _, action := range s.Action {
				service, name, _ := strings.Cut(action, ":")
				if s.Effect == iam.Allow {
					about[strings.ToLower(service)] = append(about[strings.ToLower(service)], cmp.Or(name, "*"))
				}
			}
		}
	}
	for _, arn := range r.Attached {
		policies = append(policies, arn[strings.LastIndexByte(arn, '/')+1:])
		if d := documents[arn]; d != "" {
			read(d)
		}
	}
	for _, p := range r.Inline {
		policies = append(policies, p.Name+" (inline)")
		read(p.Document)
	}
	slices.Sort(policies)
	for _, service := range sortedKeys(about) {
		services = append(services, service+" ("+actionsText(about[service])+")")
	}
	return policies, services
}

// actionsMax is how many actions of a service are named.
const actionsMax = 3

// actionsText is the first few actions of a service, or * where one of them is all.
func actionsText(actions []string) string {
	slices.Sort(actions)
	actions = slices.Compact(actions)
	switch {
	case slices.Contains(actions, "*"):
		return "*"
	case len(actions) > actionsMax:
		return strings.Join(actions[:actionsMax], ", ") + fmt.Sprintf(" and %d more", len(actions)-actionsMax)
	}
	return strings.Join(actions, ", ")
}

// ownership is labels, annotations or tags, and what they are.
type ownership struct {
	words map[string]string
	what  string
}

// ownerKeys are what people call the owner in labels and tags, the clearest first. They count without their prefix, whatever
// their case.
var ownerKeys = []string{"owner", "team", "squad", "service-owner", "contact", "maintainer"}

// owner is the first that one of the places tells.
func owner(places []ownership) (who, told string) {
	for _, key := range ownerKeys {
		for _, p := range places {
			for _, k := range sortedKeys(p.words) {
				if strings.EqualFold(k[strings.LastIndexByte(k, '/')+1:], key) && p.words[k] != "" {
					return p.words[k], p.what + " " + k
				}
			}
		}
	}
	return "", ""
}
