package plan

import (
	"cmp"
	"maps"
	"slices"

	"drawbridge/internal/finding"
	"drawbridge/internal/iam"
	"drawbridge/internal/model"
)

// CreatePodIdentityAssociation gives a service account an IAM role through EKS Pod Identity.
type CreatePodIdentityAssociation struct {
	Cluster            string            `json:"cluster"`
	Namespace          string            `json:"namespace"`
	ServiceAccount     string            `json:"serviceAccount"`
	RoleARN            string            `json:"roleArn"`
	TargetRoleARN      string            `json:"targetRoleArn,omitzero"`
	DisableSessionTags bool              `json:"disableSessionTags,omitzero"`
	Policy             model.Document    `json:"policy,omitzero"`
	Tags               map[string]string `json:"tags,omitzero"`
}

// Apply adds the association. A service account has at most one; namespace and service account need not exist; the role is of
// the cluster's account, and a session policy needs the session tags off (EKS User Guide, "Assign an IAM role to a Kubernetes
// service account"; EKS API Reference, CreatePodIdentityAssociation, 2026-11).
func (c CreatePodIdentityAssociation) Apply(s *model.Snapshot) error {
	k, err := c.find(s)
	if err != nil {
		return err
	}
	k.PodIdentityAssociations = added(k.PodIdentityAssociations, &model.PodIdentityAssociation{
		Namespace: c.Namespace, ServiceAccount: c.ServiceAccount, RoleARN: c.RoleARN, TargetRoleARN: c.TargetRoleARN,
		DisableSessionTags: c.DisableSessionTags, Policy: c.Policy, Tags: maps.Clone(c.Tags),
	})
	return nil
}

func (c CreatePodIdentityAssociation) find(s *model.Snapshot) (*model.Cluster, error) {
	k, err := cluster(s, c.Cluster)
	if err != nil {
		return nil, err
	}
	object := associationName(c.Namespace, c.ServiceAccount)
	if why := c.refused(k.Account); why != "" {
		return nil, &Unmet{object, "what EKS accepts", why}
	}
	if slices.IndexFunc(k.PodIdentityAssociations, associatedWith(c.Namespace, c.ServiceAccount)) >= 0 {
		return nil, &Unmet{object, "none", "one"}
	}
	return k, nil
}

// refused says why EKS does not make such an association in a cluster of this account, or is "".
func (c CreatePodIdentityAssociation) refused(account string) string {
	role, err := iam.ParseARN(c.RoleARN)
	switch {
	case c.Namespace == "" || c.ServiceAccount == "":
		return "no service account"
	case err != nil || !role.IsRole():
		return "a role that is none"
	case account != "" && role.Account != account:
		return "a role of account " + role.Account
	case c.Policy != "" && !c.DisableSessionTags:
		return "a session policy beside session tags"
	}
	return ""
}

// Inverse deletes the association.
func (c CreatePodIdentityAssociation) Inverse(before *model.Snapshot) ([]Change, error) {
	if _, err := c.find(before); err != nil {
		return nil, err
	}
	return []Change{DeletePodIdentityAssociation{Cluster: c.Cluster, Namespace: c.Namespace, ServiceAccount: c.ServiceAccount}}, nil
}

func (c CreatePodIdentityAssociation) String() string {
	text := "associate service account " + c.Namespace + "/" + c.ServiceAccount + " with " + c.RoleARN
	if c.TargetRoleARN != "" {
		text += " and target role " + c.TargetRoleARN
	}
	return text
}

func (c CreatePodIdentityAssociation) details() details {
	args := []string{"--namespace", c.Namespace, "--service-account", c.ServiceAccount, "--role-arn", c.RoleARN}
	if c.TargetRoleARN != "" {
		args = append(args, "--target-role-arn", c.TargetRoleARN)
	}
	if c.DisableSessionTags {
		args = append(args, "--disable-session-tags")
	}
	if c.Policy != "" {
		args = append(args, "--policy", string(c.Policy))
	}
	if len(c.Tags) > 0 {
		args = append(args, "--tags", jsonText(c.Tags))
	}
	return details{
		target: associationTarget(c.Cluster, c.Namespace, c.ServiceAccount), command: eks("create-pod-identity-association", c.Cluster, args...),
		precondition: "the service account has no association", verify: listAssociations(c.Cluster, c.Namespace, c.ServiceAccount),
	}
}

// UpdatePodIdentityAssociation changes the association of a service account. What is empty stays as it is.
type UpdatePodIdentityAssociation struct {
	Cluster            string         `json:"cluster"`
	Namespace          string         `json:"namespace"`
	ServiceAccount     string         `json:"serviceAccount"`
	ID                 string         `json:"id,omitzero"`
	RoleARN            string         `json:"roleArn,omitzero"`
	TargetRoleARN      string         `json:"targetRoleArn,omitzero"`
	DisableSessionTags *bool          `json:"disableSessionTags,omitzero"`
	Policy             model.Document `json:"policy,omitzero"`
}

// Apply changes the association.
func (c UpdatePodIdentityAssociation) Apply(s *model.Snapshot) error {
	k, i, after, err := c.find(s)
	if err != nil {
		return err
	}
	k.PodIdentityAssociations = replaced(k.PodIdentityAssociations, i, after)
	return nil
}

// find finds the association and works out what becomes of it.
func (c UpdatePodIdentityAssociation) find(s *model.Snapshot) (*model.Cluster, int, *model.PodIdentityAssociation, error) {
	k, i, err := findAssociation(s, c.Cluster, c.Namespace, c.ServiceAccount, c.ID)
	if err != nil {
		return nil, 0, nil, err
	}
	before := k.PodIdentityAssociations[i]
	after := *before
	after.RoleARN, after.TargetRoleARN = cmp.Or(c.RoleARN, before.RoleARN), cmp.Or(c.TargetRoleARN, before.TargetRoleARN)
	after.Policy = cmp.Or(c.Policy, before.Policy)
	if c.DisableSessionTags != nil {
		after.DisableSessionTags = *c.DisableSessionTags
	}
	object := associationName(c.Namespace, c.ServiceAccount)
	if why := creating(c.Cluster, &after).refused(k.Account); why != "" {
		return nil, 0, nil, &Unmet{object, "what EKS accepts", why}
	}
	if after.RoleARN == before.RoleARN && after.TargetRoleARN == before.TargetRoleARN && after.Policy == before.Policy && after.DisableSessionTags == before.DisableSessionTags {
		return nil, 0, nil, &Unmet{object, "something to change", "it so already"}
	}
	return k, i, &after, nil
}

// Inverse changes the association back. AWS does not say how an update would take a target role or a session policy away
// (EKS API Reference, UpdatePodIdentityAssociation, 2026-11), so where there was none the association is made anew.
func (c UpdatePodIdentityAssociation) Inverse(before *model.Snapshot) ([]Change, error) {
	k, i, after, err := c.find(before)
	if err != nil {
		return nil, err
	}
	old := k.PodIdentityAssociations[i]
	if old.TargetRoleARN == "" && after.TargetRoleARN != "" || old.Policy == "" && after.Policy != "" {
		if old.OwnerARN != "" {
			return nil, ofAddon()
		}
		return undoing(before, c, DeletePodIdentityAssociation{Cluster: c.Cluster, Namespace: c.Namespace, ServiceAccount: c.ServiceAccount}, creating(c.Cluster, old))
	}
	back := UpdatePodIdentityAssociation{Cluster: c.Cluster, Namespace: c.Namespace, ServiceAccount: c.ServiceAccount, ID: c.ID}
	if old.RoleARN != after.RoleARN {
		back.RoleARN = old.RoleARN
	}
	if old.TargetRoleARN != after.TargetRoleARN {
		back.TargetRoleARN = old.TargetRoleARN
	}
	if old.Policy != after.Policy {
		back.Policy = old.Policy
	}
	if old.DisableSessionTags != after.DisableSessionTags {
		back.DisableSessionTags = &old.DisableSessionTags
	}
	return undoing(before, c, back)
}

func (c UpdatePodIdentityAssociation) String() string {
	text := "change the Pod Identity association of " + c.Namespace + "/" + c.ServiceAccount + ":"
	if c.RoleARN != "" {
		text += " role " + c.RoleARN
	}
	if c.TargetRoleARN != "" {
		text += " target role " + c.TargetRoleARN
	}
	if c.DisableSessionTags != nil {
		text += map[bool]string{true: " session tags off", false: " session tags on"}[*c.DisableSessionTags]
	}
	if c.Policy != "" {
		text += " session policy " + string(c.Policy)
	}
	return text
}

func (c UpdatePodIdentityAssociation) details() details {
	var args []string
	if c.RoleARN != "" {
		args = append(args, "--role-arn", c.RoleARN)
	}
	if c.TargetRoleARN != "" {
		args = append(args, "--target-role-arn", c.TargetRoleARN)
	}
	if c.DisableSessionTags != nil {
		args = append(args, map[bool]string{true: "--disable-session-tags", false: "--no-disable-session-tags"}[*c.DisableSessionTags])
	}
	if c.Policy != "" {
		args = append(args, "--policy", string(c.Policy))
	}
	return details{
		target:       associationTarget(c.Cluster, c.Namespace, c.ServiceAccount),
		command:      ofAssociation("update-pod-identity-association", c.Cluster, c.Namespace, c.ServiceAccount, c.ID, args...),
		precondition: "the association is there and differs", verify: listAssociations(c.Cluster, c.Namespace, c.ServiceAccount),
	}
}

// DeletePodIdentityAssociation takes the role from a service account. Sessions that are open stay valid until they expire.
type DeletePodIdentityAssociation struct {
	Cluster        string `json:"cluster"`
	Namespace      string `json:"namespace"`
	ServiceAccount string `json:"serviceAccount"`
	ID             string `json:"id,omitzero"`
}

// Apply removes the association.
func (c DeletePodIdentityAssociation) Apply(s *model.Snapshot) error {
	k, i, err := findAssociation(s, c.Cluster, c.Namespace, c.ServiceAccount, c.ID)
	if err != nil {
		return err
	}
	k.PodIdentityAssociations = without(k.PodIdentityAssociations, i)
	return nil
}

// Inverse makes the association anew, with another id, ARN and external id: a trust policy that names the external id lets
// the new one in only when it is changed.
func (c DeletePodIdentityAssociation) Inverse(before *model.Snapshot) ([]Change, error) {
	k, i, err := findAssociation(before, c.Cluster, c.Namespace, c.ServiceAccount, c.ID)
	if err != nil {
		return nil, err
	}
	a := k.PodIdentityAssociations[i]
	if a.OwnerARN != "" {
		return nil, ofAddon()
	}
	return undoing(before, c, creating(c.Cluster, a))
}

func ofAddon() error {
	return &Irreversible{"the association is an add-on's, which alone makes it"}
}

func (c DeletePodIdentityAssociation) String() string {
	return "delete the Pod Identity association of " + c.Namespace + "/" + c.ServiceAccount
}

func (c DeletePodIdentityAssociation) details() details {
	return details{
		target:       associationTarget(c.Cluster, c.Namespace, c.ServiceAccount),
		command:      ofAssociation("delete-pod-identity-association", c.Cluster, c.Namespace, c.ServiceAccount, c.ID),
		precondition: "the association is there", verify: listAssociations(c.Cluster, c.Namespace, c.ServiceAccount),
	}
}

// creating is the change that makes an association as it is.
func creating(cluster string, a *model.PodIdentityAssociation) CreatePodIdentityAssociation {
	return CreatePodIdentityAssociation{
		Cluster: cluster, Namespace: a.Namespace, ServiceAccount: a.ServiceAccount, RoleARN: a.RoleARN, TargetRoleARN: a.TargetRoleARN,
		DisableSessionTags: a.DisableSessionTags, Policy: a.Policy, Tags: a.Tags,
	}
}

// ofAssociation is a command about an association, which EKS knows by its id alone. Where it was not read it is looked up.
func ofAssociation(command, cluster, namespace, account, id string, args ...string) string {
	if id == "" {
		list := listAssociations(cluster, namespace, account) + " --query 'associations[0].associationId' --output text"
		return eks(command, cluster, args...) + ` --association-id "$(` + list + `)"`
	}
	return eks(command, cluster, append([]string{"--association-id", id}, args...)...)
}

func listAssociations(cluster, namespace, account string) string {
	return eks("list-pod-identity-associations", cluster, "--namespace", namespace, "--service-account", account)
}

func associationName(namespace, account string) string {
	return thing("Pod Identity association", namespace, account)
}

func associationTarget(cluster, namespace, account string) finding.Target {
	return finding.Target{Cluster: cluster, Subject: finding.Subject{Kind: "PodIdentityAssociation", Namespace: namespace, Name: account}}
}

func associatedWith(namespace, account string) func(*model.PodIdentityAssociation) bool {
	return func(a *model.PodIdentityAssociation) bool {
		return a.ServiceAccount == account && a.Namespace == namespace
	}
}

// findAssociation finds the association of a service account; one of another id than the one that was meant is not it.
func findAssociation(s *model.Snapshot, id, namespace, account, association string) (*model.Cluster, int, error) {
	k, err := cluster(s, id)
	if err != nil {
		return nil, 0, err
	}
	i := slices.IndexFunc(k.PodIdentityAssociations, associatedWith(namespace, account))
	if i < 0 {
		return nil, 0, &Unmet{associationName(namespace, account), "one", "none"}
	}
	if has := k.PodIdentityAssociations[i].ID; association != "" && has != "" && has != association {
		return nil, 0, &Unmet{associationName(namespace, account), "id " + association, "id " + has}
	}
	return k, i, nil
}
