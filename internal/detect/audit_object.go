package detect

import (
	"cmp"
	"net/url"
	"slices"
	"strings"

	"drawbridge/internal/event"
)

// object is what a request left behind, or, where the log does not have it, what it asked for: then it may be a patch, and
// that a list.
func (l *look) object() event.Value {
	if !l.read.hasObject {
		l.read.object, l.read.hasObject = l.objectSaid(), true
	}
	return l.read.object
}

func (l *look) objectSaid() event.Value {
	if v := l.Field(event.ResponseObject); v.Kind() == event.Object && !v.Find("kind").First().Is("Status") {
		return v
	}
	return l.Field(event.RequestObject)
}

// done says whether the request changed something: it was carried out, and was no dry run.
func (l *look) done() bool { return succeeded(l.Event) && !l.dryRun() }

// creates says whether the request made its object: server-side apply, and an update where that is allowed, do so too, and are
// answered with 201 then (Kubernetes documentation, "Server-Side Apply", 2026-11).
func (l *look) creates() bool {
	return l.Field(event.Verb).Is("create") || l.Field(event.ResponseCode).String() == "201" && (l.Field(event.Verb).Is("patch") || l.Field(event.Verb).Is("update"))
}

var pathLevel = event.ParsePath(event.Kubernetes, "level")

// dryRun says whether the request asked for no effect. A delete takes its options from its body, and then from there only
// (k8s.io/apiserver v0.36.3, pkg/endpoints/handlers/delete.go); where the log has no bodies they may say otherwise.
func (l *look) dryRun() bool {
	body := l.Field(event.RequestObject)
	verb := l.Field(event.Verb).String()
	if deletes := verb == "delete" || verb == "deletecollection"; deletes {
		if body.Kind() == event.Object {
			return body.Find("dryRun").First().Is("All")
		}
		if l.Find(pathLevel).First().Is("Metadata") {
			return false
		}
	}
	_, query, ok := strings.Cut(l.Field(event.RequestURI).String(), "?")
	if !ok {
		return false
	}
	values, err := url.ParseQuery(query)
	return err == nil && slices.Contains(values["dryRun"], "All")
}

// name is the name of the object that a request is about, also of one whose name the API server made.
func (l *look) name() string {
	if n := l.Field(event.ObjectName).String(); n != "" {
		return n
	}
	return l.object().Find("metadata.name").First().String()
}

// What part of Kubernetes or EKS makes a request.
const (
	partKubelet      = "kubelet"
	partControlPlane = "control plane"
	partController   = "controller"
	partEKS          = "EKS"
)

// part is the part of Kubernetes or EKS that makes a request, by its username; empty for all others. The control plane and
// its controllers do not come through IAM and run in no pod: who does is somebody who took the name, and so is who comes with a
// controller's token that somebody else had made. EKS' own users come
// through IAM and begin with eks:, which access entries cannot (EKS User Guide, "Create access entries", 2026-11); a row of
// aws-auth can.
func (l *look) part() string {
	if l.Field(event.ImpersonatedUser).Kind() == event.Object {
		return ""
	}
	// Most are seen not to be one by their name.
	name := l.Field(event.Username).String()
	if account, ok := strings.CutPrefix(name, "system:serviceaccount:"); ok && !strings.HasPrefix(account, "kube-system:") ||
		!strings.HasPrefix(name, "system:") && !strings.HasPrefix(name, "eks:") {
		return ""
	}
	a := l.actor()
	outside := a.AccessKey == "" && a.Principal == "" && a.Pod == ""
	switch {
	case strings.HasPrefix(a.Username, "system:node:"):
		if slices.Contains(a.Groups, "system:nodes") {
			return partKubelet
		}
	case strings.HasPrefix(a.Username, "eks:"):
		return partEKS
	case slices.Contains(controlPlane, a.Username):
		if outside {
			return partControlPlane
		}
	case a.ServiceAccount.Namespace == "kube-system" && slices.Contains(controllers, a.ServiceAccount.Name):
		if m := l.minted(); outside && (m == nil || m.Part != "") {
			return partController
		}
	}
	return ""
}

var controlPlane = []string{"system:apiserver", "system:kube-controller-manager", "system:kube-scheduler", "system:cloud-controller-manager"}

// controllers are the service accounts that kube-controller-manager's controllers act as (Kubernetes v1.36.3,
// cmd/kube-controller-manager/names and plugin/pkg/auth/authorizer/rbac/bootstrappolicy).
var controllers = []string{
	"attachdetach-controller", "certificate-controller", "clusterrole-aggregation-controller", "cronjob-controller", "daemon-set-controller",
	"deployment-controller", "device-taint-eviction-controller", "disruption-controller", "endpoint-controller", "endpointslice-controller",
	"endpointslicemirroring-controller", "ephemeral-volume-controller", "expand-controller", "generic-garbage-collector",
	"horizontal-pod-autoscaler", "job-controller", "legacy-service-account-token-cleaner", "namespace-controller", "node-controller",
	"persistent-volume-binder", "pod-garbage-collector", "podcertificaterequestcleaner-controller", "pv-protection-controller",
	"pvc-protection-controller", "replicaset-controller", "replication-controller", "resource-claim-controller", "resourcequota-controller",
	"root-ca-cert-publisher", "route-controller", "selinux-warning-controller", "service-account-controller", "service-cidrs-controller",
	"service-controller", "statefulset-controller", "storage-version-garbage-collector", "storage-version-migrator-controller",
	"taint-eviction-controller", "ttl-after-finished-controller", "ttl-controller", "validatingadmissionpolicy-status-controller",
	"volumeattributesclass-protection-controller",
}

// queryless is the path of a request's URL.
func (l *look) queryless() string {
	path, _, _ := strings.Cut(l.Field(event.RequestURI).String(), "?")
	return path
}

// requestFields are all fields about requests to the API server.
var requestFields = slices.Concat(auditFields, awsAuthFields, tokenFields, annotationFields, rbacFields, agentFields, webhookFields, riskFields, credentialFields, policyFields, requestPathFields, madeTokenFields, workloadFields, secretFields, outsideFields)

// kinds are the kinds of findings' subjects, by resource.
var kinds = map[string]string{
	"configmaps": "ConfigMap", "namespaces": "Namespace", "nodes": "Node", "serviceaccounts": "ServiceAccount", "pods": "Pod", "daemonsets": "DaemonSet",
	"podtemplates": "Workload", "deployments": "Workload", "statefulsets": "Workload", "replicasets": "Workload", "replicationcontrollers": "Workload",
	"jobs": "Workload", "cronjobs": "Workload", "roles": "Role", "clusterroles": "ClusterRole", "rolebindings": "RoleBinding",
	"clusterrolebindings": "ClusterRoleBinding", "persistentvolumes": "PersistentVolume", "mutatingwebhookconfigurations": "MutatingWebhookConfiguration",
}

// auditFields are about a request to the API server.
var auditFields = []enrichment{
	{
		Name: "drawbridge.done", Text: "whether a request to the API server was carried out and was no dry run: `true` or `false`", Planes: onKubernetes,
		Of: func(l *look) []string { return yes(l.done()) },
	},
	{
		Name: "drawbridge.carried_out", Text: "whether a request was carried out, reads and dry runs included: `true` or `false`",
		Of: func(l *look) []string { return yes(succeeded(l.Event)) },
	},
	{
		Name: "drawbridge.created", Text: "whether the request made its object, by whatever verb: `true` or `false`", Planes: onKubernetes,
		Of: func(l *look) []string { return yes(l.creates()) },
	},
	{
		Name: "drawbridge.actor.part", Text: "the part of Kubernetes or EKS that makes the request: `kubelet`, `control plane`, `controller`, `EKS`; absent for everybody else, and for whoever comes with a controller's token that somebody else had made", Planes: onKubernetes, Doubt: (*look).unproven,
		Of: func(l *look) []string { return some(l.part()) },
	},
	{
		Name: "drawbridge.object", Text: "the object that the request is about: namespace/name, or name", Planes: onKubernetes,
		Of: func(l *look) []string {
			namespace, name := l.Field(event.Namespace).String(), l.name()
			if namespace != "" && name != "" && l.Field(event.Resource).String() != "namespaces" {
				return some(namespace + "/" + name)
			}
			return some(cmp.Or(name, namespace))
		},
	},
	{
		Name: "drawbridge.object.kind", Text: "the kind of the object that the request is about, as findings name it: `Pod`, `ClusterRole`, `Workload` for Deployments and the like; `Event` where findings have none", Planes: onKubernetes,
		Of: func(l *look) []string { return some(cmp.Or(kinds[l.Field(event.Resource).String()], "Event")) },
	},
	{
		Name: "drawbridge.object.name", Text: "the name of the object that the request is about, also where the API server made it", Planes: onKubernetes,
		Of: func(l *look) []string { return some(l.name()) },
	},
	{
		Name: "drawbridge.path", Text: "the path of the request's URL, without what is asked of it", Planes: onKubernetes,
		Of: func(l *look) []string { return some(l.queryless()) },
	},
}
