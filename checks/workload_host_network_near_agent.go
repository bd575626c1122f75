package checks

import (
	"slices"
	"strings"

	"drawbridge/internal/access"
	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
)

var workloadHostNetworkNearAgent = &check.Check{
	ID:         "workload-host-network-near-agent",
	Title:      "Host-network workload beside the Pod Identity agent can listen in or pose as it",
	Severity:   finding.High,
	Needs:      []model.Area{model.AreaWorkloads, model.AreaPods, model.AreaPodIdentityAssociations},
	Techniques: []string{"T1040", "T1557"},
	Since:      "0.1",
	Run: func(p *check.Pass) {
		agents := p.Access.Agents()
		auto := p.Cluster.Description != nil && p.Cluster.Description.AutoMode
		if len(p.Cluster.PodIdentityAssociations) == 0 || len(agents) == 0 && !auto {
			return // nothing of Pod Identity passes on the nodes
		}
		for _, u := range p.Access.Units() {
			if !u.Spec.HostNetwork || access.IsSystemNamespace(u.Namespace) || slices.Contains(agents, u) || p.Access.OnFargate(u.Namespace, u.Labels, u.Spec) {
				continue
			}
			for _, c := range u.Spec.Containers {
				power, byDefault := networkPower(c)
				if power == "" {
					continue
				}
				severity := finding.High
				if byDefault {
					severity, power = finding.Medium, power+" (medium: of no use to it unless it runs as root)"
				}
				p.Report(u.Object, "container %s shares the node's network with %s, so it can read or forge what the Pod Identity agent and the pods of its node say to each other in clear", c.Name, power).
					Severity(severity).
					Because(u.Object, "spec.hostNetwork", "true").
					Because(u.Object, "spec.containers["+c.Name+"].securityContext", "%s", power).
					Evidence("cluster "+p.Cluster.Name, "Pod Identity associations: %d", len(p.Cluster.PodIdentityAssociations)).
					Fix("# in the pod template: no hostNetwork, or drop the capabilities that it does not use").
					Fix("securityContext:\n  privileged: false\n  allowPrivilegeEscalation: false\n  capabilities: {drop: [ALL]}").
					Key(c.Name)
			}
		}
	},
}

// networkPower says by what a container can capture or redirect traffic of the network it is in. NET_RAW is among the
// capabilities that container runtimes give unless they are dropped (Kubernetes documentation, "Pod Security Standards",
// 2026-11); such a default one counts for processes of root alone.
func networkPower(c model.Container) (power string, byDefault bool) {
	if c.Privileged {
		return "privileged: true", false
	}
	var has []string
	for _, power := range []string{"NET_RAW", "NET_ADMIN", "ALL", "SYS_ADMIN"} {
		if slices.ContainsFunc(c.Capabilities, func(s string) bool { return strings.TrimPrefix(strings.ToUpper(s), "CAP_") == power }) {
			has = append(has, power)
		}
	}
	dropped := func(s string) bool {
		s = strings.TrimPrefix(strings.ToUpper(s), "CAP_")
		return s == "ALL" || s == "NET_RAW"
	}
	switch {
	case len(has) > 0:
		return "capability " + strings.Join(has, ", "), false
	case !slices.ContainsFunc(c.Dropped, dropped):
		return "capability NET_RAW, which runtimes give unless it is dropped", true
	}
	return "", false
}
