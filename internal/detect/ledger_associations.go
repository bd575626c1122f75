package detect

import (
	"slices"
	"strings"

	"drawbridge/internal/event"
)

// associationFacts are the changes of one Pod Identity association: cluster and association id.
type associationFacts struct{ Changes []associationChange }

// associationChange is one call that changed a Pod Identity association.
type associationChange struct {
	Fact
	Action, By                              string
	Namespace, ServiceAccount, Role, Target string
}

var (
	pathAssociationID        = event.ParsePath(event.CloudTrail, "requestParameters.associationId")
	pathAssociationIDAnswer  = event.ParsePath(event.CloudTrail, "responseElements.association.associationId")
	pathAssociationNamespace = event.ParsePath(event.CloudTrail, "responseElements.association.namespace")
	pathAssociationSA        = event.ParsePath(event.CloudTrail, "responseElements.association.serviceAccount")
	pathAssociationRole      = event.ParsePath(event.CloudTrail, "responseElements.association.roleArn")
	pathAssociationTarget    = event.ParsePath(event.CloudTrail, "responseElements.association.targetRoleArn")
	pathRequestNamespace     = event.ParsePath(event.CloudTrail, "requestParameters.namespace")
	pathRequestSA            = event.ParsePath(event.CloudTrail, "requestParameters.serviceAccount")
	pathRequestTarget        = event.ParsePath(event.CloudTrail, "requestParameters.targetRoleArn")
)

var associationActions = []string{"CreatePodIdentityAssociation", "UpdatePodIdentityAssociation", "DeletePodIdentityAssociation"}

// noteAssociation takes changes of Pod Identity associations that were carried out.
func (g *Ledger) noteAssociation(l *look) {
	action := l.Field(event.EventName).String()
	if !slices.Contains(associationActions, action) || !succeeded(l.Event) {
		return
	}
	id := l.either(pathAssociationIDAnswer, pathAssociationID)
	if id == "" {
		return
	}
	f := g.Associations.at(key(clusterOf(l.Event), id), g.Limit)
	f.Changes = note(f.Changes, associationChange{
		Fact: l.fact(), Action: strings.Clone(action), By: actorText(l.actor()),
		Namespace: l.either(pathAssociationNamespace, pathRequestNamespace), ServiceAccount: l.either(pathAssociationSA, pathRequestSA),
		Role: l.either(pathAssociationRole, pathRoleARN), Target: l.either(pathAssociationTarget, pathRequestTarget),
	}, func(c *associationChange) Fact { return c.Fact })
}

// either is the first of two fields that says something.
func (l *look) either(a, b event.Path) string {
	if s := l.first(a); s != "" {
		return s
	}
	return l.first(b)
}

// rolesOf are the IAM roles that a service account holds, as associations in the events and the snapshot tell.
func (l *look) rolesOf(cluster, namespace, serviceAccount string) []string {
	if serviceAccount == "" {
		return nil
	}
	var out []string
	for _, f := range l.ledger.Associations.By {
		for _, c := range slices.Backward(f.Changes) {
			if c.At.After(l.Time()) {
				continue
			}
			if c.Namespace == namespace && c.ServiceAccount == serviceAccount && c.Action != "DeletePodIdentityAssociation" && c.Role != "" {
				out = append(out, c.Role)
			}
			break
		}
	}
	if c := l.snapshotCluster(); c != nil {
		if role, _ := c.HoldsAWSRole(namespace, serviceAccount); role != "" && !slices.Contains(out, role) {
			out = append(out, role)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
