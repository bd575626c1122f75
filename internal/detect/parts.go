package detect

import (
	"slices"

	"drawbridge/internal/model"
)

// Parts are the usernames by which drawbridge.actor.part knows the control plane, and the service accounts in kube-system of
// its controllers: for those who say it in another system's language.
func Parts() (usernames, serviceAccounts []string) {
	return slices.Clone(controlPlane), slices.Clone(controllers)
}

// PolicyReach is what an access policy gives by its published rules on a cluster of which nothing is known, in the words of
// drawbridge.grant.admin and drawbridge.grant.secrets; published is false where AWS publishes no rules of it.
func PolicyReach(arn string, scope model.AccessScope) (admin, secrets string, published bool) {
	held, published := unread().PowersOfAssociation(&model.PolicyAssociation{PolicyARN: arn, Scope: scope})
	var p privilege
	for i := range held {
		p.add(unread(), &held[i], "")
	}
	return p.admin.String(), p.secrets.String(), published
}
