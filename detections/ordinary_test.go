package detections_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// kind is one kind of request in a cluster's audit log. Its share is in a thousand.
type kind struct {
	share                                     int
	user, agent, verb, uri, ref, rest, reason string
	level                                     string
}

// Who asks, as the API server writes it. A node's user is what EKS' authenticator makes of the instance's role, as in the
// reference cases of this package; the others have the members of the real events in internal/event/testdata.
const (
	byNode       = `{"username":"system:node:ip-10-0-%[1]d-%[2]d.ec2.internal","uid":"aws-iam-authenticator:111122223333:AROAEXAMPLENODE00001","groups":["system:bootstrappers","system:nodes","system:authenticated"],"extra":{"accessKeyId":["ASIAEXAMPLEND%03[1]d%04[2]d"],"arn":["arn:aws:sts::111122223333:assumed-role/node/i-%08[1]x%09[2]x"],"canonicalArn":["arn:aws:iam::111122223333:role/node"],"principalId":["AROAEXAMPLENODE00001"],"sessionName":["i-%08[1]x%09[2]x"]}}`
	byController = `{"username":"system:kube-controller-manager","groups":["system:authenticated"],"extra":{"authentication.kubernetes.io/credential-id":["X509SHA256=5aa706eeef51643d689e74a3348ed4484913a85b8b97f1f949e47cf110525626"]}}`
	byScheduler  = `{"username":"system:kube-scheduler","groups":["system:authenticated"],"extra":{"authentication.kubernetes.io/credential-id":["X509SHA256=7e0c3cdd95d7b71508fce76d108b3779ae5a62223216b40d6cd058a7d1df3264"]}}`
	byAPIServer  = `{"username":"system:apiserver","uid":"0e32212b-836e-4285-b3ec-d494374cf0ed","groups":["system:authenticated","system:masters"]}`
	byWorkload   = `{"username":"system:serviceaccount:team-%[1]d:operator","uid":"2ce134d2-e743-4ff1-8bc8-9510%08[1]x","groups":["system:serviceaccounts","system:serviceaccounts:team-%[1]d","system:authenticated"],"extra":{"authentication.kubernetes.io/credential-id":["JTI=7a8ef58c-6a5d-41b7-bd51-%012[2]x"],"authentication.kubernetes.io/node-name":["ip-10-0-%[1]d-%[2]d.ec2.internal"],"authentication.kubernetes.io/node-uid":["84c29ffb-2f11-4bf2-b9cc-%012[2]x"],"authentication.kubernetes.io/pod-name":["operator-6c7bd5f5bf-%05[2]x"],"authentication.kubernetes.io/pod-uid":["298ee289-5842-48af-a06f-%012[2]x"]}}`
	byPerson     = `{"username":"arn:aws:sts::111122223333:assumed-role/dev/alice","uid":"aws-iam-authenticator:111122223333:AROAEXAMPLEDEV000001","groups":["system:authenticated"],"extra":{"accessKeyId":["ASIAEXAMPLEDEV%06[1]d"],"arn":["arn:aws:sts::111122223333:assumed-role/dev/alice"],"canonicalArn":["arn:aws:iam::111122223333:role/dev"],"principalId":["AROAEXAMPLEDEV000001"],"sessionName":["alice"]}}`

	kubelet = "kubelet/v1.32.4 (linux/amd64) kubernetes/4cb5f07"
	manager = "kube-controller-manager/v1.32.4 (linux/amd64) kubernetes/4cb5f07/leader-election"
	byRBAC  = `RBAC: allowed by ClusterRoleBinding \"operator\" of ClusterRole \"operator\" to ServiceAccount \"operator/team\"`
)

// kinds are an assumption of what a cluster at work writes: nobody publishes shares. Leases are renewed every 10 s by each
// kubelet and every 2 s by each elected leader (Kubernetes documentation, "Leases", 2026-11), nodes and pods report their
// status, controllers get, list and watch, and every webhook and kubelet call is a review; EKS logs leases, too, as they are
// no exception of its audit policy. Writes by people are few.
var kinds = []kind{
	{330, byNode, kubelet, "update", "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/ip-10-0-%[1]d-%[2]d.ec2.internal?timeout=10s", `"resource":"leases","namespace":"kube-node-lease","name":"ip-10-0-%[1]d-%[2]d.ec2.internal","uid":"3244d504-0756-4eae-bf44-%012[2]x","apiGroup":"coordination.k8s.io","apiVersion":"v1","resourceVersion":"%[3]d"`, "", "", "Metadata"},
	{130, byController, manager, "update", "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/kube-controller-manager?timeout=5s", `"resource":"leases","namespace":"kube-system","name":"kube-controller-manager","uid":"befbdb0c-464e-48fc-91d1-%012[2]x","apiGroup":"coordination.k8s.io","apiVersion":"v1","resourceVersion":"%[3]d"`, "", `RBAC: allowed by ClusterRoleBinding \"system:kube-controller-manager\" of ClusterRole \"system:kube-controller-manager\" to User \"system:kube-controller-manager\"`, "Metadata"},
	{60, byScheduler, "kube-scheduler/v1.32.4 (linux/amd64) kubernetes/4cb5f07/leader-election", "get", "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/kube-scheduler?timeout=5s", `"resource":"leases","namespace":"kube-system","name":"kube-scheduler","apiGroup":"coordination.k8s.io","apiVersion":"v1"`, "", `RBAC: allowed by ClusterRoleBinding \"system:kube-scheduler\" of ClusterRole \"system:kube-scheduler\" to User \"system:kube-scheduler\"`, "Metadata"},
	{60, byNode, kubelet, "get", "/api/v1/nodes/ip-10-0-%[1]d-%[2]d.ec2.internal?resourceVersion=0&timeout=10s", `"resource":"nodes","name":"ip-10-0-%[1]d-%[2]d.ec2.internal","apiVersion":"v1"`, "", "", "Request"},
	{30, byNode, kubelet, "patch", "/api/v1/nodes/ip-10-0-%[1]d-%[2]d.ec2.internal/status?timeout=10s", `"resource":"nodes","name":"ip-10-0-%[1]d-%[2]d.ec2.internal","apiVersion":"v1","subresource":"status"`, `,"requestObject":{"status":{"$setElementOrder/conditions":[{"type":"MemoryPressure"},{"type":"DiskPressure"},{"type":"PIDPressure"},{"type":"Ready"}],"conditions":[{"lastHeartbeatTime":"2026-11-23T01:32:44Z","type":"MemoryPressure"},{"lastHeartbeatTime":"2026-11-23T01:32:44Z","type":"DiskPressure"},{"lastHeartbeatTime":"2026-11-23T01:32:44Z","type":"PIDPressure"},{"lastHeartbeatTime":"2026-11-23T01:32:44Z","type":"Ready"}]}}`, "", "Request"},
	{30, byNode, kubelet, "patch", "/api/v1/namespaces/team-%[1]d/pods/web-6c7bd5f5bf-%05[2]x/status", `"resource":"pods","namespace":"team-%[1]d","name":"web-6c7bd5f5bf-%05[2]x","apiVersion":"v1","subresource":"status"`, `,"requestObject":{"metadata":{"uid":"d5b3d6a4-1111-4222-8333-%012[3]x"},"status":{"$setElementOrder/conditions":[{"type":"Initialized"},{"type":"Ready"},{"type":"ContainersReady"},{"type":"PodScheduled"}],"conditions":[{"lastTransitionTime":"2026-11-23T01:32:44Z","status":"True","type":"Ready"}],"containerStatuses":[{"containerID":"containerd://5aa706eeef51643d689e74a3348ed4484913a85b8b97f1f949e47cf110525626","image":"registry.example/web:1","ready":true,"restartCount":0,"started":true,"state":{"running":{"startedAt":"2026-11-23T01:32:43Z"}}}],"phase":"Running","podIP":"10.0.1.7"}}`, "", "Request"},
	{60, byNode, kubelet, "watch", "/api/v1/namespaces/team-%[1]d/configmaps?allowWatchBookmarks=true&fieldSelector=metadata.name%%3Dkube-root-ca.crt&resourceVersion=%[3]d&timeout=8m3s&timeoutSeconds=483&watch=true", `"resource":"configmaps","namespace":"team-%[1]d","name":"kube-root-ca.crt","apiVersion":"v1"`, "", "", "Metadata"},
	{15, byNode, kubelet, "create", "/api/v1/namespaces/team-%[1]d/serviceaccounts/operator/token", `"resource":"serviceaccounts","namespace":"team-%[1]d","name":"operator","apiVersion":"v1","subresource":"token"`, `,"requestObject":{"kind":"TokenRequest","apiVersion":"authentication.k8s.io/v1","metadata":{},"spec":{"audiences":["https://kubernetes.default.svc"],"expirationSeconds":3607,"boundObjectRef":{"kind":"Pod","apiVersion":"v1","name":"operator-6c7bd5f5bf-%05[2]x","uid":"298ee289-5842-48af-a06f-%012[2]x"}},"status":{"token":"","expirationTimestamp":null}}`, "", "Request"},
	{35, byNode, kubelet, "create", "/apis/authentication.k8s.io/v1/tokenreviews", `"resource":"tokenreviews","apiGroup":"authentication.k8s.io","apiVersion":"v1"`, "", "", "Metadata"},
	{35, byNode, kubelet, "create", "/apis/authorization.k8s.io/v1/subjectaccessreviews", `"resource":"subjectaccessreviews","apiGroup":"authorization.k8s.io","apiVersion":"v1"`, `,"requestObject":{"kind":"SubjectAccessReview","apiVersion":"authorization.k8s.io/v1","metadata":{},"spec":{"resourceAttributes":{"verb":"get","version":"v1","resource":"nodes","subresource":"metrics","name":"ip-10-0-%[1]d-%[2]d.ec2.internal"},"user":"system:serviceaccount:kube-system:metrics-server","groups":["system:serviceaccounts","system:serviceaccounts:kube-system","system:authenticated"]},"status":{"allowed":false}}`, "", "Request"},
	{15, byNode, kubelet, "create", "/api/v1/namespaces/team-%[1]d/events", `"resource":"events","namespace":"team-%[1]d","apiVersion":"v1"`, "", "", "Metadata"},
	{50, byAPIServer, "kube-apiserver/v1.32.4 (linux/amd64) kubernetes/4cb5f07", "list", "/api/v1/namespaces?allowWatchBookmarks=true&limit=500&resourceVersion=%[3]d", `"resource":"namespaces","apiVersion":"v1"`, "", "", "Metadata"},
	{60, byWorkload, "operator/v2.1.0 (linux/amd64) kubernetes/$Format", "get", "/apis/apps/v1/namespaces/team-%[1]d/deployments/web", `"resource":"deployments","namespace":"team-%[1]d","name":"web","apiGroup":"apps","apiVersion":"v1"`, "", byRBAC, "Request"},
	{40, byWorkload, "operator/v2.1.0 (linux/amd64) kubernetes/$Format", "list", "/api/v1/namespaces/team-%[1]d/pods?labelSelector=app%%3Dweb&limit=500", `"resource":"pods","namespace":"team-%[1]d","apiVersion":"v1"`, "", byRBAC, "Request"},
	{25, byWorkload, "operator/v2.1.0 (linux/amd64) kubernetes/$Format", "watch", "/apis/apps/v1/deployments?allowWatchBookmarks=true&resourceVersion=%[3]d&timeout=5m28s&timeoutSeconds=328&watch=true", `"resource":"deployments","apiGroup":"apps","apiVersion":"v1"`, "", byRBAC, "Request"},
	{12, byController, manager, "update", "/apis/apps/v1/namespaces/team-%[1]d/replicasets/web-6c7bd5f5bf/status", `"resource":"replicasets","namespace":"team-%[1]d","name":"web-6c7bd5f5bf","apiGroup":"apps","apiVersion":"v1","subresource":"status"`, "", "", "Metadata"},
	{8, byController, manager, "update", "/apis/discovery.k8s.io/v1/namespaces/team-%[1]d/endpointslices/web-x7k2p", `"resource":"endpointslices","namespace":"team-%[1]d","name":"web-x7k2p","apiGroup":"discovery.k8s.io","apiVersion":"v1"`, "", "", "Metadata"},
	{3, byPerson, "kubectl/v1.32.4 (linux/amd64) kubernetes/4cb5f07", "get", "/api/v1/namespaces/team-%[1]d/pods/web-6c7bd5f5bf-%05[2]x/log", `"resource":"pods","namespace":"team-%[1]d","name":"web-6c7bd5f5bf-%05[2]x","apiVersion":"v1","subresource":"log"`, "", `EKS Access Policy: allowed by RoleBinding \"eks-edit/team\" of ClusterRole \"arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy\"`, "Request"},
	{1, byPerson, "kubectl/v1.32.4 (linux/amd64) kubernetes/4cb5f07", "patch", "/apis/apps/v1/namespaces/team-%[1]d/deployments/web?fieldManager=kubectl-rollout", `"resource":"deployments","namespace":"team-%[1]d","name":"web","apiGroup":"apps","apiVersion":"v1"`, `,"requestObject":{"spec":{"template":{"metadata":{"annotations":{"kubectl.kubernetes.io/restartedAt":"2026-11-23T01:32:44Z"}}}}}`, `RBAC: allowed by RoleBinding \"dev/team\" of ClusterRole \"edit\" to Group \"dev\"`, "Request"},
	{1, byController, manager, "create", "/api/v1/namespaces/team-%[1]d/pods", `"resource":"pods","namespace":"team-%[1]d","apiVersion":"v1"`, `,"requestObject":{"kind":"Pod","apiVersion":"v1","metadata":{"generateName":"web-6c7bd5f5bf-","labels":{"app":"web"}},"spec":{"containers":[{"name":"web","image":"registry.example/web:1","resources":{}}],"serviceAccountName":"web"}},"responseObject":{"kind":"Pod","apiVersion":"v1","metadata":{"name":"web-6c7bd5f5bf-%05[3]x","namespace":"team-%[1]d","uid":"d5b3d6a4-1111-4222-8333-%012[3]x","labels":{"app":"web"}},"spec":{"containers":[{"name":"web","image":"registry.example/web:1","resources":{}}],"serviceAccountName":"web"},"status":{"phase":"Pending"}}`, "", "RequestResponse"},
}

// ordinary is about so many bytes of a log of 200 nodes, the same every time, with ids of its own for each request: two
// thousand requests in a second.
func ordinary(size int) []byte {
	random := rand.New(rand.NewPCG(7, 11))
	var of []int
	for i, k := range kinds {
		for range k.share {
			of = append(of, i)
		}
	}
	var out bytes.Buffer
	from := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	for n := 0; out.Len() < size; n++ {
		k := kinds[of[random.IntN(len(of))]]
		node, host := random.IntN(10), random.IntN(20)
		fill := func(s string) string { // what stands after the NUL is there for every number to be used
			s, _, _ = strings.Cut(fmt.Sprintf(s+"\x00%[1]d%[2]d%[3]d", node, host, n), "\x00")
			return s
		}
		at := from.Add(time.Duration(n) * 500 * time.Microsecond)
		stage, code := "ResponseComplete", 200
		if k.verb == "create" {
			code = 201
		}
		fmt.Fprintf(&out, `{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":%q,"auditID":"%08x-%04x-4%03x-8%03x-%012x","stage":%q,"requestURI":%q,"verb":%q,"user":%s,"sourceIPs":["10.0.%d.%d"],"userAgent":%q,"objectRef":{%s},"responseStatus":{"metadata":{},"code":%d}%s,"requestReceivedTimestamp":%q,"stageTimestamp":%q,"annotations":{"authorization.k8s.io/decision":"allow","authorization.k8s.io/reason":"%s"}}`+"\n",
			k.level, random.Uint32(), random.IntN(1<<16), random.IntN(1<<12), random.IntN(1<<12), n, stage, fill(k.uri), k.verb, fill(k.user), node, host, k.agent, fill(k.ref), code, fill(k.rest),
			at.Format("2006-01-02T15:04:05.000000Z"), at.Add(3*time.Millisecond).Format("2006-01-02T15:04:05.000000Z"), k.reason)
	}
	return out.Bytes()
}
