package detect

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"

	"drawbridge/internal/access"
	"drawbridge/internal/event"
	"drawbridge/internal/iam"
)

// keyFacts are what is known of one access key.
type keyFacts struct {
	Issue *issue
	// Uses are the ways in which it was used: those that began first.
	Uses []use
	// Last is when it was used last.
	Last time.Time
}

// issue is how a temporary access key came to be: the record of sts:AssumeRole… that holds it.
type issue struct {
	Fact
	Via  string // viaPodIdentity, viaIRSA, viaAssumeRole
	Role string // ARN
	// Session is the role session name.
	Session string
	// Cluster is an ARN, or a name; Issuer is that of the token. Namespace and below are of the pod, from the session tags or
	// the subject of the token.
	Cluster, Issuer, Namespace, ServiceAccount, Pod, PodUID string
	// Account is where the role is.
	Account string
	// FromKey is the access key by which it was asked for, Asker who asked.
	FromKey, Asker, Address string
}

const (
	viaPodIdentity = "Pod Identity"
	viaIRSA        = "IRSA"
	viaAssumeRole  = "AssumeRole"
)

// use is a key as it was used from one address with one user agent.
type use struct {
	Address, UserAgent string
	First              Fact
	Action             string
}

// usesKept is how many different ways of use of one key are kept.
const usesKept = 16

var (
	pathRoleARN       = event.ParsePath(event.CloudTrail, "requestParameters.roleArn")
	pathSessionName   = event.ParsePath(event.CloudTrail, "requestParameters.roleSessionName")
	pathTags          = event.ParsePath(event.CloudTrail, "requestParameters.tags")
	pathIssuedKey     = event.ParsePath(event.CloudTrail, "responseElements.credentials.accessKeyId")
	pathTokenSubject  = event.ParsePath(event.CloudTrail, "userIdentity.userName")
	pathIdentityIssue = event.ParsePath(event.CloudTrail, "userIdentity.identityProvider")
)

// noteSTS takes the keys that STS hands out. The event of Pod Identity is an sts:AssumeRole by pods.eks.amazonaws.com whose
// session tags name the pod (EKS User Guide, "Grant Pods access to AWS resources based on tags", 2026-11); without tags only
// the session name hints at it.
func (g *Ledger) noteSTS(l *look) {
	k := l.first(pathIssuedKey)
	if k == "" {
		return
	}
	a := l.actor()
	is := &issue{
		Fact: l.fact(), Via: viaAssumeRole, Role: l.first(pathRoleARN), Session: l.first(pathSessionName),
		FromKey: strings.Clone(a.AccessKey), Asker: actorText(a), Address: l.text(event.SourceIP),
	}
	if arn, err := iam.ParseARN(is.Role); err == nil {
		is.Account = arn.Account
	}
	switch {
	case a.Service == "pods.eks.amazonaws.com":
		is.Via = viaPodIdentity
		tags := tagsOf(l)
		is.Cluster, is.Namespace, is.ServiceAccount = tags["eks-cluster-arn"], tags["kubernetes-namespace"], tags["kubernetes-service-account"]
		is.Pod, is.PodUID = tags["kubernetes-pod-name"], tags["kubernetes-pod-uid"]
	case l.Field(event.EventName).Is("AssumeRoleWithWebIdentity"):
		if rest, ok := strings.CutPrefix(l.first(pathTokenSubject), "system:serviceaccount:"); ok {
			is.Via = viaIRSA
			is.Namespace, is.ServiceAccount, _ = strings.Cut(rest, ":")
			is.Asker = l.first(pathIdentityIssue)
			_, provider, _ := strings.Cut(is.Asker, ":oidc-provider/")
			is.Issuer = access.IssuerOf(cmp.Or(provider, is.Asker))
		}
	}
	f := g.Keys.at(k, g.Limit)
	if f.Issue == nil || is.before(f.Issue.Fact) {
		f.Issue = is
	}
	g.noteIssue(l, k, f)
}

// noteIssue takes that it is known now whose the key is: what it was used for before is known as that of a workload, and the
// service account has it.
func (g *Ledger) noteIssue(l *look, k string, f *keyFacts) {
	if !f.workload() {
		return
	}
	is := f.Issue
	for i := range f.Uses {
		if _, err := netip.ParseAddr(f.Uses[i].Address); err == nil {
			g.noteUser(k, f.Uses[i].Address, is.places())
		}
	}
	if _, ok := l.address(); ok && is.Via == viaIRSA { // the pod itself asks
		g.noteUser(k, is.Address, is.places())
	}
}

// places are where addresses are compared for a key of a workload.
func (is *issue) places() []string {
	return []string{is.Cluster, is.Issuer, placeOfAccount(is.Account)}
}

// comparable are the places in which a key of a workload is looked for. That of the account is for those of which the cluster
// is not known: nodes and keys of Pod Identity are there, too.
func (l *look) comparable(is *issue) []string {
	if is.Cluster != "" {
		return []string{is.Cluster, event.ParseCluster(is.Cluster).Name}
	}
	if c := l.clusterOfIssuer(is.Issuer); c != nil {
		return []string{is.Issuer, c.ARN, c.Name}
	}
	return []string{placeOfAccount(is.Account)}
}

// clusterOfIssue is the cluster of the workload that a key was issued to.
func (l *look) clusterOfIssue(is *issue) string {
	if c := l.clusterOfIssuer(is.Issuer); c != nil {
		return c.ARN
	}
	return is.Cluster
}

// clusterOfIssuer is the cluster of the snapshot with an issuer.
func (l *look) clusterOfIssuer(issuer string) *access.Cluster {
	if l.ctx.Access == nil || issuer == "" {
		return nil
	}
	for _, c := range l.ctx.Access.Clusters() {
		if c.Issuer() == issuer {
			return c
		}
	}
	return nil
}

// tagsOf are the session tags of an sts:AssumeRole: a list of {key, value} in the record.
func tagsOf(l *look) map[string]string {
	out := map[string]string{}
	for tag := range l.Find(pathTags).All() {
		out[strings.Clone(tag.Find("key").First().String())] = strings.Clone(tag.Find("value").First().String())
	}
	return out
}

// noteUse takes from where a temporary key was used.
func (g *Ledger) noteUse(l *look) {
	g.noteInstance(l)
	k := l.Field(event.AccessKeyID).String()
	if !strings.HasPrefix(k, "ASIA") {
		return
	}
	f := g.Keys.get(k)
	if f == nil {
		k = strings.Clone(k)
		f = g.Keys.at(k, g.Limit)
	}
	if f.note(l) && f.workload() {
		if _, ok := l.address(); ok {
			g.noteUser(strings.Clone(k), l.text(event.SourceIP), f.Issue.places())
		}
	}
}

// note takes a use, and says whether it is a new one.
func (f *keyFacts) note(l *look) bool {
	at := l.Time()
	if at.After(f.Last) {
		f.Last = at
	}
	address, agent := l.Field(event.SourceIP).String(), l.Field(event.EventUserAgent).String()
	u := f.use(address, agent)
	if u == nil {
		agent = safe(agent)
		u = f.use(address, agent)
	}
	if u != nil {
		if l.now().before(u.First) {
			u.First, u.Action = l.fact(), actionOf(l.Event)
			f.sort()
		}
		return false
	}
	first := use{Address: strings.Clone(address), UserAgent: agent, First: l.fact(), Action: actionOf(l.Event)}
	if len(f.Uses) < usesKept {
		f.Uses = append(f.Uses, first)
	} else if last := &f.Uses[usesKept-1]; first.First.before(last.First) {
		*last = first
	}
	f.sort()
	return true
}

// use is the use from an address with a user agent; nil if it was not used so.
func (f *keyFacts) use(address, agent string) *use {
	i := slices.IndexFunc(f.Uses, func(u use) bool { return u.Address == address && u.UserAgent == agent })
	if i < 0 {
		return nil
	}
	return &f.Uses[i]
}

func (f *keyFacts) sort() {
	slices.SortFunc(f.Uses, func(a, b use) int {
		if a.First.before(b.First) {
			return -1
		}
		return 1
	})
}

// workload says that the key was issued to a pod.
func (f *keyFacts) workload() bool {
	return f != nil && f.Issue != nil && (f.Issue.Via == viaPodIdentity || f.Issue.Via == viaIRSA)
}

// holder is the pod or service account that the key was issued to, in words.
func (is *issue) holder() string {
	switch {
	case is.Pod != "":
		return "pod " + is.Namespace + "/" + is.Pod
	case is.ServiceAccount != "":
		return "service account " + is.Namespace + "/" + is.ServiceAccount
	}
	return "session " + is.Session
}

// keyID is the access key that an event is about: that by which it was signed, or that which a token was traded for.
func (l *look) keyID() string {
	if l.Plane() != event.CloudTrail {
		return l.actor().AccessKey
	}
	if k := l.Field(event.AccessKeyID).String(); k != "" {
		return k
	}
	if l.Field(event.EventName).Is("AssumeRoleWithWebIdentity") {
		return l.Find(pathIssuedKey).First().String()
	}
	return ""
}

// keyOf is what is known of the access key that an event is about.
func (l *look) keyOf() *keyFacts {
	if !l.keyOK {
		l.key, l.keyOK = nil, true
		if k := l.keyID(); k != "" {
			l.key = l.ledger.Keys.get(k)
		}
	}
	return l.key
}

// mayBe says whether the key of the event was issued in one of some ways, or may have been as far as is known by now: the
// record of it can come after those of its use. Only keys that look like it are waited for then. A session of Pod Identity has
// a name that EKS makes, one of a web identity names the provider (CloudTrail User Guide, "CloudTrail userIdentity element",
// 2026-11): whoever holds the key can change neither.
func (l *look) mayBe(via []string) bool {
	f := l.keyOf()
	switch {
	case f == nil:
		return false
	case f.Issue != nil:
		for _, v := range via {
			if strings.EqualFold(v, f.Issue.Via) {
				return true
			}
		}
		return false
	case l.final:
		return false
	}
	for _, v := range via {
		switch v {
		case viaPodIdentity:
			arn := l.Field(event.UserARN).String()
			if strings.HasPrefix(arn[strings.LastIndexByte(arn, '/')+1:], "eks-") {
				return true
			}
		case viaIRSA:
			if l.Field(event.SessionContext).Find("webIdFederationData.federatedProvider").First().Kind() == event.String {
				return true
			}
		default:
			return true
		}
	}
	return false
}

// issueKnown says that nothing more can be learned of how a key was issued.
func issueKnown(l *look) bool {
	f := l.keyOf()
	return f != nil && f.Issue != nil
}

// keyFields are about the access key that an event was signed with.
var keyFields = []enrichment{
	{Name: "drawbridge.key", Text: "the access key that the event was signed with, or that a web identity's token was traded for", Of: func(l *look) []string { return some(l.keyID()) }},
	{
		Name: "drawbridge.key.via", Text: "how the access key was issued: `Pod Identity`, `IRSA`, `AssumeRole`", Ledger: true, Settled: issueKnown,
		Of: func(l *look) []string { return ofIssue(l, func(is *issue) string { return is.Via }) },
	},
	{
		Name: "drawbridge.key.holder", Text: "the pod or service account that the access key was issued to", Ledger: true,
		Of: func(l *look) []string {
			if f := l.keyOf(); f.workload() {
				return some(f.Issue.holder())
			}
			return nil
		},
	},
	{
		Name: "drawbridge.key.role", Text: "ARN of the role that the access key is for", Ledger: true,
		Of: func(l *look) []string { return ofIssue(l, func(is *issue) string { return is.Role }) },
	},
	{
		Name: "drawbridge.key.cluster", Text: "the cluster of the pod that the access key was issued to; of a token's issuer with a snapshot only", Ledger: true, Snapshot: true,
		Of: func(l *look) []string { return ofIssue(l, l.clusterOfIssue) },
	},
	{
		Name: "drawbridge.key.home", Text: "that cluster, or the issuer of the token, or the account of the role, whichever is known", Ledger: true, Snapshot: true,
		Of: func(l *look) []string {
			return ofIssue(l, func(is *issue) string {
				return cmp.Or(l.clusterOfIssue(is), is.Issuer, placeOfAccount(is.Account))
			})
		},
	},
	{
		Name: "drawbridge.key.namespace", Text: "namespace of the service account that the access key was issued to", Ledger: true,
		Of: func(l *look) []string { return ofIssue(l, func(is *issue) string { return is.Namespace }) },
	},
	{
		Name: "drawbridge.key.pod", Text: "pod that the access key was issued to; without session tags the session's name", Ledger: true,
		Of: func(l *look) []string {
			return ofIssue(l, func(is *issue) string { return cmp.Or(is.Pod, is.Session) })
		},
	},
	{
		Name: "drawbridge.key.service_account", Text: "service account that the access key was issued to", Ledger: true,
		Of: func(l *look) []string { return ofIssue(l, func(is *issue) string { return is.ServiceAccount }) },
	},
	{
		Name: "drawbridge.key.behind", Text: "the pod or service account that a role's access key goes back to, where a workload's key took the role, also through others", Planes: onCloudTrail, Ledger: true,
		Of: func(l *look) []string {
			if is := l.workloadBehind(); is != nil && !l.keyOf().workload() {
				return some(is.holder())
			}
			return nil
		},
	},
	{
		Name: "drawbridge.key.behind_via", Text: "how the key of that workload was issued: `Pod Identity`, `IRSA`", Planes: onCloudTrail, Ledger: true,
		Of: func(l *look) []string {
			if is := l.workloadBehind(); is != nil && !l.keyOf().workload() {
				return some(is.Via)
			}
			return nil
		},
	},
	{
		Name: "drawbridge.key.behind_cluster", Text: "the cluster of that workload", Planes: onCloudTrail, Ledger: true, Snapshot: true,
		Of: func(l *look) []string {
			if is := l.workloadBehind(); is != nil {
				return some(l.clusterOfIssue(is))
			}
			return nil
		},
	},
	{
		Name: "drawbridge.key.strange_address", Text: "whether a workload's key is used from an address that no other key or node of its cluster used; absent until nothing more can tell, and where fewer than two others were seen",
		Planes: onCloudTrail, Ledger: true, Snapshot: true, Of: func(l *look) []string {
			is := l.workloadOfKey()
			if is == nil || !l.final {
				return nil
			}
			if alone, known := l.ledger.alone(l.keyID(), l.Field(event.SourceIP).String(), l.comparable(is)); known {
				return yes(alone)
			}
			return nil
		},
	},
	{
		Name: "drawbridge.key.pod_gone", Text: "when the pod of the access key was gone, if the key was used more than five minutes after", Ledger: true,
		Of: func(l *look) []string {
			f := l.keyOf()
			if !f.workload() {
				return nil
			}
			p := l.ledger.podOf(f.Issue.PodUID)
			if p == nil {
				return nil
			}
			if gone, ok := p.gone(); ok && f.Last.Sub(gone) > 5*time.Minute {
				return some(stamp(gone))
			}
			return nil
		},
	},
	{
		Name: "drawbridge.agent", Text: "the program of the user agent, without versions: `Boto3`, `aws-cli`, `aws-sdk-go-v2`; absent where an AWS service acts", Planes: onCloudTrail, From: []event.Field{event.EventUserAgent},
		Of: func(l *look) []string { return some(agentOf(l.Field(event.EventUserAgent).String())) },
	},
	{
		Name: "drawbridge.agent.os", Text: "the operating system that the user agent names: linux, macos, windows, other", Planes: onCloudTrail, From: []event.Field{event.EventUserAgent},
		Of: func(l *look) []string { return some(systemOf(l.Field(event.EventUserAgent).String())) },
	},
	{
		Name: "drawbridge.key.first_agent", Text: "the program that used the access key first; absent until nothing more can tell", Planes: onCloudTrail, Ledger: true,
		Of: func(l *look) []string { return some(l.firstAgent()) },
	},
	{
		Name: "drawbridge.key.agent_changed", Text: "whether another program than this one used the access key first; absent until nothing more can tell", Planes: onCloudTrail, Ledger: true,
		Of: func(l *look) []string {
			this, first := agentOf(l.Field(event.EventUserAgent).String()), l.firstAgent()
			if this == "" || first == "" {
				return nil
			}
			return yes(this != first)
		},
	},
}

// workloadOfKey is the workload's key that the event was signed with, or that the role was taken with whose key signed it.
func (l *look) workloadOfKey() *issue {
	if f := l.keyOf(); f.workload() {
		return f.Issue
	}
	return l.workloadBehind()
}

// firstAgent is the program that used the key first, once nothing more can tell.
func (l *look) firstAgent() string {
	f := l.keyOf()
	if f == nil || !l.final {
		return ""
	}
	for i := range f.Uses {
		if a := agentOf(f.Uses[i].UserAgent); a != "" {
			return a
		}
	}
	return ""
}

func ofIssue(l *look, text func(*issue) string) []string {
	if f := l.keyOf(); f != nil && f.Issue != nil {
		return some(text(f.Issue))
	}
	return nil
}
