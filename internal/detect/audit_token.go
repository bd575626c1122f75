package detect

import (
	"bytes"
	"slices"
	"strings"

	"drawbridge/internal/access"
	"drawbridge/internal/event"
)

// cloudAudience says that AWS takes tokens with the audience for credentials: those of Pod Identity and of IRSA, also of
// other partitions and of a region's STS (EKS User Guide, "IAM roles for service accounts" and "Learn how EKS Pod Identity
// grants pods access", 2026-11). What a service account's own annotation sets as audience is not known here.
func cloudAudience(a string) bool {
	a = strings.TrimSuffix(strings.TrimSuffix(strings.TrimPrefix(strings.ToLower(a), "https://"), "/"), ".cn")
	return a == access.PodIdentityAudience || a == access.IRSAAudience || strings.HasPrefix(a, "sts.") && strings.HasSuffix(a, ".amazonaws.com")
}

var pathAudiences = event.ParsePath(event.Kubernetes, "requestObject.spec.audiences")

// projections are the volumes by which a pod or a workload's template has a token made for AWS.
func (l *look) projections(o event.Value) []projection {
	spec := podSpecOf(o, l.Field(event.Resource).String())
	var out []projection
	if raw := spec.Raw(); !bytes.Contains(raw, []byte("audience")) && bytes.IndexByte(raw, '\\') < 0 {
		return nil
	}
	for v := range spec.Find("volumes").All() {
		for s := range v.Find("projected.sources").All() {
			t := s.Find("serviceAccountToken").First()
			if audience := t.Find("audience").First().String(); cloudAudience(audience) {
				out = append(out, projection{v.Find("name").First().String(), t.Find("path").First().String(), audience})
			}
		}
	}
	return out
}

type projection struct{ volume, path, audience string }

// injected says that the volume looks as the webhooks make it (amazon-eks-pod-identity-webhook, pkg/handler, 2026-08).
func (p projection) injected() bool {
	return p.volume == "eks-pod-identity-token" && p.path == "eks-pod-identity-token" && p.audience == access.PodIdentityAudience ||
		p.volume == "aws-iam-token" && p.path == "token"
}

// byHand are the projected tokens that no webhook made. The webhooks change pods, and after the API server logged what was
// asked for: what stands in the request, or in a template, somebody wrote.
func (l *look) byHand() []projection {
	asked := l.Field(event.RequestObject)
	switch {
	case l.creates() && asked.Kind() == event.Object:
		return l.projections(asked)
	case !l.Field(event.Resource).Is("pods"):
		return l.projections(l.object())
	}
	return slices.DeleteFunc(l.projections(l.object()), projection.injected)
}

var tokenFields = []enrichment{
	{
		Name: "drawbridge.token.cloud_audience", Text: "audiences of a requested token that AWS takes for credentials", Planes: onKubernetes,
		Of: func(l *look) []string {
			var out []string
			for _, a := range l.texts(pathAudiences) {
				if cloudAudience(a) {
					out = append(out, a)
				}
			}
			return out
		},
	},
	{
		Name: "drawbridge.pod.projected", Text: "audiences of tokens for AWS that a pod or template projects by itself, not through EKS' webhooks", Planes: onKubernetes,
		Of: func(l *look) []string {
			var out []string
			for _, p := range l.byHand() {
				if !slices.Contains(out, p.audience) {
					out = append(out, strings.Clone(p.audience))
				}
			}
			return out
		},
	},
}
