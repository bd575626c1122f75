package checks

import (
	"net/netip"

	"drawbridge/internal/access"
	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

var podIdentityAgentMetricsExposed = &check.Check{
	ID:         "pod-identity-agent-metrics-exposed",
	Title:      "Metrics of the Pod Identity agent are open on the node's address",
	Severity:   finding.Informational,
	Needs:      []model.Area{model.AreaWorkloads},
	Techniques: []string{"T1613"},
	Since:      "0.1",
	Run: func(p *check.Pass) {
		for _, u := range p.Access.Agents() {
			if !u.Spec.HostNetwork {
				continue
			}
			for _, k := range u.Spec.Containers {
				if k.Kind != "" || !access.IsAgentImage(k.Image) {
					continue
				}
				address, port, set := metricsBinding(k.Flags)
				if !set {
					p.Report(u.Object, "port %s of every node with the agent serves the agent's metrics to whoever reaches the node, pods included: the default of agents with metrics", port).
						Because(u.Object, "spec.containers["+k.Name+"].args", "no --metrics-address, so 0.0.0.0").
						Because(u.Object, "spec.hostNetwork", "true").
						Fix("# in the add-on's configuration, which becomes the agent's arguments").
						Fix(plan.Shell("aws", "eks", "update-addon", "--cluster-name", p.Cluster.Name, "--region", p.Cluster.Region, "--addon-name", access.AgentName,
							"--configuration-values", `{"agent": {"additionalArgs": {"--metrics-address": "127.0.0.1"}}}`)).
						Fix("# a scraper in a pod can then not read them any more")
				} else if !loopback(address) {
					p.Report(u.Object, "port %s of every node with the agent serves the agent's metrics on %s", port, address).
						Because(u.Object, "spec.containers["+k.Name+"].args", "--metrics-address %s", address).
						Fix("# set --metrics-address 127.0.0.1, unless something outside of the node scrapes it")
				}
			}
		}
	},
}

// metricsBinding is where the agent serves its metrics (aws/eks-pod-identity-agent, cmd/server.go, 2026-11).
func metricsBinding(args []string) (address, port string, set bool) {
	port = "2705"
	for _, f := range access.Flags(args) {
		switch f.Name {
		case "metrics-address":
			address, set = f.Value, true
		case "metrics-port":
			port = f.Value
		}
	}
	return address, port, set
}

func loopback(address string) bool {
	a, err := netip.ParseAddr(address)
	return address == "localhost" || err == nil && a.IsLoopback()
}
