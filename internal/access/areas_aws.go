package access

import (
	"slices"

	"drawbridge/internal/model"
)

// areasIAM are what every answer in AWS rests on.
var areasIAM = []model.Area{model.AreaIAMRoles, model.AreaIAMUsers, model.AreaIAMGroups, model.AreaIAMPolicies, model.AreaOrganization}

// AreasOfAWSSessions are the areas that decide which AWS sessions an identity of Kubernetes has, and with what it may do.
func AreasOfAWSSessions() []model.Area {
	return slices.Concat(areasIAM, []model.Area{
		model.AreaCluster, model.AreaPodIdentityAssociations, model.AreaOIDCProviders, model.AreaServiceAccounts, model.AreaPods, model.AreaWorkloads,
		model.AreaNodes, model.AreaNodegroups, model.AreaInstances, model.AreaLaunchTemplates, model.AreaNodeClasses, model.AreaFargateProfiles,
	})
}

// AreasOfCheckAWS are the areas of a snapshot that CheckAWS looks at.
func AreasOfCheckAWS(id Identity) []model.Area {
	if id.OfKubernetes() {
		return AreasOfAWSSessions()
	}
	return areasIAM
}
