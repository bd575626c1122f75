package access

import (
	"fmt"
	"slices"

	"drawbridge/internal/rbac"
)

// versionNotes says what a request really lets one do, where the words mislead or the version of Kubernetes decides.
//
// A WebSocket makes exec, attach and portforward a get; from 1.35 on create is asked for as well (feature gate
// AuthorizePodWebsocketUpgradeCreatePermission, on by default; Kubernetes v1.36.3, pkg/features). The kubelet's API behind
// nodes/proxy runs commands on a get, in every version (pkg/kubelet/server, v1.36.3).
func (c *Cluster) versionNotes(r rbac.Request, v Verdict) []string {
	if v == Denied || r.APIGroup != "" || r.NonResourceURL != "" {
		return nil
	}
	switch {
	case r.Resource == "nodes" && r.Subresource == "proxy" && slices.Contains([]string{"get", "create"}, r.Verb):
		return []string{"it runs commands in any pod of the node: the kubelet behind nodes/proxy takes a " + r.Verb + " for that, in every version of Kubernetes"}
	case r.Resource != "pods" || r.Verb != "get" || !slices.Contains([]string{"exec", "attach", "portforward"}, r.Subresource):
		return nil
	}
	switch minor := c.Minor(); {
	case minor == 0:
		return []string{"before Kubernetes 1.35, get alone opens pods/" + r.Subresource + " through a WebSocket; the cluster's version was not read"}
	case minor < 35:
		return []string{fmt.Sprintf("Kubernetes 1.%d opens pods/%s through a WebSocket to whoever may get it", minor, r.Subresource)}
	}
	return []string{"from Kubernetes 1.35 on it opens nothing alone: create on pods/" + r.Subresource + " is asked for as well"}
}
