package report

import (
	"cmp"
	"slices"
	"strings"

	"drawbridge/internal/access"
	"drawbridge/internal/iam"
	"drawbridge/internal/model"
)

// held says which service account holds which role, through what, for what, and whose it is.
type held struct {
	namespace, account string
	through            string
	role, target       string
	// policies are the names of what the role is allowed by, and services what those that could be read are about. Read says
	// that the role's policies are known.
	policies, services []string
	read               bool
	// workloads are those that run with the service account.
	workloads []string
	// owner is who is told to own it, and where that is written; empty where nothing tells.
	owner, told string
}

// governance is the page for those who answer for the roles: for each cluster, which service account holds which role once
// the migration is done.
func (m *markdown) governance(s *model.Snapshot, clusters []planCluster) {
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
		list := holders(c, roles, documents)
		if len(list) == 0 {
			m.line("No service account holds a role%s.", map[bool]string{true: ", as far as could be read"}[clusters[i].Unsure])
			continue
		}
		m.row("Service account", "Role", "Through", "For what", "Run by", "Owner")
		m.row("---", "---", "---", "---", "---", "---")
		for _, h := range list {
			role := mdCell(clusters[i].short(h.role))
			if h.target != "" {
				role += "<br>then " + mdCell(clusters[i].short(h.target))
			}
			purpose := nonEmpty(strings.Join(h.services, ", "), strings.Join(h.policies, ", "))
			for n := range purpose {
				purpose[n] = mdText(purpose[n])
			}
			owner := "not told"
			if h.owner != "" {
				owner = mdText(h.owner) + " (" + mdText(h.told) + ")"
			}
			m.row(mdCell(h.namespace+"/"+h.account), role, h.through, cmp.Or(strings.Join(purpose, "<br>"), map[bool]string{true: "no policies", false: "not read"}[h.read]), cmp.Or(mdText(strings.Join(h.workloads, ", ")), "nothing that was read"), owner)
		}
	}
}

// holders are the service accounts of a cluster that hold a role, in order.
func holders(c *model.Cluster, roles map[string]*model.IAMRole, documents map[string]model.Document) []held {
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
		if r := roles[h.role]; r != nil {
			told = append(told, ownership{r.Tags, "tag of the role"})
			h.policies, h.services = purpose(r, documents)
			h.read = !r.PoliciesUnknown
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
	slices.SortStableFunc(list, func(a, b held) int {
		return cmp.Or(strings.Compare(a.namespace, b.namespace), strings.Compare(a.account, b.account))
	})
	return list
}

// purpose is what a role is allowed by, and the services that the policies among them name whose text was read.
func purpose(r *model.IAMRole, documents map[string]model.Document) (policies, services []string) {
	about := map[string]bool{}
	read := func(d model.Document) {
		p, err := iam.Parse([]byte(d))
		if err != nil {
			return
		}
		for _, s := range p.Statements {
			for _, action := range s.Action {
				service, _, _ := strings.Cut(action, ":")
				if s.Effect == iam.Allow {
					about[strings.ToLower(service)] = true
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
	return policies, sortedKeys(about)
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
