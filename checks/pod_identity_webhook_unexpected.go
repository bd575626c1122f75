package checks

import (
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"drawbridge/internal/access"
	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

var podIdentityWebhookUnexpected = &check.Check{
	ID:       "pod-identity-webhook-unexpected",
	Title:    "Mutating webhook can change pods that hold an IAM role",
	Severity: finding.Medium,
	Needs: []model.Area{
		model.AreaMutatingWebhooks, model.AreaPodIdentityAssociations, model.AreaServiceAccounts, model.AreaNamespaces,
		model.AreaPods, model.AreaWorkloads,
	},
	Techniques: []string{"T1546", "T1525"},
	Since:      "0.1",
	Run: func(p *check.Pass) {
		holders := webhookTargets(p)
		own := false
		for _, w := range p.Cluster.MutatingWebhooks {
			switch {
			case isPodIdentityWebhook(w):
				own = true
				reportPodIdentityWebhook(p, w, holders)
			case !onLoopback(w.URL): // on the API server's own loopback only EKS can listen
				reportOtherWebhook(p, w, holders)
			}
		}
		if !own && len(holders) > 0 && p.Access.Complete(model.AreaMutatingWebhooks) {
			p.Report(p.Cluster, "no pod-identity webhook is configured, so new pods of %d service accounts with IAM roles, such as %s, get no credentials unless they bring the settings themselves; low, because it gives nobody more", len(holders), holders[0].name()).
				Severity(finding.Low).
				Evidence("list mutatingwebhookconfigurations", "no configuration pod-identity-webhook").
				Fix("# EKS makes this configuration with the cluster; look for who deleted it (audit log), and ask AWS Support to have it made again")
		}
	},
}

// webhookTarget is a service account with an IAM role, and what stands for its pods.
type webhookTarget struct {
	namespace, account string
	labels             map[string]string
	pods               []map[string]string // labels of pods and of templates
	workloads          []*model.Workload
}

func (t *webhookTarget) name() string { return t.namespace + "/" + t.account }

func webhookTargets(p *check.Pass) []*webhookTarget {
	var all []*webhookTarget
	seen := map[string]bool{}
	for _, sa := range p.Access.AWSServiceAccounts() {
		t := &webhookTarget{namespace: sa.Namespace, account: sa.Name, workloads: p.Access.WorkloadsOf(sa.Namespace, sa.Name)}
		if seen[t.name()] {
			continue
		}
		seen[t.name()] = true
		if o, _ := p.Access.ServiceAccount(sa.Namespace, sa.Name); o != nil {
			t.labels = o.Labels
		}
		for _, w := range t.workloads {
			t.pods = append(t.pods, w.TemplateLabels)
		}
		owner := "?"
		for _, pod := range p.Access.PodsOf(sa.Namespace, sa.Name) {
			if pod.Owner == "" || pod.Owner != owner { // siblings have the same labels
				t.pods = append(t.pods, pod.Labels)
			}
			owner = pod.Owner
		}
		all = append(all, t)
	}
	return all
}

func isPodIdentityWebhook(w *model.MutatingWebhook) bool {
	return w.Name == "pod-identity-webhook" || w.Webhook == "iam-for-pods.amazonaws.com" || w.Webhook == "pod-identity-webhook.amazonaws.com"
}

func onLoopback(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	a, err := netip.ParseAddr(u.Hostname())
	return u.Hostname() == "localhost" || err == nil && a.IsLoopback()
}

// target is where a webhook's calls go, in words.
func target(w *model.MutatingWebhook) string {
	if w.URL != "" {
		return w.URL
	}
	return "service " + w.Service
}

// reportPodIdentityWebhook compares with EKS's own: https://127.0.0.1:23443/mutate, failure policy Ignore, CREATE of pods, no
// selector but the opt-out label (AWS Knowledge Center, "How do I troubleshoot IRSA errors in Amazon EKS?", 2026-11).
func reportPodIdentityWebhook(p *check.Pass, w *model.MutatingWebhook, holders []*webhookTarget) {
	differs := func(key, format string, args ...any) *check.Report {
		return p.Report(w, format, args...).
			Because(w, "webhooks["+w.Webhook+"]", "calls %s, failure policy %s", target(w), w.FailurePolicy).
			Fix("# compare with another cluster's, and find out who changed it (audit log: update or patch of this object)").
			Fix(plan.Shell("kubectl", "get", "mutatingwebhookconfiguration/"+w.Name, "-o", "yaml")).
			Key(w.Webhook + " " + key)
	}
	if !onLoopback(w.URL) {
		r := differs("target", "the pod-identity webhook %s calls %s and not EKS's on the API server: whoever answers there decides which pods get which AWS role", w.Webhook, target(w))
		if w.URL != "" {
			r.Severity(finding.High)
		}
	}
	if w.FailurePolicy != "Ignore" && w.FailurePolicy != "" {
		differs("failure", "the pod-identity webhook %s has failure policy %s where EKS's has Ignore; low, because it may stop pods but gives nobody more", w.Webhook, w.FailurePolicy).Severity(finding.Low)
	}
	if !isDefaultSelector(w.NamespaceSelector, "") {
		differs("namespaces", "the pod-identity webhook %s is limited to namespaces with %s, so new pods elsewhere are left without their AWS role%s",
			w.Webhook, metav1.FormatLabelSelector(w.NamespaceSelector), leftOut(p, w, holders))
	}
	if !isDefaultSelector(w.ObjectSelector, access.SkipWebhookLabel) {
		differs("objects", "the pod-identity webhook %s is limited to pods with %s, so others are left without their AWS role", w.Webhook, metav1.FormatLabelSelector(w.ObjectSelector))
	}
	if len(w.MatchConditions) > 0 {
		differs("conditions", "the pod-identity webhook %s is called only if %s, which EKS's has not", w.Webhook, strings.Join(w.MatchConditions, " and "))
	}
	if len(w.Rules) > 0 && !asksAbout(w, podKind) {
		differs("rules", "the pod-identity webhook %s is not asked when pods are created, so new pods get no AWS role", w.Webhook)
	}
}

// isDefaultSelector says whether a selector selects everything, or everything without the label.
func isDefaultSelector(s *metav1.LabelSelector, optOut string) bool {
	if s == nil || len(s.MatchLabels) == 0 && len(s.MatchExpressions) == 0 {
		return true
	}
	return optOut != "" && len(s.MatchLabels) == 0 && len(s.MatchExpressions) == 1 &&
		s.MatchExpressions[0].Key == optOut && s.MatchExpressions[0].Operator == metav1.LabelSelectorOpDoesNotExist
}

func leftOut(p *check.Pass, w *model.MutatingWebhook, holders []*webhookTarget) string {
	var names []string
	for _, t := range holders {
		if inNamespace(p, w, t.namespace) == access.No {
			names = append(names, t.name())
		}
	}
	if len(names) == 0 {
		return ""
	}
	return ", such as those of " + check.Some(names, 3)
}

// inNamespace says whether a webhook's namespace selector takes a namespace. The label kubernetes.io/metadata.name is set by
// the API server.
func inNamespace(p *check.Pass, w *model.MutatingWebhook, namespace string) access.Answer {
	if isDefaultSelector(w.NamespaceSelector, "") {
		return access.Yes
	}
	selector, err := metav1.LabelSelectorAsSelector(w.NamespaceSelector)
	if err != nil {
		return access.Maybe
	}
	for _, n := range p.Cluster.Namespaces {
		if n.Name != namespace {
			continue
		}
		set := maps.Clone(n.Labels)
		if set == nil {
			set = map[string]string{}
		}
		set["kubernetes.io/metadata.name"] = n.Name
		if selector.Matches(labels.Set(set)) {
			return access.Yes
		}
		return access.No
	}
	if p.Access.Complete(model.AreaNamespaces) {
		return access.No // nothing can be created in it
	}
	return access.Maybe
}

// podKind and its like are kinds of objects by which a pod's service account, volumes and environment can be changed.
type kindOfTarget struct {
	group      string
	resources  []string
	operations []string
	what       string
}

var (
	podKind      = kindOfTarget{"", []string{"pods"}, []string{"CREATE"}, "pods"}
	accountKind  = kindOfTarget{"", []string{"serviceaccounts"}, []string{"CREATE", "UPDATE"}, "service accounts"}
	appsKind     = kindOfTarget{"apps", []string{"deployments", "daemonsets", "statefulsets", "replicasets"}, []string{"CREATE", "UPDATE"}, "pod templates"}
	batchKind    = kindOfTarget{"batch", []string{"jobs", "cronjobs"}, []string{"CREATE", "UPDATE"}, "pod templates"}
	targetKinds  = []kindOfTarget{podKind, accountKind, appsKind, batchKind}
	anyOperation = "*"
)

// asksAbout says whether a webhook is called for a kind of objects.
func asksAbout(w *model.MutatingWebhook, k kindOfTarget) bool {
	has := func(list []string, s string) bool {
		return slices.Contains(list, s) || slices.Contains(list, anyOperation)
	}
	return slices.ContainsFunc(w.Rules, func(r model.WebhookRule) bool {
		return r.Scope != "Cluster" && has(r.Groups, k.group) &&
			slices.ContainsFunc(k.operations, func(o string) bool { return has(r.Operations, o) }) &&
			slices.ContainsFunc(k.resources, func(s string) bool { return has(r.Resources, s) || slices.Contains(r.Resources, "*/*") })
	})
}

// reportOtherWebhook reports a webhook that is asked about pods, templates or service accounts that hold an AWS role.
func reportOtherWebhook(p *check.Pass, w *model.MutatingWebhook, holders []*webhookTarget) {
	var kinds []kindOfTarget
	for _, k := range targetKinds {
		if asksAbout(w, k) {
			kinds = append(kinds, k)
		}
	}
	if len(kinds) == 0 {
		return
	}
	selector := labels.Everything()
	if !isDefaultSelector(w.ObjectSelector, "") {
		var err error
		if selector, err = metav1.LabelSelectorAsSelector(w.ObjectSelector); err != nil {
			p.NotAssessed("the object selector of webhook %s is not valid", w.Webhook)
			return
		}
	}
	namespaces := map[string]access.Answer{}
	var names, whats []string
	unread := 0
	for _, t := range holders {
		in, known := namespaces[t.namespace]
		if !known {
			in = inNamespace(p, w, t.namespace)
			namespaces[t.namespace] = in
		}
		if in == access.No {
			continue
		}
		what := changes(kinds, t, selector)
		switch {
		case len(what) == 0:
		case in == access.Maybe:
			unread++
		default:
			names = append(names, t.name())
			whats = append(whats, what...)
		}
	}
	if unread > 0 {
		p.NotAssessed("whether webhook %s is asked about %d service accounts with IAM roles depends on their namespaces' labels, which were not read", w.Webhook, unread)
	}
	if len(names) == 0 {
		return
	}
	slices.Sort(whats)
	reportWebhookReach(p, w, names, slices.Compact(whats))
}

// changes says which kinds of a service account's objects a webhook with this object selector is asked about.
func changes(kinds []kindOfTarget, t *webhookTarget, selector labels.Selector) []string {
	var what []string
	for _, k := range kinds {
		hit := false
		switch k.what {
		case "pods":
			// Without pods and templates, only a selector that takes everything is sure to take what comes.
			hit = selector.Empty() || slices.ContainsFunc(t.pods, func(l map[string]string) bool { return selector.Matches(labels.Set(l)) })
		case "service accounts":
			hit = selector.Matches(labels.Set(t.labels))
		default:
			hit = slices.ContainsFunc(t.workloads, func(w *model.Workload) bool {
				return slices.Contains(k.resources, strings.ToLower(w.Kind)+"s") && selector.Matches(labels.Set(w.Labels))
			})
		}
		if hit {
			what = append(what, k.what)
		}
	}
	return what
}

func reportWebhookReach(p *check.Pass, w *model.MutatingWebhook, names, whats []string) {
	severity, why := finding.Medium, ""
	switch {
	case w.URL != "":
		severity, why = finding.High, ", from outside the cluster"
	case demandsLabel(w.ObjectSelector):
		severity, why = finding.Low, "; low, because only objects with "+metav1.FormatLabelSelector(w.ObjectSelector)+" are sent to it"
	}
	condition := ""
	if len(w.MatchConditions) > 0 {
		condition = fmt.Sprintf(" if %s", strings.Join(w.MatchConditions, " and "))
	}
	p.Report(w, "webhook %s (%s) can change %s of %d service accounts that hold IAM roles, such as %s%s%s", w.Webhook, target(w), strings.Join(whats, ", "), len(names), check.Some(names, 3), condition, why).
		Severity(severity).
		Because(w, "webhooks["+w.Webhook+"].rules", "asked about %s", strings.Join(whats, ", ")).
		Because(w, "webhooks["+w.Webhook+"].namespaceSelector", "%s", selectorText(w.NamespaceSelector)).
		Because(w, "webhooks["+w.Webhook+"].objectSelector", "%s", selectorText(w.ObjectSelector)).
		Evidence("cluster "+p.Cluster.Name, "service accounts with IAM roles in its reach: %s", check.Some(names, 20)).
		Fix("# keep namespaces whose pods hold AWS roles out of it, unless it is needed there (its Helm chart or operator may have a setting for this)").
		Fix("namespaceSelector:\n  matchExpressions:\n  - {key: kubernetes.io/metadata.name, operator: NotIn, values: [NAMESPACE]}").
		Fix("# and know who may write the webhook's own workload").
		Key(w.Webhook)
}

// demandsLabel says whether a selector takes only objects that carry some label.
func demandsLabel(s *metav1.LabelSelector) bool {
	return s != nil && (len(s.MatchLabels) > 0 || slices.ContainsFunc(s.MatchExpressions, func(r metav1.LabelSelectorRequirement) bool {
		return r.Operator == metav1.LabelSelectorOpIn || r.Operator == metav1.LabelSelectorOpExists
	}))
}

func selectorText(s *metav1.LabelSelector) string {
	if isDefaultSelector(s, "") {
		return "everything"
	}
	return metav1.FormatLabelSelector(s)
}
