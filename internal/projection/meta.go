package projection

import (
	"strings"
	"unique"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"drawbridge/internal/model"
)

// meta keeps what drawbridge keeps of an object's metadata: no finalizers, no managed fields, and only the annotations
// that bear on identity.
func meta(o metav1.Object) model.Meta {
	created := o.GetCreationTimestamp()
	return model.Meta{
		Namespace:   intern(o.GetNamespace()),
		Name:        o.GetName(),
		UID:         string(o.GetUID()),
		Created:     created.UTC(),
		Labels:      internMap(o.GetLabels()),
		Annotations: annotations(o.GetAnnotations()),
		Owner:       owner(o),
	}
}

// owner is the controlling owner, "replicaset/web-5d4". Outside the groups that hold Kubernetes' own controllers the
// kind carries its group, "rollout.argoproj.io/web": a custom resource cannot pass for a Deployment.
func owner(o metav1.Object) string {
	c := metav1.GetControllerOfNoCopy(o)
	if c == nil {
		return ""
	}
	kind := strings.ToLower(c.Kind)
	switch group := schema.FromAPIVersionAndKind(c.APIVersion, c.Kind).Group; group {
	case "", "apps", "batch", "extensions":
	default:
		kind += "." + group
	}
	return intern(kind + "/" + c.Name)
}

// Controlled says whether an object is the ReplicaSet of a Deployment or the Job of a CronJob. Those repeat the template
// of their owner, old revisions included, so a source that has read the owners leaves them out.
func Controlled(m model.Meta) bool {
	return strings.HasPrefix(m.Owner, "deployment/") || strings.HasPrefix(m.Owner, "cronjob/")
}

// kept are the annotations that bear on identity, with why. A key that ends in a slash stands for all keys under it.
// Everything else is dropped, kubectl's last-applied-configuration before all: it repeats the whole object.
var kept = []string{
	// IRSA (role-arn, audience, sts-regional-endpoints, token-expiration) and the opt-outs of the pod identity webhook
	// (skip-containers). The prefix is AWS's own.
	"eks.amazonaws.com/",
	// autoupdate: whether the API server restores a default role or binding that somebody changed.
	"rbac.authorization.kubernetes.io/",
	// kube2iam and kiam: the IAM role of a pod, and the IAM roles that the pods of a namespace may have. Not the whole
	// prefix: kiam reads an external id under it.
	"iam.amazonaws.com/role",
	"iam.amazonaws.com/allowed-roles",
	"iam.amazonaws.com/permitted",
	// ACK: the account and team whose IAM role the controllers assume for a namespace.
	"services.k8s.aws/owner-account-id",
	"services.k8s.aws/team-id",
	// Whether pods of a service account may mount only the Secrets that it lists.
	"kubernetes.io/enforce-mountable-secrets",
}

// annotations returns those that are kept, or nil.
func annotations(all map[string]string) map[string]string {
	var m map[string]string
	for k, v := range all {
		if !keeps(k) {
			continue
		}
		if m == nil {
			m = make(map[string]string, 1)
		}
		m[intern(k)] = intern(v)
	}
	return m
}

func keeps(key string) bool {
	for _, k := range kept {
		if key == k || strings.HasSuffix(k, "/") && strings.HasPrefix(key, k) {
			return true
		}
	}
	return false
}

// intern returns one copy of a string that many objects share.
func intern(s string) string {
	if s == "" {
		return ""
	}
	return unique.Make(s).Value()
}

func internMap(m map[string]string) map[string]string {
	if len(m) == 0 {
		return nil
	}
	n := make(map[string]string, len(m))
	for k, v := range m {
		n[intern(k)] = intern(v)
	}
	return n
}
