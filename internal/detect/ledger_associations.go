package detect

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"drawbridge/internal/event"
	"drawbridge/internal/iam"
	"drawbridge/internal/model"
)

// associationFacts are the changes of one Pod Identity association: cluster and association id.
type associationFacts struct{ Changes []associationChange }

// serviceAccountFacts are the associations that a service account has had, by their keys; more than one where it was deleted
// and made again.
type serviceAccountFacts struct{ Associations []associationOf }

type associationOf struct{ Cluster, Key string }

// associationChange is one call that changed a Pod Identity association. What it does not tell is as before.
type associationChange struct {
	Fact
	Action, By                              string
	Namespace, ServiceAccount, Role, Target string
	// Untagged is disableSessionTags: true, false, or nothing.
	Untagged string
	// All says that it tells all of the association.
	All bool
}

// association is what a Pod Identity association was at one time.
type association struct {
	namespace, serviceAccount, role, target, untagged string
	// changed is when; deleted says that it is no more.
	changed time.Time
	deleted bool
}

var (
	pathAssociationID        = event.ParsePath(event.CloudTrail, "requestParameters.associationId")
	pathAssociationIDAnswer  = event.ParsePath(event.CloudTrail, "responseElements.association.associationId")
	pathAssociationNamespace = event.ParsePath(event.CloudTrail, "responseElements.association.namespace")
	pathAssociationSA        = event.ParsePath(event.CloudTrail, "responseElements.association.serviceAccount")
	pathAssociationRole      = event.ParsePath(event.CloudTrail, "responseElements.association.roleArn")
	pathAssociationTarget    = event.ParsePath(event.CloudTrail, "responseElements.association.targetRoleArn")
	pathAssociationUntagged  = event.ParsePath(event.CloudTrail, "responseElements.association.disableSessionTags")
	pathRequestNamespace     = event.ParsePath(event.CloudTrail, "requestParameters.namespace")
	pathRequestSA            = event.ParsePath(event.CloudTrail, "requestParameters.serviceAccount")
	pathRequestTarget        = event.ParsePath(event.CloudTrail, "requestParameters.targetRoleArn")
	pathRequestUntagged      = event.ParsePath(event.CloudTrail, "requestParameters.disableSessionTags")
)

const (
	createAssociation = "CreatePodIdentityAssociation"
	updateAssociation = "UpdatePodIdentityAssociation"
	deleteAssociation = "DeletePodIdentityAssociation"
)

var associationActions = []string{createAssociation, updateAssociation, deleteAssociation}

// changeOfAssociation is what an event says of a Pod Identity association, and the association's key; false where it is about
// none. The answer goes before the request: it has all of the association (EKS API Reference, "PodIdentityAssociation",
// 2026-11).
func (l *look) changeOfAssociation() (k string, c associationChange, ok bool) {
	action := l.Field(event.EventName).String()
	if !l.Field(event.EventSource).Is("eks.amazonaws.com") || !slices.Contains(associationActions, action) {
		return "", c, false
	}
	c = associationChange{
		Fact: l.fact(), Action: strings.Clone(action), By: actorText(l.actor()),
		Namespace: l.either(pathAssociationNamespace, pathRequestNamespace), ServiceAccount: l.either(pathAssociationSA, pathRequestSA),
		Role: l.either(pathAssociationRole, pathRoleARN), Target: l.either(pathAssociationTarget, pathRequestTarget),
		Untagged: l.either(pathAssociationUntagged, pathRequestUntagged),
	}
	c.All = action == createAssociation || l.first(pathAssociationRole) != ""
	if c.Untagged == "" && c.All {
		c.Untagged = "false" // the default (EKS API Reference, "CreatePodIdentityAssociation", 2026-11)
	}
	if id := l.either(pathAssociationIDAnswer, pathAssociationID); id != "" {
		k = key(clusterOf(l.Event), id)
	}
	return k, c, true
}

// noteAssociation takes changes of Pod Identity associations that were carried out.
func (g *Ledger) noteAssociation(l *look) {
	k, c, ok := l.changeOfAssociation()
	if !ok || k == "" || !succeeded(l.Event) {
		return
	}
	f := g.Associations.at(k, g.Limit)
	f.Changes = note(f.Changes, c, func(c *associationChange) Fact { return c.Fact })
	if c.ServiceAccount == "" {
		return
	}
	cluster := clusterOf(l.Event)
	s := g.ServiceAccounts.at(serviceAccountKey(cluster, c.Namespace, c.ServiceAccount), g.Limit)
	if of := (associationOf{cluster, k}); !slices.Contains(s.Associations, of) && len(s.Associations) < 64 {
		s.Associations = append(s.Associations, of)
	}
}

// serviceAccountKey is the key of a service account. Audit logs may know their cluster by its name only, so the name it is.
func serviceAccountKey(cluster, namespace, name string) string {
	return key(event.ParseCluster(cluster).Name, namespace, name)
}

// at is the association as it was after what happened until f, and with it only if with is set.
func (a *associationFacts) at(f Fact, with bool) (association, bool) {
	var s association
	known := false
	if a == nil {
		return s, false
	}
	for i := range a.Changes {
		c := &a.Changes[i]
		if f.before(c.Fact) || !with && c.Fact == f {
			break
		}
		known = true
		s = s.with(c)
	}
	return s, known
}

// with is the association after a change.
func (s association) with(c *associationChange) association {
	after := association{c.Namespace, c.ServiceAccount, c.Role, c.Target, c.Untagged, c.At, c.Action == deleteAssociation}
	if !c.All {
		after.role, after.target, after.untagged = cmp.Or(c.Role, s.role), cmp.Or(c.Target, s.target), cmp.Or(c.Untagged, s.untagged)
	}
	after.namespace, after.serviceAccount = cmp.Or(c.Namespace, s.namespace), cmp.Or(c.ServiceAccount, s.serviceAccount)
	return after
}

// either is the first of two fields that says something.
func (l *look) either(a, b event.Path) string {
	if s := l.first(a); s != "" {
		return s
	}
	return l.first(b)
}

// association is the Pod Identity association that an event changes, as it is afterwards.
func (l *look) association() (association, bool) {
	k, c, ok := l.changeOfAssociation()
	if !ok {
		return association{}, false
	}
	var before association
	if c.Action != createAssociation {
		before, _ = l.associationBefore(k, &c)
	}
	return before.with(&c), true
}

// associationBefore is what the association was before the event, as earlier events or the snapshot tell. For one that is
// created it is the one that the service account had within a day before.
func (l *look) associationBefore(k string, c *associationChange) (association, bool) {
	if c.Action == createAssociation {
		return l.replaced(k, c)
	}
	if s, ok := l.ledger.Associations.get(k).at(c.Fact, false); ok && s.role != "" {
		return s, true
	}
	cluster := l.snapshotCluster()
	if cluster == nil {
		return association{}, false
	}
	id := l.either(pathAssociationID, pathAssociationIDAnswer)
	for _, a := range cluster.PodIdentityAssociations {
		if a.ID == id && id != "" && asBefore(a, c.At) {
			return association{
				namespace: a.Namespace, serviceAccount: a.ServiceAccount, role: a.RoleARN, target: a.TargetRoleARN,
				untagged: yes(a.DisableSessionTags)[0], changed: a.Modified,
			}, true
		}
	}
	return association{}, false
}

// asBefore says whether the snapshot has an association as it was before a time.
func asBefore(a *model.PodIdentityAssociation, at time.Time) bool {
	changed := a.Modified
	if changed.IsZero() {
		changed = a.Created
	}
	return !changed.IsZero() && changed.Before(at)
}

// replaced is the association that a service account had before a new one was made for it.
func (l *look) replaced(k string, c *associationChange) (association, bool) {
	cluster := clusterOf(l.Event)
	var last association
	if f := l.ledger.ServiceAccounts.get(serviceAccountKey(cluster, c.Namespace, c.ServiceAccount)); f != nil {
		for _, of := range f.Associations {
			if of.Key == k || !oneCluster(event.ParseCluster(of.Cluster), event.ParseCluster(cluster)) {
				continue
			}
			if s, ok := l.ledger.Associations.get(of.Key).at(c.Fact, false); ok && s.role != "" && c.At.Sub(s.changed) < 24*time.Hour && s.changed.After(last.changed) {
				last = s
			}
		}
	}
	return last, last.role != ""
}

// rolesOf are the IAM roles that a service account holds, as associations in the events and the snapshot tell.
func (l *look) rolesOf(cluster, namespace, serviceAccount string) []string {
	if serviceAccount == "" {
		return nil
	}
	var out []string
	told := false
	if f := l.ledger.ServiceAccounts.get(serviceAccountKey(cluster, namespace, serviceAccount)); f != nil {
		for _, of := range f.Associations {
			if !oneCluster(event.ParseCluster(of.Cluster), event.ParseCluster(cluster)) {
				continue
			}
			s, ok := l.ledger.Associations.get(of.Key).at(Fact{At: l.Time(), ID: "\xff"}, true)
			told = told || ok
			if ok && !s.deleted && s.role != "" {
				out = append(out, s.role)
			}
		}
	}
	if c := l.snapshotCluster(); c != nil && !told {
		if role, _ := c.HoldsAWSRole(namespace, serviceAccount); role != "" {
			out = append(out, role)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// through is a role, with the one that is reached through it.
func (s *association) through() string {
	if s.target != "" {
		return s.role + " and through it " + s.target
	}
	return s.role
}

func ofAssociation(l *look, text func(association) string) []string {
	if a, ok := l.association(); ok {
		return some(text(a))
	}
	return nil
}

// associationFields are about the Pod Identity association that an event changes.
var associationFields = []enrichment{
	{
		Name: "drawbridge.association.namespace", Text: "namespace of the Pod Identity association that the event changes", Planes: onCloudTrail, Ledger: true, Snapshot: true,
		Of: func(l *look) []string { return ofAssociation(l, func(a association) string { return a.namespace }) },
	},
	{
		Name: "drawbridge.association.name", Text: "service account of that association", Planes: onCloudTrail, Ledger: true, Snapshot: true,
		Of: func(l *look) []string {
			return ofAssociation(l, func(a association) string { return a.serviceAccount })
		},
	},
	{
		Name: "drawbridge.association.role", Text: "IAM role that it gives, with the target role", Planes: onCloudTrail, Ledger: true, Snapshot: true,
		Of: func(l *look) []string { return ofAssociation(l, func(a association) string { return a.through() }) },
	},
	{
		Name: "drawbridge.association.role_arn", Text: "ARN of the role that it names, without the target role", Planes: onCloudTrail, Ledger: true, Snapshot: true,
		Of: func(l *look) []string { return ofAssociation(l, func(a association) string { return a.role }) },
	},
	{
		Name: "drawbridge.association.workload", Text: "the service account that it is for: namespace/name", Planes: onCloudTrail, Ledger: true, Snapshot: true,
		Of: func(l *look) []string {
			return ofAssociation(l, func(a association) string {
				if a.serviceAccount == "" {
					return ""
				}
				return a.namespace + "/" + a.serviceAccount
			})
		},
	},
	{
		Name: "drawbridge.association.role_before", Text: "IAM role that it gave before, with the target role; of a new association the role of the one that the service account had within a day before",
		Planes: onCloudTrail, Ledger: true, Snapshot: true, Of: func(l *look) []string {
			k, c, ok := l.changeOfAssociation()
			if !ok {
				return nil
			}
			before, _ := l.associationBefore(k, &c)
			return some(before.through())
		},
	},
	{
		Name: "drawbridge.association.role_changed", Text: "whether the event gives the service account another role or target role than before: `true`, `false`, or `unknown`; absent until nothing more can tell",
		Planes: onCloudTrail, Ledger: true, Snapshot: true, Of: roleChanged,
	},
	{
		Name: "drawbridge.association.tags_turned_off", Text: "whether the event turns session tags off that were on before; without knowledge of that, whether it says they are off",
		Planes: onCloudTrail, Ledger: true, Snapshot: true, Of: tagsTurnedOff,
	},
	{
		Name: "drawbridge.association.told", Text: "`true` when the service account of the association is known, `false` when nothing more can tell",
		Planes: onCloudTrail, Ledger: true, Snapshot: true, Of: func(l *look) []string {
			if a, ok := l.association(); ok && (a.serviceAccount != "" || l.final) {
				return yes(a.serviceAccount != "")
			}
			return nil
		},
	},
	{
		Name: "drawbridge.association.target_account", Text: "account of the target role that the request names, if it is another one than the cluster's", Planes: onCloudTrail,
		Of: func(l *look) []string {
			arn, err := iam.ParseARN(l.first(pathRequestTarget))
			if err != nil || arn.Account == l.Cluster().Account {
				return nil
			}
			return some(arn.Account)
		},
	},
	{
		Name: "drawbridge.association.target_trusted", Text: "whether that account is one of --trusted-account", Planes: onCloudTrail,
		Of: func(l *look) []string {
			arn, err := iam.ParseARN(l.first(pathRequestTarget))
			if err != nil {
				return nil
			}
			return yes(slices.Contains(l.ctx.Trusted, arn.Account))
		},
	},
}

func roleChanged(l *look) []string {
	k, c, ok := l.changeOfAssociation()
	if !ok || !l.final || c.Action == deleteAssociation {
		return nil // a change between the two may yet come
	}
	before, known := l.associationBefore(k, &c)
	switch {
	case known:
		after, _ := l.association()
		return yes(after.role != before.role || after.target != before.target)
	case c.Action == updateAssociation:
		return []string{"unknown"}
	}
	return nil
}

func tagsTurnedOff(l *look) []string {
	k, c, ok := l.changeOfAssociation()
	switch {
	case !ok || c.Action == deleteAssociation:
		return nil
	case l.first(pathRequestUntagged) != "true":
		return isFalse
	case c.Action == createAssociation:
		return isTrue
	}
	if !l.final {
		return nil
	}
	before, _ := l.associationBefore(k, &c)
	return yes(before.untagged != "true")
}
