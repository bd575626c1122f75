package aws

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"drawbridge/internal/lab/aws/wire"
)

// eksState is a region's clusters by name.
type eksState map[string]*clusterState

type clusterState struct {
	Cluster
	life         life
	creator      string // IAM principal that made the cluster
	entries      map[string]*entryState
	associations map[string]*PodIdentityAssociation
	nodegroups   map[string]*nodegroupState
	fargate      map[string]*fargateState
	addons       map[string]*addonState
	capabilities map[string]*capabilityState
	providers    map[string]*OIDCConfig
	authorities  []*CertificateAuthority // at most two, the older first
	updates      []*updateState
}

type entryState struct {
	AccessEntry
	// principalID is the unique id of the principal when the entry was made: EKS binds the entry to it, so
	// a recreated principal with the same ARN does not match (EKS User Guide, "Create access entries", 2026-11).
	principalID string
	policies    []AssociatedAccessPolicy
}

type nodegroupState struct {
	Nodegroup
	life life
}

type fargateState struct {
	FargateProfile
	life life
}

type addonState struct {
	Addon
	life life
}

type capabilityState struct {
	Capability
	life life
}

type updateState struct {
	Update
	about string // "nodegroup/x", "addon/x", "capability/x" or "" for the cluster
	life  life
}

// life counts the looks until a resource in motion settles.
type life struct {
	left    int
	settled func()
}

// start sets a resource in motion; with no steps to wait for, it settles at once.
func (l *life) start(steps int, settled func()) {
	*l = life{left: steps, settled: settled}
	if steps == 0 {
		l.look()
	}
}

// look is one Describe of the resource.
func (l *life) look() {
	if l.settled == nil {
		return
	}
	if l.left > 0 {
		l.left--
		return
	}
	settled := l.settled
	l.settled = nil
	settled()
}

func (r *Region) cluster(name string) (*clusterState, error) {
	c, ok := r.eks[name]
	if !ok {
		return nil, refuse("ResourceNotFoundException", "No cluster found for name: %s.", name)
	}
	return c, nil
}

// mustCluster is for seeding: seeding into a cluster that is not there is a mistake in the test.
func (r *Region) mustCluster(name string) *clusterState {
	c, err := r.cluster(name)
	if err != nil {
		panic("lab: " + err.Error())
	}
	return c
}

// PutCluster adds or replaces a cluster as it is, without AWS's rules for creation, and fills what is
// empty: ARN, time, status ACTIVE, version, issuer, CONFIG_MAP mode. Everything in it is kept.
func (r *Region) PutCluster(c Cluster) {
	r.acct.srv.mu.Lock()
	defer r.acct.srv.mu.Unlock()
	r.putCluster(c)
}

func (r *Region) putCluster(c Cluster) *clusterState {
	s := r.acct.srv
	id := s.id(32, "0123456789ABCDEF", "oidc", r.acct.ID, r.Name, c.Name)
	suffix := dnsSuffix(r.acct.Partition)
	fill(&c.ARN, r.arn("eks", "cluster/"+c.Name))
	fill(&c.Version, "1.34")
	fill(&c.PlatformVersion, "eks.9")
	fill(&c.Status, "ACTIVE")
	fill(&c.Endpoint, fmt.Sprintf("https://%s.gr7.%s.eks.%s", id, r.Name, suffix))
	if c.CreatedAt == nil {
		c.CreatedAt = wire.At(s.now())
	}
	if c.Identity == nil {
		c.Identity = &Identity{&OIDC{fmt.Sprintf("https://oidc.eks.%s.%s/id/%s", r.Name, suffix, id)}}
	}
	if c.CertificateAuthority == nil {
		c.CertificateAuthority = &Certificate{Data: labAuthority}
	}
	if c.AccessConfig == nil {
		c.AccessConfig = &AccessConfig{AuthenticationMode: "CONFIG_MAP"}
	}
	old, ok := r.eks[c.Name]
	if !ok {
		old = &clusterState{
			entries: map[string]*entryState{}, associations: map[string]*PodIdentityAssociation{}, nodegroups: map[string]*nodegroupState{},
			fargate: map[string]*fargateState{}, addons: map[string]*addonState{}, capabilities: map[string]*capabilityState{}, providers: map[string]*OIDCConfig{},
		}
		first := &CertificateAuthority{
			ID: s.uuid("authority", c.ARN), CreatedAt: c.CreatedAt, CreatedBy: "EKS", ActivatedAt: c.CreatedAt, ActivatedBy: "EKS",
			SigningStatus: "IN_USE", DistributionStatus: "COMPLETE", Data: c.CertificateAuthority.Data,
		}
		old.authorities = []*CertificateAuthority{first}
		r.eks[c.Name] = old
	}
	old.Cluster = c
	return old
}

// PutAccessEntry adds or replaces an access entry of an existing cluster as it is, with its policy
// associations, and fills what EKS would fill. Entries that only EKS itself makes can be seeded so.
func (r *Region) PutAccessEntry(e AccessEntry, policies ...AssociatedAccessPolicy) {
	r.acct.srv.mu.Lock()
	defer r.acct.srv.mu.Unlock()
	entry := r.mustCluster(e.ClusterName).putEntry(r, e)
	for _, p := range policies {
		if p.AssociatedAt == nil {
			p.AssociatedAt, p.ModifiedAt = entry.CreatedAt, entry.CreatedAt
		}
		entry.policies = append(entry.policies, p)
	}
}

func (c *clusterState) putEntry(r *Region, e AccessEntry) *entryState {
	s := r.acct.srv
	p, _ := parsePrincipal(e.PrincipalARN)
	e.ClusterName = c.Name
	fill(&e.Type, "STANDARD")
	fill(&e.Username, defaultUsername(e.Type, e.PrincipalARN))
	fill(&e.AccessEntryARN, r.arn("eks", strings.Join([]string{"access-entry", c.Name, p.kind, p.account, p.name, s.uuid("entry", c.ARN, e.PrincipalARN)}, "/")))
	if e.CreatedAt == nil {
		e.CreatedAt = wire.At(s.now())
	}
	if e.ModifiedAt == nil {
		e.ModifiedAt = e.CreatedAt
	}
	if e.KubernetesGroups == nil {
		e.KubernetesGroups = typeGroups(e.Type)
	}
	entry := &entryState{AccessEntry: e, principalID: s.principalID(p)}
	c.entries[e.PrincipalARN] = entry
	return entry
}

// principalID is the unique id of an IAM principal, "" if no account of the lab has it.
func (s *Server) principalID(p principalARN) string {
	if a, ok := s.accounts[p.account]; ok {
		return a.iam.uniqueIDOf(p)
	}
	return ""
}

// PutPodIdentityAssociation adds an association to an existing cluster as it is and returns its id.
func (r *Region) PutPodIdentityAssociation(a PodIdentityAssociation) string {
	r.acct.srv.mu.Lock()
	defer r.acct.srv.mu.Unlock()
	return r.mustCluster(a.ClusterName).putAssociation(r, a).AssociationID
}

func (c *clusterState) putAssociation(r *Region, a PodIdentityAssociation) *PodIdentityAssociation {
	s := r.acct.srv
	a.ClusterName = c.Name
	if a.AssociationID == "" {
		a.AssociationID = "a-" + s.id(17, lowerAlphabet, "association", c.ARN, a.Namespace, a.ServiceAccount)
	}
	fill(&a.AssociationARN, r.arn("eks", "podidentityassociation/"+c.Name+"/"+a.AssociationID))
	if a.CreatedAt == nil {
		a.CreatedAt = wire.At(s.now())
	}
	if a.ModifiedAt == nil {
		a.ModifiedAt = a.CreatedAt
	}
	a.setExternalID(r)
	if a.DisableSessionTags == nil {
		a.DisableSessionTags = new(bool)
	}
	c.associations[a.AssociationID] = &a
	return &a
}

// setExternalID gives a chained association the external id that EKS presents to the target role:
// region/account/cluster/namespace/serviceaccount (EKS User Guide, "Access AWS Resources using EKS Pod
// Identity Target IAM Roles", 2026-11).
func (a *PodIdentityAssociation) setExternalID(r *Region) {
	a.ExternalID = ""
	if a.TargetRoleARN != "" {
		a.ExternalID = strings.Join([]string{r.Name, r.acct.ID, a.ClusterName, a.Namespace, a.ServiceAccount}, "/")
	}
}

// Entry is an access entry with what the API does not show.
type Entry struct {
	AccessEntry
	PrincipalID string // unique id the entry is bound to, "" if the lab does not have the principal
	Policies    []AssociatedAccessPolicy
}

// AccessEntries returns a cluster's access entries in the order of their principals, as EKS's authenticator
// would read them. A cluster that does not exist has none.
func (r *Region) AccessEntries(cluster string) []Entry {
	r.acct.srv.mu.Lock()
	defer r.acct.srv.mu.Unlock()
	c, err := r.cluster(cluster)
	if err != nil {
		return nil
	}
	var out []Entry
	for _, arn := range slices.Sorted(maps.Keys(c.entries)) {
		e := c.entries[arn]
		out = append(out, Entry{e.AccessEntry, e.principalID, slices.Clone(e.policies)})
	}
	return out
}

// fill sets an empty text.
func fill(field *string, value string) {
	if *field == "" {
		*field = value
	}
}
