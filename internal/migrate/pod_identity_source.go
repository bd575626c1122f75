package migrate

import (
	"cmp"
	"slices"
	"strings"

	"drawbridge/internal/access"
	"drawbridge/internal/model"
)

// Source is where the pods of a service account have their AWS credentials from before they are moved.
type Source string

// The sources.
const (
	FromIRSA     Source = "IRSA"
	FromKube2IAM Source = "kube2iam or kiam" // by the annotation of pods that both read
	FromKeys     Source = "access keys"
	FromNode     Source = "the role of its nodes"
)

// kube2iamRole is the annotation of a pod by which kube2iam and kiam give it a role (jtblin/kube2iam and uswitch/kiam, README,
// 2026-11).
const kube2iamRole = "iam.amazonaws.com/role"

// usage is what is deployed as one service account, by where it has AWS credentials from besides the service account.
type usage struct {
	account *model.ServiceAccount
	// annotated are units by the role that they name for kube2iam or kiam, keyed those with access keys, bare the others.
	annotated map[string][]*access.Unit
	keyed     []*access.Unit
	bare      []*access.Unit
}

// usages are those service accounts as which something runs that names a role or has keys, in order.
func (p *planner) usages() []*usage {
	type name struct{ namespace, account string }
	all := map[name]*usage{}
	for _, u := range p.cluster.Units() {
		n := name{u.Namespace, u.ServiceAccount()}
		of := all[n]
		if of == nil {
			of = &usage{annotated: map[string][]*access.Unit{}}
			all[n] = of
		}
		switch role := u.Annotations[kube2iamRole]; {
		case len(keysOf(u.Spec)) > 0:
			of.keyed = append(of.keyed, u)
		case role != "":
			of.annotated[role] = append(of.annotated[role], u)
		default:
			of.bare = append(of.bare, u)
		}
	}
	var found []*usage
	for n, of := range all {
		if len(of.annotated)+len(of.keyed) == 0 {
			continue
		}
		if of.account, _ = p.cluster.ServiceAccount(n.namespace, n.account); of.account == nil {
			of.account = &model.ServiceAccount{Meta: model.Meta{Namespace: n.namespace, Name: n.account}}
		}
		found = append(found, of)
	}
	slices.SortFunc(found, func(a, b *usage) int {
		return cmp.Or(strings.Compare(a.account.Namespace, b.account.Namespace), strings.Compare(a.account.Name, b.account.Name))
	})
	return found
}

// alone says what else would get a role that some units are to get through their service account, or "". Every pod that names
// no service account runs as the one called default.
func (p *planner) alone(of *usage, units, others []*access.Unit) string {
	own := "give " + unitsText(units) + " a service account of its own, such as " + p.ServiceAccountName(unitName(units[0]))
	switch {
	case of.account.Name == "default":
		return "as service account default runs whatever names none, and would get the role too: " + own
	case len(others) > 0:
		return unitsText(others) + " runs as this service account too, and would get the role with it: " + own
	}
	return ""
}

// unitsText names some units, the first few of them.
func unitsText(units []*access.Unit) string {
	var names []string
	for _, u := range units[:min(len(units), 3)] {
		name := u.Object.Subject().Name
		if _, ok := u.Object.(*model.Pod); ok {
			name = "pod/" + name
		}
		names = append(names, name)
	}
	if len(units) > 3 {
		names = append(names, "…")
	}
	return strings.Join(names, ", ")
}

// unitName is the name of a unit, without its kind.
func unitName(u *access.Unit) string {
	name := u.Object.Subject().Name
	return name[strings.LastIndexByte(name, '/')+1:]
}
