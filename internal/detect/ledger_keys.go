package detect

import (
	"strings"
	"time"

	"drawbridge/internal/event"
)

// keyFacts are what is known of one access key.
type keyFacts struct {
	Issue *issue
	Uses  []use
}

// issue is how a temporary access key came to be: the record of sts:AssumeRole… that holds it.
type issue struct {
	Fact
	Via  string // viaPodIdentity, viaIRSA, viaAssumeRole
	Role string // ARN
	// Session is the role session name.
	Session string
	// Cluster is an ARN, or a name; Namespace and below are of the pod, from the session tags or the subject of the token.
	Cluster, Namespace, ServiceAccount, Pod, PodUID string
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
	First, Last        time.Time
	ID, Action         string
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
	is := &issue{Fact: l.fact(), Via: viaAssumeRole, Role: l.first(pathRoleARN), Session: l.first(pathSessionName),
		FromKey: strings.Clone(a.AccessKey), Asker: actorText(a), Address: l.text(event.SourceIP)}
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
		}
	}
	f := g.Keys.at(k, g.Limit)
	if f.Issue == nil || is.before(f.Issue.Fact) {
		f.Issue = is
	}
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
	k := l.Field(event.AccessKeyID).String()
	if !strings.HasPrefix(k, "ASIA") {
		return
	}
	at := l.Time()
	f := g.Keys.at(strings.Clone(k), g.Limit)
	address, agent := l.Field(event.SourceIP).String(), l.Field(event.EventUserAgent).String()
	for i := range f.Uses {
		if u := &f.Uses[i]; u.Address == address && u.UserAgent == agent {
			if at.Before(u.First) {
				u.First, u.ID, u.Action = at, strings.Clone(l.ID()), actionOf(l.Event)
			}
			if at.After(u.Last) {
				u.Last = at
			}
			return
		}
	}
	if len(f.Uses) < usesKept {
		f.Uses = append(f.Uses, use{Address: strings.Clone(address), UserAgent: strings.Clone(agent), First: at, Last: at, ID: strings.Clone(l.ID()), Action: actionOf(l.Event)})
	}
	g.noteAddress(l, f, address)
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

// keyOf is what is known of the access key of the actor of an event.
func (l *look) keyOf() *keyFacts {
	k := l.actor().AccessKey
	if k == "" {
		return nil
	}
	return l.ledger.Keys.get(k)
}

// keyFields are about the access key that an event was signed with.
var keyFields = []enrichment{
	{Name: "drawbridge.key.via", Text: "how the access key was issued: `Pod Identity`, `IRSA`, `AssumeRole`", Ledger: true,
		Of: func(l *look) []string { return ofIssue(l, func(is *issue) string { return is.Via }) }},
	{Name: "drawbridge.key.holder", Text: "the pod or service account that the access key was issued to", Ledger: true,
		Of: func(l *look) []string {
			if f := l.keyOf(); f.workload() {
				return some(f.Issue.holder())
			}
			return nil
		}},
	{Name: "drawbridge.key.role", Text: "ARN of the role that the access key is for", Ledger: true,
		Of: func(l *look) []string { return ofIssue(l, func(is *issue) string { return is.Role }) }},
	{Name: "drawbridge.key.cluster", Text: "the cluster of the pod that the access key was issued to", Ledger: true,
		Of: func(l *look) []string { return ofIssue(l, func(is *issue) string { return is.Cluster }) }},
}

func ofIssue(l *look, text func(*issue) string) []string {
	if f := l.keyOf(); f != nil && f.Issue != nil {
		return some(text(f.Issue))
	}
	return nil
}
