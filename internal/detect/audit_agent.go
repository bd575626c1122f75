package detect

import (
	"slices"
	"strings"

	"drawbridge/internal/access"
	"drawbridge/internal/awsdata"
	"drawbridge/internal/event"
)

// agentOddities are what the template of the Pod Identity agent's DaemonSet has that none of AWS's has: what hands tokens or
// credentials to somebody else (aws/eks-pod-identity-agent, charts, 2026-11).
func agentOddities(spec event.Value) []string {
	var out []string
	add := func(s string) {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	for _, list := range []string{"containers", "initContainers"} {
		for c := range spec.Find(list).All() {
			image := c.Find("image").First().String()
			host, _, _ := strings.Cut(image, "/")
			if ofEKS, known := awsdata.Registry(host); !access.IsAgentImage(image) || known && !ofEKS {
				add("image " + image)
			}
			var args []string
			for a := range c.Find("args").All() {
				args = append(args, a.String())
			}
			for a := range c.Find("command").All() {
				args = append(args, a.String())
			}
			for _, f := range access.Flags(args) {
				switch {
				case f.Name == "endpoint":
					add("--endpoint " + f.Value)
				case (f.Name == "bind-hosts" || f.Name == "b") && f.Value != "169.254.170.23" && f.Value != "[fd00:ec2::23]":
					add("--bind-hosts " + f.Value)
				}
			}
			for e := range c.Find("env.name").All() {
				if upper := strings.ToUpper(e.String()); strings.HasPrefix(upper, "AWS_ENDPOINT_URL") || strings.HasSuffix(upper, "_PROXY") || strings.HasPrefix(upper, "LD_") || upper == "AWS_CA_BUNDLE" {
					add("variable " + upper)
				}
			}
		}
	}
	for p := range spec.Find("volumes.hostPath.path").All() {
		switch path := strings.TrimSuffix(p.String(), "/"); path {
		case "/eks-hybrid/.aws", "/var/eks-hybrid/.aws", "/etc/pki/tls/certs/ca-bundle.crt":
		default:
			add("host path " + p.String())
		}
	}
	for w := range spec.Find("hostPID").All() {
		if w.String() == "true" {
			add("hostPID")
		}
	}
	return out
}

// agentChange says what a request does to the agent's DaemonSet: `specification` where it names it, `other` where it does not, as
// where the agent is only started anew.
func (l *look) agentChange() string {
	o := l.Field(event.RequestObject)
	if !l.Field(event.Verb).Is("patch") || l.creates() {
		return "specification"
	}
	if o.Kind() == event.Object {
		for _, member := range []string{"spec.template.spec", "spec.selector", "spec.updateStrategy", "spec.$patch", "spec.template.$patch"} {
			if o.Find(member).First().Kind() != event.Absent {
				return "specification"
			}
		}
		return "other"
	}
	for op := range o.Find("").All() {
		path := op.Find("path").First().String()
		if (path == "" || strings.HasPrefix(path, "/spec")) && !strings.HasPrefix(path, "/spec/template/metadata") {
			return "specification"
		}
	}
	return "other"
}

// agentFields are about the Pod Identity agent.
var agentFields = []enrichment{
	{
		Name: "drawbridge.agent.oddities", Text: "what the DaemonSet of the Pod Identity agent has that none of AWS's has: images, flags, variables, host paths", Planes: onKubernetes,
		Of: func(l *look) []string {
			if l.Field(event.Verb).Is("delete") {
				return nil
			}
			return agentOddities(l.podSpec())
		},
	},
	{
		Name: "drawbridge.agent.change", Text: "what a request changes of the agent's DaemonSet: `specification`, or `other` where it does not name that, as where the agent is started anew", Planes: onKubernetes,
		Of: func(l *look) []string { return some(l.agentChange()) },
	},
	{
		Name: "drawbridge.agent.images", Text: "the images of a workload's containers", Planes: onKubernetes,
		Of: func(l *look) []string {
			var out []string
			for v := range l.podSpec().Find("containers.image").All() {
				out = append(out, v.String())
			}
			return out
		},
	},
}

// webhookFields are about changes of what is called on admission.
var webhookFields = []enrichment{
	{
		Name: "drawbridge.webhook.sees", Text: "resources of Kubernetes' own for which a webhook or policy is called and that carry identity: pods, service accounts, tokens, Secrets, roles, bindings, or all", Planes: onKubernetes,
		Of: func(l *look) []string {
			var out []string
			for _, path := range []string{"webhooks.rules", "spec.matchConstraints.resourceRules"} {
				for rule := range l.object().Find(path).All() {
					if !identityGroup(rule) {
						continue
					}
					for r := range rule.Find("resources").All() {
						base, _, _ := strings.Cut(r.String(), "/")
						if slices.Contains([]string{"*", "pods", "serviceaccounts", "secrets", "roles", "clusterroles", "rolebindings", "clusterrolebindings", "configmaps"}, base) && !slices.Contains(out, base) {
							out = append(out, base)
						}
					}
				}
			}
			return out
		},
	},
	{
		Name: "drawbridge.webhook.target", Text: "where a webhook's calls go: service or URL", Planes: onKubernetes,
		Of: func(l *look) []string {
			var out []string
			for w := range l.object().Find("webhooks.clientConfig").All() {
				at := w.Find("url").First().String()
				if s := w.Find("service").First(); at == "" && s.Kind() == event.Object {
					at = "service " + s.Find("namespace").First().String() + "/" + s.Find("name").First().String()
				}
				if at != "" && !slices.Contains(out, at) {
					out = append(out, at)
				}
			}
			return out
		},
	},
	{
		Name: "drawbridge.webhook.only_ca", Text: "whether a patch changes nothing but the certificate by which a webhook is known", Planes: onKubernetes,
		Of: func(l *look) []string { return yes(l.onlyCA()) },
	},
}

// identityGroup says that a rule of a webhook is about an API group with such resources, or does not say which.
func identityGroup(rule event.Value) bool {
	said := false
	for g := range rule.Find("apiGroups").All() {
		if said = true; g.Is("") || g.Is("*") || g.Is("rbac.authorization.k8s.io") {
			return true
		}
	}
	return !said
}

// onlyCA says that a patch is about caBundle only.
func (l *look) onlyCA() bool {
	o := l.Field(event.RequestObject)
	if !l.Field(event.Verb).Is("patch") {
		return false
	}
	if o.Kind() == event.List {
		for op := range o.Find("").All() {
			if !strings.HasSuffix(op.Find("path").First().String(), "/clientConfig/caBundle") {
				return false
			}
		}
		return true
	}
	for _, member := range []string{
		"webhooks.rules", "webhooks.clientConfig.url", "webhooks.clientConfig.service", "webhooks.failurePolicy", "webhooks.namespaceSelector",
		"webhooks.objectSelector", "webhooks.matchConditions", "webhooks.matchPolicy", "webhooks.reinvocationPolicy", "webhooks.$patch", "$patch",
	} {
		if o.Find(member).First().Kind() != event.Absent {
			return false
		}
	}
	return o.Find("webhooks.clientConfig.caBundle").First().Kind() != event.Absent
}
