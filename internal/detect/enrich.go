package detect

import (
	"net/netip"
	"slices"
	"strings"
	"sync"

	"drawbridge/internal/access"
	"drawbridge/internal/event"
	"drawbridge/internal/model"
)

// Context is what a run knows besides the events. The zero value is a run that knows nothing else.
type Context struct {
	// Access answers from the snapshot of --snapshot; nil without one.
	Access *access.Access
	// Egress is where the pods of the clusters leave from.
	Egress []netip.Prefix
	// Trusted are accounts whose principals are expected.
	Trusted []string
	// Pipelines are the ARNs of the IAM roles by which access entries are meant to be changed.
	Pipelines []string

	mu   sync.Mutex
	pods map[string]map[string]*model.Pod // by cluster ARN, then namespace/name
	// reaches are how far access policies go, by their ARN and scope.
	reaches map[string]reach
}

// pod is a pod of the snapshot by name.
func (c *Context) pod(cluster *access.Cluster, namespace, name string) *model.Pod {
	c.mu.Lock()
	defer c.mu.Unlock()
	byName := c.pods[cluster.ARN]
	if byName == nil {
		byName = make(map[string]*model.Pod, len(cluster.Pods))
		for _, p := range cluster.Pods {
			byName[p.Namespace+"/"+p.Name] = p
		}
		if c.pods == nil {
			c.pods = map[string]map[string]*model.Pod{}
		}
		c.pods[cluster.ARN] = byName
	}
	return byName[namespace+"/"+name]
}

// planes is a set of planes.
type planes uint8

const (
	onKubernetes = planes(event.Kubernetes)
	onCloudTrail = planes(event.CloudTrail)
)

// enrichment is a field `drawbridge.*`: what Sigma cannot say about an event, worked out before matching.
type enrichment struct {
	Name string
	// Text is its line in the reference.
	Text string
	// Planes are the events that it is for; 0 is all.
	Planes planes
	// Ledger says that other events decide it, before or after this one.
	Ledger bool
	// Early says that what the ledger has when an event arrives is enough to rule it out: what comes later only takes away.
	// Such a field keeps events that cannot matter from waiting for their second look.
	Early bool
	// Snapshot says that it is absent without --snapshot, or less sharp.
	Snapshot bool
	// Cheap says that the record alone tells it, at a glance: rules that need it are not looked at without it.
	Cheap bool
	// From are the fields of the record that alone decide it; nil where that is not said.
	From []event.Field
	// Settled says of an enrichment from the ledger that what comes later does not change it; nil is never.
	Settled func(*look) bool
	// Doubt says, of an enrichment that the record alone tells nearly always, that of this event another may still tell
	// otherwise; nil is never.
	Doubt func(*look) bool
	// Of is its values, each as text; nil where nothing is known.
	Of func(*look) []string

	slot int
}

// enrichments are all fields `drawbridge.*`, by name.
var enrichments = index1(slices.Concat(plainFields, entryFields, podFields, keyFields, issuedFields, associationFields, addressFields, nodeFields, rolePolicyFields, phaseFields, requestFields))

func index1(all []enrichment) map[string]*enrichment {
	out := make(map[string]*enrichment, len(all))
	for i := range all {
		all[i].slot = i
		out[all[i].Name] = &all[i]
	}
	return out
}

func enrichmentOf(name string) *enrichment { return enrichments[name] }

// Field is a line of the reference of the fields `drawbridge.*`.
type Field struct {
	Name, Text string
	// Plane is the log whose events have it; empty for both.
	Plane            string
	Ledger, Snapshot bool
}

// Fields lists the fields `drawbridge.*` by name.
func Fields() []Field {
	out := make([]Field, 0, len(enrichments))
	for _, e := range enrichments {
		f := Field{Name: e.Name, Text: e.Text, Ledger: e.Ledger, Snapshot: e.Snapshot}
		if e.Planes != 0 {
			f.Plane = event.Plane(e.Planes).String()
		}
		out = append(out, f)
	}
	slices.SortFunc(out, func(a, b Field) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// yes is a truth as a field has it.
func yes(b bool) []string {
	if b {
		return isTrue
	}
	return isFalse
}

var isTrue, isFalse = []string{"true"}, []string{"false"}

// some is one text, and nothing for the empty one.
func some(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

// plainFields are those that the record itself tells.
var plainFields = []enrichment{
	{Name: "drawbridge.event", Text: "the record's id", Of: func(l *look) []string { return some(l.ID()) }},
	{Name: "drawbridge.action", Text: "what was done: `eks:CreateAccessEntry`, `create pods/exec`", Of: func(l *look) []string { return some(actionOf(l.Event)) }},
	{Name: "drawbridge.cluster", Text: "the cluster that the event is about: its ARN, or its name", Of: func(l *look) []string { return some(clusterOf(l.Event)) }},
	{Name: "drawbridge.actor", Text: "who did it, in words: IAM principal and session, or Kubernetes username", Of: func(l *look) []string { return some(actorText(l.actor())) }},
	{Name: "drawbridge.actor.principal", Text: "ARN of the IAM role or user behind the event", Of: func(l *look) []string { return some(l.actor().Principal) }},
	{
		Name: "drawbridge.actor.identity", Text: "who that is, whatever the session is called: the IAM principal, or else the username; of a node its own session",
		Of: func(l *look) []string { return some(l.identity()) },
	},
	{Name: "drawbridge.actor.account", Text: "account of that principal", Of: func(l *look) []string { return some(l.actor().Account) }},
	{Name: "drawbridge.actor.access_key", Text: "access key that the request was signed with", Of: func(l *look) []string { return some(l.actor().AccessKey) }},
	{Name: "drawbridge.actor.instance", Text: "EC2 instance whose session it is", Cheap: true, From: []event.Field{event.UserARN}, Of: func(l *look) []string {
		if l.Plane() == event.CloudTrail {
			return some(instanceOf(l.Event))
		}
		return some(l.actor().Instance)
	}},
	{Name: "drawbridge.actor.service", Text: "AWS service that acts", Planes: onCloudTrail, Of: func(l *look) []string { return some(l.actor().Service) }},
	{Name: "drawbridge.actor.service_account", Text: "service account that acts: namespace/name", Planes: onKubernetes, Of: func(l *look) []string { return some(l.actor().ServiceAccount.String()) }},
	{Name: "drawbridge.source", Text: "address that the request came from", Of: func(l *look) []string { return sources(l.Event) }},
	{Name: "drawbridge.time", Text: "time of the event, RFC 3339", Of: func(l *look) []string { return some(stamp(l.Time())) }},
}
