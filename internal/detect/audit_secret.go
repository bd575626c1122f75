package detect

import (
	"slices"

	"drawbridge/internal/event"
)

// secretFacts are who wrote one Secret: cluster, namespace, name. What is in it, and of which type it is, EKS does not log
// (EKS Best Practices Guide, "Detective controls", 2026-11).
type secretFacts struct{ Writes []secretWrite }

type secretWrite struct {
	Fact
	By string
}

const (
	secretOfAccount = "kubernetes.io/service-account-token" //nolint:gosec // 2026-11: G101: a type of Secret
	accountOfSecret = "metadata.annotations.kubernetes.io/service-account.name"
)

// noteSecret takes who writes Secrets, other than Kubernetes and EKS.
func (g *objects) noteSecret(l *look, limit int) {
	switch l.Field(event.Verb).String() {
	case "create", "update", "patch":
	default:
		return
	}
	if l.Field(event.Subresource).String() != "" || l.name() == "" || l.part() != "" || !l.done() {
		return
	}
	f := g.Secrets.at(l.objectKey(), limit)
	f.Writes = note(f.Writes, secretWrite{l.fact(), actorText(l.actor())}, func(w *secretWrite) Fact { return w.Fact })
}

// secretWriter is who wrote the Secret last before the request, and when.
func (l *look) secretWriter() string {
	f := l.ledger.Objects.Secrets.get(l.objectKey())
	if f == nil {
		return ""
	}
	now := l.now()
	for _, w := range slices.Backward(f.Writes) {
		if w.before(now) {
			return w.By + " at " + stamp(w.At)
		}
	}
	return ""
}

// secretAccount is the service account whose token a Secret holds or is about to: of the request's namespace; empty where the
// log does not have the Secret.
func (l *look) secretAccount() string {
	o := l.object()
	if !l.Field(event.Resource).Is("secrets") || !o.Find("type").First().Is(secretOfAccount) {
		return ""
	}
	return o.Find(accountOfSecret).First().String()
}

// secretFields are about Secrets that hold tokens of service accounts.
var secretFields = []enrichment{
	{
		Name: "drawbridge.secret.service_account", Text: "service account whose token the written Secret is for, where the log has the Secret: namespace/name", Planes: onKubernetes,
		Of: func(l *look) []string {
			if sa := l.secretAccount(); sa != "" {
				return some(l.Field(event.Namespace).String() + "/" + sa)
			}
			return nil
		},
	},
	{
		Name: "drawbridge.secret.aws", Text: "what that service account holds of AWS, in words", Planes: onKubernetes, Ledger: true, Snapshot: true,
		Of: func(l *look) []string { return l.holdings(l.secretAccount()) },
	},
	{
		Name: "drawbridge.secret.writer", Text: "who wrote the Secret last before the request, and when", Planes: onKubernetes, Ledger: true,
		Of: func(l *look) []string { return some(l.secretWriter()) },
	},
}
