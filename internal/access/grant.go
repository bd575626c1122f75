package access

import (
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"

	"drawbridge/internal/finding"
)

// Verdict is the answer to a question.
type Verdict string

// The verdicts. Unknown is whatever the snapshot, or what AWS publishes, does not decide.
const (
	Allowed Verdict = "allowed"
	Denied  Verdict = "denied"
	Unknown Verdict = "unknown"
)

// Grant answers whether an identity may do something, where, and through which chain. With the verdict denied it says
// that there is no such grant, and why.
type Grant struct {
	// Identity is empty where it goes without saying.
	Identity Identity `json:"identity,omitzero"`
	Verdict  Verdict  `json:"verdict"`
	// Cluster is the label of the cluster where it counts; empty in AWS.
	Cluster string `json:"cluster,omitempty"`
	// Scope is where it counts. In Kubernetes it is ScopeCluster or "namespace/x", where x may hold wildcards; in AWS the
	// resources it is about, as ARNs.
	Scope string `json:"scope,omitempty"`
	// Rule is what is granted in Kubernetes, nil where the question already says it.
	Rule *rbacv1.PolicyRule `json:"rule,omitempty"`
	// Statement is what is granted in AWS, nil where the question already says it.
	Statement *Statement `json:"statement,omitempty"`
	// Chain is the way it goes, link by link, from the identity to the rule or statement that decides.
	Chain []finding.Evidence `json:"chain"`
	// Conditions are what the verdict depends on: for unknown what decides it, for allowed what was taken for granted
	// because no snapshot can tell it.
	Conditions []string `json:"conditions,omitempty"`
	// Alike names further identities of which the same is true, where the result lists such; the chain is that of Identity.
	Alike string `json:"alike,omitempty"`
}

// ScopeCluster is the scope of what counts in the whole cluster, and of cluster-scoped objects.
const ScopeCluster = "cluster"

// ScopeOf is the scope of a namespace, or of the whole cluster for "".
func ScopeOf(namespace string) string {
	if namespace == "" {
		return ScopeCluster
	}
	return "namespace/" + namespace
}

// Statement is what one statement of an IAM policy allows, as written there. With both actions and others that are left out,
// or both resources, it is the former less the latter.
type Statement struct {
	Actions      []string `json:"actions,omitempty"`
	NotActions   []string `json:"notActions,omitempty"`
	Resources    []string `json:"resources,omitempty"`
	NotResources []string `json:"notResources,omitempty"`
	Conditions   []string `json:"conditions,omitempty"`
}

// String is the statement in one line: "s3:Get* on arn:aws:s3:::bucket/*".
func (s *Statement) String() string {
	list := func(yes, no []string) string {
		switch {
		case len(no) > 0 && len(yes) > 0 && !slices.Equal(yes, []string{"*"}):
			return strings.Join(yes, ", ") + " but not " + strings.Join(no, ", ")
		case len(no) > 0:
			return "all but " + strings.Join(no, ", ")
		}
		return strings.Join(yes, ", ")
	}
	text := list(s.Actions, s.NotActions)
	if on := list(s.Resources, s.NotResources); on != "" {
		text += " on " + on
	}
	if len(s.Conditions) > 0 {
		text += " if " + strings.Join(s.Conditions, " and ")
	}
	return text
}
