package detect

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"net/url"
	"path"
	"slices"
	"strings"

	"drawbridge/internal/access"
	"drawbridge/internal/event"
	"drawbridge/internal/rbac"
)

// kubeletPath is what a request asks of a kubelet through nodes/proxy, as the kubelet sees it: percent-encoding and dots do not
// hide it. The API server passes on what it decoded once.
func (l *look) kubeletPath() string {
	if !l.Field(event.Resource).Is("nodes") || !l.Field(event.Subresource).Is("proxy") {
		return ""
	}
	_, rest, ok := strings.Cut(l.queryless(), "/proxy")
	if !ok {
		return ""
	}
	if plain, err := url.PathUnescape(rest); err == nil {
		rest = plain
	}
	return path.Clean("/" + strings.TrimPrefix(rest, "/"))
}

// kubeletAction is the first word of that path, by what it does: `command` for what runs or enters something, `read` for logs,
// pods, configuration and files of the node, `metrics` for figures.
func kubeletAction(p string) string {
	if p == "" {
		return ""
	}
	word, _, _ := strings.Cut(strings.TrimPrefix(p, "/"), "/")
	switch strings.ToLower(word) {
	case "exec", "run", "attach", "portforward", "cri", "checkpoint":
		return "command"
	case "metrics", "stats", "healthz", "spec":
		return "metrics"
	}
	return "read"
}

// certificateSubject is whom a certificate signing request asks a certificate for, by the request itself.
func (l *look) certificateSubject() (name string, groups []string) {
	data, err := base64.StdEncoding.DecodeString(l.object().Find("spec.request").First().String())
	if err != nil {
		return "", nil
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return "", nil
	}
	r, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return "", nil
	}
	return r.Subject.CommonName, r.Subject.Organization
}

// csrDecision is what the request decides of a certificate signing request; `unknown` where the log does not have it.
func (l *look) csrDecision() string {
	if !l.Field(event.Resource).Is("certificatesigningrequests") || !l.Field(event.Subresource).Is("approval") {
		return ""
	}
	types := l.object().Find("status.conditions.type")
	if asked := l.Field(event.RequestObject); asked.Kind() == event.List && l.Field(event.ResponseObject).Kind() != event.Object { // a JSON patch
		types = asked.Find("value.type")
	}
	out := "unknown"
	for t := range types.All() {
		switch {
		case t.Is("Approved"):
			return "approved"
		case t.Is("Denied"):
			out = "denied"
		}
	}
	if out == "unknown" && l.Field(event.ResponseObject).Kind() == event.Object {
		return "none"
	}
	return out
}

// own says that a name is one of Kubernetes' or EKS' own identities, other than a service account or a node.
func own(name string) bool {
	return strings.HasPrefix(name, "eks:") || name == "kubernetes-admin" || strings.HasPrefix(name, "system:") &&
		!strings.HasPrefix(name, "system:serviceaccount") && !slices.Contains([]string{"system:anonymous", "system:unauthenticated", "system:authenticated"}, name)
}

func ownText(kind string, names ...string) string {
	for _, n := range names {
		if n == rbac.GroupMasters {
			return "group system:masters may do everything"
		}
	}
	for _, n := range names {
		if own(n) {
			return kind + " " + n + " is Kubernetes' or EKS' own"
		}
	}
	return ""
}

var pathImpersonatedGroups = event.ParsePath(event.Kubernetes, "impersonatedUser.groups")

// impersonated says why the identity that a request was made as is a privileged one, by its name; empty if its name does not
// tell.
func (l *look) impersonated() string {
	groups := l.texts(pathImpersonatedGroups)
	if why := ownText("group", groups...); why != "" {
		return why
	}
	name := l.actor().Impersonated
	if why := ownText("user", name); why != "" {
		return why
	}
	if strings.HasPrefix(name, "system:serviceaccount:kube-system:") {
		return "service accounts of kube-system lead to the cluster"
	}
	return ""
}

// impersonatedHolds is what else tells that it is one: the AWS role of a service account, or what RBAC of the snapshot lets it
// do.
func (l *look) impersonatedHolds() string {
	name := l.actor().Impersonated
	if name == "" {
		return ""
	}
	if rest, ok := strings.CutPrefix(name, "system:serviceaccount:"); ok {
		namespace, sa, _ := strings.Cut(rest, ":")
		roles := l.rolesOf(clusterOf(l.Event), namespace, sa)
		if r, ok := l.annotated(namespace, sa, l.now()); ok && r != "" {
			roles = append(roles, r)
		}
		if len(roles) > 0 {
			return "service account " + namespace + "/" + sa + " holds " + roles[0]
		}
	}
	c := l.snapshotCluster()
	if c == nil {
		return ""
	}
	held, _ := c.PowersOf(rbac.Authenticated(name, l.texts(pathImpersonatedGroups)...))
	if i := slices.IndexFunc(held, func(h access.HeldPower) bool { return h.Namespace == "" && h.Power.ID == everything }); i >= 0 {
		return "RBAC lets it do everything"
	}
	return ""
}

// requestPathFields are about requests to kubelets, for certificates, and in another's name.
var requestPathFields = []enrichment{
	{
		Name: "drawbridge.kubelet.path", Text: "what a request asks of a kubelet through nodes/proxy", Planes: onKubernetes,
		Of: func(l *look) []string { return some(l.kubeletPath()) },
	},
	{
		Name: "drawbridge.kubelet.action", Text: "what that does: `command` runs or enters something, `read` reads logs, pods or configuration, `metrics` reads figures", Planes: onKubernetes,
		Of: func(l *look) []string { return some(kubeletAction(l.kubeletPath())) },
	},
	{
		Name: "drawbridge.csr.decision", Text: "what the request decides of a certificate signing request: `approved`, `denied`, `none`; `unknown` where the log does not have it", Planes: onKubernetes,
		Of: func(l *look) []string { return some(l.csrDecision()) },
	},
	{
		Name: "drawbridge.csr.signer", Text: "the signer that a certificate signing request names", Planes: onKubernetes,
		Of: func(l *look) []string {
			if !l.Field(event.Resource).Is("certificatesigningrequests") {
				return nil
			}
			return some(l.object().Find("spec.signerName").First().String())
		},
	},
	{
		Name: "drawbridge.csr.subject", Text: "common name and organizations that a certificate signing request asks for: the username and groups of a client certificate", Planes: onKubernetes,
		Of: func(l *look) []string {
			name, groups := l.certificateSubject()
			if name == "" && len(groups) == 0 {
				return nil
			}
			return some(strings.TrimSpace(name + " " + strings.Join(groups, " ")))
		},
	},
	{
		Name: "drawbridge.csr.privileged", Text: "why that identity is Kubernetes' or EKS' own; nodes do not count", Planes: onKubernetes,
		Of: func(l *look) []string {
			name, groups := l.certificateSubject()
			if strings.HasPrefix(name, "system:node:") {
				return some(ownText("group", without(groups, []string{"system:nodes"})...))
			}
			if why := ownText("group", groups...); why != "" {
				return some(why)
			}
			return some(ownText("user", name))
		},
	},
	{
		Name: "drawbridge.impersonated.privileged", Text: "why the identity that a request was made as is a privileged one, by its name and groups", Planes: onKubernetes,
		Of: func(l *look) []string { return some(l.impersonated()) },
	},
	{
		Name: "drawbridge.impersonated.holds", Text: "what else it holds: an AWS role, or everything by the snapshot's RBAC", Planes: onKubernetes, Ledger: true, Snapshot: true,
		Of: func(l *look) []string { return some(l.impersonatedHolds()) },
	},
}
