package aws

import (
	"drawbridge/internal/lab/aws/wire"
)

// PutAddon adds an add-on to an existing cluster as it is. Its associations are seeded apart, with the
// add-on's ARN as their owner.
func (r *Region) PutAddon(a Addon) {
	r.acct.srv.mu.Lock()
	defer r.acct.srv.mu.Unlock()
	r.mustCluster(a.ClusterName).putAddon(r, a)
}

func (s *clusterState) putAddon(r *Region, a Addon) *addonState {
	a.ClusterName = s.Name
	fill(&a.AddonARN, r.arn("eks", "addon/"+s.Name+"/"+a.AddonName+"/"+r.acct.srv.uuid("addon", s.ARN, a.AddonName)))
	fill(&a.Status, "ACTIVE")
	fill(&a.AddonVersion, "v1.0.0-eksbuild.1")
	if a.CreatedAt == nil {
		a.CreatedAt = wire.At(r.acct.srv.now())
	}
	if a.ModifiedAt == nil {
		a.ModifiedAt = a.CreatedAt
	}
	state := &addonState{Addon: a}
	s.addons[a.AddonName] = state
	return state
}

type listAddonsOutput struct {
	Addons    []string `json:"addons"`
	NextToken string   `json:"nextToken,omitempty"`
}

func listAddons(c *call, in *listInput) (listAddonsOutput, error) {
	cluster, err := c.reg.cluster(in.ClusterName)
	if err != nil {
		return listAddonsOutput{}, err
	}
	items, next, err := names(c, cluster.addons, *in)
	return listAddonsOutput{nonNil(items), next}, err
}

type addonInput struct {
	ClusterName string `json:"clusterName"`
	AddonName   string `json:"addonName"`
}

type addonOutput struct {
	Addon Addon `json:"addon"`
}

func (c *call) addon(in addonInput) (*clusterState, *addonState, error) {
	cluster, err := c.reg.cluster(in.ClusterName)
	if err != nil {
		return nil, nil, err
	}
	if a := cluster.addons[in.AddonName]; a != nil {
		return cluster, a, nil
	}
	return nil, nil, refuse("ResourceNotFoundException", "No addon: %s found in cluster: %s", in.AddonName, in.ClusterName)
}

func describeAddon(c *call, in *addonInput) (addonOutput, error) {
	if _, a, err := c.addon(*in); err == nil {
		a.life.look()
	}
	_, a, err := c.addon(*in)
	if err != nil {
		return addonOutput{}, err
	}
	return addonOutput{a.Addon}, nil
}

// addonAssociation is an association that an add-on is asked to own.
type addonAssociation struct {
	ServiceAccount string `json:"serviceAccount"`
	RoleARN        string `json:"roleArn"`
}

type createAddonInput struct {
	addonInput
	AddonVersion            string             `json:"addonVersion"`
	ServiceAccountRoleARN   string             `json:"serviceAccountRoleArn"`
	ResolveConflicts        string             `json:"resolveConflicts"`
	ClientRequestToken      string             `json:"clientRequestToken"`
	Tags                    map[string]string  `json:"tags"`
	ConfigurationValues     string             `json:"configurationValues"`
	PodIdentityAssociations []addonAssociation `json:"podIdentityAssociations"`
	NamespaceConfig         *AddonNamespace    `json:"namespaceConfig"`
}

func createAddon(c *call, in *createAddonInput) (addonOutput, error) {
	cluster, err := c.reg.cluster(in.ClusterName)
	if err != nil {
		return addonOutput{}, err
	}
	if cluster.addons[in.AddonName] != nil {
		return addonOutput{}, refuse("ResourceInUseException", "Addon already exists.")
	}
	if in.ServiceAccountRoleARN != "" {
		if err := c.ownRole("serviceAccountRoleArn", in.ServiceAccountRoleARN); err != nil {
			return addonOutput{}, err
		}
	}
	addon := Addon{
		AddonName: in.AddonName, AddonVersion: in.AddonVersion, ServiceAccountRoleARN: in.ServiceAccountRoleARN, Tags: in.Tags,
		ConfigurationValues: in.ConfigurationValues, NamespaceConfig: in.NamespaceConfig, Status: "CREATING",
	}
	if err := cluster.checkOwned(c, &addon, in.PodIdentityAssociations); err != nil {
		return addonOutput{}, err
	}
	a := cluster.putAddon(c.reg, addon)
	cluster.own(c, a, in.PodIdentityAssociations)
	out := addonOutput{a.Addon}
	a.life.start(c.steps(), func() { a.Status = "ACTIVE" })
	return out, nil
}

// addonNamespace is where an add-on's service accounts live; kube-system unless it says otherwise.
func addonNamespace(a *Addon) string {
	if a.NamespaceConfig != nil && a.NamespaceConfig.Namespace != "" {
		return a.NamespaceConfig.Namespace
	}
	return "kube-system"
}

func (s *clusterState) checkOwned(c *call, addon *Addon, wanted []addonAssociation) error {
	for _, w := range wanted {
		a := PodIdentityAssociation{Namespace: addonNamespace(addon), ServiceAccount: w.ServiceAccount, RoleARN: w.RoleARN}
		if err := c.checkAssociation(&a); err != nil {
			return err
		}
		if old := s.associationOf(a.Namespace, a.ServiceAccount); old != nil && old.OwnerARN != addon.AddonARN {
			return refuse("ResourceInUseException", "Association already exists: %s/%s", a.Namespace, a.ServiceAccount)
		}
	}
	return nil
}

// own replaces the associations that the add-on owns.
func (s *clusterState) own(c *call, addon *addonState, wanted []addonAssociation) {
	s.disown(addon)
	for _, w := range wanted {
		a := s.putAssociation(c.reg, PodIdentityAssociation{Namespace: addonNamespace(&addon.Addon), ServiceAccount: w.ServiceAccount, RoleARN: w.RoleARN, OwnerARN: addon.AddonARN})
		addon.PodIdentityAssociations = append(addon.PodIdentityAssociations, a.AssociationARN)
	}
}

func (s *clusterState) disown(addon *addonState) {
	addon.PodIdentityAssociations = nil
	for id, a := range s.associations {
		if a.OwnerARN == addon.AddonARN {
			delete(s.associations, id)
		}
	}
}

type updateAddonInput struct {
	addonInput
	AddonVersion            string              `json:"addonVersion"`
	ServiceAccountRoleARN   *string             `json:"serviceAccountRoleArn"`
	ResolveConflicts        string              `json:"resolveConflicts"`
	ClientRequestToken      string              `json:"clientRequestToken"`
	ConfigurationValues     *string             `json:"configurationValues"`
	PodIdentityAssociations *[]addonAssociation `json:"podIdentityAssociations"`
}

func updateAddon(c *call, in *updateAddonInput) (updateOutput, error) {
	cluster, a, err := c.addon(in.addonInput)
	if err != nil {
		return updateOutput{}, err
	}
	if a.Status != "ACTIVE" {
		return updateOutput{}, refuse("ResourceInUseException", "Addon %s is %s", in.AddonName, a.Status)
	}
	if role := in.ServiceAccountRoleARN; role != nil && *role != "" {
		if err := c.ownRole("serviceAccountRoleArn", *role); err != nil {
			return updateOutput{}, err
		}
	}
	if in.PodIdentityAssociations != nil {
		if err := cluster.checkOwned(c, &a.Addon, *in.PodIdentityAssociations); err != nil {
			return updateOutput{}, err
		}
	}
	apply := func() {
		if in.AddonVersion != "" {
			a.AddonVersion = in.AddonVersion
		}
		if in.ServiceAccountRoleARN != nil {
			a.ServiceAccountRoleARN = *in.ServiceAccountRoleARN
		}
		if in.ConfigurationValues != nil {
			a.ConfigurationValues = *in.ConfigurationValues
		}
		if in.PodIdentityAssociations != nil {
			cluster.own(c, a, *in.PodIdentityAssociations)
		}
		a.ModifiedAt = c.time()
	}
	return updateOutput{cluster.update(c, "addon/"+in.AddonName, change{"AddonUpdate", nil, apply}, &a.Status)}, nil
}

type deleteAddonInput struct {
	addonInput
	Preserve bool `json:"preserve"`
}

func deleteAddon(c *call, in *deleteAddonInput) (addonOutput, error) {
	cluster, a, err := c.addon(in.addonInput)
	if err != nil {
		return addonOutput{}, err
	}
	a.Status = "DELETING"
	out := addonOutput{a.Addon}
	a.life.start(c.steps(), func() {
		cluster.disown(a)
		delete(cluster.addons, in.AddonName)
	})
	return out, nil
}
