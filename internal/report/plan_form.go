package report

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"drawbridge/internal/authenticator"
	"drawbridge/internal/migrate"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

// form is what the languages of other tools can say of a migration: the access entries and Pod Identity associations that it
// leaves behind. What they cannot say is listed, step by step.
type form struct {
	view     *planView
	clusters []formCluster
}

// formCluster is a cluster as the migration leaves it.
type formCluster struct {
	*model.Cluster
	label        string
	entries      []formEntry
	associations []formAssociation
	// foreign is what others make and delete, so that it is in no form.
	foreign []string
}

// formEntry is an access entry with its access policies. Exists says that it is there before the migration.
type formEntry struct {
	*model.AccessEntry
	exists bool
	// username and groups are what one has to write: nothing where EKS sets it.
	username string
	groups   []string
	policies []formPolicy
}

type formPolicy struct {
	*model.PolicyAssociation
	exists bool
}

type formAssociation struct {
	*model.PodIdentityAssociation
	exists bool
}

func newForm(r *migrate.Result) (*form, error) {
	if !whole(r) {
		return nil, errors.New("the migration's snapshots are not at hand: plan it again in this format")
	}
	f := &form{view: newPlanView(r)}
	for _, facts := range r.Clusters {
		id := cmp.Or(facts.ARN, facts.Name)
		at := func(s *model.Snapshot) int {
			return slices.IndexFunc(s.Clusters, func(c *model.Cluster) bool { return c.ID() == id })
		}
		after, before := at(r.After), at(r.Before)
		if after < 0 || before < 0 {
			return nil, fmt.Errorf("cluster %s is not in the migration's snapshots", id)
		}
		c := formCluster{Cluster: r.After.Clusters[after], label: r.After.Label(r.After.Clusters[after])}
		if r.Migration != migrationPods {
			c.addEntries(r.Before.Clusters[before])
		}
		if r.Migration != migrationEntries {
			c.addAssociations(r.Before.Clusters[before])
		}
		f.clusters = append(f.clusters, c)
	}
	return f, nil
}

// The migrations that there are: each leaves the other's objects alone.
const (
	migrationEntries = "access-entries"
	migrationPods    = "pod-identity"
)

// addEntries takes over the access entries. Those of service-linked roles are AWS's alone.
func (c *formCluster) addEntries(before *model.Cluster) {
	type association struct{ principal, policy string }
	existing, associated := map[string]bool{}, map[association]bool{}
	for _, e := range before.AccessEntries {
		existing[e.PrincipalARN] = true
	}
	for _, a := range before.PolicyAssociations {
		associated[association{a.PrincipalARN, a.PolicyARN}] = true
	}
	policies := map[string][]formPolicy{}
	for _, a := range c.PolicyAssociations {
		policies[a.PrincipalARN] = append(policies[a.PrincipalARN], formPolicy{a, associated[association{a.PrincipalARN, a.PolicyARN}]})
	}
	for _, e := range c.AccessEntries {
		if strings.Contains(e.PrincipalARN, ":role/aws-service-role/") {
			c.foreign = append(c.foreign, "the access entry of "+e.PrincipalARN+", which is AWS's")
			continue
		}
		entry := formEntry{AccessEntry: e, exists: existing[e.PrincipalARN], policies: policies[e.PrincipalARN]}
		if !e.IsNode() {
			entry.groups = e.Groups
			if byDefault, ok := authenticator.DefaultUsername(model.EntryStandard, e.PrincipalARN); !ok || byDefault != e.Username {
				entry.username = e.Username
			}
		}
		c.entries = append(c.entries, entry)
	}
	slices.SortStableFunc(c.entries, func(a, b formEntry) int { return strings.Compare(a.PrincipalARN, b.PrincipalARN) })
}

// addAssociations takes over the Pod Identity associations. Those of add-ons are made through the add-on alone.
func (c *formCluster) addAssociations(before *model.Cluster) {
	type key struct{ namespace, account string }
	existing := map[key]bool{}
	for _, a := range before.PodIdentityAssociations {
		existing[key{a.Namespace, a.ServiceAccount}] = true
	}
	for _, a := range c.PodIdentityAssociations {
		if a.OwnerARN != "" {
			c.foreign = append(c.foreign, "the association of "+a.Namespace+"/"+a.ServiceAccount+", which is of add-on "+a.OwnerARN)
			continue
		}
		c.associations = append(c.associations, formAssociation{a, existing[key{a.Namespace, a.ServiceAccount}]})
	}
	slices.SortStableFunc(c.associations, func(a, b formAssociation) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.ServiceAccount, b.ServiceAccount))
	})
}

// said says whether a form can say what a change does.
func said(c plan.Change) bool {
	switch c.(type) {
	case plan.CreateAccessEntry, plan.UpdateAccessEntry, plan.AssociateAccessPolicy, plan.CreatePodIdentityAssociation, plan.UpdatePodIdentityAssociation:
		return true
	}
	return false
}

// head is what stands above every form: the plan, its proof, what stands in the way, and which phases are in the form, with
// the commands for the steps that are not. Instead says how the tool does such a step, or returns nothing for its command.
func (f *form) head(tool string, instead func(planStep) []string) []string {
	v := f.view
	word, text := v.proven()
	lines := []string{"drawbridge " + v.Tool.Version + ", " + v.Time.UTC().Format("2006-01-02 15:04 UTC"), v.size(), "proof: " + word + ": " + text}
	for _, b := range v.Blockers {
		lines = append(lines, "BLOCKER: "+b)
	}
	for _, w := range v.Warnings {
		lines = append(lines, "warning: "+w)
	}
	lines = append(lines, "", "The phases, in order. Look at each before the next; what "+tool+" cannot say is written out.")
	for _, c := range v.clusters {
		for i, p := range c.phases {
			lines = append(lines, "", fmt.Sprintf("%s, phase %d, %s: %s", c.Label, i+1, p.ID, p.Title))
			lines = append(lines, f.unsaid(p, instead)...)
			if p.Wait != "" {
				lines = append(lines, "  then: "+p.Wait)
			}
		}
	}
	for _, c := range f.clusters {
		for _, foreign := range c.foreign {
			lines = append(lines, "", c.label+": not here: "+foreign)
		}
	}
	return lines
}

// unsaid are the steps of a phase that the form does not hold.
func (f *form) unsaid(p planPhase, instead func(planStep) []string) []string {
	var lines []string
	here := 0
	for _, s := range p.steps {
		if said(s.change) {
			here++
			continue
		}
		text := "  step " + s.ID + ", not here: " + s.Text
		if !s.Reversible {
			text += " (IRREVERSIBLE: " + s.Irreversible + ")"
		}
		lines = append(lines, text)
		how := instead(s)
		if how == nil {
			how = strings.Split(plan.Command(s.change), "\n")
		}
		for _, line := range how {
			lines = append(lines, "    "+line)
		}
	}
	if here > 0 {
		lines = append([]string{fmt.Sprintf("  %s in this file", plural(here, "step"))}, lines...)
	}
	return lines
}

// hashes are lines as comments that begin with #.
func hashes(lines []string) string {
	var b strings.Builder
	for _, line := range lines {
		b.WriteString(strings.TrimRight("# "+visible(line), " ") + "\n")
	}
	return b.String()
}

// names gives objects of another tool names that are legal there, stay the same from plan to plan, and are unique.
type names struct {
	// illegal are the characters that no name may have.
	illegal *regexp.Regexp
	// legal joins parts to a legal name.
	legal func(parts ...string) string
	taken map[string]string
}

// of is the name of an object that parts describe and id identifies. Parts that had to be altered to be legal, or that do not
// tell the whole, are followed by a sum of the id.
func (n *names) of(id string, whole bool, parts ...string) string {
	for _, p := range parts {
		whole = whole && p != "" && !n.illegal.MatchString(p)
	}
	sum := sha256.Sum256([]byte(id))
	suffix := hex.EncodeToString(sum[:])
	name := n.legal(parts...)
	for length := 8; !whole || n.taken[name] != "" && n.taken[name] != id; length++ {
		whole = true
		name = n.legal(append(slices.Clone(parts), suffix[:min(length, len(suffix))])...)
	}
	n.taken[name] = id
	return name
}

// principalName is the name of a role or user, and whether it is the one of that name in the cluster's account.
func (c *formCluster) principalName(arn string) (name string, whole bool) {
	rest := arn[strings.LastIndexByte(arn, ':')+1:]
	name = rest[strings.LastIndexByte(rest, '/')+1:]
	return name, c.label == c.Name && arn == "arn:"+c.Partition+":iam::"+c.Account+":role/"+name
}

// clusterPlace is the name and region of a cluster that changes name by its ARN, or by its name alone.
func clusterPlace(id string) (name, region string) {
	parts := strings.SplitN(id, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" {
		return id, ""
	}
	return strings.TrimPrefix(parts[5], "cluster/"), parts[3]
}
