package migrate

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"drawbridge/internal/awsdata"
	"drawbridge/internal/event"
	"drawbridge/internal/iam"
)

// NodeUse is what the roles of nodes were used for, as CloudTrail has it: calls by the sessions of instances. A node's pods share
// its session with each other and with the node's own software, so that no record tells which of them called.
type NodeUse struct {
	// Records counts those of CloudTrail, whoever called; Other those of other logs.
	Records, Other int
	// First and Last are when the earliest and the latest of them was written.
	First, Last time.Time

	calls map[string]map[nodeCall]*called // by instance
	node  []*iam.Policy                   // what AWS lets nodes do
}

// nodeCall is a call as CloudTrail names it: GetObject of s3.amazonaws.com.
type nodeCall struct{ source, name string }

func (c nodeCall) String() string { return c.name + " of " + c.source }

// action is the name of the call in policies, which for most services is the same word.
func (c nodeCall) action() string {
	return strings.TrimSuffix(c.source, ".amazonaws.com") + ":" + c.name
}

// called says how often a call succeeded, and when it last did.
type called struct {
	times int
	last  time.Time
}

// callsMax is how many calls of one instance are told apart: files hold anything.
const callsMax = 1000

// nodePolicies are those that nodes have by AWS's instructions, so that what they allow may be the nodes' own doing (EKS User
// Guide, "Amazon EKS node IAM role", 2026-11).
var nodePolicies = []string{
	"AmazonEKSWorkerNodePolicy", "AmazonEKSWorkerNodeMinimalPolicy", "AmazonEKS_CNI_Policy", "AmazonEC2ContainerRegistryReadOnly", "AmazonEC2ContainerRegistryPullOnly",
	"AmazonSSMManagedInstanceCore",
}

// NewNodeUse prepares to look through logs.
func NewNodeUse() *NodeUse {
	n := &NodeUse{calls: map[string]map[nodeCall]*called{}}
	for _, name := range nodePolicies {
		text, _, ok := awsdata.ManagedPolicy("arn:aws:iam::aws:policy/" + name)
		if doc, err := iam.Parse([]byte(text)); ok && err == nil {
			n.node = append(n.node, doc)
		}
	}
	return n
}

// See takes note of a record, and keeps none of its bytes. Calls that were refused used nothing.
func (n *NodeUse) See(e *event.Event) {
	if e.Plane() != event.CloudTrail {
		n.Other++
		return
	}
	at := e.Time()
	n.Records++
	if n.First.IsZero() || at.Before(n.First) {
		n.First = at
	}
	if at.After(n.Last) {
		n.Last = at
	}
	instance := e.Actor().Instance
	if instance == "" || e.Field(event.ErrorCode).String() != "" {
		return
	}
	call := nodeCall{e.Field(event.EventSource).String(), e.Field(event.EventName).String()}
	of := n.calls[instance]
	if of == nil {
		of = map[nodeCall]*called{}
		n.calls[strings.Clone(instance)] = of
	}
	seen := of[call]
	if seen == nil {
		if len(of) >= callsMax {
			return
		}
		seen = &called{}
		of[nodeCall{strings.Clone(call.source), strings.Clone(call.name)}] = seen
	}
	seen.times++
	if at.After(seen.last) {
		seen.last = at
	}
}

// beyond are the calls of some instances together that AWS's policies for nodes do not allow, the most frequent first.
func (n *NodeUse) beyond(instances []string) (calls []nodeCall, text string) {
	sum := map[nodeCall]*called{}
	for _, i := range instances {
		for call, seen := range n.calls[i] {
			if n.own(call) {
				continue
			}
			all := sum[call]
			if all == nil {
				all = &called{}
				sum[call] = all
				calls = append(calls, call)
			}
			all.times += seen.times
			if seen.last.After(all.last) {
				all.last = seen.last
			}
		}
	}
	slices.SortFunc(calls, func(a, b nodeCall) int {
		return cmp.Or(cmp.Compare(sum[b].times, sum[a].times), strings.Compare(a.String(), b.String()))
	})
	var texts []string
	for _, call := range calls {
		texts = append(texts, fmt.Sprintf("%s (%d times, last %s)", call, sum[call].times, sum[call].last.UTC().Format("2006-01-02")))
	}
	return calls, listed(texts, 5)
}

// own says that a call may be the node's own doing.
func (n *NodeUse) own(call nodeCall) bool {
	action := call.action()
	return slices.ContainsFunc(n.node, func(doc *iam.Policy) bool {
		return slices.ContainsFunc(doc.Statements, func(s iam.Statement) bool { return s.Effect == iam.Allow && s.MatchesAction(action) == iam.True })
	})
}

// span says how long the logs go back.
func (n *NodeUse) span() string {
	return fmt.Sprintf("%d records of CloudTrail from %s to %s", n.Records, n.First.UTC().Format("2006-01-02"), n.Last.UTC().Format("2006-01-02"))
}
