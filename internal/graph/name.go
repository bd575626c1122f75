package graph

import "drawbridge/internal/access"

// Name is how a place is called, its cluster left out: identities as the command line writes them.
func Name(id access.Identity) string {
	switch id.Kind {
	case KindClusterAdmin:
		return "cluster-admin"
	case KindSecrets:
		return "all Secrets"
	case KindSecret:
		return "secret/" + id.Namespace + "/" + id.Name
	case KindAccountAdmin:
		return "administrator of account" + map[bool]string{true: " " + id.Name}[id.Name != ""]
	case KindNode:
		return "node/" + id.Name
	case KindAny:
		if id.Namespace != "" {
			return id.Name + " in namespace " + id.Namespace
		}
		return id.Name
	case KindOutside:
		return id.Name
	}
	return id.String()
}
