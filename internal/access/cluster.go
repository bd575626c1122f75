package access

import (
	"slices"
	"sync"

	"drawbridge/internal/authenticator"
	"drawbridge/internal/awsdata"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"

	rbacv1 "k8s.io/api/rbac/v1"
)

// Cluster answers about one cluster. It is safe for concurrent use.
type Cluster struct {
	*model.Cluster
	all *Access

	entries      map[string]*model.AccessEntry          // by principal
	associations map[string][]*model.PolicyAssociation  // by principal
	podIdentity  map[name]*model.PodIdentityAssociation // by service account
	accounts     map[name]*model.ServiceAccount         // service accounts
	namespaces   map[string]*model.Namespace
	nodes        map[string]*model.Node
	instances    map[string]*model.Instance

	// gapless holds the areas, of the cluster and its account, that were read without a gap.
	gapless map[model.Area]bool

	awsAuth           func() *authenticator.AWSAuth
	mapper, rowMapper func() *authenticator.Mapper
	pods              func() map[name][]*model.Pod      // by service account
	podsOn            func() map[string][]*model.Pod    // by node
	work              func() map[name][]*model.Workload // by service account
	held              func() map[*model.Pod]Credentials
	agent             func() Presence // of something that gives pods Pod Identity credentials
	rbac              func() *rules
	units             func() []*Unit

	unitNames func() map[name]*Unit
	podNames  func() map[name]*model.Pod

	privileged  func() map[string]finding.Evidence
	entryByBare func() map[string]*model.AccessEntry

	powersMu   sync.Mutex
	rolePowers map[rolePlace][]HeldPower
	roleKeys   sync.Map // *rbac.Role -> string
}

// name is a namespaced name.
type name struct{ namespace, name string }

func newCluster(a *Access, c *model.Cluster) *Cluster {
	k := &Cluster{
		Cluster: c, all: a, entries: map[string]*model.AccessEntry{}, associations: map[string][]*model.PolicyAssociation{},
		podIdentity: map[name]*model.PodIdentityAssociation{}, accounts: map[name]*model.ServiceAccount{}, namespaces: map[string]*model.Namespace{},
		nodes: map[string]*model.Node{}, instances: map[string]*model.Instance{}, gapless: map[model.Area]bool{},
	}
	acct := a.snapshot.Account(c.Account)
	for _, info := range model.Areas {
		read := c.Read[info.Area]
		if info.OfAccount {
			read = acct != nil && acct.Read[info.Area]
		}
		k.gapless[info.Area] = read && len(a.snapshot.GapsFor(c, info.Area)) == 0
	}
	for _, e := range c.AccessEntries {
		k.entries[e.PrincipalARN] = e
	}
	for _, p := range c.PolicyAssociations {
		k.associations[p.PrincipalARN] = append(k.associations[p.PrincipalARN], p)
	}
	for _, p := range c.PodIdentityAssociations {
		k.podIdentity[name{p.Namespace, p.ServiceAccount}] = p
	}
	for _, s := range c.ServiceAccounts {
		k.accounts[name{s.Namespace, s.Name}] = s
	}
	for _, n := range c.Namespaces {
		k.namespaces[n.Name] = n
	}
	for _, n := range c.Nodes {
		k.nodes[n.Name] = n
	}
	for _, i := range c.Instances {
		k.instances[i.ID] = i
	}
	k.awsAuth = sync.OnceValue(func() *authenticator.AWSAuth {
		if c.AWSAuth == nil {
			return nil
		}
		return authenticator.ParseConfigMap(c.AWSAuth.Data)
	})
	k.podsOn = sync.OnceValue(k.newPodsOn)
	k.mapper = sync.OnceValue(k.newMapper)
	k.rowMapper = sync.OnceValue(k.newRowMapper)
	k.rbac = sync.OnceValue(k.newRules)
	k.agent = sync.OnceValue(k.findAgent)
	k.units = sync.OnceValue(k.newUnits)
	k.unitNames = sync.OnceValue(k.newUnitNames)
	k.podNames = sync.OnceValue(k.newPodNames)
	k.rolePowers = map[rolePlace][]HeldPower{}
	k.entryByBare = sync.OnceValue(k.newEntryByBare)
	k.privileged = sync.OnceValue(k.newPrivileged)
	k.pods = sync.OnceValue(func() map[name][]*model.Pod {
		by := map[name][]*model.Pod{}
		for _, p := range c.Pods {
			if finished(p) {
				continue
			}
			sa := name{p.Namespace, ServiceAccountName(&p.PodSpec)}
			by[sa] = append(by[sa], p)
		}
		return by
	})
	k.work = sync.OnceValue(func() map[name][]*model.Workload {
		by := map[name][]*model.Workload{}
		for _, w := range c.Workloads {
			sa := name{w.Namespace, ServiceAccountName(&w.PodSpec)}
			by[sa] = append(by[sa], w)
		}
		return by
	})
	k.held = sync.OnceValue(func() map[*model.Pod]Credentials {
		held := make(map[*model.Pod]Credentials, len(c.Pods))
		for _, p := range c.Pods {
			held[p] = k.credentialsOf(p)
		}
		return held
	})
	return k
}

// Access returns the answers about the whole snapshot.
func (c *Cluster) Access() *Access { return c.all }

// Complete says whether an area of the cluster, or of its account, was read without a gap, so that absence means
// something.
func (c *Cluster) Complete(area model.Area) bool { return c.gapless[area] }

// AccessEntry returns the access entry of a principal, or nil.
func (c *Cluster) AccessEntry(principalARN string) *model.AccessEntry { return c.entries[principalARN] }

// PolicyAssociationsOf returns the access policies of a principal's access entry.
func (c *Cluster) PolicyAssociationsOf(principalARN string) []*model.PolicyAssociation {
	return c.associations[principalARN]
}

// PolicyRules returns the rules of an access policy, and false where AWS publishes none or the table does not know the
// policy: what it grants is then unknown, not nothing.
func PolicyRules(policyARN string) ([]rbacv1.PolicyRule, bool) {
	p, ok := awsdata.LookupAccessPolicy(policyARN)
	if !ok || !p.RulesPublished {
		return nil, false
	}
	return p.Rules, true
}

// ParsedAWSAuth is aws-auth as the authenticator reads it, or nil where there is none or it was not read.
func (c *Cluster) ParsedAWSAuth() *authenticator.AWSAuth { return c.awsAuth() }

// ReadsAWSAuth says whether the authentication mode lets aws-auth count. An unknown mode counts as yes.
func (c *Cluster) ReadsAWSAuth() bool { return c.AuthenticationMode() != model.ModeAPI }

// Mapper maps IAM principals to Kubernetes usernames and groups as the cluster's authentication mode has it. Where the
// mode is not known it maps as API_AND_CONFIG_MAP does. Access entries whose principal is gone take no part.
func (c *Cluster) Mapper() *authenticator.Mapper { return c.mapper() }

func (c *Cluster) newMapper() *authenticator.Mapper {
	s := authenticator.Stores{Mode: authenticator.Mode(c.AuthenticationMode()), AWSAuth: c.readAWSAuth(), EntriesUnread: !c.Complete(model.AreaAccessEntries)}
	if s.Mode == "" {
		s.Mode = authenticator.ModeAPIAndConfigMap
	}
	for _, e := range c.AccessEntries {
		if c.dead(e) == nil {
			s.Entries = append(s.Entries, authenticator.Entry{PrincipalARN: e.PrincipalARN, Type: e.Type, Username: e.Username, Groups: e.Groups})
		}
	}
	return authenticator.NewMapper(s)
}

// newRowMapper maps by aws-auth alone.
func (c *Cluster) newRowMapper() *authenticator.Mapper {
	return authenticator.NewMapper(authenticator.Stores{Mode: authenticator.ModeConfigMap, AWSAuth: c.readAWSAuth()})
}

// readAWSAuth is aws-auth as the authenticator reads it, empty where there is none, or nil where it was not read.
func (c *Cluster) readAWSAuth() *authenticator.AWSAuth {
	if c.AWSAuth == nil && c.Complete(model.AreaAWSAuth) {
		return authenticator.ParseConfigMap(nil)
	}
	return c.awsAuth()
}

// Namespace finds a namespace.
func (c *Cluster) Namespace(n string) Presence {
	switch {
	case c.namespaces[n] != nil:
		return Present
	case c.Complete(model.AreaNamespaces):
		return Absent
	}
	return Unread
}

// ServiceAccount finds a service account. It is nil unless present.
func (c *Cluster) ServiceAccount(namespace, n string) (*model.ServiceAccount, Presence) {
	if sa := c.accounts[name{namespace, n}]; sa != nil {
		return sa, Present
	}
	if c.Complete(model.AreaServiceAccounts) {
		return nil, Absent
	}
	return nil, Unread
}

// PodsOf returns the pods that run as a service account; finished ones hold nothing and are left out.
func (c *Cluster) PodsOf(namespace, serviceAccount string) []*model.Pod {
	return c.pods()[name{namespace, serviceAccount}]
}

// WorkloadsOf returns the workloads whose pods run as a service account.
func (c *Cluster) WorkloadsOf(namespace, serviceAccount string) []*model.Workload {
	return c.work()[name{namespace, serviceAccount}]
}

// ServiceAccountName is the service account that a pod runs as: `default` where none is named, because the
// ServiceAccount admission plugin sets it (Kubernetes 1.36, plugin/pkg/admission/serviceaccount).
func ServiceAccountName(s *model.PodSpec) string {
	if s.ServiceAccount == "" {
		return "default"
	}
	return s.ServiceAccount
}

// Automounts says whether pods with this specification get a token for the Kubernetes API, and which field decides: the
// pod's, else the service account's, else the default, which is yes. It does not tell of Pod Identity or IRSA tokens,
// which are injected whatever it says. Without the service account, an unset pod field is unknown.
func (c *Cluster) Automounts(namespace string, s *model.PodSpec) (yes, known bool, field string) {
	if s.Automount != nil {
		return *s.Automount, true, "spec.automountServiceAccountToken of the pod"
	}
	sa, presence := c.ServiceAccount(namespace, ServiceAccountName(s))
	switch {
	case presence == Unread:
		return true, false, "automountServiceAccountToken of service account " + ServiceAccountName(s)
	case sa != nil && sa.Automount != nil:
		return *sa.Automount, true, "automountServiceAccountToken of service account " + sa.Name
	}
	return true, true, "the default, as neither pod nor service account sets automountServiceAccountToken"
}

// SystemNamespaces are the namespaces that Kubernetes and EKS make.
var SystemNamespaces = []string{"kube-system", "kube-public", "kube-node-lease"}

// IsSystemNamespace says whether Kubernetes or EKS made the namespace.
func IsSystemNamespace(n string) bool { return slices.Contains(SystemNamespaces, n) }
