package checks

import (
	"fmt"
	"slices"
	"strings"

	"drawbridge/internal/access"
	"drawbridge/internal/awsdata"
	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

var podIdentityAgentUnexpected = &check.Check{
	ID:         "pod-identity-agent-unexpected",
	Title:      "Pod Identity agent differs from what AWS publishes",
	Severity:   finding.High,
	Needs:      []model.Area{model.AreaWorkloads, model.AreaPods},
	Techniques: []string{"T1557", "T1525"},
	Since:      "0.1",
	Run: func(p *check.Pass) {
		for _, u := range p.Access.Agents() {
			found := differences(p.Cluster, u.Spec, nil)
			if registry, unknown := unknownRegistry(u.Spec); unknown {
				p.NotAssessed("AWS does not publish from which registry EKS serves the agent's image in the region of %s", registry)
			}
			reportAgent(p, u.Object, found, "")
			reportAgentPods(p, u, found)
		}
	},
}

// difference is one way in which an agent is not as AWS publishes it.
type difference struct {
	key, text, field string
	severity         finding.Severity // where it is not the check's
}

func reportAgent(p *check.Pass, o model.Object, found []difference, pods string) {
	for _, d := range found {
		r := p.Report(o, "%s%s", d.text, pods).
			Because(o, "spec."+d.field, "%s", d.text).
			Fix("# replace what runs by the EKS add-on as AWS ships it, after finding out who changed it (audit log: update or patch of this object)").
			Fix(plan.Shell("aws", "eks", "update-addon", "--cluster-name", p.Cluster.Name, "--region", p.Cluster.Region,
				"--addon-name", access.AgentName, "--resolve-conflicts", "OVERWRITE")).
			Key(d.key)
		if d.severity != "" {
			r.Severity(d.severity)
		}
	}
}

// reportAgentPods reports differences that pods have and their template has not: an injected container, a debug container.
func reportAgentPods(p *check.Pass, u *access.Unit, template []difference) {
	if _, isWorkload := u.Object.(*model.Workload); !isWorkload {
		return
	}
	known := map[string]bool{}
	for _, d := range template {
		known[d.key] = true
	}
	type group struct {
		difference
		pods []string
	}
	var groups []*group
	byKey := map[string]*group{}
	for _, pod := range u.Pods {
		for _, d := range differences(p.Cluster, &pod.PodSpec, u.Spec) {
			if known[d.key] {
				continue
			}
			g := byKey[d.key]
			if g == nil {
				g = &group{difference: d}
				byKey[d.key], groups = g, append(groups, g)
			}
			g.pods = append(g.pods, pod.Name)
		}
	}
	for _, g := range groups {
		g.key = "pods " + g.key
		reportAgent(p, u.Object, []difference{g.difference}, ", in "+check.Some(g.pods, 3)+" but not in the template")
	}
}

// differences compares with each shape that AWS publishes: chart 1.2.0, its variants for hybrid nodes, Bottlerocket and iso
// regions, and agents from 0.2.1 on (aws/eks-pod-identity-agent, charts and hack/testdata, 2026-11). Host network, the
// privileged init container, CAP_NET_BIND_SERVICE, automount, probes and log level are AWS's own. A pod is compared with
// its template's number of containers.
func differences(c *model.Cluster, s, template *model.PodSpec) []difference {
	var found []difference
	add := func(key, field, format string, args ...any) {
		found = append(found, difference{key: key, field: field, text: fmt.Sprintf(format, args...)})
	}
	agents := 0
	for _, k := range s.Containers {
		ours := access.IsAgentImage(k.Image)
		where := "containers[" + k.Name + "]"
		switch {
		case k.Kind == "ephemeral":
			add("ephemeral "+k.Name, "ephemeralContainers", "debug container %s (%s) runs inside the Pod Identity agent", k.Name, k.Image)
			continue
		case !ours && template != nil && !hasContainer(template, k.Name):
			add("container "+k.Name, where, "container %s (%s) was added to the Pod Identity agent's pods", k.Name, k.Image)
			continue
		case !ours && strings.HasPrefix(k.Name, access.AgentName):
			add("image "+k.Name, where+".image", "the Pod Identity agent's container %s runs %s, which is not the agent's image; its arguments were not read", k.Name, k.Image)
		case !ours:
			add("container "+k.Name, where, "the Pod Identity agent has a container %s (%s), which AWS's has not", k.Name, k.Image)
			continue
		case k.Kind == "":
			if agents++; agents > 1 {
				add("container "+k.Name, where, "the Pod Identity agent has a second container %s with its image", k.Name)
			}
		}
		found = append(found, containerDifferences(c, &k, where)...)
	}
	for _, v := range s.Volumes {
		if v.HostPath != "" && !ownHostPath(c, v.HostPath) {
			add("host path "+v.HostPath, "volumes["+v.Name+"].hostPath", "the Pod Identity agent mounts %s of its nodes, which AWS's does not", v.HostPath)
		}
		if v.Secret != "" {
			add("secret "+v.Secret, "volumes["+v.Name+"].secret", "the Pod Identity agent mounts Secret %s, which AWS's does not", v.Secret)
		}
	}
	if s.HostPID {
		add("host pid", "hostPID", "the Pod Identity agent shares the process namespace of its nodes, which AWS's does not")
	}
	return found
}

func containerDifferences(c *model.Cluster, k *model.Container, where string) []difference {
	var found []difference
	add := func(key, field, format string, args ...any) {
		found = append(found, difference{key: k.Name + " " + key, field: where + field, text: fmt.Sprintf(format, args...)})
	}
	if host, _, _ := strings.Cut(k.Image, "/"); access.IsAgentImage(k.Image) {
		if ofEKS, known := awsdata.Registry(host); known && !ofEKS {
			add("registry", ".image", "the Pod Identity agent's image comes from %s, not from a registry of EKS: medium, because it may be a mirror of yours", host)
			found[len(found)-1].severity = finding.Medium
		}
	}
	if k.Privileged && k.Kind != "init" {
		add("privileged", ".securityContext.privileged", "the Pod Identity agent's container %s is privileged; in AWS's only the init container is", k.Name)
	}
	for _, has := range k.Capabilities {
		if strings.TrimPrefix(strings.ToUpper(has), "CAP_") != "NET_BIND_SERVICE" {
			add("capability "+has, ".securityContext.capabilities", "the Pod Identity agent's container %s has capability %s, which AWS's has not", k.Name, has)
		}
	}
	for _, f := range access.Flags(k.Flags) {
		switch f.Name {
		case "endpoint":
			add("endpoint", ".args", "the Pod Identity agent sends the tokens of pods to %s instead of EKS (--endpoint)", f.Value)
		case "bind-hosts", "b":
			if f.Value == "169.254.170.23" || f.Value == "[fd00:ec2::23]" {
				continue // its own addresses (EKS User Guide, "Disable IPv6 in the EKS Pod Identity Agent", 2026-11)
			}
			add("bind "+f.Value, ".args", "the Pod Identity agent listens on %s, where AWS's does not, and hands out credentials there (--bind-hosts)", f.Value)
		case "cluster-name", "c":
			if f.Value != c.Name {
				add("cluster", ".args", "the Pod Identity agent asks EKS for credentials of cluster %s, not of this one (--cluster-name)", f.Value)
			}
		}
	}
	for _, e := range k.Env {
		if what := redirects(c, e.Name); what != "" {
			add("env "+e.Name, ".env", "the Pod Identity agent has environment variable %s, which AWS's has not and which %s", e.Name, what)
			if strings.HasSuffix(strings.ToUpper(e.Name), "_PROXY") {
				found[len(found)-1].severity = finding.Low
			}
		}
	}
	for _, e := range k.EnvFrom {
		add("envFrom "+string(e), ".envFrom", "the Pod Identity agent takes its environment from %s, which may redirect it", e)
	}
	return found
}

// redirects says what a variable does to the AWS SDK in the agent (AWS SDKs and Tools Reference Guide, "Settings reference"
// and "Service-specific endpoints", 2026-11).
func redirects(c *model.Cluster, name string) string {
	switch upper := strings.ToUpper(name); {
	case strings.HasPrefix(upper, "AWS_ENDPOINT_URL"):
		return "redirects its calls to AWS"
	case upper == "HTTPS_PROXY" || upper == "HTTP_PROXY" || upper == "ALL_PROXY":
		return "sends its calls through a proxy; low, because TLS keeps them from it"
	case upper == "AWS_CA_BUNDLE" && !isIso(c.Partition):
		return "changes whose certificates it trusts"
	case slices.Contains([]string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_ROLE_ARN"}, upper):
		return "gives it another identity than its node's"
	case upper == "LD_PRELOAD" || upper == "LD_LIBRARY_PATH":
		return "loads foreign code into it"
	}
	return ""
}

// ownHostPath says whether AWS's agent mounts the path: credentials of hybrid nodes, and the CA bundle of iso regions.
func ownHostPath(c *model.Cluster, path string) bool {
	switch strings.TrimSuffix(path, "/") {
	case "/eks-hybrid/.aws", "/var/eks-hybrid/.aws":
		return true
	case "/etc/pki/tls/certs/ca-bundle.crt":
		return isIso(c.Partition)
	}
	return false
}

func isIso(partition string) bool { return strings.HasPrefix(partition, "aws-iso") }

func hasContainer(s *model.PodSpec, name string) bool {
	return slices.ContainsFunc(s.Containers, func(k model.Container) bool { return k.Name == name })
}

// unknownRegistry returns an agent's registry of which AWS does not say whether it is its own.
func unknownRegistry(s *model.PodSpec) (string, bool) {
	for _, k := range s.Containers {
		host, _, _ := strings.Cut(k.Image, "/")
		if _, known := awsdata.Registry(host); !known && access.IsAgentImage(k.Image) {
			return host, true
		}
	}
	return "", false
}
