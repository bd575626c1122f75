package checks

import (
	"net/netip"
	"strings"

	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

var clusterEndpointPublic = &check.Check{
	ID:         "cluster-endpoint-public",
	Title:      "Kubernetes API is open to the world",
	Severity:   finding.Medium,
	Needs:      []model.Area{model.AreaCluster},
	Techniques: []string{"T1133"},
	Since:      "0.1",
	Run: func(p *check.Pass) {
		c, d := p.Cluster, p.Cluster.Description
		if d == nil || !d.EndpointPublic {
			return
		}
		wide := worldwide(d.PublicCIDRs)
		if wide == "" {
			return
		}
		p.Report(c, "the Kubernetes API answers the whole internet (%s): a leaked token works from anywhere", wide).
			Because(c, "resourcesVpcConfig.endpointPublicAccess", "true").
			Because(c, "resourcesVpcConfig.publicAccessCidrs", "%s", orNobody(strings.Join(d.PublicCIDRs, ", "))).
			Fix("# name the networks that people and pipelines come from, or close the public endpoint").
			Fix(plan.Shell("aws", "eks", "update-cluster-config", "--name", c.Name, "--region", c.Region,
				"--resources-vpc-config", "endpointPublicAccess=true,endpointPrivateAccess=true,publicAccessCidrs=CIDR"))
	},
}

// worldwide names the ranges that open an endpoint to more of the internet than anybody can know. Without ranges EKS
// uses 0.0.0.0/0 (EKS User Guide, "Cluster API server endpoint", 2026-11).
func worldwide(cidrs []string) string {
	if len(cidrs) == 0 {
		return "no ranges are set, which means 0.0.0.0/0"
	}
	var wide []string
	for _, s := range cidrs {
		if p, err := netip.ParsePrefix(s); err == nil && (p.Addr().Is4() && p.Bits() < 8 || p.Addr().Is6() && p.Bits() < 16) {
			wide = append(wide, s)
		}
	}
	return strings.Join(wide, ", ")
}
