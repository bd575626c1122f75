package oracle

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/kubernetes/pkg/auth/nodeidentifier"
	"k8s.io/kubernetes/plugin/pkg/auth/authorizer/node"
	"k8s.io/kubernetes/plugin/pkg/auth/authorizer/rbac/bootstrappolicy"

	"drawbridge/internal/access"
	"drawbridge/internal/model"
	"drawbridge/internal/projection"
	"drawbridge/internal/rbac"
)

// TestNodeAuthorizer compares what we say of kubelets with the real Node authorizer, over random pods on two nodes. A
// snapshot keeps less than pods have, so we may say unknown; whatever we do say is what the real one says.
func TestNodeAuthorizer(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	one := func(of ...string) string { return of[rnd.IntN(len(of))] }
	asked, unknown := 0, 0
	for range 2000 {
		graph := node.NewGraph()
		real := node.NewAuthorizer(graph, nodeidentifier.NewDefaultNodeIdentifier(), bootstrappolicy.NodeRules())
		c := &model.Cluster{Name: "c", Description: &model.Description{KubernetesVersion: "1.36"}}
		for _, a := range model.Areas {
			if !a.OfAccount {
				c.MarkRead(a.Area)
			}
		}
		for i := range rnd.IntN(4) {
			p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: one("a", "b"), Name: fmt.Sprint("p", i)}}
			p.Spec.NodeName, p.Spec.ServiceAccountName = one("n1", "n2"), one("default", "s")
			if rnd.IntN(6) == 0 { // a mirror pod, as kubelets make them
				p.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "x"}
				p.OwnerReferences = []metav1.OwnerReference{{Kind: "Node", Name: p.Spec.NodeName, Controller: new(true)}}
			}
			for range rnd.IntN(3) {
				addReference(p, one("secret", "configmap", "env secret", "envFrom configmap", "pull", "claim", "projected"), one("x", "y"))
			}
			graph.AddPod(p)
			c.Pods = append(c.Pods, projection.Pod(p))
		}
		k := access.New(&model.Snapshot{Clusters: []*model.Cluster{c}}).Cluster(c)
		for range 50 {
			r := rbac.Request{
				Verb: one("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"), Namespace: one("a", "b", "", "kube-node-lease"),
				Name: one("", "x", "y", "s", "default", "p0", "p1", "n1", "n2"),
			}
			resource := nodeResources[rnd.IntN(len(nodeResources))]
			r.APIGroup, r.Resource, r.Subresource = resource[0], resource[1], one("", "", "", resource[2])
			name := one("n1", "n2")
			decision, _, err := real.Authorize(context.Background(), authorizer.AttributesRecord{
				User: &user.DefaultInfo{Name: "system:node:" + name, Groups: []string{"system:nodes", "system:authenticated"}}, Verb: r.Verb, Namespace: r.Namespace,
				APIGroup: r.APIGroup, Resource: r.Resource, Subresource: r.Subresource, Name: r.Name, ResourceRequest: true,
			})
			if err != nil {
				t.Fatal(err)
			}
			want := map[authorizer.Decision]access.Verdict{authorizer.DecisionAllow: access.Allowed, authorizer.DecisionNoOpinion: access.Denied}[decision]
			got := k.Check(access.Identity{Kind: access.KindUser, Name: "system:node:" + name}, r)
			asked++
			if got.Verdict == access.Unknown {
				unknown++
			} else if got.Verdict != want {
				t.Fatalf("node %s, %s: we say %s (%v), the real one %s; pods %+v", name, r, got.Verdict, got.Chain, want, c.Pods)
			}
		}
	}
	t.Logf("%d requests, no mismatch; of %d we say that a snapshot does not tell", asked, unknown)
	if unknown > asked/4 {
		t.Errorf("%d of %d are unknown", unknown, asked)
	}
}

// nodeResources are group, resource and a subresource: those that the Node authorizer treats by themselves, and others.
var nodeResources = [][3]string{
	{"", "secrets", "status"},
	{"", "secrets", ""},
	{"", "configmaps", ""},
	{"", "persistentvolumeclaims", "status"},
	{"", "persistentvolumes", ""},
	{"resource.k8s.io", "resourceclaims", "status"},
	{"storage.k8s.io", "volumeattachments", ""},
	{"", "serviceaccounts", "token"},
	{"", "serviceaccounts", "token"},
	{"coordination.k8s.io", "leases", ""},
	{"storage.k8s.io", "csinodes", "status"},
	{"resource.k8s.io", "resourceslices", "status"},
	{"", "nodes", "status"},
	{"", "nodes", "proxy"},
	{"", "pods", "status"},
	{"", "pods", "eviction"},
	{"", "pods", "exec"},
	{"certificates.k8s.io", "podcertificaterequests", "status"},
	{"certificates.k8s.io", "certificatesigningrequests", "approval"},
	{"certificates.k8s.io", "clustertrustbundles", ""},
	{"", "services", "proxy"},
	{"", "events", ""},
	{"events.k8s.io", "events", ""},
	{"", "endpoints", ""},
	{"storage.k8s.io", "csidrivers", ""},
	{"node.k8s.io", "runtimeclasses", ""},
	{"authentication.k8s.io", "tokenreviews", ""},
	{"authorization.k8s.io", "subjectaccessreviews", ""},
	{"apps", "deployments", ""},
	{"apps", "secrets", ""},
}

// addReference makes a pod refer to an object in one of the ways of its specification.
func addReference(p *corev1.Pod, how, to string) {
	object := corev1.LocalObjectReference{Name: to}
	container := corev1.Container{Name: fmt.Sprint("c", len(p.Spec.Containers))}
	volume := corev1.Volume{Name: fmt.Sprint("v", len(p.Spec.Volumes))}
	switch how {
	case "secret":
		volume.Secret = &corev1.SecretVolumeSource{SecretName: to}
	case "configmap":
		volume.ConfigMap = &corev1.ConfigMapVolumeSource{LocalObjectReference: object}
	case "claim":
		volume.PersistentVolumeClaim = &corev1.PersistentVolumeClaimVolumeSource{ClaimName: to}
	case "projected":
		volume.Projected = &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{{Secret: &corev1.SecretProjection{LocalObjectReference: object}}, {ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: object}}}}
	case "env secret":
		container.Env = []corev1.EnvVar{{Name: "E", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: object, Key: "k"}}}}
	case "envFrom configmap":
		container.EnvFrom = []corev1.EnvFromSource{{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: object}}}
	case "pull":
		p.Spec.ImagePullSecrets = append(p.Spec.ImagePullSecrets, object)
	}
	p.Spec.Volumes, p.Spec.Containers = append(p.Spec.Volumes, volume), append(p.Spec.Containers, container)
}
