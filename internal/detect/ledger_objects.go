package detect

import "drawbridge/internal/event"

// objects are what audit events told of objects other than pods: what they were before a change.
type objects struct {
	Annotations facts[annotationFacts]
	AWSAuth     facts[awsAuthFacts]
	Roles       facts[clusterRoleFacts]
	Bindings    facts[bindingFacts]
	Templates   facts[templateFacts]
	Policies    facts[policyFacts]
	Met         facts[metFacts]
	Secrets     facts[secretFacts]
}

// note takes what a request to the API server made of an object, of those that [changes] has.
func (g *objects) note(l *look, limit int) {
	switch l.Field(event.Resource).String() {
	case "configmaps":
		g.noteAWSAuth(l, limit)
	case "serviceaccounts":
		g.noteAnnotation(l, limit)
	case "podtemplates", "deployments", "daemonsets", "statefulsets", "replicasets", "replicationcontrollers", "jobs", "cronjobs":
		g.noteTemplate(l, limit)
	case "secrets":
		g.noteSecret(l, limit)
	case "roles", "clusterroles":
		g.noteRole(l, limit)
	case "rolebindings", "clusterrolebindings":
		g.noteBinding(l, limit)
	}
}

func (g *objects) forgotten() int {
	return g.Annotations.Forgotten + g.AWSAuth.Forgotten + g.Roles.Forgotten + g.Bindings.Forgotten +
		g.Templates.Forgotten + g.Policies.Forgotten + g.Met.Forgotten + g.Secrets.Forgotten
}
