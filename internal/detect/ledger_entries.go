package detect

import (
	"slices"
	"strings"

	"drawbridge/internal/event"
)

// entryFacts are the changes of one access entry: cluster and principal.
type entryFacts struct{ Changes []entryChange }

// entryChange is one call that changed an access entry, or one of its policy associations.
type entryChange struct {
	Fact
	// Action is the API action.
	Action string
	// By is the actor in words, Principal its ARN.
	By, Principal  string
	Type, Username string
	Groups         []string
	Policy         string
	Scope          string // cluster, or namespace
	Namespaces     []string
}

var (
	pathEntryPrincipal  = event.ParsePath(event.CloudTrail, "requestParameters.principalArn")
	pathEntryType       = event.ParsePath(event.CloudTrail, "requestParameters.type")
	pathEntryUsername   = event.ParsePath(event.CloudTrail, "requestParameters.username")
	pathEntryGroups     = event.ParsePath(event.CloudTrail, "requestParameters.kubernetesGroups")
	pathPolicyARN       = event.ParsePath(event.CloudTrail, "requestParameters.policyArn")
	pathScopeType       = event.ParsePath(event.CloudTrail, "requestParameters.accessScope.type")
	pathScopeNamespaces = event.ParsePath(event.CloudTrail, "requestParameters.accessScope.namespaces")
)

var entryActions = []string{"CreateAccessEntry", "UpdateAccessEntry", "DeleteAccessEntry", "AssociateAccessPolicy", "DisassociateAccessPolicy"}

// noteEntry takes changes of access entries that were carried out.
func (g *Ledger) noteEntry(l *look) {
	action := l.Field(event.EventName).String()
	if !slices.Contains(entryActions, action) || !succeeded(l.Event) {
		return
	}
	a := l.actor()
	f := g.Entries.at(key(clusterOf(l.Event), l.first(pathEntryPrincipal)), g.Limit)
	f.Changes = note(f.Changes, entryChange{
		Fact: l.fact(), Action: strings.Clone(action), By: actorText(a), Principal: strings.Clone(a.Principal),
		Type: l.first(pathEntryType), Username: l.first(pathEntryUsername), Groups: l.texts(pathEntryGroups),
		Policy: l.first(pathPolicyARN), Scope: l.first(pathScopeType), Namespaces: l.texts(pathScopeNamespaces),
	}, func(c *entryChange) Fact { return c.Fact })
}

// texts are all values of a field.
func (l *look) texts(p event.Path) []string {
	var out []string
	for v := range l.Find(p).All() {
		if v.Kind() == event.String {
			out = append(out, strings.Clone(v.String()))
		}
	}
	return out
}

// entryFields are about access entries.
var entryFields = []enrichment{
	{Name: "drawbridge.entry.created_by", Text: "who created the access entry that the event is about, where an event told", Planes: onCloudTrail, Ledger: true,
		Of: func(l *look) []string {
			if f := l.ledger.Entries.get(key(clusterOf(l.Event), l.first(pathEntryPrincipal))); f != nil {
				for _, c := range slices.Backward(f.Changes) {
					if c.Action == "CreateAccessEntry" && !c.At.After(l.Time()) {
						return some(c.By)
					}
				}
			}
			return nil
		}},
}
