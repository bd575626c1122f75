package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"
)

// settle does what scheduler and kubelets would: it waits until the controllers have made all pods, puts each on a node
// and says that it runs. Nodes are chosen by owner, so that it does not depend on the pods' names.
func (r *running) settle(ctx context.Context) error {
	nodes, err := r.Admin.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for _, n := range nodes.Items {
		// The admission plugin taints new nodes as not ready, and nobody here takes that back.
		n.Spec.Taints = nil
		if _, err := r.Admin.CoreV1().Nodes().Update(ctx, &n, metav1.UpdateOptions{}); err != nil {
			return err
		}
	}
	if err := r.awaitPods(ctx, nodes.Items); err != nil {
		return err
	}
	pods, err := r.Admin.CoreV1().Pods("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	slices.SortFunc(pods.Items, func(a, b corev1.Pod) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(ownerOf(&a), ownerOf(&b)), cmp.Compare(a.Name, b.Name))
	})
	load := map[string]int{}
	for i := range pods.Items {
		if err := r.place(ctx, &pods.Items[i], nodes.Items, load); err != nil {
			return err
		}
	}
	return nil
}

// place binds a pod to the least loaded node that it fits, and starts it.
func (r *running) place(ctx context.Context, p *corev1.Pod, nodes []corev1.Node, load map[string]int) error {
	if p.Spec.NodeName == "" {
		var best *corev1.Node
		for i := range nodes {
			if n := &nodes[i]; fits(p, n, load[n.Name]) && (best == nil || load[n.Name] < load[best.Name]) {
				best = n
			}
		}
		if best == nil {
			return fmt.Errorf("no node for pod %s/%s", p.Namespace, p.Name)
		}
		if ownerKind(p) != "DaemonSet" {
			load[best.Name]++
		}
		binding := &corev1.Binding{ObjectMeta: metav1.ObjectMeta{Namespace: p.Namespace, Name: p.Name}, Target: corev1.ObjectReference{Kind: "Node", Name: best.Name}}
		if err := r.Admin.CoreV1().Pods(p.Namespace).Bind(ctx, binding, metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	p, err := r.Admin.CoreV1().Pods(p.Namespace).Get(ctx, p.Name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	started := metav1.Now()
	p.Status.Phase, p.Status.StartTime = corev1.PodRunning, &started
	_, err = r.Admin.CoreV1().Pods(p.Namespace).UpdateStatus(ctx, p, metav1.UpdateOptions{})
	return err
}

// fits says whether a pod may run on a node. A Fargate node takes one pod, and only one of Fargate's scheduler.
func fits(p *corev1.Pod, n *corev1.Node, pods int) bool {
	fargate := n.Labels["eks.amazonaws.com/compute-type"] == "fargate"
	if fargate != (p.Spec.SchedulerName == "fargate-scheduler") || fargate && pods > 0 {
		return false
	}
	windows := n.Labels[corev1.LabelOSStable] == "windows"
	if windows != (p.Spec.NodeSelector[corev1.LabelOSStable] == "windows") {
		return false // its taint keeps the others away
	}
	ok, err := nodeaffinity.GetRequiredNodeAffinity(p).Match(n)
	return ok && err == nil
}

func ownerOf(p *corev1.Pod) string {
	if o := metav1.GetControllerOf(p); o != nil {
		return o.Kind + "/" + o.Name
	}
	return ""
}

func ownerKind(p *corev1.Pod) string {
	if o := metav1.GetControllerOf(p); o != nil {
		return o.Kind
	}
	return ""
}

// awaitPods waits until every controller has made its pods.
func (r *running) awaitPods(ctx context.Context, nodes []corev1.Node) error {
	missing := ""
	err := wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, 2*time.Minute, true, func(ctx context.Context) (bool, error) {
		var err error
		missing, err = r.missingPods(ctx, nodes)
		return missing == "", err
	})
	if err != nil {
		return fmt.Errorf("wait for the pods of %s: %w", missing, err)
	}
	return nil
}

// missingPods names a controller that has not made all of its pods yet.
func (r *running) missingPods(ctx context.Context, nodes []corev1.Node) (string, error) {
	pods, err := r.Admin.CoreV1().Pods("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return "", err
	}
	made := map[string]int{}
	for i := range pods.Items {
		made[pods.Items[i].Namespace+" "+ownerOf(&pods.Items[i])]++
	}
	sets, err := r.Admin.AppsV1().DaemonSets("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return "", err
	}
	for _, d := range sets.Items {
		if made[d.Namespace+" DaemonSet/"+d.Name] != daemons(&d, nodes) {
			return "daemonset " + d.Name, nil
		}
	}
	stateful, err := r.Admin.AppsV1().StatefulSets("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return "", err
	}
	for _, s := range stateful.Items {
		if made[s.Namespace+" StatefulSet/"+s.Name] != int(*s.Spec.Replicas) {
			return "statefulset " + s.Name, nil
		}
	}
	return r.missingReplicas(ctx, made)
}

func (r *running) missingReplicas(ctx context.Context, made map[string]int) (string, error) {
	replicas, err := r.Admin.AppsV1().ReplicaSets("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return "", err
	}
	of := map[string]int{}
	for _, s := range replicas.Items {
		if o := metav1.GetControllerOf(&s); o != nil {
			of[s.Namespace+"/"+o.Name] += made[s.Namespace+" ReplicaSet/"+s.Name]
		}
	}
	deployments, err := r.Admin.AppsV1().Deployments("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return "", err
	}
	for _, d := range deployments.Items {
		if of[d.Namespace+"/"+d.Name] != int(*d.Spec.Replicas) {
			return "deployment " + d.Name, nil
		}
	}
	return "", nil
}

// daemons is how many nodes a DaemonSet runs on.
func daemons(d *appsv1.DaemonSet, nodes []corev1.Node) int {
	n := 0
	for i := range nodes {
		p := &corev1.Pod{Spec: d.Spec.Template.Spec}
		if ok, err := nodeaffinity.GetRequiredNodeAffinity(p).Match(&nodes[i]); ok && err == nil {
			n++
		}
	}
	return n
}
