package access

import (
	"fmt"
	"strings"

	"drawbridge/internal/authenticator"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
	"drawbridge/internal/rbac"
)

// KubernetesIdentity is as whom a cluster's API server sees an identity.
type KubernetesIdentity struct {
	// Verdict says whether it gets in: denied if it is in no store, is refused, or does not exist.
	Verdict Verdict
	// Holder is its username and groups, system:authenticated among them. The username is empty where it differs from one
	// session to the next, or from one member of a group to the next: Template then says what is known of it. An unknown
	// verdict has the holder that it would be, if any.
	Holder rbac.Holder
	// Template is the username as the access entry or row of aws-auth has it, where a session fills it in.
	Template string
	// Sessions are those whose session name makes a username or group that a binding names. Whoever takes the IAM role
	// chooses it, as far as the role's trust policy lets them.
	Sessions []Session
	// Policies are the access policies that count: those of the access entry that catches the principal.
	Policies []*model.PolicyAssociation
	// Chain leads from the identity to its username and groups.
	Chain []finding.Evidence
	// Assumed is what is taken for granted, Open what decides an unknown verdict or could give the identity more.
	Assumed, Open []string

	// various says that no username is known: the empty one of Holder is not the username "".
	various bool
	// maybe are holders that it may be besides, where AWS fills in part of a name.
	maybe []rbac.Holder
	// otherwise is as whom aws-auth lets it in if its access entry is dead, which was not read; nil is nobody.
	otherwise *KubernetesIdentity
	// fallsOut says that with an unknown verdict it is either Holder or nobody.
	fallsOut bool
}

// Session is the session of an IAM role with a session name that somebody may choose.
type Session struct {
	Name   string
	Holder rbac.Holder
}

// Kubernetes says as whom the cluster sees an identity: an IAM principal through access entries and aws-auth, as the
// authentication mode has it; pods and workloads as their service account; usernames and groups as themselves. A
// service account or group need not exist: what is bound to it counts as soon as it does.
func (c *Cluster) Kubernetes(id Identity) KubernetesIdentity {
	switch id.Kind {
	case KindServiceAccount:
		return c.asServiceAccount(id.Namespace, id.Name)
	case KindPod:
		return c.asPod(id)
	case KindWorkload:
		return c.asWorkload(id)
	case KindUser:
		return asUser(id.Name)
	case KindGroup:
		return asGroup(id.Name)
	}
	return c.asPrincipal(id)
}

func (c *Cluster) asServiceAccount(namespace, n string) KubernetesIdentity {
	return KubernetesIdentity{Verdict: Allowed, Holder: rbac.ServiceAccount(namespace, n), Assumed: c.absentAccount(namespace, n)}
}

// absentAccount says so where a service account does not exist.
func (c *Cluster) absentAccount(namespace, n string) []string {
	if _, presence := c.ServiceAccount(namespace, n); presence == Absent {
		return []string{fmt.Sprintf("there is no service account %s/%s now: it counts for whoever creates it", namespace, n)}
	}
	return nil
}

func (c *Cluster) asPod(id Identity) KubernetesIdentity {
	p := c.pod(id)
	if p == nil {
		return c.missing("pod", qualified(id.Namespace, id.Name), model.AreaPods)
	}
	if finished(p) {
		return KubernetesIdentity{Verdict: Denied, Chain: []finding.Evidence{fact(p, "status.phase", "%s: the pod has ended, and its token with it", p.Phase)}}
	}
	return c.running(p, p.Namespace, &p.PodSpec, "spec").as(p.Namespace, &p.PodSpec)
}

func (c *Cluster) asWorkload(id Identity) KubernetesIdentity {
	w := c.workload(id)
	if w == nil {
		return c.missing("workload", id.String(), model.AreaWorkloads)
	}
	return c.running(w, w.Namespace, &w.PodSpec, "spec.template.spec").as(w.Namespace, &w.PodSpec)
}

// pod finds the pod that an identity names, or returns nil.
func (c *Cluster) pod(id Identity) *model.Pod { return c.podNames()[name{id.Namespace, id.Name}] }

// workload finds the workload that an identity names, or returns nil.
func (c *Cluster) workload(id Identity) *model.Workload {
	if u := c.unitNames()[unitName(id.Namespace, id.Name)]; u != nil {
		return u.Object.(*model.Workload)
	}
	return nil
}

// missing is what is not in the snapshot: it does not exist, or nobody looked.
func (c *Cluster) missing(kind, n string, area model.Area) KubernetesIdentity {
	info, _ := area.Info()
	if c.Complete(area) {
		return KubernetesIdentity{Verdict: Denied, Chain: []finding.Evidence{{Text: "there is no " + kind + " " + n, Source: info.Action}}}
	}
	return KubernetesIdentity{Verdict: Unknown, various: true, Open: []string{"the " + kind + "s, which were not all read"}}
}

// as adds the service account of a pod specification as the holder.
func (k KubernetesIdentity) as(namespace string, s *model.PodSpec) KubernetesIdentity {
	k.Holder = rbac.ServiceAccount(namespace, ServiceAccountName(s))
	return k
}

// running is whoever runs with a pod specification: its service account, if it has a token. The holder is left out.
func (c *Cluster) running(o model.Object, namespace string, s *model.PodSpec, field string) KubernetesIdentity {
	sa := ServiceAccountName(s)
	k := KubernetesIdentity{Verdict: Allowed, Assumed: c.absentAccount(namespace, sa)}
	k.Chain = []finding.Evidence{fact(o, field+".serviceAccountName", "runs as service account %s/%s", namespace, sa)}
	if c.mountsToken(namespace, s) == No {
		_, _, why := c.Automounts(namespace, s)
		k.Assumed = append(k.Assumed, "it gets hold of a token of its service account: none is mounted ("+why+" is false)")
	}
	return k
}

// mountsToken says whether a token for the Kubernetes API is mounted: by default, or by a projected volume.
func (c *Cluster) mountsToken(namespace string, s *model.PodSpec) Answer {
	for _, v := range s.Volumes {
		for _, t := range v.Tokens {
			if t.Audience == "" {
				return Yes
			}
		}
	}
	switch yes, known, _ := c.Automounts(namespace, s); {
	case !known:
		return Maybe
	case yes:
		return Yes
	}
	return No
}

// asUser is a username with the groups that the API server itself gives it. Those that whoever vouches for the name adds
// are not known, save for kubelets, which all have one.
func asUser(n string) KubernetesIdentity {
	k := KubernetesIdentity{Verdict: Allowed}
	switch {
	case n == userAnonymous:
		k.Holder = rbac.Holder{User: n, Groups: []string{rbac.GroupUnauthenticated}}
	case strings.HasPrefix(n, nodeUserPrefix):
		k.Holder = rbac.Authenticated(n, groupNodes)
	default:
		k.Holder = rbac.Authenticated(n)
	}
	return k
}

// asGroup is any member of a group.
func asGroup(n string) KubernetesIdentity {
	k := KubernetesIdentity{Verdict: Allowed, Holder: rbac.Holder{Groups: membership(n)}, various: true}
	if n == groupNodes {
		k.Template, k.Assumed = nodeUserPrefix, []string{"its members have usernames that begin with " + nodeUserPrefix + ", as all kubelets have"}
	}
	return k
}

const userAnonymous = "system:anonymous"

// membership are the groups of every member of a group.
func membership(group string) []string {
	switch {
	case group == rbac.GroupUnauthenticated:
		return []string{group}
	case strings.HasPrefix(group, rbac.GroupServiceAccounts+":"):
		return []string{group, rbac.GroupServiceAccounts, rbac.GroupAuthenticated}
	case group == rbac.GroupAuthenticated:
		return []string{group}
	}
	return []string{group, rbac.GroupAuthenticated}
}

// holderOf is the holder of what the authenticator answers; the API server adds system:authenticated.
func holderOf(r authenticator.Result) rbac.Holder { return rbac.Authenticated(r.Username, r.Groups...) }
