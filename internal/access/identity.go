package access

import (
	"cmp"
	"fmt"
	"strings"

	"drawbridge/internal/iam"
)

// Identity is somebody a question is about: an IAM principal, a Kubernetes subject, or a workload.
type Identity struct {
	Kind Kind `json:"kind"`
	// ARN is set for IAM principals, and only for them.
	ARN string `json:"arn,omitempty"`
	// Cluster is the label of the cluster that a Kubernetes identity belongs to; empty while it is asked of every cluster.
	Cluster   string `json:"cluster,omitempty"`
	Namespace string `json:"namespace,omitempty"`
	// Name is a workload's as kind/name, like the subjects of findings.
	Name string `json:"name,omitempty"`
}

// Kind is the kind of an identity, in the words of finding subjects.
type Kind string

// The kinds.
const (
	KindIAMRole        Kind = "IAMRole" // also a session of it
	KindIAMUser        Kind = "IAMUser"
	KindRoot           Kind = "AccountRoot" // the root user of an account
	KindPrincipal      Kind = "Principal"   // any other ARN
	KindServiceAccount Kind = "ServiceAccount"
	KindPod            Kind = "Pod"
	KindWorkload       Kind = "Workload"
	KindUser           Kind = "User"  // a Kubernetes username
	KindGroup          Kind = "Group" // a Kubernetes group: any member of it
)

// workloadKinds are the short and long words for kinds of workloads on the command line, as kubectl has them.
var workloadKinds = map[string]string{
	"deploy": "deployment", "deployment": "deployment", "ds": "daemonset", "daemonset": "daemonset", "sts": "statefulset", "statefulset": "statefulset",
	"rs": "replicaset", "replicaset": "replicaset", "rc": "replicationcontroller", "replicationcontroller": "replicationcontroller",
	"job": "job", "cj": "cronjob", "cronjob": "cronjob",
}

// identityForms are the ways to write an identity, for errors and help.
const identityForms = "an ARN, sa/NAMESPACE/NAME, NAMESPACE/NAME (a service account), pod/NAMESPACE/NAME, deploy|ds|sts|job|cronjob/NAMESPACE/NAME, user:NAME or group:NAME"

// ParseIdentity reads an identity as the command line writes it. Its errors say which forms there are.
func ParseIdentity(s string) (Identity, error) {
	switch {
	case strings.HasPrefix(s, "arn:"):
		arn, err := iam.ParseARN(s)
		if err != nil {
			return Identity{}, fmt.Errorf("identity %q: %w", s, err)
		}
		if arn.Service != "iam" && arn.Service != "sts" {
			return Identity{}, fmt.Errorf("identity %q is no ARN of a role, a user, a session or an account's root", s)
		}
		return IdentityOfARN(arn), nil
	case strings.HasPrefix(s, "user:"), strings.HasPrefix(s, "group:"):
		kind, n, _ := strings.Cut(s, ":")
		if n == "" {
			return Identity{}, fmt.Errorf("identity %q has no name after the colon", s)
		}
		if kind == "group" {
			return Identity{Kind: KindGroup, Name: n}, nil
		}
		return IdentityOfUser(n), nil
	}
	parts := strings.Split(s, "/")
	for _, p := range parts {
		if p == "" || strings.ContainsAny(p, " \t\r\n") {
			return Identity{}, fmt.Errorf("identity %q is not %s", s, identityForms)
		}
	}
	switch {
	case len(parts) == 2 && !named(parts[0]):
		return Identity{Kind: KindServiceAccount, Namespace: parts[0], Name: parts[1]}, nil
	case len(parts) == 3 && (parts[0] == "sa" || parts[0] == "serviceaccount"):
		return Identity{Kind: KindServiceAccount, Namespace: parts[1], Name: parts[2]}, nil
	case len(parts) == 3 && (parts[0] == "pod" || parts[0] == "po"):
		return Identity{Kind: KindPod, Namespace: parts[1], Name: parts[2]}, nil
	case len(parts) == 3 && workloadKinds[parts[0]] != "":
		return Identity{Kind: KindWorkload, Namespace: parts[1], Name: workloadKinds[parts[0]] + "/" + parts[2]}, nil
	}
	return Identity{}, fmt.Errorf("identity %q is not %s", s, identityForms)
}

// named says whether a word before a slash is a kind, so that what follows lacks its namespace. A namespace of such a name
// is asked for by sa/NAMESPACE/NAME.
func named(word string) bool {
	return word == "sa" || word == "serviceaccount" || word == "pod" || word == "po" || workloadKinds[word] != ""
}

// IdentityOfARN is the identity that an ARN names. The session of a role stays as it is: it may have a name that matters.
func IdentityOfARN(arn iam.ARN) Identity {
	id := Identity{Kind: KindPrincipal, ARN: arn.String()}
	switch {
	case arn.IsRole(), arn.IsAssumedRole():
		id.Kind = KindIAMRole
	case arn.IsUser():
		id.Kind = KindIAMUser
	case arn.IsRoot():
		id.Kind = KindRoot
	}
	return id
}

// IdentityOfUser is the identity of a Kubernetes username: a service account's is the service account.
func IdentityOfUser(username string) Identity {
	if rest, ok := strings.CutPrefix(username, "system:serviceaccount:"); ok {
		if namespace, n, ok := strings.Cut(rest, ":"); ok && namespace != "" && n != "" && !strings.Contains(n, ":") {
			return Identity{Kind: KindServiceAccount, Namespace: namespace, Name: n}
		}
	}
	return Identity{Kind: KindUser, Name: username}
}

// String writes the identity as the command line reads it, its cluster left out.
func (id Identity) String() string {
	switch id.Kind {
	case KindServiceAccount:
		return "sa/" + id.Namespace + "/" + id.Name
	case KindPod:
		return "pod/" + id.Namespace + "/" + id.Name
	case KindWorkload:
		kind, n, _ := strings.Cut(id.Name, "/")
		return kind + "/" + id.Namespace + "/" + n
	case KindUser:
		return "user:" + id.Name
	case KindGroup:
		return "group:" + id.Name
	}
	return id.ARN
}

// OfKubernetes says whether the identity is one of a cluster; the others are of AWS.
func (id Identity) OfKubernetes() bool { return id.ARN == "" }

// Compare orders identities: those of AWS first, then by cluster, kind, namespace and name.
func (id Identity) Compare(other Identity) int {
	if c := cmp.Compare(id.Cluster, other.Cluster); c != 0 {
		return c
	}
	if c := cmp.Compare(id.Kind, other.Kind); c != 0 {
		return c
	}
	return cmp.Or(cmp.Compare(id.ARN, other.ARN), cmp.Compare(id.Namespace, other.Namespace), cmp.Compare(id.Name, other.Name))
}
