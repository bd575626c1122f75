package kube

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestLoad(t *testing.T) {
	for _, controllers := range [][]string{IdentityControllers(), nil} {
		t.Run(fmt.Sprintf("%d controllers", len(controllers)), func(t *testing.T) {
			c := lab.Cluster(t)
			if controllers == nil {
				c = New(t, Options{})
			}
			pod := Pod("load", "web", "default", Node(0, "fleet").Name)
			pod.Status = Running(0)
			// The pod comes first on purpose: Load orders.
			err := c.Load(t.Context(), pod, Node(0, "fleet"), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "load"}})
			if err != nil {
				t.Fatal(err)
			}
			got, err := c.Admin.CoreV1().Pods("load").Get(t.Context(), "web", metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			want := []string{"ip-10-0-0-1.ec2.internal", "Running", "10.1.0.1", "default"}
			if diff := cmp.Diff(want, []string{got.Spec.NodeName, string(got.Status.Phase), got.Status.PodIP, got.Spec.ServiceAccountName}); diff != "" {
				t.Errorf("pod (-want +got):\n%s", diff)
			}
			// Without a namespace, as kubectl understands it.
			if err := c.Load(t.Context(), Pod("", "web-"+fmt.Sprint(len(controllers)), "default", "")); err != nil {
				t.Error(err)
			}
			if err := c.Load(t.Context(), pod); !apierrors.IsAlreadyExists(err) {
				t.Errorf("load the same pod again: error %v, want already exists", err)
			}
		})
	}
}

func TestLoadFleet(t *testing.T) {
	c := New(t, Options{AuditPolicy: FullAudit})
	f := Fleet{Namespaces: 50, ServiceAccounts: 2000, Pods: 5000, Nodes: 100}
	if testing.Short() {
		f = Fleet{Namespaces: 5, ServiceAccounts: 50, Pods: 100, Nodes: 10}
	}
	objects := f.Objects()
	start := time.Now()
	if err := c.Load(t.Context(), objects...); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d objects in %s", len(objects), time.Since(start).Round(time.Millisecond))
	pods, err := c.Admin.CoreV1().Pods("").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	sas, err := c.Admin.CoreV1().ServiceAccounts("").List(t.Context(), metav1.ListOptions{FieldSelector: "metadata.name!=default"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int{f.Pods, f.ServiceAccounts}, []int{len(pods.Items), len(sas.Items)}); diff != "" {
		t.Errorf("pods and service accounts (-want +got):\n%s", diff)
	}
	nodes := map[string]int{}
	for _, p := range pods.Items {
		nodes[p.Spec.NodeName]++
	}
	if len(nodes) != f.Nodes {
		t.Errorf("the pods are on %d nodes, want %d", len(nodes), f.Nodes)
	}
}

func TestApply(t *testing.T) {
	c := lab.Cluster(t)
	const text = `
apiVersion: v1
kind: ServiceAccount
metadata: {name: app, namespace: apply, annotations: {eks.amazonaws.com/role-arn: %q}}
---
# comments only
---
apiVersion: v1
kind: Namespace
metadata: {name: apply}
`
	for _, arn := range []string{"arn:aws:iam::111122223333:role/a", "arn:aws:iam::111122223333:role/b"} {
		if err := c.Apply(t.Context(), fmt.Sprintf(text, arn)); err != nil {
			t.Fatal(err)
		}
		sa, err := c.Admin.CoreV1().ServiceAccounts("apply").Get(t.Context(), "app", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(map[string]string{"eks.amazonaws.com/role-arn": arn}, sa.Annotations); diff != "" {
			t.Errorf("annotations (-want +got):\n%s", diff)
		}
	}
}
