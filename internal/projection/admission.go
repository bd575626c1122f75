package projection

import (
	"net/url"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"

	"drawbridge/internal/model"
)

// MutatingWebhooks keeps the webhooks of a configuration: who is called, and for which requests. The CA bundle is
// dropped, and of a URL everything but scheme, host and path.
func MutatingWebhooks(c *admissionv1.MutatingWebhookConfiguration) []*model.MutatingWebhook {
	var all []*model.MutatingWebhook
	m := meta(c)
	for i := range c.Webhooks {
		w := &c.Webhooks[i]
		k := &model.MutatingWebhook{
			Meta: m, Webhook: w.Name,
			FailurePolicy:     pointed(w.FailurePolicy),
			NamespaceSelector: w.NamespaceSelector, ObjectSelector: w.ObjectSelector,
			MatchConditions: expressions(w.MatchConditions),
		}
		if s := w.ClientConfig.Service; s != nil {
			k.Service = s.Namespace + "/" + s.Name
			if path := strings.TrimPrefix(pointed(s.Path), "/"); path != "" {
				k.Service += "/" + path
			}
		}
		k.URL = address(pointed(w.ClientConfig.URL))
		for _, r := range w.Rules {
			k.Rules = append(k.Rules, rule(r))
		}
		all = append(all, k)
	}
	return all
}

// ValidatingAdmissionPolicy keeps what a policy is asked about and what it demands. A rule for single objects is left
// out: the model has no place for their names, and without them the policy would seem to guard all objects.
func ValidatingAdmissionPolicy(p *admissionv1.ValidatingAdmissionPolicy) *model.AdmissionPolicy {
	k := &model.AdmissionPolicy{Meta: meta(p), FailurePolicy: pointed(p.Spec.FailurePolicy)}
	if c := p.Spec.MatchConstraints; c != nil {
		for _, r := range c.ResourceRules {
			if len(r.ResourceNames) == 0 {
				k.Rules = append(k.Rules, rule(r.RuleWithOperations))
			}
		}
	}
	for _, v := range p.Spec.Validations {
		k.Validations = append(k.Validations, v.Expression)
	}
	return k
}

// ValidatingAdmissionPolicyBinding keeps which policy is in force where, and what its refusal does.
func ValidatingAdmissionPolicyBinding(b *admissionv1.ValidatingAdmissionPolicyBinding) *model.AdmissionPolicyUse {
	k := &model.AdmissionPolicyUse{Meta: meta(b), Policy: b.Spec.PolicyName}
	for _, a := range b.Spec.ValidationActions {
		k.Actions = append(k.Actions, string(a))
	}
	if r := b.Spec.MatchResources; r != nil {
		k.NamespaceSelector = r.NamespaceSelector
	}
	return k
}

func rule(r admissionv1.RuleWithOperations) model.WebhookRule {
	k := model.WebhookRule{Groups: r.APIGroups, Versions: r.APIVersions, Resources: r.Resources, Scope: pointed(r.Scope)}
	for _, o := range r.Operations {
		k.Operations = append(k.Operations, string(o))
	}
	return k
}

func expressions(cs []admissionv1.MatchCondition) []string {
	var all []string
	for _, c := range cs {
		all = append(all, c.Expression)
	}
	return all
}

// address is a URL without credentials, query and fragment, or "" for what is no URL. The API server refuses a webhook
// with any of the three; a file may hold them.
func address(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" {
		return ""
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

func pointed[S ~string](p *S) string {
	if p == nil {
		return ""
	}
	return string(*p)
}
